//! One connection per origin, one cap over all of them.

mod breaker;
mod crashes;
mod fairness;
mod lifetimes;
mod limits;
mod many_origins;
mod pressure;
mod priority;
mod view;

use std::collections::VecDeque;
use std::net::TcpListener;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use gannet::config::PriorKnowledge;
use gannet::view::{Lifecycle, Lifecycles, Snapshot};
use gannet::{Config, Engine, Error, Failure, Request};
use gannet_testbed::{Entry, EntryKind, Testbed, verify};

use crate::support::{config, engine, engine_with, testbed};

/// Far beyond what any step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
const ORIGINS: usize = 100;
const CAP: usize = 8;

#[tokio::test]
async fn a_thousand_cold_fetches_make_one_handshake() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let fetches =
        (0..1000).map(|i| engine.fetch(Request::get(testbed.url(&format!("/bytes/{i}")))));
    for (i, answer) in join_all(fetches).await.into_iter().enumerate() {
        assert!(verify(
            &format!("/bytes/{i}"),
            &answer.expect("a response").body
        ));
    }
    let books = testbed.books();
    assert_eq!((books.handshakes, books.connections), (1, 1), "{books:?}");
    assert_eq!(books.requests, 1000);
}

#[tokio::test]
async fn no_more_streams_than_the_server_allows() {
    let testbed = Testbed::builder()
        .max_concurrent_streams(3)
        .start()
        .expect("a free port");
    let engine = engine(&testbed);
    let url = |i| testbed.url(&format!("/delay/2/bytes/{i}"));
    let fetches = (0..500).map(|i| engine.fetch(Request::get(url(i))));
    let mut repeated = 0;
    for answer in join_all(fetches).await {
        repeated += answer.expect("a response").receipt.attempts - 1;
    }
    let books = testbed.books();
    assert_eq!(books.peak_streams, 3, "{books:?}");
    assert_eq!((books.requests, books.connections), (500, 1), "{books:?}");
    // Only what left before the server's SETTINGS had come can have been refused.
    assert!(repeated <= 7, "{repeated} were refused and sent again");
}

#[tokio::test]
async fn the_cap_holds_over_all_origins_as_the_server_sees_it() {
    let testbed = many_origins();
    let engine = engine_with(capped(&testbed));
    let requests = stream::iter(zipf(10_000)).map(|origin| (origin, request(&testbed, origin)));
    let mut responses = engine.fetch_all(requests, 50);
    let mut answered = 0;
    while let Some((origin, answer)) = responses.next().await {
        let response = answer.expect("a response");
        assert!(verify(&path(origin), &response.body));
        answered += 1;
    }
    let books = testbed.books();
    assert_eq!((answered, books.requests), (10_000, 10_000));
    assert!(books.peak_open <= CAP as u64, "{books:?}");
    assert!(
        books.connections > CAP as u64,
        "nothing was ever evicted: {books:?}"
    );
}

#[tokio::test]
async fn one_at_a_time_evictions_are_those_of_an_lru() {
    let testbed = many_origins();
    let engine = engine_with(capped(&testbed));
    let trace = zipf(10_000);
    for &origin in &trace {
        let answer = engine.fetch(request(&testbed, origin)).await;
        assert!(verify(&path(origin), &answer.expect("a response").body));
    }
    let expected = lru_model(&trace);
    let seen: Vec<_> = testbed.journal().iter().map(event).collect();
    assert_eq!(seen.len(), expected.len());
    assert!(
        seen == expected,
        "first difference at {:?}",
        seen.iter().zip(&expected).position(|(a, b)| a != b)
    );
    assert!(testbed.books().peak_open <= CAP as u64);
}

/// What opens and closes, in order, under an LRU that closes one before it opens the next.
fn lru_model(trace: &[usize]) -> Vec<(usize, EntryKind)> {
    let (mut open, mut events) = (VecDeque::new(), Vec::new());
    for &origin in trace {
        if let Some(place) = open.iter().position(|o| *o == origin) {
            open.remove(place);
        } else {
            if open.len() == CAP {
                events.push((open.pop_front().expect("full"), EntryKind::Closed));
            }
            events.push((origin, EntryKind::Opened));
        }
        open.push_back(origin);
    }
    events
}

fn event(entry: &Entry) -> (usize, EntryKind) {
    let std::net::IpAddr::V4(ip) = entry.local_ip else {
        panic!("the testbed listens on IPv4")
    };
    (usize::from(ip.octets()[3]) - 1, entry.kind)
}

/// Cleartext, on `origins` addresses, with so many streams to a connection.
fn plain(origins: u8, streams: impl Into<Option<u32>>) -> Testbed {
    let builder = Testbed::builder().plain(true).addresses(origins);
    let testbed = builder.max_concurrent_streams(streams).start();
    testbed.expect("a port that is free on all addresses")
}

