//! What can be set, as the server sees it.

use std::process::Command;

use gannet::config::{TlsVersion, Trust};
use gannet::error::TlsFault;
use gannet::{Config, Engine, Response};

use super::authority::{Authority, root};
use super::server::{self, BOTH, ONLY_12, ONLY_13, Seen, Server, Versions, trust};
use super::{GRACE, HOST, fault_of, fetch};
use crate::real::folder::Folder;
use crate::support::engine_with;

async fn speaking(root: &Authority, versions: Versions) -> Server {
    let shown = root.server(&[HOST], |_| {});
    Server::tls(server::config(&shown, versions, None)).await
}

fn config(server: &Server, root: &Authority) -> Config {
    server.config(trust(&[root]))
}

fn version_of(response: &Response) -> &'static str {
    let tls = response
        .receipt
        .peer
        .as_ref()
        .and_then(|peer| peer.tls.as_ref());
    tls.expect("it was TLS").version
}

#[tokio::test]
async fn both_versions_are_spoken_and_no_other_if_so_set() {
    use TlsVersion::{Tls12, Tls13};
    let root = root();
    for (speaks, min, max, expected) in [
        (ONLY_12, Tls12, Tls13, "TLSv1_2"),
        (ONLY_13, Tls12, Tls13, "TLSv1_3"),
        (BOTH, Tls12, Tls13, "TLSv1_3"),
        (BOTH, Tls12, Tls12, "TLSv1_2"),
        (BOTH, Tls13, Tls13, "TLSv1_3"),
    ] {
        let server = speaking(&root, speaks).await;
        let mut config = config(&server, &root);
        (config.tls.min_version, config.tls.max_version) = (min, max);
        let response = fetch(config, server.url(HOST)).await.expect("a version");
        assert_eq!(version_of(&response), expected, "{min:?} to {max:?}");
    }
}

#[tokio::test]
async fn a_server_whose_version_is_not_accepted() {
    use TlsVersion::{Tls12, Tls13};
    let root = root();
    for (speaks, only) in [(ONLY_12, Tls13), (ONLY_13, Tls12)] {
        let server = speaking(&root, speaks).await;
        let mut config = config(&server, &root);
        (config.tls.min_version, config.tls.max_version) = (only, only);
        let fault = fault_of(&server, config, HOST).await;
        assert_eq!(fault, TlsFault::Incompatible, "{only:?}");
    }
}

#[tokio::test]
async fn no_version_at_all_is_a_fault_of_the_setup() {
    let root = root();
    let server = speaking(&root, BOTH).await;
    let mut config = config(&server, &root);
    config.tls.min_version = TlsVersion::Tls13;
    config.tls.max_version = TlsVersion::Tls12;
    assert_eq!(fault_of(&server, config, HOST).await, TlsFault::Setup);
}

