//! The lean server with a certificate that is there: prints its port.
//!
//! ```text
//! server FOLDER BODY_SIZE
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use gannet_peers::{Failure, raise_files};
use tokio::net::TcpSocket;
use tokio::task::LocalSet;

fn main() -> Result<(), Failure> {
    raise_files()?;
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("the certificate's folder is missing")?);
    let body = args
        .next()
        .ok_or("the size of a body is missing")?
        .parse()?;
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| fs::read_to_string(folder.join(name)));
    let tls = gannet_lean::acceptor(&chain?, &key?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((here, 0).into())?;
        // Hundreds come at once.
        let listener = socket.listen(4_096)?;
        println!("{}", listener.local_addr()?.port());
        gannet_lean::serve(listener, tls, body).await?;
        Ok(())
    })
}