/// For cleartext, and never with more streams than the server allows.
fn steady(streams: usize) -> Config {
    let mut config = crate::support::peer::plain();
    config.initial_streams = streams;
    config
}

/// The next change that `is_it` picks; those before it are passed over.
async fn next(changes: &mut Lifecycles, is_it: impl Fn(&Lifecycle) -> bool) -> Lifecycle {
    let waiting = async {
        loop {
            let change = changes.next().await.expect("the engine lives");
            if is_it(&change) {
                return change;
            }
        }
    };
    let change = tokio::time::timeout(PATIENCE, waiting).await;
    change.expect("no such change came")
}

/// The snapshot that fits, once there is one.
async fn snapshot(engine: &Engine, fits: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let looking = async {
        loop {
            let snapshot = engine.snapshot().await;
            if fits(&snapshot) {
                return snapshot;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    match found {
        Ok(snapshot) => snapshot,
        Err(_) => panic!("not so: {:#?}", engine.snapshot().await),
    }
}

fn many_origins() -> Testbed {
    let testbed = Testbed::builder().addresses(ORIGINS as u8).start();
    testbed.expect("a port that is free on all addresses")
}

fn capped(testbed: &Testbed) -> Config {
    let mut config = config(testbed);
    config.max_connections = CAP;
    config.prior_knowledge = PriorKnowledge::All;
    config
}

fn path(origin: usize) -> String {
    format!("/bytes/{}", 100 + origin)
}

fn request(testbed: &Testbed, origin: usize) -> Request {
    Request::get(testbed.url_at(origin, &path(origin)))
}

/// `count` origins, the n-th with a weight of 1/n; the same ones in every run.
fn zipf(count: usize) -> Vec<usize> {
    let weights: Vec<f64> = (1..=ORIGINS).map(|n| 1.0 / n as f64).collect();
    let total: f64 = weights.iter().sum();
    let mut state = 1u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut point = (state >> 11) as f64 / (1u64 << 53) as f64 * total;
        weights
            .iter()
            .position(|w| {
                point -= w;
                point < 0.0
            })
            .unwrap_or(ORIGINS - 1)
    };
    (0..count).map(|_| draw()).collect()
}

#[tokio::test]
async fn a_busy_connection_is_never_evicted() {
    let testbed = Testbed::builder()
        .addresses(3)
        .plain(true)
        .start()
        .expect("a free port");
    let mut config = capped(&testbed);
    config.max_connections = 1;
    let engine = engine_with(config);
    let slow = tokio::spawn(engine.fetch(Request::get(testbed.url_at(0, "/delay/200/bytes/10"))));
    testbed.until(|books| books.streams_open == 1).await;
    let others = (1..3).map(|i| engine.fetch(Request::get(testbed.url_at(i, "/bytes/10"))));
    for answer in join_all(others).await {
        answer.expect("a response, once the slow one has made room");
    }
    let slow = slow.await.expect("not aborted").expect("a response");
    assert_eq!(slow.receipt.attempts, 1, "it was not disturbed");
    assert_eq!(testbed.books().peak_open, 1);
}

#[tokio::test]
async fn a_refused_port_fails_at_once_and_works_as_soon_as_something_listens() {
    let placeholder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = placeholder.local_addr().expect("bound").port();
    drop(placeholder);
    let mut config = Config::default();
    config.prior_knowledge = PriorKnowledge::All;
    // It would let some time pass; `breaker.rs` has tests of that.
    config.breaker_failures = 0;
    let engine = engine_with(config);
    let url = format!("http://127.0.0.1:{port}/bytes/10");
    for _ in 0..3 {
        let answers = join_all((0..20).map(|_| engine.fetch(Request::get(&url)))).await;
        for answer in answers {
            assert!(
                matches!(&answer, Err(Failure { error: Error::Connect { peer, .. }, .. }) if peer.port() == port),
                "{answer:?}"
            );
        }
    }
    let testbed = Testbed::builder()
        .plain(true)
        .port(port)
        .start()
        .expect("the port is still free");
    let answer = engine.fetch(Request::get(&url)).await;
    assert_eq!(answer.expect("a response").status, 200);
    assert_eq!(testbed.books().connections, 1);
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let mut testbed = Testbed::builder().plain(true).start().expect("a free port");
    let port = testbed.port();
    let engine = engine_with(capped(&testbed));
    for round in 0..5 {
        let answer = engine.fetch(Request::get(testbed.url("/bytes/10"))).await;
        assert!(!answer.expect("a response").receipt.reused, "round {round}");
        testbed.stop();
        testbed = Testbed::builder()
            .plain(true)
            .port(port)
            .start()
            .expect("still free");
    }
}
