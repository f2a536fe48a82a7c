//! Proxies that refuse, and proxies that are none.

use std::time::Duration;

use gannet::{Config, Error};

use super::script::{Script, Then};
use super::{engine, get};

const URL: &str = "https://127.0.0.1:9/";

fn config() -> Config {
    let mut config = Config::default();
    config.connect_timeout = Duration::from_secs(10);
    config
}

async fn fault(answer: &'static [u8], then: Then) -> Error {
    let script = Script::start(answer, then).await;
    let engine = engine(config(), &script.url());
    get(&engine, URL).await.expect_err("no origin behind it")
}

#[tokio::test]
async fn a_refusal_has_its_status_and_is_settled() {
    for (answer, code) in [
        (
            &b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"[..],
            407,
        ),
        (b"HTTP/1.0 403 No\r\nContent-Length: 2\r\n\r\nNo", 403),
    ] {
        let script = Script::start(answer, Then::Close).await;
        let engine = engine(config(), &script.url());
        let error = get(&engine, URL).await.expect_err("refused");
        assert!(!error.is_retryable() && error.is_unprocessed());
        match error {
            Error::Proxy { status, .. } => assert_eq!(status.map(|s| s.as_u16()), Some(code)),
            error => panic!("{error:?}"),
        }
        let again = get(&engine, URL).await.expect_err("refused");
        assert!(matches!(again, Error::CircuitOpen { .. }), "{again:?}");
        assert_eq!(script.heads().len(), 1, "it is not asked again");
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_the_origin_may_be_asked_again() {
    let script = Script::start(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Then::Close).await;
    let engine = engine(config(), &script.url());
    for asked in 1..=2 {
        let error = get(&engine, URL).await.expect_err("refused");
        let Error::Proxy { status, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(status.map(|s| s.as_u16()), Some(502));
        assert!(error.is_retryable());
        assert_eq!(script.heads().len(), asked);
    }
}

#[tokio::test]
async fn a_silent_proxy_is_caught_by_the_connect_deadline() {
    let script = Script::start(b"", Then::Wait).await;
    let mut config = config();
    config.connect_timeout = Duration::from_millis(300);
    let engine = engine(config, &script.url());
    let error = get(&engine, URL).await.expect_err("silence");
    assert!(matches!(error, Error::ConnectTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_only_ever_says_wait_is_caught_by_its_limit() {
    let interim = Then::Repeat(b"HTTP/1.1 100 Continue\r\n\r\n");
    let endless = Then::Repeat(b"x");
    for (answer, then) in [(&b""[..], interim), (b"HTTP/1.1 200 OK\r\na: ", endless)] {
        match fault(answer, then).await {
            Error::Proxy {
                status: None,
                detail,
            } => assert!(detail.contains("16 KiB"), "{detail}"),
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn rubbish_and_a_close_are_failures_without_a_status() {
    for (answer, then) in [
        (&b""[..], Then::Close),
        (b"HTTP/1.1 200 OK\r\n", Then::Close),
        (b"\x05\xff", Then::Wait),
        (b"220 mail.test ESMTP\r\n", Then::Wait),
        (b"\x15\x03\x03\0\x02\x02F", Then::Wait),
    ] {
        let error = fault(answer, then).await;
        assert!(
            matches!(error, Error::Proxy { status: None, .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_open_tunnel_to_nowhere_is_a_failure_of_tls() {
    let error = fault(b"HTTP/1.1 200 OK\r\n\r\n", Then::Close).await;
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    let error = fault(b"HTTP/1.1 200 OK\r\n\r\nHello, I am no TLS", Then::Wait).await;
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_a_failed_connect() {
    let script = Script::start(b"", Then::Close).await;
    let url = script.url();
    let port = script.port();
    drop(script);
    let engine = engine(config(), &url);
    loop {
        match get(&engine, URL).await.expect_err("nobody") {
            Error::Connect { peer, .. } => break assert_eq!(peer.port(), port),
            // The listener was about to go.
            Error::Proxy { status: None, .. } => {}
            error => panic!("{error:?}"),
        }
    }
}
