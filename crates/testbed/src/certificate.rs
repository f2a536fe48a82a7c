//! The certificate authority of a testbed, and the certificate of its server.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// An authority and a certificate it has signed.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) ca_der: Vec<u8>,
    leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes a new authority and a certificate for these names and addresses.
    pub(crate) fn new(names: &[String], addresses: &[IpAddr]) -> Result<Self, rcgen::Error> {
        let Signed { ca, leaf, key } = sign(names, addresses)?;
        Ok(Self {
            ca_pem: ca.pem(),
            ca_der: ca.der().to_vec(),
            leaf: leaf.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// The configuration of a server that shows this certificate and offers these protocols.
    pub(crate) fn config(&self, alpn: &[String]) -> Result<ServerConfig, rustls::Error> {
        // The provider is named so that nothing depends on what the process has installed.
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.leaf.clone()], self.key.clone_key())?;
        config.alpn_protocols = alpn.iter().map(|name| name.clone().into_bytes()).collect();
        Ok(config)
    }
}

/// A new authority and a certificate it has signed, for a server other than the testbed.
///
/// ```
/// let names = ["localhost".to_owned()];
/// let made = gannet_testbed::Certificates::new(&names, &[[127, 0, 0, 1].into()])?;
/// assert!(made.chain_pem.starts_with("-----BEGIN CERTIFICATE-----"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Certificates {
    /// The certificate of the authority: what a client has to trust.
    pub ca_der: Vec<u8>,
    /// The same in PEM.
    pub ca_pem: String,
    /// The server's certificate in PEM. The authority signed it directly, so it is the chain.
    pub chain_pem: String,
    /// The server's private key in PEM (PKCS #8).
    pub key_pem: String,
}

impl Certificates {
    /// Makes them for a server of these names and addresses.
    ///
    /// # Errors
    ///
    /// One of the names is no DNS name.
    pub fn new(names: &[String], addresses: &[IpAddr]) -> io::Result<Self> {
        let Signed { ca, leaf, key } = sign(names, addresses).map_err(io::Error::other)?;
        Ok(Self {
            ca_der: ca.der().to_vec(),
            ca_pem: ca.pem(),
            chain_pem: leaf.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

struct Signed {
    ca: rcgen::Certificate,
    leaf: rcgen::Certificate,
    /// The leaf's.
    key: KeyPair,
}

fn sign(names: &[String], addresses: &[IpAddr]) -> Result<Signed, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let ca_params = authority();
    let ca = ca_params.self_signed(&ca_key)?;
    let key = KeyPair::generate()?;
    let issuer = Issuer::new(ca_params, ca_key);
    let leaf = server(names, addresses)?.signed_by(&key, &issuer)?;
    Ok(Signed { ca, leaf, key })
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "gannet testbed authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server(names: &[String], addresses: &[IpAddr]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let addresses = addresses.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    params
        .distinguished_name
        .push(DnType::CommonName, "gannet testbed server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier;
    use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    fn identity() -> Identity {
        let names = ["*.gannet.test", "localhost"].map(str::to_owned);
        let addresses = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        Identity::new(&names, &addresses).expect("the names are valid")
    }

    fn accepts(identity: &Identity, name: &'static str) -> bool {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from(identity.ca_der.clone());
        roots.add(ca).expect("the authority is a certificate");
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .expect("there is one root");
        let name = ServerName::try_from(name).expect("a name or an address");
        verifier
            .verify_server_cert(&identity.leaf, &[], &name, &[], UnixTime::now())
            .is_ok()
    }

    #[test]
    fn the_certificate_is_good_for_its_names_and_addresses_only() {
        let identity = identity();
        for good in ["127.0.0.1", "127.0.0.2", "::1", "localhost"] {
            assert!(accepts(&identity, good), "{good}");
        }
        assert!(accepts(&identity, "site-7.gannet.test"));
        for bad in ["127.0.0.3", "example.test", "a.b.gannet.test"] {
            assert!(!accepts(&identity, bad), "{bad}");
        }
    }

    #[test]
    fn another_authority_is_not_trusted() {
        let mut mixed = identity();
        mixed.ca_der = identity().ca_der;
        assert!(!accepts(&mixed, "localhost"));
    }

    #[test]
    fn a_name_that_is_none_is_an_error() {
        assert!(Identity::new(&["é".to_owned()], &[]).is_err());
    }

    #[test]
    fn the_configuration_offers_the_protocols() {
        let config = identity().config(&["h2".to_owned()]).expect("a good key");
        assert_eq!(config.alpn_protocols, [b"h2".to_vec()]);
    }
}
