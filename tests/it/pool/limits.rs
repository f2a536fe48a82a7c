//! How many connections, streams and waiting fetches there are at most.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use gannet::view::{Change, Snapshot};
use gannet::{Engine, Error, Failure, Request};
use gannet_testbed::{Books, Testbed};
use tokio::task::JoinHandle;

use super::{next, plain, steady};
use crate::support::engine_with;

const LONG: Duration = Duration::from_secs(3_600);

/// Fetches `count` at once, all of which must succeed at the first attempt.
async fn all(engine: &Engine, testbed: &Testbed, count: usize, path: &str) -> Books {
    let fetches = (0..count).map(|_| engine.fetch(Request::get(testbed.url(path))));
    for answer in join_all(fetches).await {
        assert_eq!(answer.expect("a response").receipt.attempts, 1);
    }
    let books = testbed.books();
    assert_eq!(books.requests, count as u64);
    books
}

/// Fetches that are never answered.
fn hold(engine: &Engine, testbed: &Testbed, count: usize) -> Vec<JoinHandle<()>> {
    let fetches = (0..count).map(|_| engine.fetch(Request::get(testbed.url("/silent"))));
    let held = fetches.map(|fetch| tokio::spawn(async { drop(fetch.await) }));
    held.collect()
}

/// The streams of each connection, fewest first.
fn loads(snapshot: &Snapshot) -> Vec<usize> {
    let mut loads: Vec<_> = snapshot.connections.iter().map(|c| c.streams).collect();
    loads.sort_unstable();
    loads
}

#[tokio::test]
async fn full_connections_get_company_up_to_the_limit() {
    let testbed = plain(1, 2);
    let mut config = steady(2);
    config.conn_limit = 3;
    config.spread_after = Duration::from_millis(1);
    let engine = engine_with(config);
    let books = all(&engine, &testbed, 300, "/delay/3/bytes/10").await;
    assert_eq!((books.connections, books.peak_open), (3, 3), "{books:?}");
    assert_eq!((books.peak_streams, books.peak_streams_total), (2, 6));
}

#[tokio::test]
async fn each_further_connection_comes_only_after_a_time_of_need() {
    let testbed = plain(1, 2);
    let mut config = steady(2);
    config.conn_limit = 3;
    config.spread_after = Duration::from_millis(30);
    let engine = engine_with(config);
    let mut changes = engine.lifecycle();
    let start = Instant::now();
    let held = hold(&engine, &testbed, 10);
    for before in 0..3 {
        next(&mut changes, |c| matches!(c.change, Change::Dialing)).await;
        assert!(start.elapsed() >= Duration::from_millis(30) * before);
    }
    testbed.until(|books| books.streams_open == 6).await;
    let snapshot = engine.snapshot().await;
    assert_eq!((loads(&snapshot), snapshot.waiting), (vec![2, 2, 2], 4));
    held.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_short_time_of_need_opens_no_further_connection() {
    let testbed = plain(1, 2);
    let mut config = steady(2);
    (config.conn_limit, config.spread_after) = (3, LONG);
    let engine = engine_with(config);
    let books = all(&engine, &testbed, 100, "/delay/1/bytes/10").await;
    assert_eq!(books.connections, 1, "{books:?}");
}

#[tokio::test]
async fn an_origin_with_one_connection_never_gets_a_second() {
    let testbed = plain(1, 2);
    let mut config = steady(2);
    (config.conn_limit, config.spread_after) = (1, Duration::ZERO);
    let engine = engine_with(config);
    let books = all(&engine, &testbed, 300, "/delay/1/bytes/10").await;
    assert_eq!(books.connections, 1, "{books:?}");
}

#[tokio::test]
async fn the_fetches_of_an_origin_are_bounded_over_its_connections() {
    for streams in [1, 100] {
        let testbed = plain(1, streams);
        let mut config = steady(1);
        (config.conn_limit, config.spread_after) = (3, Duration::ZERO);
        config.per_origin_concurrency = Some(2);
        let engine = engine_with(config);
        let books = all(&engine, &testbed, 100, "/delay/1/bytes/10").await;
        assert_eq!(books.peak_streams_total, 2, "{books:?}");
    }
}

#[tokio::test]
async fn streams_are_spread_evenly_over_the_connections() {
    let testbed = plain(1, 20);
    let mut config = steady(20);
    (config.conn_limit, config.spread_after) = (3, Duration::ZERO);
    let engine = engine_with(config);
    let held = hold(&engine, &testbed, 60);
    testbed.until(|books| books.streams_open == 60).await;
    held.iter().for_each(JoinHandle::abort);
    testbed.until(|books| books.streams_open == 0).await;
    while engine
        .snapshot()
        .await
        .connections
        .iter()
        .any(|c| c.streams > 0)
    {
        tokio::task::yield_now().await;
    }
    let held = hold(&engine, &testbed, 30);
    testbed.until(|books| books.streams_open == 30).await;
    let loads = loads(&engine.snapshot().await);
    assert_eq!((loads.len(), loads.iter().sum()), (3, 30_usize));
    assert!(loads[0] >= 7 && loads[2] <= 13, "{loads:?}");
    held.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn what_a_full_queue_turns_away_is_counted() {
    let testbed = plain(2, 1);
    let mut config = steady(1);
    (config.max_pending, config.max_pending_per_origin) = (8, 5);
    let engine = Engine::builder().config(config).arbiters(1).start();
    let engine = engine.expect("threads");
    let silent = |origin| engine.fetch(Request::get(testbed.url_at(origin, "/silent")));
    let held = [0, 1].map(|origin| tokio::spawn(silent(origin)));
    testbed.until(|books| books.streams_open == 2).await;
    let mut waiting = Vec::new();
    // The limit of the one, then what it leaves the other of the limit of all.
    for (origin, limit, kept) in [(0, 5, 5), (1, 8, 3)] {
        let mut asked: FuturesUnordered<_> = (0..20).map(|_| silent(origin)).collect();
        for _ in kept..20 {
            let answer = asked.next().await.expect("more are asked");
            assert!(
                matches!(answer, Err(Failure { error: Error::Overloaded { limit: l }, .. }) if l == limit),
                "{answer:?}"
            );
        }
        waiting.push(asked);
    }
    let snapshot = engine.snapshot().await;
    assert_eq!(
        (snapshot.waiting, snapshot.counters.overloaded),
        (8, 15 + 17)
    );
    held.iter().for_each(JoinHandle::abort);
}
