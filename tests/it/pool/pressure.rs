//! Too few places, dials that fail, queues that are held up: who gets on nevertheless.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use gannet::config::Config;
use gannet::view::{Change, Reason};
use gannet::{Engine, Error, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{PATIENCE, next, plain, snapshot, steady};
use crate::support::engine_with;
use crate::support::peer::{Host, NO_ERROR, Peer, SETTINGS, plain as config};

const LONG: Duration = Duration::from_secs(3_600);
/// Between dials for which nobody is in need.
const PACE: Duration = Duration::from_millis(100);

type Answer = Result<Response, Error>;

/// Nothing in it ends for having taken long.
fn patient(mut config: Config) -> Config {
    config.head_timeout = LONG;
    config.acquire_timeout = LONG;
    config.drain_timeout = LONG;
    config.deadline = LONG;
    config.silence_timeout = LONG;
    config
}

fn ask(engine: &Engine, request: Request) -> JoinHandle<Answer> {
    let fetch = engine.fetch(request);
    tokio::spawn(async move { fetch.await.map_err(Error::from) })
}

async fn told(asked: JoinHandle<Answer>) -> Answer {
    let answer = timeout(PATIENCE, asked).await;
    answer.expect("no answer came").expect("no panic")
}

async fn got(asked: JoinHandle<Answer>) -> Response {
    told(asked).await.expect("a response")
}

/// Answers whatever comes from now on, until the end.
async fn answer_all(mut peer: Peer) {
    loop {
        while let Some(stream) = peer.fresh() {
            peer.respond(stream, b"ok").await;
        }
        if !peer.next().await {
            return;
        }
    }
}

/// Does so on every further connection.
fn serve(host: Arc<Host>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let mut peer = host.accept_at_leisure().await;
            peer.settings(&[]).await;
            tokio::spawn(answer_all(peer));
        }
    })
}

/// Asks the engine to let go of all connections there are.
async fn close_origins(engine: &Engine) {
    for origin in engine.snapshot().await.origins {
        engine.close_origin(&origin.origin);
    }
}

#[tokio::test]
async fn an_idle_connection_makes_room_although_another_drains() {
    let testbed = plain(3, None);
    let mut config = patient(config());
    config.max_connections = 2;
    let engine = engine_with(config);
    let mut changes = engine.lifecycle();
    let held = ask(&engine, Request::get(testbed.url_at(0, "/silent")));
    testbed.until(|books| books.streams_open == 1).await;
    close_origins(&engine).await;
    let drains = |c: &Change| matches!(c, Change::Draining(Reason::Asked));
    next(&mut changes, |c| drains(&c.change)).await;
    for origin in [1, 2] {
        let request = Request::get(testbed.url_at(origin, "/bytes/1"));
        got(ask(&engine, request)).await;
    }
    assert!(!held.is_finished(), "undisturbed");
    let evicted = [(Reason::Evicted, 1)].into();
    let snapshot = snapshot(&engine, |s| s.counters.closed == evicted).await;
    assert_eq!(snapshot.counters.dials, 3);
    held.abort();
}

#[tokio::test]
async fn a_successor_that_cannot_be_dialled_is_not_dialled_in_a_loop() {
    const FAILURES: u32 = 6;
    const AGE: Duration = Duration::from_secs(1);
    let host = Host::bind().await;
    let mut config = patient(config());
    (config.breaker_failures, config.max_age) = (0, Some(AGE));
    let engine = engine_with(config);
    let mut changes = engine.lifecycle();
    let start = Instant::now();
    let held = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    drop(host);
    for _ in 0..FAILURES {
        next(&mut changes, |c| matches!(c.change, Change::DialFailed(_))).await;
    }
    let dials = engine.snapshot().await.counters.dials;
    // Nothing was dialled before; what is late to arrive here makes this longer only.
    let trying = start.elapsed().saturating_sub(AGE * 9 / 10);
    assert!(trying >= PACE * (FAILURES - 1), "{trying:?}");
    let most = trying.as_millis() / PACE.as_millis() + 2;
    assert!(u128::from(dials) <= most, "{dials} of {most}");
    peer.respond(stream, b"ok").await;
    assert_eq!(got(held).await.receipt.connection, Some(1));
}

