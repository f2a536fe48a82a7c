//! Through squid, tinyproxy, dante and nghttpx, to an origin that keeps books of its own.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use gannet::config::{ProxyRules, Trust};
use gannet::origin::Proxy;
use gannet::response::Protocol;
use gannet::{Config, Engine, Error, Request};
use gannet_testbed::{Testbed, verify};

use crate::real::GRACE;
use crate::real::recipe::Squid;
use crate::real::server::{Entry, Server};
use crate::support::{config, engine_with, testbed};

/// An engine that goes everywhere through the server, in this scheme and with these credentials.
fn engine(mut config: Config, scheme: &str, user: &str, server: &Server) -> Engine {
    let place = server.url("");
    let (_, place) = place.split_once("://").expect("a URL");
    let proxy = Proxy::parse(&format!("{scheme}://{user}{place}")).expect("a proxy");
    config.proxy = ProxyRules::all(proxy);
    config.max_attempts = 1;
    engine_with(config)
}

/// Fetches so many; all arrive, whole, over HTTP/2, on one connection, which the origin saw too.
async fn fetch_all(engine: &Engine, testbed: &Testbed, count: usize) {
    let requests = (0..count).map(|i| {
        let path = format!("/bytes/{}/{i}", i * 7 % 5_000);
        (path.clone(), Request::get(testbed.url(&path)))
    });
    let mut answers = engine.fetch_all(stream::iter(requests), 100);
    let (mut connections, mut answered) = (BTreeSet::new(), 0);
    while let Some((path, answer)) = answers.next().await {
        let response = answer.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert!(verify(&path, &response.body), "{path}");
        assert_eq!(response.protocol, Protocol::Http2);
        assert_ne!(response.remote_address(), Some(testbed.address()));
        connections.insert(response.receipt.connection);
        answered += 1;
    }
    assert_eq!((answered, connections.len()), (count, 1));
    assert_eq!(testbed.books().connections, 1);
}

/// The headers that reach the origin, and none of them is about a proxy.
async fn no_proxy_header_arrives(engine: &Engine, testbed: &Testbed) {
    let request = Request::get(testbed.url("/headers")).header("proxy-authorization", "Basic eA==");
    let response = engine.fetch(request).await.expect("a response");
    let seen = String::from_utf8_lossy(&response.body).to_lowercase();
    for name in ["proxy", "via", "x-forwarded", "forwarded", "basic"] {
        assert!(!seen.contains(name), "{name} in {seen}");
    }
}

async fn status_of_refusal(engine: &Engine, testbed: &Testbed) -> Option<u16> {
    let answer = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
    match answer.expect_err("refused").error {
        Error::Proxy { status, detail } => {
            assert!(!detail.contains("secret"), "{detail}");
            status.map(|status| status.as_u16())
        }
        error => panic!("{error:?}"),
    }
}

fn trusting_both(proxy: &Server, testbed: &Testbed) -> Config {
    let mut both = proxy.config();
    let Trust::Roots(roots) = &mut both.tls.trust else {
        panic!("a server's config trusts its root");
    };
    roots.push(testbed.ca_der().to_vec().into());
    both
}

/// How many tunnels squid has opened, and to where, from its access log.
async fn tunnels(squid: Server) -> Vec<(u16, String)> {
    let books = squid.books().await.into_iter();
    let tunnels = books.filter(|entry| entry.method == "CONNECT");
    tunnels.map(|entry| (entry.status, entry.target)).collect()
}

#[tokio::test]
async fn a_thousand_fetches_of_http2_go_through_one_tunnel_of_squid() {
    let Some(squid) = Server::squid(Squid::default()).await else {
        return;
    };
    let testbed = testbed();
    let engine = engine(config(&testbed), "http", "", &squid);
    fetch_all(&engine, &testbed, 1_000).await;
    no_proxy_header_arrives(&engine, &testbed).await;
    engine.shutdown(GRACE).await;
    let place = testbed.address().to_string();
    assert_eq!(tunnels(squid).await, [(200, place)]);
}

#[tokio::test]
async fn squid_lets_in_who_has_the_password() {
    let options = Squid {
        wants_password: true,
        ..Squid::default()
    };
    let Some(squid) = Server::squid(options).await else {
        return;
    };
    let testbed = testbed();
    for user in ["", "user:wrong-secret@"] {
        let engine = engine(config(&testbed), "http", user, &squid);
        assert_eq!(status_of_refusal(&engine, &testbed).await, Some(407));
    }
    assert_eq!(testbed.books().connections, 0);
    let engine = engine(config(&testbed), "http", "user:secret@", &squid);
    fetch_all(&engine, &testbed, 100).await;
    no_proxy_header_arrives(&engine, &testbed).await;
    engine.shutdown(GRACE).await;
    let statuses: Vec<_> = tunnels(squid).await.into_iter().map(|t| t.0).collect();
    assert_eq!(statuses, [407, 407, 200]);
}

