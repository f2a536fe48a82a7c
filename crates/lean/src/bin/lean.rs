//! The server by itself: prints its URL and writes the certificate to trust into a file.
//!
//! ```text
//! lean CA_FILE [BODY_SIZE]
//! ```

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use gannet_testbed::Certificates;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("a file for the certificate is missing")?;
    let body = args.next().map_or(Ok(1024), |size| size.parse())?;
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let made = Certificates::new(&["localhost".to_owned()], &[here])?;
    let tls = gannet_lean::acceptor(&made.chain_pem, &made.key_pem)?;
    std::fs::write(file, &made.ca_pem)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((here, 0)).await?;
        println!("https://127.0.0.1:{}/", listener.local_addr()?.port());
        gannet_lean::serve(listener, tls, body).await?;
        Ok(())
    })
}
