//! Responses that are handed out as they come.

use futures::StreamExt;
use gannet::error::Phase;
use gannet::request::Redirects;
use gannet::{Error, Failure, Open, Request};
use gannet_testbed::verify;
use tokio::io::AsyncReadExt;

use super::{SHORT, ask, come, engine, opened, serve, warm};
use crate::support::peer::{CANCEL, Host, OK, plain};
use crate::support::{engine as engine_of, engine_with, testbed};

#[tokio::test]
async fn a_body_is_handed_out_as_it_comes_and_its_trailers_after_it() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let (mut response, stream) = opened(&engine, &host, &mut peer).await;
    assert_eq!(response.status, 200);
    for piece in ["one", "two"] {
        peer.data(stream, piece.as_bytes(), false).await;
        let got = response.body.next().await.expect("a piece").expect("sound");
        assert_eq!(got, piece);
    }
    assert!(response.body.receipt().is_none());
    peer.head(stream, &crate::support::peer::field("x-sum", "6"), true)
        .await;
    assert!(response.body.next().await.is_none());
    assert_eq!(response.body.trailers().expect("trailers")["x-sum"], "6");
    let receipt = response.body.receipt().expect("it is over");
    assert_eq!((receipt.wire_bytes, receipt.body_bytes), (6, 6));
    assert!(receipt.first_byte <= Some(receipt.done) && receipt.cut.is_none());
}

#[test]
fn a_body_can_be_read_on_any_executor_as_bytes() {
    let testbed = testbed();
    let engine = engine_of(&testbed);
    let path = "/bytes/5000000";
    let whole = futures::executor::block_on(async {
        let mut response = engine
            .open(Request::get(testbed.url(path)))
            .await
            .expect("a head");
        let mut whole = Vec::new();
        response.body.read_to_end(&mut whole).await.expect("a body");
        whole
    });
    assert!(verify(path, &whole));
}

