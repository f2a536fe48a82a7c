//! Servers that end a connection with streams on it.

use std::collections::BTreeSet;
use std::time::Duration;

use gannet::error::ErrorCode;
use gannet::response::RetryReason;
use gannet::view::Reason;
use gannet::{Engine, Error, Request};
use tokio::task::LocalSet;

use super::{answer_one, ask, engine, got, number_of, numbered, shown, told, warm};
use crate::support::engine_with;
use crate::support::peer::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Host, INTERNAL_ERROR, NO_ERROR, OK, Peer,
    frame, head, plain,
};

const CALM: u32 = 11;
const SHORT: Duration = Duration::from_millis(100);

/// Every other one is a POST.
fn mixed(host: &Host, number: usize) -> Request {
    match number % 2 {
        0 => numbered(host, number),
        _ => host.post(number.to_string()),
    }
}

fn numbers(peer: &Peer, streams: &[u32]) -> BTreeSet<usize> {
    streams.iter().map(|s| number_of(peer, *s)).collect()
}

/// Of 300, a hundred have come when the server says that it takes sixty. What it never acted on is
/// free of charge, so it goes again without any budget.
#[tokio::test]
async fn a_goaway_amid_a_burst_sends_the_rest_elsewhere_once_each() {
    let host = Host::bind().await;
    let mut config = plain();
    (config.retry_budget, config.retry_reserve) = (0, 0);
    let engine = engine_with(config);
    let mut old = warm(&engine, &host, &[]).await;
    let asked: Vec<_> = (0..300).map(|i| ask(&engine, mixed(&host, i))).collect();
    let mut streams = old.expect_requests(100).await;
    streams.sort_unstable();
    old.goaway(streams[59], NO_ERROR).await;
    let mut new = host.welcome(&[]).await;
    let again = new.expect_requests(240).await;
    for stream in &streams[..60] {
        old.respond(*stream, b"old").await;
    }
    for stream in &again {
        new.respond(*stream, b"new").await;
    }
    let (by_old, by_new) = (numbers(&old, &streams[..60]), numbers(&new, &again));
    assert_eq!((by_old.len(), by_new.len()), (60, 240));
    assert!(by_old.is_disjoint(&by_new));
    for (number, asked) in asked.into_iter().enumerate() {
        let response = got(asked).await;
        let receipt = &response.receipt;
        if by_old.contains(&number) {
            assert_eq!((&response.body[..], receipt.attempts), (&b"old"[..], 1));
            continue;
        }
        assert_eq!(
            (&response.body[..], receipt.connection),
            (&b"new"[..], Some(2))
        );
        assert!(receipt.attempts <= 2, "{receipt:?}");
        let is_refusal = |r: &RetryReason| matches!(r, RetryReason::Error(e) if e.is_unprocessed());
        assert!(receipt.retries.iter().all(|r| is_refusal(&r.reason)));
    }
    old.expect_close().await;
    assert_eq!(new.books.streams.len(), 240);
    let counters = engine.snapshot().await.counters;
    assert_eq!((counters.dials, counters.retries_refused), (2, 0));
    assert_eq!(counters.goaways[&ErrorCode::NO_ERROR], 1);
}

#[tokio::test]
async fn a_server_that_goes_and_does_not_finish_is_left() {
    let host = Host::bind().await;
    let mut config = plain();
    config.drain_timeout = SHORT;
    let engine = engine_with(config);
    let mut old = warm(&engine, &host, &[]).await;
    let get = ask(&engine, host.get());
    old.expect_requests(1).await;
    let post = ask(&engine, host.post("body"));
    let last = old.expect_requests(1).await[0];
    old.goaway(last, NO_ERROR).await;
    let mut new = host.welcome(&[]).await;
    answer_one(&mut new).await;
    let receipt = got(get).await.receipt;
    assert_eq!((receipt.connection, receipt.attempts), (Some(2), 2));
    let answer = told(post).await;
    assert!(
        matches!(
            answer,
            Err(Error::GoAway {
                code: ErrorCode::NO_ERROR,
                unprocessed: false,
                by_server: true
            })
        ),
        "{answer:?}"
    );
    let is_gone =
        |s: &gannet::view::Snapshot| s.counters.closed.contains_key(&Reason::DrainStalled);
    shown(&engine, "the end", is_gone).await;
    assert_eq!(new.books.streams.len(), 1);
}

