//! Which attempts are followed by another, and which are not.

use gannet::error::ErrorCode;
use gannet::response::RetryReason;
use gannet::{Config, Error};
use http::StatusCode;

use super::{answer_one, ask, engine, got, shown, told, warm};
use crate::support::engine_with;
use crate::support::peer::{Host, Peer, REFUSED_STREAM, field, plain};

const CALM: u32 = 11;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const MISDIRECTED: StatusCode = StatusCode::MISDIRECTED_REQUEST;

/// Answers the next request with this status and no body.
async fn answer_with(peer: &mut Peer, status: StatusCode, fields: &[(&str, &str)]) {
    let stream = peer.expect_requests(1).await[0];
    let mut block = [b"\x08\x03", status.as_str().as_bytes()].concat();
    for (name, value) in fields {
        block.extend(field(name, value));
    }
    peer.head(stream, &block, true).await;
}

fn insistent() -> Config {
    let mut config = plain();
    config.retry_statuses = vec![UNAVAILABLE];
    config
}

fn is_status(reason: &RetryReason, status: StatusCode) -> bool {
    matches!(reason, RetryReason::Status(s) if *s == status)
}

#[tokio::test]
async fn a_misdirected_request_goes_to_a_fresh_connection_once() {
    for is_post in [false, true] {
        let (host, engine) = (Host::bind().await, engine());
        let request = || match is_post {
            true => host.post("body"),
            false => host.get(),
        };
        let mut old = warm(&engine, &host, &[]).await;
        let asked = ask(&engine, request());
        answer_with(&mut old, MISDIRECTED, &[]).await;
        let mut new = host.welcome(&[]).await;
        answer_one(&mut new).await;
        let response = got(asked).await;
        let receipt = &response.receipt;
        assert_eq!((receipt.connection, receipt.attempts), (Some(2), 2));
        let before = &receipt.retries[0];
        assert_eq!(before.connection, Some(1));
        assert!(is_status(&before.reason, MISDIRECTED), "{before:?}");
        old.expect_close().await;
        // The next one is not to go the old way either.
        let asked = ask(&engine, request());
        answer_one(&mut new).await;
        assert_eq!(got(asked).await.receipt.connection, Some(2));
        let counters = engine.snapshot().await.counters;
        assert_eq!((counters.dials, counters.retries["misdirected"]), (2, 1));
    }
}

#[tokio::test]
async fn a_request_misdirected_twice_is_answered_as_it_is() {
    let (host, engine) = (Host::bind().await, engine());
    let mut old = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.post("body"));
    answer_with(&mut old, MISDIRECTED, &[]).await;
    let mut new = host.welcome(&[]).await;
    answer_with(&mut new, MISDIRECTED, &[]).await;
    let response = got(asked).await;
    assert_eq!(response.status, MISDIRECTED);
    assert_eq!(
        (response.receipt.connection, response.receipt.attempts),
        (Some(2), 2)
    );
    assert_eq!(new.books.streams.len(), 1);
}

#[tokio::test]
async fn a_status_that_is_worth_it_is_asked_for_again() {
    let host = Host::bind().await;
    let engine = engine_with(insistent());
    let mut peer = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.get());
    answer_with(&mut peer, UNAVAILABLE, &[("retry-after", "0")]).await;
    answer_with(&mut peer, UNAVAILABLE, &[]).await;
    answer_one(&mut peer).await;
    let response = got(asked).await;
    assert_eq!(
        (response.status.as_u16(), response.receipt.attempts),
        (200, 3)
    );
    for before in &response.receipt.retries {
        assert_eq!(before.connection, Some(1));
        assert!(is_status(&before.reason, UNAVAILABLE), "{before:?}");
    }
    let asked = ask(&engine, host.get());
    for _ in 0..3 {
        answer_with(&mut peer, UNAVAILABLE, &[]).await;
    }
    let response = got(asked).await;
    assert_eq!(
        (response.status, response.receipt.attempts),
        (UNAVAILABLE, 3)
    );
    assert_eq!(peer.books.streams.len(), 7);
    assert_eq!(engine.snapshot().await.counters.retries["status"], 4);
}

