//! The whole engine, by default with the caller on its own thread.

use gannet::config::{CertificateDer, FixedAddresses, Trust};
use gannet::{Config, Engine, Protocols, Request, Target};
use gannet_peers::{Args, Client, Failure, Fetched, drive};
use rustls::pki_types::pem::PemObject;

struct Gannet {
    engine: Engine,
    targets: Vec<Target>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let targets = args.urls().into_iter().map(|url| Target::parse(&url));
    let targets = targets.collect::<Result<_, _>>()?;
    let engine = Engine::builder().config(config(args)?);
    if args.apart {
        let engine = engine.arbiters(1).start()?;
        return crate::here(drive(args, &Gannet { engine, targets }));
    }
    actix_rt::System::new().block_on(async {
        let engine = engine.start_here();
        drive(args, &Gannet { engine, targets }).await
    })
}

fn config(args: &Args) -> Result<Config, Failure> {
    let mut config = Config::default();
    let ca = CertificateDer::from_pem_file(&args.ca)?;
    config.tls.trust = Trust::Roots(vec![ca]);
    config.fixed_addresses.push(FixedAddresses {
        host: "*".to_owned(),
        port: args.port,
        addresses: vec![args.address().ip()],
    });
    config.max_connections = args.cap;
    config.max_streams_per_connection = args.in_flight;
    config.conn_limit_http1 = args.in_flight;
    if args.http1 {
        config.accepted_protocols = Protocols::HTTP11;
    }
    Ok(config)
}

impl Client for Gannet {
    async fn fetch(&self, origin: usize) -> Result<Fetched, Failure> {
        let request = Request::get(self.targets[origin].clone());
        let response = self.engine.fetch(request).await?;
        Ok(Fetched {
            status: response.status.as_u16(),
            told: Fetched::told(&response.headers),
            body: response.body.len(),
        })
    }

    async fn handshakes(&self) -> Option<u64> {
        Some(self.engine.snapshot().await.counters.handshakes)
    }
}
