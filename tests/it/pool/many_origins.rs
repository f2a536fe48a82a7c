//! Far more origins than sockets, and more than are remembered.

use std::collections::VecDeque;

use futures::{StreamExt, stream};
use gannet::config::ConnectTo;
use gannet::{Config, Engine, Request};
use gannet_testbed::Testbed;

use crate::support::engine_with;

const ORIGINS: usize = 10_000;
const CAP: usize = 256;
const REMEMBERED: usize = 1_000;

/// All hosts there are lead to `testbed`.
fn config(testbed: &Testbed) -> Config {
    let mut config = crate::support::peer::plain();
    config.connect_to.push(ConnectTo {
        host: None,
        port: None,
        to_host: Some("127.0.0.1".to_owned()),
        to_port: Some(testbed.port()),
    });
    config.max_connections = CAP;
    config.max_origins = REMEMBERED;
    config
}

fn request(origin: usize) -> Request {
    Request::get(format!("http://h{origin}.test/bytes/10"))
}

/// `count` of so many origins, the n-th with a weight of 1/n^1.2; the same ones in every run.
fn zipf(origins: usize, count: usize) -> Vec<usize> {
    let mut total = 0.0;
    let sums: Vec<f64> = (1..=origins)
        .map(|n| {
            total += (n as f64).powf(-1.2);
            total
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(7);
    let draw = || {
        let point = random.f64() * total;
        sums.partition_point(|sum| *sum <= point).min(origins - 1)
    };
    std::iter::repeat_with(draw).take(count).collect()
}

/// How often an LRU of so many finds what it looks for.
fn hits(trace: &[usize], size: usize) -> u64 {
    let (mut held, mut hits) = (VecDeque::new(), 0);
    for origin in trace {
        if let Some(place) = held.iter().position(|held| held == origin) {
            held.remove(place);
            hits += 1;
        } else if held.len() == size {
            held.pop_front();
        }
        held.push_back(*origin);
    }
    hits
}

#[tokio::test]
async fn ten_thousand_origins_share_the_sockets_there_are() {
    let testbed = Testbed::builder().plain(true).start().expect("a port");
    let engine = engine_with(config(&testbed));
    let trace = zipf(ORIGINS, 60_000);
    let requests = stream::iter(&trace).map(|origin| ((), request(*origin)));
    let mut answers = engine.fetch_all(requests, 500);
    while let Some(((), answer)) = answers.next().await {
        assert_eq!(answer.expect("a response").body.len(), 10);
    }
    let (books, snapshot) = (testbed.books(), engine.snapshot().await);
    assert!(books.peak_open <= CAP as u64, "{books:?}");
    assert!(snapshot.sockets <= CAP, "{}", snapshot.sockets);
    assert_eq!((snapshot.in_flight, snapshot.waiting_origins), (0, 0));
    // Two arbiters.
    assert!(snapshot.origins_remembered <= 2 * REMEMBERED);
    let counters = snapshot.counters;
    assert_eq!((books.requests, counters.requests), (60_000, 60_000));
    assert_eq!(counters.handshakes, books.connections);
    // Twice as many are in flight as there are sockets, so the order is no longer the trace's.
    let misses = 60_000 - hits(&trace, CAP);
    assert!(
        counters.handshakes < misses * 3 / 2,
        "{}",
        counters.handshakes
    );
}

#[actix_rt::test]
async fn one_at_a_time_reuse_is_that_of_an_lru() {
    let testbed = Testbed::builder().plain(true).start().expect("a port");
    let mut config = config(&testbed);
    (config.max_connections, config.max_origins) = (64, 100);
    let engine = Engine::builder().config(config).start_here();
    let trace = zipf(1_000, 3_000);
    for origin in &trace {
        let answer = engine.fetch(request(*origin)).await;
        assert_eq!(answer.expect("a response").body.len(), 10);
    }
    let snapshot = engine.snapshot().await;
    let counters = snapshot.counters;
    let hits = hits(&trace, 64);
    assert_eq!(counters.reused, hits);
    assert_eq!(counters.requests - counters.handshakes, hits);
    assert!(testbed.books().peak_open <= 64);
    assert!(snapshot.origins_remembered <= 100);
}
