//! What the engine shows of itself, and the tidying that programs ask for.

use actix::Addr;
use futures::future::join_all;
use gannet::message::{CloseIdle, CloseOrigin, Drain, TakeSnapshot};
use gannet::response::Protocol;
use gannet::view::{Breaker, Change, ConnectionState, Lifecycles, Reason, Snapshot};
use gannet::{Agent, Engine, Origin, Protocols, Request, Target};
use gannet_testbed::Testbed;
use tokio::task::JoinHandle;

use super::{next, plain, snapshot, steady};
use crate::support::peer::plain as config;
use crate::support::{self, engine_with};

fn origin(testbed: &Testbed, index: usize) -> Origin {
    let target = Target::parse(&testbed.url_at(index, "/")).expect("a URL");
    target.origin().clone()
}

fn hold(engine: &Engine, testbed: &Testbed, index: usize, count: usize) -> Vec<JoinHandle<()>> {
    let ask = || engine.fetch(Request::get(testbed.url_at(index, "/silent")));
    let asked = (0..count).map(|_| ask());
    asked
        .map(|fetch| tokio::spawn(async { drop(fetch.await) }))
        .collect()
}

#[tokio::test]
async fn a_snapshot_shows_who_is_where_and_later_that_all_have_left() {
    let testbed = plain(2, 10);
    let engine = engine_with(steady(5));
    let mut held = hold(&engine, &testbed, 0, 15);
    held.extend(hold(&engine, &testbed, 1, 4));
    testbed.until(|books| books.streams_open == 14).await;
    let seen = snapshot(&engine, |s| {
        s.waiting == 5 && s.connections.iter().all(|c| c.allowed == 10)
    })
    .await;
    assert_eq!(
        (seen.in_flight, seen.sockets, seen.waiting_origins),
        (19, 2, 0)
    );
    assert_eq!((seen.connections.len(), seen.origins_remembered), (2, 2));
    for (index, streams, waiting) in [(0, 10, 5), (1, 4, 0)] {
        let origin = origin(&testbed, index);
        let connection = seen.connections.iter().find(|c| c.origin == origin);
        let connection = connection.expect("its connection");
        assert_eq!((connection.streams, connection.allowed), (streams, 10));
        assert_eq!(connection.requests, streams as u64);
        assert_eq!(connection.state, ConnectionState::Open);
        assert_eq!(connection.protocol, Some(Protocol::Http2));
        assert_eq!(connection.peer.map(|p| p.port()), Some(testbed.port()));
        assert!(connection.received > 0 && connection.sent > 0);
        assert!(connection.round_trip.is_some() && connection.silent_for.is_some());
        let site = seen.origins.iter().find(|o| o.origin == origin);
        let site = site.expect("the origin");
        assert_eq!((site.waiting, site.on_wire), (waiting, streams));
        assert_eq!((site.breaker, site.failures), (Breaker::Closed, 0));
        assert_eq!(site.streams, Some(10));
    }
    for held in &held {
        held.abort();
    }
    let after = snapshot(&engine, |s| {
        s.in_flight == 0 && s.connections.iter().all(|c| c.streams == 0)
    })
    .await;
    let after_all = snapshot(&engine, |s| s.waiting == 0).await;
    assert!(
        after_all
            .origins
            .iter()
            .all(|o| (o.waiting, o.on_wire) == (0, 0))
    );
    assert_eq!((after.sockets, after.connections.len()), (2, 2));
    testbed.until(|books| books.streams_open == 0).await;
    assert_eq!(testbed.books().open, 2, "cancelling costs no connection");
}

