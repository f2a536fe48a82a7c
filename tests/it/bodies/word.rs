//! `Expect: 100-continue`.

use gannet::{Error, Request, Upload};
use http::StatusCode;

use super::{SHORT, ask, come, engine, warm};
use crate::support::engine_with;
use crate::support::peer::{Host, OK};
use crate::support::script;

/// A patience that nobody waits for.
const LONG: std::time::Duration = std::time::Duration::from_secs(100);

fn interim(status: &[u8]) -> Vec<u8> {
    [&[8, 3][..], status].concat()
}

#[tokio::test]
async fn a_body_waits_for_the_word_and_a_refusal_saves_it() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let post = || Request::post(host.url(), Upload::from("text")).expect_continue(LONG);
    let asked = ask(&engine, post());
    let stream = peer.expect_request().await;
    // A round trip later there is still nothing.
    peer.ping_pong().await;
    assert!(peer.books.streams[&stream].body.is_empty());
    peer.head(stream, &interim(b"100"), false).await;
    peer.expect("the body", |books| books.streams[&stream].is_asked)
        .await;
    peer.respond(stream, b"ok").await;
    assert_eq!(come(asked).await.expect("a response").status, 200);

    let asked = ask(&engine, post());
    let stream = peer.expect_request().await;
    peer.head(stream, &interim(b"417"), true).await;
    assert_eq!(come(asked).await.expect("a response").status, 417);
    peer.expect_reset(stream).await;
    assert!(peer.books.streams[&stream].body.is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_know_of_it_gets_the_body_all_the_same() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let request = Request::post(host.url(), Upload::from("text")).expect_continue(SHORT);
    let asked = ask(&engine, request);
    let stream = peer.expect_requests(1).await[0];
    assert_eq!(peer.books.streams[&stream].body, b"text");
    peer.head(stream, OK, true).await;
    assert_eq!(
        come(asked).await.expect("a response").status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn it_is_the_same_over_http1() {
    let host = script::Host::bind().await;
    let engine = engine_with(gannet::Config::default());
    let post =
        |patience| Request::post(host.url("/"), Upload::from("text")).expect_continue(patience);
    let asked = ask(&engine, post(LONG));
    let mut line = host.accept().await;
    let seen = line.head().await;
    assert!(seen.contains("expect: 100-continue"), "{seen}");
    assert!(line.is_silent());
    line.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(line.bytes(4).await, b"text");
    line.say(script::OK).await;
    assert_eq!(come(asked).await.expect("a response").status, 200);
    let asked = ask(&engine, post(SHORT));
    line.head().await;
    assert_eq!(line.bytes(4).await, b"text");
    line.say(script::OK).await;
    come(asked).await.expect("a response");
    let asked = ask(&engine, post(LONG));
    line.head().await;
    line.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        .await;
    let answer: Result<_, Error> = come(asked).await;
    assert_eq!(answer.expect("a response").status, 413);
    assert_eq!(line.rest().await, b"", "nobody wants the body any more");
}
