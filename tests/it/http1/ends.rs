//! How connections end, and what becomes of who was on them.

use std::time::Duration;

use futures::StreamExt;
use gannet::view::Reason;
use gannet::{Config, Error, Request};

use super::{ask, engine, gone, got, told};
use crate::support::engine_with;
use crate::support::script::{Host, OK, Then};

const CLOSE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart";

#[tokio::test]
async fn a_thousand_closed_connections_are_no_failure() {
    let (seen, url) = Host::bind()
        .await
        .serve(|_, _, _| (CLOSE.into(), Then::Close));
    let engine = engine();
    let fetches = (0..1_000).map(|_| engine.fetch(Request::post(&url[..], "x")));
    let mut answers = futures::stream::iter(fetches).buffer_unordered(50);
    while let Some(answer) = answers.next().await {
        assert_eq!(&answer.expect("a response").body[..], b"ok");
    }
    let counters = gone(&engine, Reason::NotKept, 1_000).await;
    assert_eq!((seen.connections(), seen.requests()), (1_000, 1_000));
    assert!(seen.most() <= 6, "{}", seen.most());
    assert!(counters.retries.is_empty(), "{:?}", counters.retries);
    let others = counters.closed.keys().find(|r| **r != Reason::NotKept);
    assert_eq!(others, None, "{:?}", counters.closed);
}

#[tokio::test]
async fn a_goodbye_without_a_close_is_one_too() {
    let host = Host::bind().await;
    let engine = engine();
    for _ in 0..3 {
        let asked = ask(&engine, host.get("/"));
        let mut line = host.accept().await;
        line.request().await;
        line.say(CLOSE).await;
        got(asked).await;
        line.expect_close().await;
    }
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closes_is_noticed_and_not_used() {
    let (host, engine) = (Host::bind().await, engine());
    for _ in 0..3 {
        let mut changes = engine.lifecycle();
        let asked = ask(&engine, host.get("/"));
        let mut line = host.accept().await;
        line.request().await;
        line.say(OK).await;
        got(asked).await;
        line.finish().await;
        while !matches!(
            changes.next().await.expect("running").change,
            gannet::view::Change::Closed(Reason::NotKept)
        ) {}
    }
    assert!(engine.snapshot().await.counters.retries.is_empty());
}

#[tokio::test]
async fn on_a_stale_connection_a_get_goes_again_and_a_post_does_not() {
    for is_post in [false, true] {
        let (host, engine) = (Host::bind().await, engine());
        let asked = ask(&engine, host.get("/"));
        let mut line = host.accept().await;
        line.request().await;
        line.say(OK).await;
        got(asked).await;
        let request = match is_post {
            true => Request::post(host.url("/"), "once"),
            false => host.get("/"),
        };
        let asked = ask(&engine, request);
        line.request().await;
        line.finish().await;
        if is_post {
            let answer = told(asked).await;
            assert!(
                matches!(answer, Err(Error::Disconnected { sent: true, .. })),
                "{answer:?}"
            );
            assert!(!host.is_called_within(Duration::from_millis(100)).await);
            continue;
        }
        let mut fresh = host.accept().await;
        fresh.request().await;
        fresh.say(OK).await;
        let response = got(asked).await;
        assert_eq!(
            (response.receipt.attempts, response.receipt.connection),
            (2, Some(2))
        );
    }
}

#[tokio::test]
async fn leaving_closes_the_socket_and_nothing_more_is_said_on_it() {
    let (host, engine) = (Host::bind().await, engine());
    for says in ["", "HTTP/1.1 200 OK\r\nContent-Le", LONG] {
        let asked = ask(&engine, host.get("/"));
        let mut line = host.accept().await;
        line.request().await;
        line.say(says).await;
        asked.abort();
        line.expect_close().await;
    }
    let asked = ask(&engine, host.get("/"));
    let mut line = host.accept().await;
    line.request().await;
    line.say(OK).await;
    got(asked).await;
    gone(&engine, Reason::Abandoned, 3).await;
}

#[tokio::test]
async fn who_is_too_slow_or_too_large_is_left_and_its_connection_closed() {
    let host = Host::bind().await;
    let mut config = Config::default();
    config.head_timeout = Duration::from_millis(50);
    config.body_timeout = Duration::from_millis(50);
    config.max_body = 500;
    let engine = engine_with(config);
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n".to_owned()
        + &"x".repeat(4095);
    for (says, kind) in [
        (String::new(), "timeout"),
        ("HTTP/1.1 200 OK\r\n".into(), "timeout"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx".into(),
            "timeout",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 501\r\n\r\n".into(),
            "too_large",
        ),
        (endless, "too_large"),
    ] {
        let asked = ask(&engine, host.get("/"));
        let mut line = host.accept().await;
        line.request().await;
        line.say(&says).await;
        let error = told(asked).await.expect_err("given up");
        assert_eq!(error.kind(), kind, "{says:?}");
        line.expect_close().await;
    }
}

#[tokio::test]
async fn silence_alone_does_not_make_a_connection_suspect() {
    let host = Host::bind().await;
    let mut config = Config::default();
    config.silence_timeout = Duration::from_millis(20);
    config.ping_timeout = Duration::from_millis(20);
    let engine = engine_with(config);
    let asked = ask(&engine, host.get("/"));
    let mut line = host.accept().await;
    line.request().await;
    assert!(!line.is_closed_within(Duration::from_millis(200)).await);
    line.say(OK).await;
    assert_eq!(got(asked).await.receipt.attempts, 1);
    assert_eq!(engine.snapshot().await.counters.suspects, 0);
}

#[tokio::test]
async fn a_server_that_reads_nothing_is_given_up_on() {
    let host = Host::bind().await;
    let mut config = Config::default();
    config.write_timeout = Duration::from_millis(100);
    let engine = engine_with(config);
    let asked = ask(&engine, Request::post(host.url("/"), vec![b'x'; 32 << 20]));
    let line = host.accept().await;
    let error = told(asked).await.expect_err("nobody reads");
    assert_eq!(error.kind(), "unresponsive");
    drop(line);
}

#[tokio::test]
async fn an_early_answer_to_a_long_upload_is_an_answer() {
    let host = Host::bind().await;
    let engine = engine();
    let answer =
        "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let asked = ask(&engine, Request::post(host.url("/"), vec![b'x'; 32 << 20]));
    let mut line = host.accept().await;
    line.stir().await;
    line.say(answer).await;
    let response = got(asked).await;
    assert_eq!(
        (response.status.as_u16(), &response.body[..]),
        (413, &b"no"[..])
    );
    line.expect_close().await;
}