#[tokio::test]
async fn any_certificate_is_accepted_by_who_asks_for_that() {
    let server = speaking(&root(), BOTH).await;
    let config = server.config(Trust::DangerAcceptAnyCertificate);
    let answer = fetch(config, server.url("other.test")).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn any_name_is_accepted_by_who_asks_for_that_and_nothing_else() {
    let trusted = root();
    let beside = Trust::SystemAnd(vec![trusted.der.clone()]);
    for trust in [trust(&[&trusted]), beside] {
        let server = speaking(&trusted, BOTH).await;
        let mut config = server.config(trust);
        config.tls.danger_accept_invalid_hostnames = true;
        let answer = fetch(config.clone(), server.url("other.test")).await;
        assert!(answer.is_ok(), "{answer:?}");
        let expired = trusted.server(&[HOST], |c| {
            c.not_after = rcgen::date_time_ymd(2020, 1, 1);
        });
        let server = Server::showing(&expired).await;
        let mut again = server.config(config.tls.trust.clone());
        again.tls.danger_accept_invalid_hostnames = true;
        let fault = fault_of(&server, again, "other.test").await;
        assert_eq!(fault, TlsFault::Expired);
    }
}

#[tokio::test]
async fn roots_beside_the_systems_are_trusted() {
    let root = root();
    let server = speaking(&root, BOTH).await;
    let config = server.config(Trust::SystemAnd(vec![root.der.clone()]));
    let answer = fetch(config, server.url(HOST)).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn another_name_is_asked_for_and_verified() {
    let root = root();
    let server = speaking(&root, BOTH).await;
    let mut config = config(&server, &root);
    config.tls.server_name = Some(HOST.into());
    let answer = fetch(config, server.url("127.0.0.1")).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(server.seen()[0].name.as_deref(), Some(HOST));
}

#[tokio::test]
async fn the_urls_name_does_not_help_where_another_is_asked_for() {
    let root = root();
    let server = speaking(&root, BOTH).await;
    let mut config = config(&server, &root);
    config.tls.server_name = Some("other.test".into());
    assert_eq!(fault_of(&server, config, HOST).await, TlsFault::WrongName);
}

#[tokio::test]
async fn a_name_that_is_none_is_a_fault_of_the_setup() {
    let root = root();
    let server = speaking(&root, BOTH).await;
    let mut config = config(&server, &root);
    config.tls.server_name = Some("no name".into());
    assert_eq!(fault_of(&server, config, HOST).await, TlsFault::Setup);
}

#[tokio::test]
async fn the_chain_is_the_one_that_the_server_sent() {
    let root = root();
    let middle = root.authority("middle", |_| {});
    let shown = middle.server(&[HOST], |_| {}).with(&[&middle]);
    let server = Server::showing(&shown).await;
    let response = fetch(config(&server, &root), server.url(HOST)).await;
    let peer = response.expect("a response").receipt.peer.expect("a peer");
    let tls = peer.tls.as_ref().expect("it was TLS");
    assert_eq!(tls.chain, shown.chain);
    assert!(format!("{tls:?}").contains("2 certificates"), "{tls:?}");
}

/// Fetches over a connection of its own; whether its session was resumed.
async fn resumed(engine: &Engine, server: &Server, host: &str) -> bool {
    let request = gannet::Request::get(server.url(host));
    let response = engine.fetch(request).await.expect("a response");
    let peer = response.receipt.peer.expect("a peer");
    peer.tls.as_ref().expect("it was TLS").resumed
}

/// A server of several names, and an engine that makes a connection for each request.
async fn forgetful(sessions: usize, versions: Versions) -> (Server, Engine) {
    let root = root();
    let shown = root.server(&["*.gannet.test"], |_| {});
    let mut made = server::config(&shown, versions, None);
    made.session_storage = rustls::server::ServerSessionMemoryCache::new(256);
    let server = Server::tls(made).await;
    let mut config = config(&server, &root);
    config.max_requests = Some(1);
    config.tls.sessions = sessions;
    (server, engine_with(config))
}

#[tokio::test]
async fn a_session_is_resumed_and_both_sides_say_so() {
    for versions in [ONLY_12, ONLY_13] {
        let (server, engine) = forgetful(10, versions).await;
        assert!(!resumed(&engine, &server, HOST).await);
        assert!(resumed(&engine, &server, HOST).await);
        let seen: Vec<_> = server.seen().iter().map(|s: &Seen| s.resumed).collect();
        assert_eq!(seen, [false, true]);
        engine.shutdown(GRACE).await;
    }
}

#[tokio::test]
async fn no_session_is_resumed_if_none_is_kept() {
    let (server, engine) = forgetful(0, BOTH).await;
    assert!(!resumed(&engine, &server, HOST).await);
    assert!(!resumed(&engine, &server, HOST).await);
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn sessions_are_kept_of_so_many_servers() {
    let (server, engine) = forgetful(2, BOTH).await;
    let [a, b, c] = ["a.gannet.test", "b.gannet.test", "c.gannet.test"];
    for host in [a, b, c] {
        assert!(!resumed(&engine, &server, host).await, "{host}");
    }
    assert!(!resumed(&engine, &server, a).await, "it was forgotten");
    assert!(resumed(&engine, &server, c).await);
    engine.shutdown(GRACE).await;
}

const KEY_LOG: &str = "SSLKEYLOGFILE";
const LOGGING: &str = "GANNET_TEST_KEY_LOG";

/// The environment belongs to the whole process, so each case runs in one of its own.
#[tokio::test]
async fn secrets_are_logged_only_if_asked_for() {
    if let Ok(asked) = std::env::var(LOGGING) {
        let root = root();
        let server = speaking(&root, BOTH).await;
        let mut config = config(&server, &root);
        config.tls.key_log = asked == "true";
        fetch(config, server.url(HOST)).await.expect("a response");
        return;
    }
    for asked in [false, true] {
        let folder = Folder::new();
        let path = folder.path.join("keys");
        let test = "tls::settings::secrets_are_logged_only_if_asked_for";
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", test])
            .env(KEY_LOG, &path)
            .env(LOGGING, asked.to_string())
            .output();
        let child = child.expect("it can be started");
        assert!(child.status.success(), "{child:?}");
        assert_eq!(path.exists(), asked);
        let logged = folder.read("keys");
        assert_eq!(
            logged.contains("CLIENT_TRAFFIC_SECRET_0 "),
            asked,
            "{logged}"
        );
    }
}