/// On a paused clock, which moves on only when nobody has anything to do.
#[tokio::test]
async fn a_server_that_goes_slowly_may_finish() {
    let steps = async {
        let host = Host::bind().await;
        let mut config = plain();
        config.drain_timeout = Duration::from_secs(5);
        let engine = Engine::builder().config(config).start_here();
        let mut peer = warm(&engine, &host, &[]).await;
        let asked = ask(&engine, host.post("body"));
        let stream = peer.expect_requests(1).await[0];
        peer.goaway(stream, NO_ERROR).await;
        peer.head(stream, OK, false).await;
        tokio::time::pause();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            peer.data(stream, b"x", false).await;
        }
        peer.data(stream, b"!", true).await;
        let response = got(asked).await;
        assert_eq!(&response.body[..], b"xxxxxxxxxxxxxxxxxxxx!");
        assert_eq!(response.receipt.attempts, 1);
    };
    LocalSet::new().run_until(steps).await;
}

/// Says why, and is gone.
async fn leave(mut peer: Peer, last: u32, code: u32) {
    peer.goaway(last, code).await;
}

#[tokio::test]
async fn the_reason_a_server_gives_is_the_error_not_the_break_that_follows() {
    for code in [CALM, INTERNAL_ERROR] {
        let (host, engine) = (Host::bind().await, engine());
        let mut peer = warm(&engine, &host, &[]).await;
        // Too large to have left: what is written after the close fails.
        let post = ask(&engine, host.post(vec![b'x'; 1 << 20]));
        let stream = peer.expect_request().await;
        leave(peer, stream, code).await;
        let answer = told(post).await;
        assert!(
            matches!(
                answer,
                Err(Error::GoAway { code: ErrorCode(c), unprocessed: false, by_server: true }) if c == code
            ),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_get_goes_again_after_a_goodbye_with_a_reason() {
    let (host, engine) = (Host::bind().await, engine());
    let mut old = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.get());
    let stream = old.expect_request().await;
    leave(old, stream, INTERNAL_ERROR).await;
    let mut new = host.welcome(&[]).await;
    answer_one(&mut new).await;
    let receipt = got(asked).await.receipt;
    let before = &receipt.retries[0];
    assert_eq!((receipt.attempts, before.connection), (2, Some(1)));
    assert!(
        matches!(
            before.reason,
            RetryReason::Error(Error::GoAway {
                code: ErrorCode(INTERNAL_ERROR),
                by_server: true,
                ..
            })
        ),
        "{before:?}"
    );
}

/// The request's body is still on its way when the answer, the goodbye and the close come together.
#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_counts_though_the_connection_ends() {
    for _ in 0..5 {
        let (host, engine) = (Host::bind().await, engine());
        let mut peer = warm(&engine, &host, &[]).await;
        let post = ask(&engine, host.post(vec![b'x'; 1 << 20]));
        let stream = peer.expect_request().await;
        let announced = head(&[("content-length", "2")]);
        let goodbye = [stream.to_be_bytes(), NO_ERROR.to_be_bytes()].concat();
        let all = [
            frame(HEADERS, END_HEADERS, stream, &announced),
            frame(DATA, END_STREAM, stream, b"ok"),
            frame(GOAWAY, 0, 0, &goodbye),
        ];
        peer.raw(&all.concat()).await;
        peer.close().await;
        let response = got(post).await;
        assert_eq!(
            (response.status.as_u16(), &response.body[..]),
            (200, &b"ok"[..])
        );
        assert_eq!(response.receipt.attempts, 1);
    }
}