#[tokio::test]
async fn the_counters_tell_what_was_done() {
    let testbed = plain(3, None);
    let engine = engine_with(config());
    for index in [0, 1, 2, 0, 1, 0] {
        let answer = engine
            .fetch(Request::get(testbed.url_at(index, "/bytes/9")))
            .await;
        answer.expect("a response");
    }
    let counters = engine.snapshot().await.counters;
    assert_eq!((counters.fetches, counters.requests), (6, 6));
    assert_eq!((counters.dials, counters.handshakes), (3, 3));
    assert_eq!((counters.reused, counters.queue.count()), (3, 6));
    assert_eq!((counters.overloaded, counters.suspects), (0, 0));
    let empty = [counters.retries.is_empty(), counters.closed.is_empty()];
    assert_eq!(empty, [true, true], "{counters:?}");
    engine.close_idle();
    testbed.until(|books| books.open == 0).await;
    let seen = snapshot(&engine, |s| s.connections.is_empty()).await;
    assert_eq!(seen.counters.closed.get(&Reason::Asked), Some(&3));
    assert_eq!((seen.sockets, seen.origins.len()), (0, 0));
    assert_eq!(seen.origins_remembered, 3);
}

/// How a program asks: by the engine's methods, or by messages to an Agent.
enum Way {
    Methods(Engine),
    Messages(Addr<Agent>),
}

impl Way {
    async fn close_idle(&self) {
        match self {
            Self::Methods(engine) => engine.close_idle(),
            Self::Messages(agent) => agent.send(CloseIdle).await.expect("it lives"),
        }
    }

    async fn close_origin(&self, origin: Origin) {
        match self {
            Self::Methods(engine) => engine.close_origin(&origin),
            Self::Messages(agent) => agent.send(CloseOrigin(origin)).await.expect("it lives"),
        }
    }

    async fn drain(&self) {
        match self {
            Self::Methods(engine) => engine.drain(),
            Self::Messages(agent) => agent.send(Drain).await.expect("it lives"),
        }
    }

    async fn snapshot(&self) -> Snapshot {
        match self {
            Self::Methods(engine) => engine.snapshot().await,
            Self::Messages(agent) => agent.send(TakeSnapshot).await.expect("it lives"),
        }
    }
}

fn ways() -> [fn(&Engine) -> Way; 2] {
    [|e| Way::Methods(e.clone()), |e| Way::Messages(e.agent())]
}

async fn closed_as_asked(changes: &mut Lifecycles) -> Origin {
    let is_it = |change: &Change| matches!(change, Change::Closed(Reason::Asked));
    next(changes, |c| is_it(&c.change)).await.origin
}

/// One idle connection to origin 0, one with a slow answer under way to origin 1.
async fn one_idle_one_busy(engine: &Engine, testbed: &Testbed) -> JoinHandle<gannet::Response> {
    let busy = engine.fetch(Request::get(testbed.url_at(1, "/drip/30/10")));
    let busy = tokio::spawn(async { busy.await.expect("a response") });
    testbed.until(|books| books.streams_open == 1).await;
    let idle = engine
        .fetch(Request::get(testbed.url_at(0, "/bytes/9")))
        .await;
    idle.expect("a response");
    busy
}

#[actix_rt::test]
async fn idle_connections_close_when_asked_to_and_busy_ones_do_not() {
    for way in ways() {
        let (testbed, engine) = (plain(2, None), engine_with(config()));
        let (mut changes, way) = (engine.lifecycle(), way(&engine));
        let busy = one_idle_one_busy(&engine, &testbed).await;
        snapshot(&engine, |s| {
            s.connections.iter().map(|c| c.streams).sum::<usize>() == 1
        })
        .await;
        way.close_idle().await;
        assert_eq!(closed_as_asked(&mut changes).await, origin(&testbed, 0));
        let seen = way.snapshot().await;
        assert_eq!(seen.connections.len(), 1);
        assert_eq!(seen.connections[0].state, ConnectionState::Open);
        assert_eq!(busy.await.expect("no panic").receipt.attempts, 1);
    }
}

#[actix_rt::test]
async fn the_connections_of_one_origin_close_when_asked_to_once_they_are_done() {
    for way in ways() {
        let (testbed, engine) = (plain(2, None), engine_with(config()));
        let (mut changes, way) = (engine.lifecycle(), way(&engine));
        let busy = one_idle_one_busy(&engine, &testbed).await;
        way.close_origin(origin(&testbed, 1)).await;
        assert_eq!(closed_as_asked(&mut changes).await, origin(&testbed, 1));
        assert_eq!(busy.await.expect("no panic").receipt.attempts, 1);
        let fetch = |i| engine.fetch(Request::get(testbed.url_at(i, "/bytes/9")));
        let answers = join_all([0, 1].map(fetch)).await;
        let reused = answers
            .into_iter()
            .map(|a| a.expect("a response").receipt.reused);
        assert_eq!(reused.collect::<Vec<_>>(), [true, false]);
        assert_eq!(way.snapshot().await.counters.dials, 3);
    }
}

