//! How TLS is spoken.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject};

pub use rustls::pki_types::CertificateDer;

use crate::error::{Error, TlsFault};

/// How an engine speaks TLS; the field [`Config::tls`](crate::Config::tls).
///
/// Protocols above TLS (ALPN) are [`Config::accepted_protocols`](crate::Config::accepted_protocols).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsConfig {
    /// Where trust comes from. Default: the system's roots.
    pub trust: Trust,
    /// Accepts a certificate for other names, if its chain leads to a root that is trusted. Whoever
    /// holds any such certificate can read and change everything. Default: false. Windows and
    /// Apple's systems name one fault of a certificate at a time, and a wrong name may hide
    /// another; where that matters, trust [`Roots`](Trust::Roots).
    pub danger_accept_invalid_hostnames: bool,
    /// The oldest version to accept. Default 1.2; the older ones are broken (RFC 8996).
    pub min_version: TlsVersion,
    /// The newest version to offer. Default 1.3. Below [`min_version`](Self::min_version), every
    /// handshake fails with [`TlsFault::Setup`].
    pub max_version: TlsVersion,
    /// The certificate to show to servers that ask for one. Default: none.
    pub identity: Option<Identity>,
    /// The name to ask for and to verify in place of the URL's host, at every origin: a server that
    /// is reached by its address or by another name is checked against the one it has. A name goes
    /// out as SNI (RFC 6066 §3), an address is only verified. `Host` and `:authority` stay the
    /// URL's. To connect elsewhere and keep the URL's name, use
    /// [`Config::connect_to`](crate::Config::connect_to). Default: the URL's host.
    pub server_name: Option<String>,
    /// Servers whose sessions are kept to be resumed, which saves a signature on both sides and,
    /// in TLS 1.2, a round trip; the one unused longest is forgotten. 0 switches resumption off.
    /// Default 1,000, at about 5 KiB each; a hostile server can make it 200 KiB. One name is one
    /// server, whatever the port and the way there.
    pub sessions: usize,
    /// Appends the secrets of each connection to the file that `SSLKEYLOGFILE` names, if it is set
    /// at the first handshake. Whoever reads it can read everything; for debugging. Default: false.
    pub key_log: bool,
}

/// Where trust in a server's certificate comes from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The operating system's roots and rules.
    #[default]
    System,
    /// These roots beside the system's.
    #[cfg(not(target_os = "android"))]
    SystemAnd(Vec<CertificateDer<'static>>),
    /// These roots and no others.
    Roots(Vec<CertificateDer<'static>>),
    /// Anything at all. An attacker on the path can read and change everything.
    DangerAcceptAnyCertificate,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// A client's certificate and its private key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            trust: Trust::System,
            danger_accept_invalid_hostnames: false,
            min_version: TlsVersion::Tls12,
            max_version: TlsVersion::Tls13,
            identity: None,
            server_name: None,
            sessions: 1_000,
            key_log: false,
        }
    }
}

impl Identity {
    /// From a chain, the client's own certificate first, and its key. Whether they fit is seen at
    /// the first handshake: [`TlsFault::Setup`] if not.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        let key = Arc::new(key);
        Self { chain, key }
    }

    /// The same from PEM (RFC 7468): any number of certificates, and one key in PKCS #8, PKCS #1 or
    /// SEC1. Both may be in one text, given twice. An encrypted key is not read.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] with [`TlsFault::Setup`], if there is no certificate or no key, or one is
    /// malformed. Never repeats the key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|e| unusable("certificate", &e))?;
        if chain.is_empty() {
            return Err(unusable("certificate", &pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| unusable("private key", &e))?;
        Ok(Self::new(chain, key))
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

/// Says what kind of fault it is, not where: the text may be the key.
fn unusable(part: &'static str, error: &pem::Error) -> Error {
    let why = match error {
        pem::Error::NoItemsFound => "there is none",
        pem::Error::MissingSectionEnd { .. } => "its end is missing",
        pem::Error::IllegalSectionStart { .. } => "its beginning is malformed",
        pem::Error::Base64Decode(_) => "it is not base64",
        _ => "it cannot be read",
    };
    let reason = format!("the client's {part}: {why}");
    Error::Tls {
        fault: TlsFault::Setup,
        source: Arc::new(io::Error::new(io::ErrorKind::InvalidInput, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";

    #[test]
    fn an_identity_is_read_from_one_text_or_two() {
        let both = [CERTIFICATE, KEY, CERTIFICATE].concat();
        for (chain, key, certificates) in [(CERTIFICATE, KEY, 1), (&both, &both, 2)] {
            let identity = Identity::from_pem(chain, key).expect("well-formed");
            assert_eq!(identity.chain().len(), certificates);
            assert_eq!(identity.key().secret_der(), b"secret");
        }
    }

    #[test]
    fn what_is_no_identity_says_why_and_never_repeats_the_key() {
        let cut = KEY.strip_suffix(b"-----\n").expect("its end");
        let odd = b"-----BEGIN PRIVATE KEY-----\nc2Vj!cmV0\n-----END PRIVATE KEY-----\n";
        for (chain, key, why) in [
            (&b""[..], KEY, "the client's certificate: there is none"),
            (KEY, KEY, "the client's certificate: there is none"),
            (CERTIFICATE, b"", "the client's private key: there is none"),
            (
                CERTIFICATE,
                CERTIFICATE,
                "the client's private key: there is none",
            ),
            (
                CERTIFICATE,
                cut,
                "the client's private key: its end is missing",
            ),
            (
                CERTIFICATE,
                odd,
                "the client's private key: it is not base64",
            ),
        ] {
            let error = Identity::from_pem(chain, key).expect_err(why);
            assert!(matches!(&error, Error::Tls { fault, .. } if *fault == TlsFault::Setup));
            let text = format!("{error} {error:?}");
            assert!(text.contains(why), "{text}");
            assert!(!text.contains("c2Vj"), "{text}");
        }
    }

    #[test]
    fn the_key_is_never_shown() {
        let mut config = crate::Config::default();
        config.tls.identity = Some(Identity::from_pem(CERTIFICATE, KEY).expect("well-formed"));
        let shown = format!("{config:?}");
        assert!(shown.contains("Identity(1 certificates)"), "{shown}");
        assert!(!shown.contains("c2Vj") && !shown.contains("secret"));
    }
}