#[actix_rt::test]
async fn an_agent_answers_at_the_head_and_redirects_are_followed_before() {
    let testbed = testbed();
    let engine = engine_of(&testbed);
    let request = Request::get(testbed.url("/redirect/3")).redirects(Redirects::at_most(5));
    let mut response = engine
        .agent()
        .send(Open(request))
        .await
        .expect("an Agent")
        .expect("a head");
    assert_eq!(
        (response.status.as_u16(), response.receipt.hops.len()),
        (200, 3)
    );
    response.body.gather(1 << 20).await.expect("a body");
    let refused = engine.open(Request::get("nowhere")).await.map(|_| ());
    assert!(
        matches!(
            refused,
            Err(Failure {
                error: Error::BadRequest { .. },
                ..
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_unread_body_stalls_its_own_stream_only() {
    let host = Host::bind().await;
    let mut config = plain();
    config.stream_window = 100_000;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let (mut slow, stream) = opened(&engine, &host, &mut peer).await;
    peer.body(stream, 100_000, false).await;
    // More than the connection's window goes by in other streams.
    for _ in 0..40 {
        let asked = ask(&engine, host.get());
        let other = peer.expect_request().await;
        peer.head(other, OK, false).await;
        peer.body(other, 1_000_000, true).await;
        assert_eq!(come(asked).await.expect("a response").body.len(), 1_000_000);
    }
    let bytes = engine.snapshot().await.bytes;
    assert_eq!((bytes.held, bytes.open_bodies), (100_000, 1));
    let sending = peer.body(stream, 50_000, true);
    let mut read = 0;
    let reading = async {
        while let Some(piece) = slow.body.next().await {
            read += piece.expect("sound").len();
        }
    };
    tokio::join!(sending, reading);
    assert_eq!(read, 150_000);
    assert_eq!(engine.snapshot().await.bytes.held, 0);
}

#[tokio::test]
async fn dropping_a_body_cancels_at_once_and_gives_everything_back() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    for round in 0..100 {
        let (response, stream) = opened(&engine, &host, &mut peer).await;
        if round % 2 == 0 {
            peer.body(stream, 400_000, false).await;
        }
        drop(response);
        assert_eq!(peer.expect_reset(stream).await, CANCEL);
    }
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    // As much as the connection's whole window, so that none of it has leaked.
    peer.body(stream, 16 << 20, true).await;
    assert_eq!(come(asked).await.expect("a response").body.len(), 16 << 20);
    let snapshot = engine.snapshot().await;
    assert_eq!((snapshot.in_flight, snapshot.bytes.held), (0, 0));
    assert_eq!(snapshot.connections.len(), 1);
}

#[tokio::test]
async fn what_cuts_a_body_off_is_its_last_item() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let (mut response, stream) = opened(&engine, &host, &mut peer).await;
    peer.data(stream, b"half", false).await;
    peer.reset(stream, 2).await;
    assert_eq!(
        response.body.next().await.expect("a piece").expect("sound"),
        "half"
    );
    let error = response
        .body
        .next()
        .await
        .expect("an end")
        .expect_err("it was reset");
    assert!(
        matches!(
            error,
            Error::Reset {
                by_server: true,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(response.body.next().await.is_none());
    assert_eq!(response.body.receipt().expect("over").wire_bytes, 4);
    let (mut response, _) = opened(&engine, &host, &mut peer).await;
    engine.shutdown(SHORT).await;
    let end = response.body.next().await.expect("an end");
    assert!(matches!(end, Err(Error::Closed { sent: true })), "{end:?}");
}

#[tokio::test]
async fn who_does_not_read_is_waited_for_and_not_the_server() {
    let host = Host::bind().await;
    let mut config = plain();
    config.stream_window = 65_535;
    config.body_timeout = SHORT;
    config.bodies.unread_timeout = 4 * SHORT;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let (mut response, stream) = opened(&engine, &host, &mut peer).await;
    peer.body(stream, 65_535, false).await;
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
    let mut last = None;
    while let Some(item) = response.body.next().await {
        last = Some(item);
    }
    let is_it = matches!(&last, Some(Err(Error::Timeout { phase, after }))
        if *phase == Phase::Consumer && *after == 4 * SHORT);
    assert!(is_it, "{last:?}");
    // Once all is read it is the server's turn.
    let (mut response, stream) = opened(&engine, &host, &mut peer).await;
    peer.data(stream, b"piece", false).await;
    assert!(response.body.next().await.expect("a piece").is_ok());
    let last = response.body.next().await.expect("an end");
    let is_it = matches!(&last, Err(Error::Timeout { phase, after })
        if *phase == Phase::Body && *after == SHORT);
    assert!(is_it, "{last:?}");
}

/// Who has read all waits for the server again, though nobody told the stream so.
#[tokio::test]
async fn a_server_that_stands_still_behind_what_was_read_is_given_up_on() {
    let host = Host::bind().await;
    let mut config = plain();
    config.body_timeout = SHORT;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let (mut response, stream) = opened(&engine, &host, &mut peer).await;
    peer.data(stream, b"piece", false).await;
    // So slow that the time is up that a server has.
    tokio::time::sleep(3 * SHORT).await;
    assert!(response.body.next().await.expect("a piece").is_ok());
    let last = tokio::time::timeout(50 * SHORT, response.body.next()).await;
    let last = last.expect("not the limit of who reads").expect("an end");
    let is_it = matches!(&last, Err(Error::Timeout { phase, after })
        if *phase == Phase::Body && *after == SHORT);
    assert!(is_it, "{last:?}");
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
}

#[tokio::test]
async fn when_the_budget_is_spent_one_response_after_the_other_is_gathered() {
    let host = Host::bind().await;
    let mut config = plain();
    config.stream_window = 64 << 10;
    config.bodies.budget = 5 * (64 << 10);
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let mut unread = Vec::new();
    for _ in 0..5 {
        let (response, stream) = opened(&engine, &host, &mut peer).await;
        peer.body(stream, 64 << 10, false).await;
        unread.push((response, stream));
    }
    let asked: Vec<_> = (0..5).map(|_| ask(&engine, host.get())).collect();
    for _ in &asked {
        let stream = peer.expect_request().await;
        peer.head(stream, OK, false).await;
        peer.body(stream, 200_000, true).await;
    }
    for asked in asked {
        assert_eq!(come(asked).await.expect("a response").body.len(), 200_000);
    }
    let bytes = engine.snapshot().await.bytes;
    assert_eq!((bytes.limit, bytes.held), (5 << 16, 5 << 16));
    // The lead is one response's; others may have begun before all was taken.
    assert!(bytes.most <= (5 << 16) + 2 * 200_000, "{bytes:?}");
    for (response, stream) in unread {
        drop(response);
        peer.expect_reset(stream).await;
    }
    assert_eq!(engine.snapshot().await.bytes.held, 0);
    let asked = ask(&engine, host.get());
    serve(&mut peer).await;
    come(asked).await.expect("a response");
}
