//! The client to be counted: so many fetches of one page, a hundred in flight, over one connection,
//! the caller on the same thread as the engine.
//!
//! ```text
//! w1 URL CA_FILE COUNT [BODY_SIZE [IN_FLIGHT]]
//! ```

use std::error::Error;

use futures::{StreamExt, stream};
use gannet::config::{CertificateDer, Trust};
use gannet::{Config, Engine, Request, Target};
use gannet_lean::Args;
use tokio_rustls::rustls::pki_types::pem::PemObject;

fn main() -> Result<(), Box<dyn Error>> {
    let Args {
        url,
        file,
        count,
        body,
        in_flight,
    } = Args::parse()?;
    let mut config = Config::default();
    let ca = CertificateDer::from_pem_file(&file)?;
    config.tls.trust = Trust::Roots(vec![ca]);
    config.max_streams_per_connection = in_flight;
    let target = Target::parse(&url)?;
    actix_rt::System::new().block_on(async move {
        let engine = Engine::builder().config(config).start_here();
        let requests = stream::iter(0..count).map(|n| (n, Request::get(target.clone())));
        let mut answers = engine.fetch_all(requests, in_flight);
        let mut done = 0;
        while let Some((_, answer)) = answers.next().await {
            let response = answer?;
            if response.status != 200 || response.body.len() != body {
                return Err(format!("{}, {} bytes", response.status, response.body.len()).into());
            }
            done += 1;
        }
        let counters = engine.snapshot().await.counters;
        println!("{done} fetches, {} connections", counters.handshakes);
        match done == count {
            true => Ok(()),
            false => Err("some are missing".into()),
        }
    })
}
