//! Tunnels that open, and what goes through them.

use futures::future::join_all;
use gannet::config::{PriorKnowledge, Trust};
use gannet::origin::Proxy;
use gannet::response::Protocol;
use gannet::{Config, Error, Protocols, Request};
use gannet_testbed::verify;

use super::script::{Script, Then, tls_for_loopback};
use super::{engine, get, proxy};
use crate::support::peer::Host;
use crate::support::{config, engine_with, testbed};

const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

#[tokio::test]
async fn http2_goes_through_one_tunnel_and_the_proxy_sees_no_more_than_the_place() {
    let (testbed, script) = (testbed(), Script::start(OPEN, Then::Relay).await);
    let text = format!("http://user:secret@127.0.0.1:{}", script.port());
    let engine = engine(config(&testbed), &text);
    let paths = (0..100).map(|i| format!("/bytes/{i}"));
    let fetches = paths.map(|path| {
        let answer = engine.fetch(Request::get(testbed.url(&path)));
        async move { (path, answer.await.expect("a response")) }
    });
    for (path, response) in join_all(fetches).await {
        assert!(verify(&path, &response.body));
        assert_eq!(response.protocol, Protocol::Http2);
        assert_eq!(
            response.remote_address().expect("a peer").port(),
            script.port()
        );
        let peer = response.receipt.peer.as_ref().expect("a peer");
        assert_eq!(peer.proxy, Some(script.url()));
        assert!(peer.tls.is_some() && peer.dial.total >= peer.dial.proxy);
        assert!(!format!("{response:?}").contains("secret"));
    }
    assert_eq!(testbed.books().connections, 1);
    let place = testbed.address();
    let expected = format!(
        "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\
         Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"
    );
    assert_eq!(script.heads(), [expected]);
    let snapshot = engine.snapshot().await;
    let key = snapshot.connections[0].origin.to_string();
    assert_eq!(key, format!("https://{place} [via {}]", script.url()));
    assert!(!format!("{snapshot:?} {engine:?}").contains("secret"));
}

/// The server of a protocol in which it speaks first may do so in the packet of the proxy's 200.
#[tokio::test]
async fn what_comes_with_the_proxys_answer_belongs_to_the_tunnel() {
    let with_settings = b"HTTP/1.1 200 OK\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let (host, script) = (
        Host::bind().await,
        Script::start(with_settings, Then::Relay).await,
    );
    let mut config = Config::default();
    config.prior_knowledge = PriorKnowledge::All;
    let engine = engine(config, &script.url());
    let asked = tokio::spawn(engine.fetch(host.get()));
    let mut peer = host.accept().await;
    peer.expect("an ACK of the early SETTINGS", |books| books.acks == 1)
        .await;
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
    let response = asked.await.expect("no panic").expect("a response");
    assert_eq!(response.body, "ok");
}

#[tokio::test]
async fn each_way_to_an_origin_has_connections_of_its_own() {
    let (testbed, script) = (testbed(), Script::start(OPEN, Then::Relay).await);
    let engine = engine_with(config(&testbed));
    let url = testbed.url("/bytes/1");
    let by = |user: &str| proxy(&format!("http://{user}@127.0.0.1:{}", script.port()));
    let ways: [Option<Proxy>; 3] = [None, Some(by("one")), Some(by("two"))];
    for _ in 0..2 {
        for way in ways.clone() {
            let request = Request::get(url.as_str()).proxy(way);
            engine.fetch(request).await.expect("a response");
        }
    }
    assert_eq!(testbed.books().connections, 3);
    assert_eq!(script.heads().len(), 2);
}

#[tokio::test]
async fn no_origin_is_told_of_the_proxy() {
    let (testbed, script) = (testbed(), Script::start(OPEN, Then::Relay).await);
    let engine = engine_with(config(&testbed));
    let through = proxy(&format!("http://user:secret@127.0.0.1:{}", script.port()));
    for way in [None, Some(through)] {
        let request = Request::get(testbed.url("/headers"))
            .header("proxy-authorization", "Basic c2VjcmV0")
            .header("proxy-connection", "keep-alive")
            .header("x-mine", "1")
            .proxy(way);
        let response = engine.fetch(request).await.expect("a response");
        let seen = String::from_utf8_lossy(&response.body);
        assert!(seen.contains("x-mine") && !seen.contains("proxy"), "{seen}");
    }
}

#[tokio::test]
async fn tls_goes_through_tls_to_a_proxy_whose_name_is_verified() {
    let (testbed, (tls, ca)) = (testbed(), tls_for_loopback(&["http/1.1"]));
    let script = Script::over(Some(tls), OPEN, Then::Relay).await;
    let mut both = config(&testbed);
    both.tls.trust = Trust::Roots(vec![testbed.ca_der().to_vec().into(), ca.into()]);
    let through = format!("https://127.0.0.1:{}", script.port());
    let trusting = engine(both, &through);
    for size in [1, 100_000, 3_000_000] {
        let path = format!("/bytes/{size}");
        let response = get(&trusting, &testbed.url(&path)).await.expect("one");
        assert!(verify(&path, &response.body));
        assert_eq!(response.protocol, Protocol::Http2);
    }
    let upload = Request::post(testbed.url("/echo"), vec![7; 300_000]);
    let response = trusting.fetch(upload).await.expect("an echo");
    assert_eq!(response.body.len(), 300_000);
    assert_eq!(script.heads().len(), 1);

    let wary = engine(config(&testbed), &through);
    let error = get(&wary, &testbed.url("/bytes/1")).await;
    let error = error.expect_err("an unknown authority");
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    assert!(error.to_string().contains("with the proxy"), "{error}");
    assert_eq!(script.heads().len(), 1, "it was told nothing");
}

#[tokio::test]
async fn cleartext_http2_asks_for_a_tunnel_too() {
    let testbed = gannet_testbed::Testbed::builder().plain(true).start();
    let testbed = testbed.expect("a port");
    let script = Script::start(OPEN, Then::Relay).await;
    let engine = engine(Config::default(), &script.url());
    let request = Request::get(testbed.url("/bytes/9")).protocols(Protocols::HTTP2);
    let response = engine.fetch(request).await.expect("a response");
    assert_eq!(response.body.len(), 9);
    assert!(script.heads()[0].starts_with("CONNECT "));
}
