//! TLS, by rustls.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Trust;
use crate::error::{Error, TlsFault};
use crate::origin::{Protocol, Protocols};
use crate::response::TlsFacts;

/// Shakes hands; one for a whole engine, so that its sessions are resumed.
#[derive(Debug)]
pub(crate) struct Tls {
    trust: Trust,
    /// Made at first use: reading the system's roots is slow, and an engine that never speaks TLS
    /// should start where there are none. A failure is not kept; the next dial tries again.
    connector: OnceLock<Connector>,
}

struct Connector(TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Tls {
    pub(crate) fn new(trust: Trust) -> Self {
        Self {
            trust,
            connector: OnceLock::new(),
        }
    }

    fn connector(&self) -> Result<&Connector, Error> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let made = connector(&self.trust).map_err(|e| Error::Tls {
            fault: TlsFault::Setup,
            source: Arc::new(io::Error::other(e)),
        })?;
        Ok(self.connector.get_or_init(|| made))
    }

    /// Shakes hands over `tcp` with `host`, and agrees on one of `offered`.
    pub(crate) async fn shake_hands<T>(
        &self,
        host: &str,
        offered: Protocols,
        tcp: T,
    ) -> Result<(TlsStream<T>, TlsFacts, Protocol), Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = self.connector()?;
        // SNI names have no trailing dot (RFC 6066 §3).
        let name = host.strip_suffix('.').unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|e| Error::Tls {
            fault: TlsFault::Setup,
            source: Arc::new(io::Error::new(io::ErrorKind::InvalidInput, e)),
        })?;
        let alpn = offered.iter().map(|p| p.alpn().into()).collect();
        let shaking = connector.0.clone().with_alpn(alpn).connect(name, tcp);
        let stream = shaking.await.map_err(|e| failed(e, offered))?;
        let facts = facts(stream.get_ref().1);
        let chosen = match facts.alpn.as_deref() {
            Some(alpn) => offered.iter().find(|p| p.alpn() == alpn),
            // A server without ALPN does not speak HTTP/2 (RFC 9113 §3.3).
            None => Some(Protocol::Http11).filter(|p| offered.accept(*p)),
        };
        match chosen {
            Some(protocol) => Ok((stream, facts, protocol)),
            None => Err(Error::NoCommonProtocol {
                offered: offered.to_string().into(),
                chosen: facts.alpn,
            }),
        }
    }
}

fn connector(trust: &Trust) -> Result<Connector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::System => builder.with_platform_verifier()?,
        Trust::Roots(roots) => {
            let mut store = RootCertStore::empty();
            for root in roots {
                store.add(root.clone())?;
            }
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
                .build()
                .map_err(|e| rustls::Error::General(e.to_string()))?;
            builder.with_webpki_verifier(verifier)
        }
        Trust::DangerAcceptAnyCertificate => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider))),
    };
    let config = builder.with_no_client_auth();
    Ok(Connector(TlsConnector::from(Arc::new(config))))
}

fn failed(source: io::Error, offered: Protocols) -> Error {
    let cause = source.get_ref().and_then(|e| e.downcast_ref());
    let refused = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    if cause == Some(&refused) {
        return Error::NoCommonProtocol {
            offered: offered.to_string().into(),
            chosen: None,
        };
    }
    let fault = match source.kind() {
        io::ErrorKind::UnexpectedEof => TlsFault::CutShort,
        _ => TlsFault::Other,
    };
    Error::Tls {
        fault,
        source: Arc::new(source),
    }
}

fn facts(session: &rustls::ClientConnection) -> TlsFacts {
    let version = session.protocol_version().and_then(|v| v.as_str());
    let suite = session.negotiated_cipher_suite();
    TlsFacts {
        version: version.unwrap_or("unknown"),
        cipher_suite: suite.and_then(|s| s.suite().as_str()).unwrap_or("unknown"),
        alpn: session
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
    }
}

/// Accepts any certificate; still checks that the server holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
