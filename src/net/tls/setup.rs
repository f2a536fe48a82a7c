//! From settings to what rustls works with.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, Error, KeyLogFile, RootCertStore, SupportedProtocolVersion};
use rustls_platform_verifier::Verifier as System;

use crate::config::{TlsConfig, TlsVersion, Trust};
use crate::net::tls::sessions::Sessions;
use crate::net::tls::verify::{AcceptAny, AcceptAnyName};

pub(super) fn client(config: &TlsConfig) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider());
    let verifier = verifier(config, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(config)?)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut client = match &config.identity {
        Some(identity) => {
            let chain = identity.chain().to_vec();
            builder.with_client_auth_cert(chain, identity.key().clone_key())?
        }
        None => builder.with_no_client_auth(),
    };
    client.resumption = match config.sessions {
        0 => Resumption::disabled(),
        servers => Resumption::store(Arc::new(Sessions::new(servers))),
    };
    if config.key_log {
        client.key_log = Arc::new(KeyLogFile::new());
    }
    Ok(client)
}

/// With both features it is aws-lc-rs: ring is there by default, the other was asked for.
#[cfg(feature = "aws-lc-rs")]
fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn provider() -> CryptoProvider {
    compile_error!("TLS needs one of the features `ring` and `aws-lc-rs`")
}

fn versions(config: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let known = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
    let accepted = config.min_version..=config.max_version;
    let versions = known.into_iter().filter(|(v, _)| accepted.contains(v));
    let versions: Vec<_> = versions.map(|(_, version)| version).collect();
    match versions.is_empty() {
        true => Err(Error::General(
            "no version of TLS is left between the oldest and the newest allowed".into(),
        )),
        false => Ok(versions),
    }
}

fn verifier(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let provider = Arc::clone(provider);
    let verifier: Arc<dyn ServerCertVerifier> = match &config.trust {
        Trust::System => Arc::new(System::new(provider)?),
        #[cfg(not(target_os = "android"))]
        Trust::SystemAnd(roots) => {
            let roots = roots.iter().cloned();
            Arc::new(System::new_with_extra_roots(roots, provider)?)
        }
        Trust::Roots(roots) => own_roots(roots, provider)?,
        Trust::DangerAcceptAnyCertificate => return Ok(Arc::new(AcceptAny(provider))),
    };
    Ok(match config.danger_accept_invalid_hostnames {
        true => Arc::new(AcceptAnyName(verifier)),
        false => verifier,
    })
}

fn own_roots(
    roots: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
        .build()
        .map_err(|e| Error::General(e.to_string()))
}