#[tokio::test]
async fn squid_forwards_plain_http_for_who_has_the_password() {
    let options = Squid {
        wants_password: true,
        ..Squid::default()
    };
    let Some(squid) = Server::squid(options).await else {
        return;
    };
    let testbed = Testbed::builder().plain(true).start().expect("a port");
    for user in ["", "user:wrong-secret@"] {
        let engine = engine(Config::default(), "http", user, &squid);
        assert_eq!(status_of_refusal(&engine, &testbed).await, Some(407));
    }
    let engine = engine(Config::default(), "http", "user:secret@", &squid);
    let requests = (0..300).map(|i| {
        let path = format!("/bytes/{}/{i}", i * 7 % 5_000);
        (path.clone(), Request::get(testbed.url(&path)))
    });
    let mut answers = engine.fetch_all(stream::iter(requests), 50);
    while let Some((path, answer)) = answers.next().await {
        let response = answer.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert!(verify(&path, &response.body), "{path}");
        assert_eq!(response.protocol, Protocol::Http11);
    }
    drop(answers);
    let seen = engine.fetch(Request::get(testbed.url("/headers"))).await;
    let seen = seen.expect("a response").body.to_ascii_lowercase();
    let seen = String::from_utf8_lossy(&seen);
    assert!(
        !seen.contains("proxy-auth") && !seen.contains("basic"),
        "{seen}"
    );
    engine.shutdown(GRACE).await;
    let books = squid.books().await;
    let forwarded = books
        .iter()
        .filter(|e| e.method == "GET" && e.status == 200);
    assert_eq!(forwarded.count(), 301);
}

#[tokio::test]
async fn squid_says_so_when_it_cannot_reach_the_origin() {
    let Some(squid) = Server::squid(Squid::default()).await else {
        return;
    };
    let testbed = testbed();
    let engine = engine(config(&testbed), "http", "", &squid);
    testbed.stop();
    assert_eq!(status_of_refusal(&engine, &testbed).await, Some(503));
}

#[tokio::test]
async fn tls_is_spoken_with_squid_and_through_it() {
    let options = Squid {
        is_secure: true,
        ..Squid::default()
    };
    let Some(squid) = Server::squid(options).await else {
        return;
    };
    let testbed = testbed();
    let both = trusting_both(&squid, &testbed);
    let engine = engine(both, "https", "", &squid);
    fetch_all(&engine, &testbed, 200).await;
    engine.shutdown(GRACE).await;
    let place = testbed.address().to_string();
    assert_eq!(tunnels(squid).await, [(200, place)]);
}

#[tokio::test]
async fn tinyproxy_opens_tunnels_with_and_without_a_password() {
    let Some(open) = Server::tinyproxy("").await else {
        return;
    };
    let first = testbed();
    let through = engine(config(&first), "http", "", &open);
    fetch_all(&through, &first, 200).await;
    no_proxy_header_arrives(&through, &first).await;
    let Some(closed) = Server::tinyproxy("BasicAuth user secret").await else {
        return;
    };
    let testbed = testbed();
    let wrong = engine(config(&testbed), "http", "user:wrong-secret@", &closed);
    let status = status_of_refusal(&wrong, &testbed).await;
    assert!(matches!(status, Some(401 | 407)), "{status:?}");
    let right = engine(config(&testbed), "http", "user:secret@", &closed);
    fetch_all(&right, &testbed, 200).await;
    no_proxy_header_arrives(&right, &testbed).await;
}

#[tokio::test]
async fn tinyproxy_may_forbid_a_port() {
    let Some(server) = Server::tinyproxy("ConnectPort 443").await else {
        return;
    };
    let testbed = testbed();
    let engine = engine(config(&testbed), "http", "", &server);
    assert_eq!(status_of_refusal(&engine, &testbed).await, Some(403));
}

#[tokio::test]
async fn dante_connects_by_address_and_by_name() {
    let Some(dante) = Server::dante().await else {
        return;
    };
    for scheme in ["socks5", "socks5h"] {
        let testbed = testbed();
        let engine = engine(config(&testbed), scheme, "", &dante);
        fetch_all(&engine, &testbed, 500).await;
        no_proxy_header_arrives(&engine, &testbed).await;
        // One that only the proxy resolves.
        let url = format!("https://localhost:{}/bytes/5", testbed.port());
        if scheme == "socks5h" {
            let response = engine.fetch(Request::get(url)).await.expect("a response");
            assert_eq!(response.body.len(), 5);
        }
        testbed.stop();
        // On a connection of the first engine it would break, not be refused.
        let engine = self::engine(config(&testbed), scheme, "", &dante);
        let gone = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
        let gone = gone.expect_err("nobody listens");
        assert!(
            matches!(gone.error, Error::Proxy { status: None, .. }),
            "{gone:?}"
        );
        assert!(gone.to_string().contains("reply 5"), "{gone}");
        let forbidden = engine.fetch(Request::get("https://127.0.0.1:9/")).await;
        let forbidden = forbidden.expect_err("a rule of it");
        assert!(forbidden.to_string().contains("reply 2"), "{forbidden}");
    }
}

#[tokio::test]
async fn tunnels_to_fifty_origins_share_one_connection_to_nghttpx() {
    let Some((nghttpx, squid)) = Server::nghttpx().await else {
        return;
    };
    let testbed = Testbed::builder().addresses(50).start().expect("a port");
    let engine = engine(trusting_both(&nghttpx, &testbed), "https", "", &nghttpx);
    let requests = (0..1_000).map(|i| {
        let path = format!("/bytes/{}/{i}", i * 13 % 9_000);
        let request = Request::get(testbed.url_at(i % 50, &path));
        (path, request)
    });
    let mut answers = engine.fetch_all(stream::iter(requests), 200);
    while let Some((path, answer)) = answers.next().await {
        let response = answer.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert!(verify(&path, &response.body), "{path}");
    }
    assert_eq!(testbed.books().connections, 50);
    engine.shutdown(GRACE).await;
    // Protocol, status and the client's port of each tunnel.
    let fronts = nghttpx.books().await;
    assert_eq!(fronts.len(), 50);
    let ports: BTreeSet<_> = fronts.iter().map(|entry| &entry.target).collect();
    assert_eq!(ports.len(), 1, "{fronts:?}");
    let is_good = |entry: &Entry| entry.method == "h2" && entry.status == 200;
    assert!(fronts.iter().all(is_good), "{fronts:?}");
    assert_eq!(tunnels(squid).await.len(), 50);
}
