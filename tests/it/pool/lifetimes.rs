//! How connections end that nothing is wrong with, and what takes their place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use gannet::view::{Change, Lifecycles, Reason};
use gannet::{Engine, Request, Response};
use tokio::time::timeout;

use super::{PATIENCE, next, plain, steady};
use crate::support::engine_with;
use crate::support::peer::{Host, NO_ERROR, PING, Peer, plain as config};

/// Fetches `path` so many times, ten at a time; all must succeed.
async fn ten_at_a_time(engine: &Engine, request: &Request, count: usize) -> Vec<Response> {
    let requests = stream::iter(0..count).map(|i| (i, request.clone()));
    let answers = engine.fetch_all(requests, 10);
    let answers = answers.map(|(i, answer)| answer.unwrap_or_else(|e| panic!("{i}: {e:?}")));
    answers.collect().await
}

fn at_first_attempt(responses: &[Response]) -> bool {
    responses.iter().all(|r| r.receipt.attempts == 1)
}

/// The changes up to the one that `is_last` picks, without the errors in them.
async fn changes_until(changes: &mut Lifecycles, last: (u64, &str)) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    let listening = async {
        while seen
            .last()
            .is_none_or(|(n, c): &(u64, String)| (*n, c.as_str()) != last)
        {
            let change = changes.next().await.expect("the engine lives");
            seen.push((change.connection, format!("{:?}", change.change)));
        }
    };
    let came = timeout(PATIENCE, listening).await;
    assert!(came.is_ok(), "no {last:?} came: {seen:?}");
    seen
}

#[tokio::test]
async fn what_is_idle_for_too_long_is_closed() {
    let testbed = plain(1, None);
    let mut config = config();
    config.idle_timeout = Some(Duration::from_millis(30));
    let engine = engine_with(config);
    let mut changes = engine.lifecycle();
    for round in 1..=3 {
        let answer = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
        assert!(!answer.expect("a response").receipt.reused);
        next(&mut changes, |c| {
            matches!(c.change, Change::Closed(Reason::Idle))
        })
        .await;
        testbed.until(|books| books.open == 0).await;
        let counters = engine.snapshot().await.counters;
        assert_eq!(counters.closed, BTreeMap::from([(Reason::Idle, round)]));
    }
}

#[tokio::test]
async fn what_is_at_work_is_not_idle() {
    let testbed = plain(1, None);
    let mut config = config();
    config.idle_timeout = Some(Duration::ZERO);
    let engine = engine_with(config);
    let answer = engine.fetch(Request::get(testbed.url("/drip/20/5"))).await;
    assert_eq!(answer.expect("a response").body.len(), 20);
    testbed.until(|books| books.open == 0).await;
    assert_eq!(testbed.books().connections, 1);
}

/// A connection that has answered one request.
async fn idle(host: &Host, engine: &Engine) -> Peer {
    let serve = async {
        let mut peer = host.welcome(&[]).await;
        let stream = peer.expect_request().await;
        peer.respond(stream, b"ok").await;
        peer
    };
    let (answer, peer) = tokio::join!(engine.fetch(host.get()), serve);
    assert_eq!(answer.expect("a response").receipt.attempts, 1);
    peer
}

#[tokio::test]
async fn an_idle_connection_answers_pings() {
    let (host, engine) = (Host::bind().await, engine_with(config()));
    let mut peer = idle(&host, &engine).await;
    for pings in 1..=5 {
        peer.frame(PING, 0, 0, b"are you?").await;
        peer.expect("a PONG", |books| books.pongs == pings).await;
    }
}

#[tokio::test]
async fn a_goodbye_to_an_idle_connection_is_heard_at_once() {
    for reason in [Reason::GoAway, Reason::Broken] {
        let (host, engine) = (Host::bind().await, engine_with(config()));
        let mut changes = engine.lifecycle();
        let mut peer = idle(&host, &engine).await;
        match reason {
            Reason::GoAway => peer.goaway(1, NO_ERROR).await,
            _ => peer.close().await,
        }
        let is_end = |change: &Change| match change {
            Change::Draining(why) | Change::Closed(why) => *why == reason,
            _ => false,
        };
        next(&mut changes, |c| is_end(&c.change)).await;
        // Asserts that this one goes elsewhere at its first attempt.
        idle(&host, &engine).await;
        peer.expect_close().await;
    }
}

