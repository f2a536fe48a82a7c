//! Certificates, right and wrong, made anew for each test.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// One who signs.
pub(crate) struct Authority {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server, or a client, shows and proves.
pub(crate) struct Shown {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// Its own certificate and its key.
    pub(crate) pem: [String; 2],
}

pub(crate) fn root() -> Authority {
    root_with(|_| {})
}

pub(crate) fn root_with(change: impl FnOnce(&mut CertificateParams)) -> Authority {
    let mut params = authority("root");
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let der = params.self_signed(&key).expect("good parameters");
    Authority::new(der, params, key)
}

impl Authority {
    fn new(certificate: Certificate, params: CertificateParams, key: KeyPair) -> Self {
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// An authority below this one.
    pub(crate) fn authority(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = authority(name);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer);
        Self::new(signed.expect("good parameters"), params, key)
    }

    /// A server's certificate for these names and addresses, and nothing above it.
    pub(crate) fn server(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Shown {
        let mut params = leaf(names, ExtendedKeyUsagePurpose::ServerAuth);
        change(&mut params);
        self.signs(&params)
    }

    pub(crate) fn client(&self) -> Shown {
        self.signs(&leaf(&["client"], ExtendedKeyUsagePurpose::ClientAuth))
    }

    fn signs(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer);
        Shown::new(&signed.expect("good parameters"), &key)
    }

    /// As if it were a server's: its certificate, and what it shows with it.
    pub(crate) fn as_server(&self) -> Shown {
        let key = self.issuer.key();
        Shown {
            chain: vec![self.der.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            pem: [self.pem.clone(), key.serialize_pem()],
        }
    }
}

impl Shown {
    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            pem: [certificate.pem(), key.serialize_pem()],
        }
    }

    /// Shows these certificates after its own.
    pub(crate) fn with(mut self, above: &[&Authority]) -> Self {
        self.chain.extend(above.iter().map(|a| a.der.clone()));
        self
    }
}

/// A certificate that nobody else has signed.
pub(crate) fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let mut params = leaf(&[name], ExtendedKeyUsagePurpose::ServerAuth);
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let signed = params.self_signed(&key).expect("good parameters");
    Shown::new(&signed, &key)
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(names: &[&str], usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("good names");
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}
