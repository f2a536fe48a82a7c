//! Handshakes a second by the provider that the engine would use, both sides in memory, the
//! client's work timed alone. `--features aws-lc-rs` measures that one, otherwise it is ring.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gannet_testbed::Certificates;
use rustls::client::Resumption;
#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as provider;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The best round counts: what is slower was disturbed.
const ROUNDS: usize = 8;
const HANDSHAKES: u32 = 300;

struct Sides {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

fn main() -> Outcome<()> {
    let made = Certificates::new(&["localhost".to_owned()], &[])?;
    for version in [&version::TLS12, &version::TLS13] {
        for resumes in [false, true] {
            let sides = Sides::new(&made, version, resumes)?;
            let first = sides.shake_hands()?;
            let mut best = Duration::MAX;
            for _ in 0..ROUNDS {
                let mut spent = Duration::ZERO;
                for _ in 0..HANDSHAKES {
                    spent += sides.shake_hands()?;
                }
                best = best.min(spent);
            }
            let each = f64::from(HANDSHAKES) / best.as_secs_f64();
            let kind = if resumes { "resumed" } else { "full" };
            let version = version.version;
            println!("{version:?} {kind:8} {each:7.0}/s   the first took {first:?}");
        }
    }
    Ok(())
}

impl Sides {
    fn new(
        made: &Certificates,
        version: &'static SupportedProtocolVersion,
        resumes: bool,
    ) -> Outcome<Self> {
        let provider = Arc::new(provider::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(made.ca_der.clone().into())?;
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !resumes {
            client.resumption = Resumption::disabled();
        }
        let chain = CertificateDer::from_pem_slice(made.chain_pem.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes())?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])?
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)?;
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }

    /// What the client took for one.
    fn shake_hands(&self) -> Outcome<Duration> {
        let start = Instant::now();
        let name = ServerName::try_from("localhost")?;
        let mut client = ClientConnection::new(Arc::clone(&self.client), name)?;
        let mut spent = start.elapsed();
        let mut server = ServerConnection::new(Arc::clone(&self.server))?;
        loop {
            let start = Instant::now();
            let mut flight = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut flight)?;
            }
            spent += start.elapsed();
            let mut answer = Vec::new();
            let mut unread = &flight[..];
            while !unread.is_empty() {
                server.read_tls(&mut unread)?;
                server.process_new_packets()?;
            }
            while server.wants_write() {
                server.write_tls(&mut answer)?;
            }
            if flight.is_empty() && answer.is_empty() {
                return Ok(spent);
            }
            let start = Instant::now();
            let mut unread = &answer[..];
            while !unread.is_empty() {
                client.read_tls(&mut unread)?;
                client.process_new_packets()?;
            }
            spent += start.elapsed();
        }
    }
}
