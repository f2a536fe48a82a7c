//! The flags that say how TLS is spoken, spelled as in curl.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gannet::Config;
use gannet::config::{Identity, TlsVersion, Trust};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::exit::{Exit, Failure};

/// How TLS is spoken, as far as flags say.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Secure {
    /// Trust any certificate: whoever is on the way can read and change everything
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Show this certificate to servers that ask for one: a PEM file, its chain after it
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The key of --cert, a PEM file [default: in the file of the certificate]
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// TLS 1.2 or newer [default]
    #[arg(long = "tlsv1.2", conflicts_with = "tls1_3")]
    tls1_2: bool,
    /// TLS 1.3 or newer
    #[arg(long = "tlsv1.3")]
    tls1_3: bool,
    /// TLS of this version or older
    #[arg(long, value_name = "VERSION")]
    tls_max: Option<Version>,
    /// Write the keys of TLS to the file that SSLKEYLOGFILE names: who reads it can read everything
    #[arg(long)]
    key_log: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Version {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

impl Secure {
    /// Sets what flags were given for.
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), Failure> {
        let tls = &mut config.tls;
        tls.trust = match &self.cacert {
            _ if self.insecure => Trust::DangerAcceptAnyCertificate,
            Some(path) => Trust::Roots(certificates(path)?),
            None => Trust::System,
        };
        if let Some(path) = &self.cert {
            tls.identity = Some(identity(path, self.key.as_ref().unwrap_or(path))?);
        }
        if self.tls1_3 {
            tls.min_version = TlsVersion::Tls13;
        }
        tls.max_version = match self.tls_max {
            Some(Version::Tls12) if self.tls1_3 => {
                let message = "--tlsv1.3 and --tls-max 1.2 leave no version";
                return Err(Failure::new(Exit::Usage, message));
            }
            Some(Version::Tls12) => TlsVersion::Tls12,
            Some(Version::Tls13) | None => TlsVersion::Tls13,
        };
        tls.key_log = self.key_log;
        Ok(())
    }
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, Failure> {
    let read = |path: &Path| fs::read(path).map_err(|e| Failure::input(path.display(), &e));
    let (cert_pem, key_pem) = (read(cert)?, read(key)?);
    Identity::from_pem(&cert_pem, &key_pem)
        .map_err(|error| Failure::input(cert.display(), &io::Error::other(error.to_string())))
}

/// Trust in what this file holds alone.
pub(crate) fn authority(path: &Path) -> Result<Trust, Failure> {
    certificates(path).map(Trust::Roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unreadable = |error: io::Error| Failure::input(path.display(), &error);
    let pem = fs::read(path).map_err(unreadable)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unreadable(io::Error::other("no certificate in it"))),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        secure: Secure,
    }

    fn config(line: &str) -> Result<Config, Exit> {
        let line = format!("get {line}");
        let line = Line::try_parse_from(line.split_whitespace()).map_err(|_| Exit::Usage)?;
        let mut config = Config::default();
        line.secure
            .apply(&mut config)
            .map_err(|failure| failure.exit)?;
        Ok(config)
    }

    #[test]
    fn versions_are_bounded_on_both_sides() {
        let of = |line| config(line).map(|c| (c.tls.min_version, c.tls.max_version));
        use TlsVersion::{Tls12, Tls13};
        assert_eq!(of(""), Ok((Tls12, Tls13)));
        assert_eq!(of("--tlsv1.2 --tls-max 1.2"), Ok((Tls12, Tls12)));
        assert_eq!(of("--tlsv1.3"), Ok((Tls13, Tls13)));
        assert_eq!(of("--tlsv1.3 --tls-max 1.2"), Err(Exit::Usage));
        assert_eq!(of("--tls-max 1.1"), Err(Exit::Usage));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(config("--cert /nonexistent/a").err(), Some(Exit::Input));
        assert_eq!(config("--cacert /dev/null").err(), Some(Exit::Input));
        assert_eq!(config("--cert /dev/null").err(), Some(Exit::Input));
        assert_eq!(config("--key /dev/null").err(), Some(Exit::Usage));
    }
}