/// Says goodbye on every connection, before anything was done there.
fn serve_nobody(host: Host) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let mut peer = host.accept_at_leisure().await;
            tokio::spawn(async move {
                peer.settings(&[]).await;
                peer.goaway(0, NO_ERROR).await;
                peer.close().await;
                while peer.next().await {}
            });
        }
    })
}

#[tokio::test]
async fn a_server_that_only_says_goodbye_is_soon_left_alone() {
    for is_post in [true, false] {
        let host = Host::bind().await;
        let request = match is_post {
            true => host.post("x"),
            false => host.get(),
        };
        let serving = serve_nobody(host);
        let mut config = patient(config());
        config.breaker_pause = LONG;
        let engine = engine_with(config);
        let answer = told(ask(&engine, request.clone())).await;
        assert!(
            matches!(
                answer,
                Err(Error::GoAway { .. } | Error::Disconnected { .. } | Error::CircuitOpen { .. })
            ),
            "{answer:?}"
        );
        let dials = engine.snapshot().await.counters.dials;
        assert!(dials <= 10, "{dials}");
        let answer = told(ask(&engine, request)).await;
        assert!(
            matches!(answer, Err(Error::CircuitOpen { .. })),
            "{answer:?}"
        );
        assert_eq!(engine.snapshot().await.counters.dials, dials);
        serving.abort();
    }
}

#[tokio::test]
async fn an_origin_never_displaces_its_own_connections() {
    let testbed = plain(1, 2);
    let mut config = patient(steady(2));
    (config.conn_limit, config.max_connections) = (8, 2);
    (config.turn_fetches, config.turn_time) = (1, Duration::ZERO);
    config.spread_after = Duration::from_millis(1);
    let engine = engine_with(config);
    let request = Request::get(testbed.url("/delay/3/bytes/10"));
    let fetches = (0..300).map(|_| engine.fetch(request.clone()));
    for answer in join_all(fetches).await {
        assert_eq!(answer.expect("a response").receipt.attempts, 1);
    }
    let counters = engine.snapshot().await.counters;
    assert_eq!(counters.dials, 2, "{counters:?}");
    assert!(counters.closed.is_empty(), "{counters:?}");
}

/// Two go alone, for the connection they were on ended for the fault of either.
#[tokio::test]
async fn who_must_go_alone_does_not_wait_for_a_long_answer_to_end() {
    let (host, engine) = (Host::bind().await, engine_with(patient(config())));
    let suspects = [(); 2].map(|()| ask(&engine, host.get()));
    let mut first = host.welcome(&[]).await;
    first.expect_requests(2).await;
    close_origins(&engine).await;
    let long = ask(&engine, host.get());
    let mut second = host.welcome(&[]).await;
    second.expect_request().await;
    first.frame(SETTINGS, 0, 0, b"12345").await;
    let mut third = host.welcome(&[]).await;
    let alone = third.expect_request().await;
    // Both are back, so whoever comes now comes after them.
    snapshot(&engine, |s| {
        let is_gone = s.connections.iter().all(|c| c.number != 1);
        let all: usize = s.origins.iter().map(|o| o.waiting + o.on_wire).sum();
        is_gone && all == 3
    })
    .await;
    let later = ask(&engine, host.get());
    let serving = serve(Arc::new(host));
    tokio::spawn(answer_all(second));
    third.respond(alone, b"ok").await;
    tokio::spawn(answer_all(third));
    assert_eq!(got(later).await.receipt.attempts, 1);
    for suspect in suspects {
        assert_eq!(got(suspect).await.receipt.attempts, 2);
    }
    assert!(!long.is_finished(), "undisturbed");
    long.abort();
    serving.abort();
}