#[actix_rt::test]
async fn a_drain_ends_every_connection_and_no_fetch() {
    for way in ways() {
        let (testbed, engine) = (plain(2, None), engine_with(config()));
        let (mut changes, way) = (engine.lifecycle(), way(&engine));
        let busy = one_idle_one_busy(&engine, &testbed).await;
        way.drain().await;
        let fetch = |i| engine.fetch(Request::get(testbed.url_at(i, "/bytes/9")));
        for answer in join_all([0, 1].map(fetch)).await {
            assert_eq!(answer.expect("a response").receipt.attempts, 1);
        }
        for _ in 0..2 {
            closed_as_asked(&mut changes).await;
        }
        assert_eq!(busy.await.expect("no panic").receipt.attempts, 1);
        assert_eq!(way.snapshot().await.counters.dials, 4);
        testbed.until(|books| books.open == 2).await;
    }
}

#[tokio::test]
async fn the_life_of_a_connection_is_told_in_order() {
    for reason in [Reason::Asked, Reason::Idle] {
        let testbed = plain(1, None);
        let mut config = config();
        if reason == Reason::Idle {
            config.idle_timeout = Some(std::time::Duration::from_millis(30));
        }
        let engine = engine_with(config);
        let mut changes = engine.lifecycle();
        let answer = engine.fetch(Request::get(testbed.url("/bytes/9"))).await;
        let number = answer.expect("a response").receipt.connection;
        if reason == Reason::Asked {
            engine.close_origin(&origin(&testbed, 0));
        }
        let mut told = Vec::new();
        for _ in 0..4 {
            let change = next(&mut changes, |_| true).await;
            assert_eq!(
                (change.connection, &change.origin),
                (number.expect("a connection"), &origin(&testbed, 0))
            );
            told.push(format!("{:?}", change.change));
        }
        let (draining, closed) = (
            format!("Draining({reason:?})"),
            format!("Closed({reason:?})"),
        );
        assert_eq!(told, ["Dialing", "Connected", &draining, &closed]);
        engine.shutdown(super::PATIENCE).await;
        drop(engine);
        assert!(changes.next().await.is_none(), "nothing more was told");
    }
}

#[tokio::test]
async fn a_dial_that_fails_is_told_with_its_cause() {
    let engine = engine_with(config());
    let mut changes = engine.lifecycle();
    let port = {
        let placeholder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        placeholder.local_addr().expect("bound").port()
    };
    let answer = engine
        .fetch(Request::get(format!("http://127.0.0.1:{port}/")))
        .await;
    assert!(answer.is_err());
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(next(&mut changes, |_| true).await.change);
    }
    use Change::{Closed, DialFailed, Dialing};
    let is_it = matches!(
        &told[..],
        [
            Dialing,
            DialFailed(gannet::Error::Connect { .. }),
            Closed(Reason::DialFailed)
        ]
    );
    assert!(is_it, "{told:?}");
}

#[tokio::test]
async fn closing_an_origin_closes_it_by_whatever_way_it_was_reached() {
    let testbed = support::testbed();
    let engine = support::engine(&testbed);
    let get = || Request::get(testbed.url("/bytes/1"));
    for request in [
        get(),
        get().protocols(Protocols::HTTP11),
        get().local_address([127, 0, 0, 7].into()),
    ] {
        engine.fetch(request).await.expect("an answer");
    }
    assert_eq!(engine.snapshot().await.sockets, 3);
    engine.close_origin(&testbed.url("/").parse().expect("a URL"));
    while engine.snapshot().await.sockets > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(testbed.books().connections, 3);
}
