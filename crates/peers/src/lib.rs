//! What every client of the comparison shares: what it is told, how it is driven, what it checks and
//! what it tells.

mod args;
mod drive;
mod trace;
mod usage;

pub use args::{Args, Shape};
pub use drive::{Client, Fetched, drive};
pub use trace::{Zipf, lru_reuse};
pub use usage::{children_cpu, cpu, memory, raise_files};

use std::error::Error;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Whatever goes wrong ends the run.
pub type Failure = Box<dyn Error + Send + Sync>;

/// HTTP/2 flow-control window of a stream and of a connection, in bytes: gannet's defaults, set for
/// all others, too.
pub const WINDOWS: (u32, u32) = (2 << 20, 16 << 20);

/// TLS as all but gannet speak it, which has the same by its own configuration: ring, one root, as many
/// sessions kept.
///
/// # Errors
///
/// Of a file that is no certificate.
pub fn tls(args: &Args, alpn: &[&str]) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&args.ca)?)?;
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    tls.resumption = Resumption::in_memory_sessions(1_000);
    Ok(tls)
}
