//! What rustls and rcgen are too good for: old versions, small keys, weak digests. By OpenSSL.

use std::path::Path;
use std::process::Command;

use gannet::config::{CertificateDer, TlsVersion, Trust};
use gannet::error::{Error, TlsFault};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::authority::Shown;
use super::server::Server;
use super::{HOST, broken, fault_of, fetch_counting};
use crate::real::folder::Folder;
use crate::real::process::Process;

/// Runs `openssl`, which every system with a browser has; where it has none, this fails.
fn openssl(folder: &Folder, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(&folder.path)
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

/// A root of `root_bits` that has signed a server's key of `leaf_bits` with `digest`, in
/// `root.pem`, `leaf.pem` and `leaf.key`.
fn make(root_bits: u32, leaf_bits: u32, digest: &str) -> Folder {
    let folder = Folder::new();
    folder.write("ext", format!("subjectAltName=DNS:{HOST}").as_bytes());
    openssl(
        &folder,
        &format!(
            "req -x509 -newkey rsa:{root_bits} -nodes -keyout root.key -out root.pem -subj /CN=root -days 9"
        ),
    );
    openssl(
        &folder,
        &format!(
            "req -newkey rsa:{leaf_bits} -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf"
        ),
    );
    openssl(
        &folder,
        &format!(
            "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -CAcreateserial -{digest} -extfile ext -out leaf.pem -days 9"
        ),
    );
    folder
}

fn certificate(folder: &Folder, name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(folder.read(name).as_bytes()).expect("openssl made it")
}

fn trusting(folder: &Folder) -> Trust {
    Trust::Roots(vec![certificate(folder, "root.pem")])
}

/// What is wrong with such certificates, shown by a server in good order.
async fn refused(folder: &Folder) -> TlsFault {
    let pem = [folder.read("leaf.pem"), folder.read("leaf.key")];
    let shown = Shown {
        chain: vec![certificate(folder, "leaf.pem")],
        key: PrivateKeyDer::from_pem_slice(pem[1].as_bytes()).expect("openssl made it"),
        pem,
    };
    let server = Server::showing(&shown).await;
    fault_of(&server, server.config(trusting(folder)), HOST).await
}

/// An OpenSSL server with these options.
struct Old {
    /// Counts, and stands before the other.
    server: Server,
    port: u16,
    _process: Process,
}

impl Old {
    async fn start(folder: &Folder, options: &str) -> Self {
        let arguments =
            format!("s_server -accept 127.0.0.1:0 -www -cert leaf.pem -key leaf.key {options}");
        let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
        let process = Process::start(Path::new("openssl"), &arguments, &folder.path);
        let port = port_of(folder, process.id()).await;
        Self {
            server: Server::before(port).await,
            port,
            _process: process,
        }
    }
}

/// The port that the server has written down.
async fn port_of(folder: &Folder, id: u32) -> u16 {
    for _ in 0..2_000 {
        let said = folder.read("stdout");
        let port = said.split_once("ACCEPT 127.0.0.1:");
        if let Some((port, _)) = port.and_then(|(_, rest)| rest.split_once('\n')) {
            return port.parse().expect("a port");
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("process {id}: {}", folder.read("stderr"));
}

#[tokio::test]
async fn a_server_that_speaks_tls_1_0_only() {
    let folder = make(2_048, 2_048, "sha256");
    let old = Old::start(&folder, "-tls1 -cipher ALL:@SECLEVEL=0").await;
    assert_eq!(broken(&old.server).await, TlsFault::Incompatible);
}

#[tokio::test]
async fn a_server_that_speaks_tls_1_1_only() {
    let folder = make(2_048, 2_048, "sha256");
    let old = Old::start(&folder, "-tls1_1 -cipher ALL:@SECLEVEL=0").await;
    assert_eq!(broken(&old.server).await, TlsFault::Incompatible);
}

/// OpenSSL says no more than this.
#[tokio::test]
async fn a_server_without_a_suite_in_common() {
    let folder = make(2_048, 2_048, "sha256");
    let old = Old::start(&folder, "-tls1_2 -cipher AES128-SHA").await;
    let failure = TlsFault::Alert("handshake_failure".into());
    assert_eq!(broken(&old.server).await, failure);
}

#[tokio::test]
async fn a_server_without_a_group_in_common() {
    let folder = make(2_048, 2_048, "sha256");
    let old = Old::start(&folder, "-tls1_3 -groups ffdhe2048").await;
    let failure = TlsFault::Alert("handshake_failure".into());
    assert_eq!(broken(&old.server).await, failure);
}

#[tokio::test]
async fn a_key_of_1024_bits() {
    let folder = make(2_048, 1_024, "sha256");
    for version in ["-tls1_2", "-tls1_3"] {
        let old = Old::start(&folder, &format!("{version} -cipher ALL:@SECLEVEL=0")).await;
        let config = old.server.config(trusting(&folder));
        let fault = fault_of(&old.server, config, HOST).await;
        assert_eq!(fault, TlsFault::BadSignature, "{version}");
    }
}

#[tokio::test]
async fn a_root_of_1024_bits() {
    let folder = make(1_024, 2_048, "sha256");
    assert_eq!(refused(&folder).await, TlsFault::BadSignature);
}

#[tokio::test]
async fn a_signature_over_sha_1() {
    let folder = make(2_048, 2_048, "sha1");
    assert_eq!(refused(&folder).await, TlsFault::BadCertificate);
}

#[tokio::test]
async fn a_signature_over_md5() {
    let folder = make(2_048, 2_048, "md5");
    assert_eq!(refused(&folder).await, TlsFault::BadCertificate);
}

#[tokio::test]
async fn a_certificate_of_version_1() {
    let folder = make(2_048, 2_048, "sha256");
    let sign = "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -out leaf.pem -days 9";
    openssl(&folder, sign);
    assert_eq!(refused(&folder).await, TlsFault::BadCertificate);
}

/// As others do: in TLS 1.2 it has no better word, in 1.3 it has one, but late.
#[tokio::test]
async fn a_server_that_demands_a_certificate() {
    let folder = make(2_048, 2_048, "sha256");
    let old = Old::start(&folder, "-Verify 1 -verify_return_error -alpn h2").await;
    for (at, alert) in [
        (TlsVersion::Tls12, "handshake_failure"),
        (TlsVersion::Tls13, "certificate_required"),
    ] {
        let mut config = gannet::Config::default();
        config.tls.trust = Trust::DangerAcceptAnyCertificate;
        (config.tls.min_version, config.tls.max_version) = (at, at);
        let url = format!("https://127.0.0.1:{}/", old.port);
        let (answer, dials) = fetch_counting(config, url).await;
        let is_it = matches!(&answer, Err(Error::Tls { fault: TlsFault::Alert(name), .. }) if name == alert);
        assert!(is_it, "{at:?}: {answer:?}");
        assert_eq!(dials, 1, "{at:?}");
    }
}
