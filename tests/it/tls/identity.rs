//! Certificates of the client's.

use std::path::Path;

use futures::future::join_all;
use gannet::config::{Identity, TlsVersion};
use gannet::error::TlsFault;
use gannet::{Config, Error, Failure, Request};

use super::authority::{Authority, Shown, root, root_with};
use super::server::{self, BOTH, Server, trust};
use super::{GRACE, HOST, fault_of, fetch};
use crate::real::folder::Folder;
use crate::real::process::Process;
use crate::real::recipe::installed;
use crate::support::engine_with;

/// One that demands a certificate of `clients`, and shows one of `servers`.
async fn demanding(servers: &Authority, clients: &Authority) -> Server {
    let shown = servers.server(&[HOST], |_| {});
    Server::tls(server::config(&shown, BOTH, Some(clients))).await
}

fn config(server: &Server, root: &Authority, shown: Option<&Shown>, at: TlsVersion) -> Config {
    let mut config = server.config(trust(&[root]));
    (config.tls.min_version, config.tls.max_version) = (at, at);
    let identity = shown.map(|s| Identity::new(s.chain.clone(), s.key.clone_key()));
    config.tls.identity = identity;
    config
}

#[tokio::test]
async fn a_certificate_is_shown_to_who_demands_one() {
    let (servers, clients) = (root(), root());
    let shown = clients.client();
    for at in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let server = demanding(&servers, &clients).await;
        let config = config(&server, &servers, Some(&shown), at);
        let answer = fetch(config, server.url(HOST)).await;
        assert!(answer.is_ok(), "{at:?}: {answer:?}");
        assert_eq!(server.seen()[0].client, shown.chain);
    }
}

#[tokio::test]
async fn no_certificate_is_shown_to_who_does_not_ask() {
    let servers = root();
    let server = Server::showing(&servers.server(&[HOST], |_| {})).await;
    let shown = root().client();
    let config = config(&server, &servers, Some(&shown), TlsVersion::Tls13);
    let answer = fetch(config, server.url(HOST)).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert!(server.seen()[0].client.is_empty());
}

#[tokio::test]
async fn a_certificate_demanded_and_none_given() {
    let (servers, clients) = (root(), root());
    for at in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let server = demanding(&servers, &clients).await;
        let config = config(&server, &servers, None, at);
        let fault = fault_of(&server, config, HOST).await;
        assert_eq!(
            fault,
            TlsFault::Alert("certificate_required".into()),
            "{at:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_the_server_does_not_trust() {
    let (servers, clients) = (root(), root());
    let others = root_with(|c| {
        let name = rcgen::DnType::CommonName;
        c.distinguished_name.push(name, "another root");
    });
    let shown = others.client();
    for at in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let server = demanding(&servers, &clients).await;
        let config = config(&server, &servers, Some(&shown), at);
        let fault = fault_of(&server, config, HOST).await;
        assert_eq!(fault, TlsFault::Alert("unknown_ca".into()), "{at:?}");
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_the_certificate_is_a_fault_of_the_setup() {
    let (servers, clients) = (root(), root());
    let server = demanding(&servers, &clients).await;
    let shown = Shown {
        chain: clients.client().chain,
        ..clients.client()
    };
    let config = config(&server, &servers, Some(&shown), TlsVersion::Tls13);
    assert_eq!(fault_of(&server, config, HOST).await, TlsFault::Setup);
    assert!(server.seen().is_empty());
}

/// Nginx that shows this and demands a certificate of `clients`; `None` if it is not installed.
async fn nginx(shown: &Shown, clients: &Authority) -> Option<(Server, Process, Folder)> {
    let program = installed("nginx")?;
    let folder = Folder::new();
    let at = folder.path.display();
    folder.write("chain.pem", shown.pem[0].as_bytes());
    folder.write("key.pem", shown.pem[1].as_bytes());
    folder.write("clients.pem", clients.pem.as_bytes());
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
        events {{ worker_connections 64; }}
        http {{
            access_log off;
            client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
            fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi;
            scgi_temp_path {at}/scgi;
            server {{
                listen unix:{at}/socket ssl http2;
                ssl_certificate {at}/chain.pem; ssl_certificate_key {at}/key.pem;
                ssl_client_certificate {at}/clients.pem; ssl_verify_client on;
                location / {{ return 200 $ssl_client_s_dn; }}
            }}
        }}"
    );
    folder.write("nginx.conf", config.as_bytes());
    let arguments = [
        "-p".to_owned(),
        at.to_string(),
        "-c".into(),
        format!("{at}/nginx.conf"),
    ];
    let mut process = Process::start(&program, &arguments, &folder.path);
    while !Path::new(&folder.path.join("pid")).exists() {
        assert!(process.status().is_none(), "{}", folder.read("stderr"));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let server = Server::before_file(folder.path.join("socket")).await;
    Some((server, process, folder))
}

#[tokio::test]
async fn nginx_sees_the_certificate_and_refuses_who_has_none() {
    let (servers, clients) = (root(), root());
    let shown = servers.server(&[HOST], |_| {});
    let Some((server, _process, _folder)) = nginx(&shown, &clients).await else {
        return;
    };
    let shown = clients.client();
    let [certificate, key] = shown.pem.each_ref().map(|pem| pem.as_bytes());
    let identity = Identity::from_pem(certificate, key).expect("rcgen wrote it");
    for (identity, status, body) in [
        (Some(identity), 200, "CN=leaf"),
        // It lets everyone in, and tells those in HTTP.
        (None, 400, "No required SSL certificate was sent"),
    ] {
        let mut config = server.config(trust(&[&servers]));
        config.tls.identity = identity;
        let response = fetch(config, server.url(HOST)).await.expect("a response");
        assert_eq!(response.status, status);
        let said = String::from_utf8_lossy(&response.body);
        assert!(said.contains(body), "{said}");
    }
}

/// In TLS 1.3 the refusal comes when the connection is open already, and its fetches are on it.
#[tokio::test]
async fn a_refusal_is_told_to_all_and_not_asked_for_again() {
    for alpn in ["h2", "http/1.1"] {
        refused_over(alpn).await;
    }
}

async fn refused_over(alpn: &str) {
    let (servers, clients) = (root(), root());
    let mut tls = server::config(&servers.server(&[HOST], |_| {}), BOTH, Some(&clients));
    tls.alpn_protocols = vec![alpn.into()];
    let server = Server::tls(tls).await;
    let mut config = config(&server, &servers, None, TlsVersion::Tls13);
    config.breaker_pause = std::time::Duration::from_secs(3_600);
    let engine = engine_with(config);
    let url = server.url(HOST);
    let fetch = |_| engine.fetch(Request::get(&url));
    for answer in join_all((0..50).map(fetch)).await {
        let error = answer.expect_err("it has no certificate");
        let cause = match &*error {
            Error::CircuitOpen { cause, .. } => cause,
            error => error,
        };
        let is_it = matches!(cause, Error::Tls { fault: TlsFault::Alert(name), .. } if name == "certificate_required");
        assert!(is_it, "{alpn}: {error:?}");
    }
    let later = fetch(0).await;
    assert!(
        matches!(
            later,
            Err(Failure {
                error: Error::CircuitOpen { .. },
                ..
            })
        ),
        "{later:?}"
    );
    // In HTTP/1.1 all that may be are under way by then.
    let most = if alpn == "h2" { 1 } else { 6 };
    assert!(server.accepted() <= most, "{alpn}");
    engine.shutdown(GRACE).await;
}
