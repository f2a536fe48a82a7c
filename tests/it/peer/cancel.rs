//! Fetches that are given up, many at a time, and responses that nobody hurries.

use std::collections::BTreeSet;

use super::{answer_one, ask, engine, got, number_of, numbered, shown, warm};
use crate::support::engine_with;
use crate::support::peer::{CANCEL, Host, MAX_STREAMS, OK, plain};

const STARTED: usize = 5_000;
const KEPT: usize = 100;
const WINDOW: u32 = 65_535;

#[tokio::test]
async fn thousands_of_fetches_may_leave_one_connection_and_the_rest_does_not_notice() {
    let host = Host::bind().await;
    let mut config = plain();
    config.max_streams_per_connection = 2 * STARTED;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host, &[(MAX_STREAMS, 10_000)]).await;
    let asked: Vec<_> = (0..STARTED).map(|_| ask(&engine, host.get())).collect();
    let streams = peer.expect_requests(STARTED).await;
    let mut kept = Vec::new();
    for (i, asked) in asked.into_iter().enumerate() {
        match i % (STARTED / KEPT) {
            0 => kept.push(asked),
            _ => asked.abort(),
        }
    }
    let left = STARTED - KEPT;
    peer.expect("the resets", |books| books.resets.len() == left)
        .await;
    assert!(peer.books.resets.iter().all(|(_, code)| *code == CANCEL));
    let dropped: BTreeSet<u32> = peer.books.resets.iter().map(|(s, _)| *s).collect();
    assert_eq!(dropped.len(), left);
    for stream in &dropped {
        peer.respond(*stream, b"too late").await;
    }
    for stream in streams.iter().filter(|s| !dropped.contains(s)) {
        peer.respond(*stream, b"ok").await;
    }
    for kept in kept {
        let response = got(kept).await;
        assert_eq!(response.body, "ok");
        assert_eq!(
            (response.receipt.connection, response.receipt.attempts),
            (Some(1), 1)
        );
    }
    let next = ask(&engine, host.get());
    answer_one(&mut peer).await;
    assert_eq!(got(next).await.receipt.connection, Some(1));
    let snapshot = shown(&engine, "rest", |s| s.connections[0].streams == 0).await;
    assert_eq!((snapshot.in_flight, snapshot.waiting), (0, 0));
    assert_eq!((snapshot.sockets, snapshot.connections.len()), (1, 1));
    assert_eq!(snapshot.origins[0].on_wire, 0);
    assert_eq!(snapshot.counters.cancelled, left as u64);
    assert_eq!(snapshot.counters.dials, 1);
}

/// The responses cross the resets, so to speak: they are on the way already.
#[tokio::test]
async fn responses_that_cross_a_cancellation_harm_nobody() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host, &[(MAX_STREAMS, 1_000)]).await;
    for _ in 0..5 {
        let asked: Vec<_> = (0..500).map(|_| ask(&engine, host.get())).collect();
        let streams = peer.expect_requests(500).await;
        asked.iter().for_each(tokio::task::JoinHandle::abort);
        for stream in streams {
            peer.respond(stream, b"too late").await;
        }
    }
    let next = ask(&engine, host.get());
    answer_one(&mut peer).await;
    assert_eq!(got(next).await.receipt.connection, Some(1));
    let snapshot = shown(&engine, "rest", |s| s.connections[0].streams == 0).await;
    assert_eq!((snapshot.sockets, snapshot.counters.dials), (1, 1));
}

#[tokio::test]
async fn one_response_without_an_end_holds_up_none_of_the_others() {
    let host = Host::bind().await;
    let mut config = plain();
    (config.stream_window, config.connection_window) = (WINDOW, 4 * WINDOW);
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host, &[]).await;
    let asked: Vec<_> = (0..100).map(|i| ask(&engine, numbered(&host, i))).collect();
    let mut streams = peer.expect_requests(100).await;
    streams.sort_by_key(|stream| number_of(&peer, *stream));
    for stream in &streams {
        peer.head(*stream, OK, false).await;
    }
    peer.body(streams[0], WINDOW as usize, false).await;
    for stream in &streams[1..] {
        peer.body(*stream, 100_000, true).await;
    }
    let mut asked = asked.into_iter();
    let slow = asked.next().expect("a hundred");
    for asked in asked {
        assert_eq!(got(asked).await.body.len(), 100_000);
    }
    assert!(!slow.is_finished());
    let of_peer = &engine.snapshot().await.connections[0];
    assert_eq!(of_peer.requests, 101);
    peer.data(streams[0], b"", true).await;
    let response = got(slow).await;
    assert_eq!(response.body.len(), WINDOW as usize);
    assert_eq!(engine.snapshot().await.counters.dials, 1);
}