#[tokio::test]
async fn no_connection_serves_more_requests_than_it_may() {
    let testbed = plain(1, None);
    let mut config = config();
    config.max_requests = Some(20);
    let engine = engine_with(config);
    let mut changes = engine.lifecycle();
    let request = Request::get(testbed.url("/delay/1/bytes/10"));
    let responses = ten_at_a_time(&engine, &request, 200).await;
    assert!(at_first_attempt(&responses));
    let mut served = BTreeMap::<u64, u32>::new();
    for response in &responses {
        *served
            .entry(response.receipt.connection.expect("a connection"))
            .or_default() += 1;
    }
    assert!(served.values().all(|count| *count <= 20), "{served:?}");
    let books = testbed.books();
    let spare = books.connections - served.len() as u64;
    assert!(spare <= 1 && books.requests == 200, "{books:?} {served:?}");
    let last = served.keys().max().copied().expect("ten of them");
    let seen = changes_until(&mut changes, (last - 1, "Closed(MaxRequests)")).await;
    let place = |n: u64, what: &str| seen.iter().position(|(m, c)| (*m, c.as_str()) == (n, what));
    for n in 1..last {
        let successor = place(n + 1, "Dialing").expect("a successor");
        let drains = place(n, "Draining(MaxRequests)");
        assert!(drains.is_none_or(|at| at > successor), "{n}: {seen:?}");
    }
}

const SUCCESSION: [(u64, &str); 3] = [(2, "Dialing"), (2, "Connected"), (1, "Draining")];

/// With a stream open on the old connection all the while.
#[tokio::test]
async fn a_connection_goes_when_its_successor_has_come() {
    for reason in [Reason::MaxRequests, Reason::MaxAge] {
        let testbed = plain(1, None);
        let mut config = config();
        match reason {
            Reason::MaxRequests => config.max_requests = Some(5),
            _ => config.max_age = Some(Duration::from_millis(100)),
        }
        let engine = engine_with(config);
        let mut changes = engine.lifecycle();
        let get = |path| engine.fetch(Request::get(testbed.url(path)));
        let mut held = Vec::new();
        for open in 1..=3 {
            held.push(tokio::spawn(get("/silent")));
            testbed.until(|books| books.streams_open == open).await;
        }
        let drains = format!("Draining({reason:?})");
        let seen = changes_until(&mut changes, (1, &drains)).await;
        let seen: Vec<_> = seen
            .iter()
            .map(|(n, c)| (*n, c.split('(').next()))
            .collect();
        let expected = SUCCESSION.map(|(n, change)| (n, Some(change)));
        assert_eq!(seen[seen.len() - 3..], expected, "{seen:?}");
        let answer = get("/bytes/1").await.expect("a response");
        assert_ne!(answer.receipt.connection, Some(1));
        assert!(held.iter().all(|held| !held.is_finished()), "undisturbed");
        held.iter().for_each(tokio::task::JoinHandle::abort);
        testbed.until(|books| books.open <= 1).await;
    }
}

#[tokio::test]
async fn old_connections_are_replaced_under_load_without_a_failure() {
    let testbed = plain(1, None);
    let mut config = config();
    config.max_age = Some(Duration::from_millis(100));
    let engine = engine_with(config);
    let request = Request::get(testbed.url("/delay/2/bytes/10"));
    let mut connections = BTreeSet::new();
    while connections.len() < 5 {
        let responses = ten_at_a_time(&engine, &request, 50).await;
        assert!(at_first_attempt(&responses));
        connections.extend(responses.iter().map(|r| r.receipt.connection));
    }
    let snapshot = engine.snapshot().await;
    assert!(
        snapshot
            .counters
            .closed
            .keys()
            .all(|r| *r == Reason::MaxAge)
    );
    assert!(testbed.books().peak_open <= 3, "{:?}", testbed.books());
    assert_eq!(testbed.books().requests, snapshot.counters.requests);
}

/// Answers seven requests on each connection, and no more, as nginx with `keepalive_requests 7`.
async fn serve_seven_each(host: Host) {
    loop {
        let mut peer = host.accept_at_leisure().await;
        tokio::spawn(async move {
            peer.settings(&[]).await;
            let mut served = 0;
            loop {
                while let Some(stream) = peer.fresh().filter(|_| served < 7) {
                    served += 1;
                    peer.respond(stream, b"ok").await;
                    if served == 7 {
                        peer.goaway(stream, NO_ERROR).await;
                    }
                }
                if !peer.next().await {
                    return;
                }
            }
        });
    }
}

#[tokio::test]
async fn the_habit_of_a_server_is_learnt_and_then_nothing_is_refused() {
    let (host, engine) = (Host::bind().await, engine_with(steady(10)));
    let request = host.get();
    let serving = tokio::spawn(serve_seven_each(host));
    let responses = ten_at_a_time(&engine, &request, 200).await;
    let refused_on = responses.iter().flat_map(|r| &r.receipt.retries);
    let refused_on: BTreeSet<_> = refused_on.filter_map(|retry| retry.connection).collect();
    assert!(refused_on.iter().all(|n| *n <= 3), "{refused_on:?}");
    assert!(!refused_on.is_empty(), "there was nothing to learn from");
    // The last connection may just have ended, and with it the site.
    let learnt = loop {
        engine.fetch(request.clone()).await.expect("a response");
        if let Some(origin) = engine.snapshot().await.origins.first() {
            break origin.requests_until_goaway;
        }
    };
    assert_eq!(learnt, Some(7));
    serving.abort();
}
