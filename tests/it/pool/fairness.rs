//! Nobody's queue holds up another's: turns under the global cap, order within an origin.

use std::cell::Cell;
use std::time::Duration;

use futures::future::{join, join_all};
use gannet::{Config, Engine, Request};
use gannet_testbed::Testbed;

use super::{plain, steady};
use crate::support::engine_with;
use crate::support::peer::{Host, MAX_STREAMS};

const STREAMS: usize = 20;

/// Queues `count` fetches on one origin, then one on each of two others, with one socket for all.
/// Returns how many of the first origin's were answered between the others' asking and the answer
/// to the later of them.
async fn two_behind(testbed: &Testbed, count: usize, path: &str, config: Config) -> usize {
    let engine = Engine::builder().config(config).start_here();
    let answered = Cell::new(0);
    let queue = (0..count).map(|_| {
        let fetch = engine.fetch(Request::get(testbed.url_at(0, path)));
        async {
            let response = fetch.await.expect("a response");
            assert_eq!(response.receipt.attempts, 1);
            answered.set(answered.get() + 1);
        }
    });
    let others = async {
        let enough = STREAMS as u64;
        testbed.until(|books| books.requests > enough).await;
        let asked = answered.get();
        let fetch = |i| engine.fetch(Request::get(testbed.url_at(i, "/bytes/10")));
        for answer in join_all([1, 2].map(fetch)).await {
            answer.expect("a response");
        }
        answered.get() - asked
    };
    let (_, between) = join(join_all(queue), others).await;
    let books = testbed.books();
    assert_eq!((books.peak_open, books.requests), (1, count as u64 + 2));
    assert_eq!(engine.snapshot().await.waiting_origins, 0);
    between
}

#[actix_rt::test]
async fn thousands_queued_on_one_origin_take_turns_with_the_others_by_number() {
    let testbed = plain(3, STREAMS as u32);
    let mut config = steady(STREAMS);
    config.max_connections = 1;
    config.turn_fetches = 100;
    config.turn_time = Duration::from_secs(3_600);
    let between = two_behind(&testbed, 5_000, "/delay/1/bytes/10", config).await;
    // Its turn, what was on the wire before it, and what was on its way through mailboxes.
    assert!(between <= 100 + 2 * STREAMS, "{between}");
    assert!(between >= 100, "its turn was cut short: {between}");
}

#[actix_rt::test]
async fn slow_fetches_take_turns_with_the_others_by_time() {
    let testbed = plain(3, STREAMS as u32);
    let mut config = steady(STREAMS);
    config.max_connections = 1;
    config.turn_fetches = usize::MAX;
    config.turn_time = Duration::from_millis(1);
    let between = two_behind(&testbed, 300, "/delay/50/bytes/10", config).await;
    assert!(between <= 3 * STREAMS, "{between}");
}

#[tokio::test]
async fn who_waits_for_one_origin_is_served_in_order() {
    const FETCHES: u8 = 200;
    let host = Host::bind().await;
    let engine = engine_with(steady(3));
    let fetches = (0..FETCHES).map(|i| engine.fetch(host.post(vec![i])));
    let serve = async {
        let mut peer = host.welcome(&[(MAX_STREAMS, 3)]).await;
        for _ in 0..FETCHES {
            let stream = peer.expect_requests(1).await[0];
            peer.respond(stream, b"ok").await;
        }
        peer
    };
    let (answers, peer) = join(join_all(fetches), serve).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let bodies = peer.books.streams.values().map(|stream| stream.body[0]);
    assert!(bodies.eq(0..FETCHES), "{:?}", peer.books);
    assert!(peer.books.most_open <= 3);
}