#[tokio::test]
async fn a_status_is_handed_out_where_it_is_not_worth_the_wait_or_not_safe() {
    let host = Host::bind().await;
    let engine = engine_with(insistent());
    let mut peer = warm(&engine, &host, &[]).await;
    let once = [
        (host.get(), "100000"),
        (host.get(), "18446744073709551615"),
        (host.get().max_attempts(1), "0"),
        (host.get().retry_statuses(Vec::new()), "0"),
        (host.post("body"), "0"),
    ];
    for (request, after) in once {
        let asked = ask(&engine, request);
        answer_with(&mut peer, UNAVAILABLE, &[("retry-after", after)]).await;
        let response = got(asked).await;
        assert_eq!(
            (response.status, response.receipt.attempts),
            (UNAVAILABLE, 1)
        );
    }
    assert_eq!(peer.books.streams.len(), 6);
    assert!(engine.snapshot().await.counters.retries.is_empty());
}

#[tokio::test]
async fn a_spent_budget_leaves_no_retries() {
    let host = Host::bind().await;
    let mut config = plain();
    (config.retry_budget, config.retry_reserve) = (0, 2);
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host, &[]).await;
    for number in 1..=2 {
        let asked = ask(&engine, host.get());
        peer.expect_request().await;
        drop(peer);
        peer = host.welcome(&[]).await;
        answer_one(&mut peer).await;
        let receipt = got(asked).await.receipt;
        assert_eq!(receipt.retries[0].connection, Some(number));
        let reason = &receipt.retries[0].reason;
        assert!(
            matches!(
                reason,
                RetryReason::Error(Error::Disconnected { sent: true, .. })
            ),
            "{reason:?}"
        );
    }
    let asked = ask(&engine, host.get());
    peer.expect_request().await;
    drop(peer);
    let answer = told(asked).await;
    assert!(
        matches!(answer, Err(Error::Disconnected { sent: true, .. })),
        "{answer:?}"
    );
    let counters = engine.snapshot().await.counters;
    assert_eq!(counters.retries_refused, 1);
    assert_eq!(counters.retries["disconnected"], 2);
    // What was never acted on is no strain on anybody.
    let asked = ask(&engine, host.post("body"));
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_requests(1).await[0];
    peer.reset(stream, REFUSED_STREAM).await;
    answer_one(&mut peer).await;
    assert_eq!(got(asked).await.receipt.attempts, 2);
}

#[tokio::test]
async fn a_request_of_one_attempt_is_never_repeated() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.get().max_attempts(1));
    peer.expect_request().await;
    drop(peer);
    let answer = told(asked).await;
    assert!(
        matches!(answer, Err(Error::Disconnected { sent: true, .. })),
        "{answer:?}"
    );
    let asked = ask(&engine, host.post("body").max_attempts(1));
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_requests(1).await[0];
    peer.reset(stream, REFUSED_STREAM).await;
    let answer = told(asked).await;
    let refused = ErrorCode::REFUSED_STREAM;
    assert!(
        matches!(answer, Err(Error::Reset { code, by_server: true }) if code == refused),
        "{answer:?}"
    );
    let asked = ask(&engine, host.get().max_attempts(1));
    answer_with(&mut peer, MISDIRECTED, &[]).await;
    assert_eq!(got(asked).await.status, MISDIRECTED);
    let counters = engine.snapshot().await.counters;
    assert!(counters.retries.is_empty());
}

#[tokio::test]
async fn a_server_that_asks_for_calm_gets_half_as_many_streams() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host, &[]).await;
    let asked: Vec<_> = (0..8).map(|_| ask(&engine, host.post("body"))).collect();
    let streams = peer.expect_requests(8).await;
    peer.reset(streams[0], CALM).await;
    let is_slow = |s: &gannet::view::Snapshot| s.connections[0].allowed == 4;
    shown(&engine, "four streams", is_slow).await;
    let more: Vec<_> = (0..20).map(|_| ask(&engine, host.get())).collect();
    for stream in &streams[1..] {
        peer.respond(*stream, b"ok").await;
    }
    let mut failed = 0;
    for asked in asked {
        match told(asked).await {
            Ok(_) => {}
            Err(Error::Reset {
                code,
                by_server: true,
            }) if code == ErrorCode::ENHANCE_YOUR_CALM => failed += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(failed, 1);
    peer.books.most_open = 0;
    for _ in 0..20 {
        answer_one(&mut peer).await;
    }
    for more in more {
        got(more).await;
    }
    assert!(peer.books.most_open <= 4, "{}", peer.books.most_open);
    let counters = engine.snapshot().await.counters;
    assert_eq!(counters.resets[&ErrorCode::ENHANCE_YOUR_CALM], 1);
}

#[tokio::test]
async fn a_get_that_was_asked_for_calm_comes_back() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.reset(stream, CALM).await;
    answer_one(&mut peer).await;
    let receipt = got(asked).await.receipt;
    assert_eq!((receipt.connection, receipt.attempts), (Some(1), 2));
}
