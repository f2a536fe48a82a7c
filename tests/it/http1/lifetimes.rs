//! What holds for connections of any protocol holds for these.

use std::time::Duration;

use futures::future::join_all;
use gannet::view::Reason;
use gannet::{Config, Protocols, Request};

use super::{ask, engine, gone, got, told};
use crate::support::engine_with;
use crate::support::script::{Host, OK, Then};

#[tokio::test]
async fn an_idle_connection_is_closed_in_time_and_an_old_one_replaced() {
    let (seen, url) = Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep));
    let mut config = Config::default();
    config.idle_timeout = Some(Duration::from_millis(30));
    let engine = engine_with(config);
    let fetches = (0..30).map(|_| engine.fetch(Request::get(&url[..])));
    join_all(fetches).await;
    let opened = seen.connections() as u64;
    gone(&engine, Reason::Idle, opened).await;
}

#[tokio::test]
async fn requests_on_one_connection_are_limited() {
    let (seen, url) = Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep));
    let mut config = Config::default();
    (config.max_requests, config.conn_limit_http1) = (Some(10), 1);
    let engine = engine_with(config);
    for _ in 0..100 {
        let response = engine
            .fetch(Request::get(&url[..]))
            .await
            .expect("a response");
        assert!(response.receipt.stream <= Some(10));
    }
    assert!(
        (10..=13).contains(&seen.connections()),
        "{}",
        seen.connections()
    );
}

#[tokio::test]
async fn idle_connections_make_room_for_other_origins() {
    let mut config = Config::default();
    config.max_connections = 2;
    let engine = engine_with(config);
    let mut servers = Vec::new();
    for _ in 0..5 {
        servers.push(Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep)));
    }
    for round in 0..20 {
        let url = &servers[round % 5].1;
        engine
            .fetch(Request::get(&url[..]))
            .await
            .expect("a response");
    }
    let counters = engine.snapshot().await.counters;
    assert!(
        counters.closed[&Reason::Evicted] >= 15,
        "{:?}",
        counters.closed
    );
}

/// Those that were idle before places were few are known by then, and go in order of last use.
#[tokio::test]
async fn the_longest_unused_goes_though_there_was_room_when_it_turned_idle() {
    let mut config = Config::default();
    config.max_connections = 10;
    let engine = engine_with(config);
    let mut servers = Vec::new();
    for _ in 0..13 {
        servers.push(Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep)));
    }
    let fetch = async |place: usize| {
        got(ask(&engine, Request::get(&servers[place].1[..]))).await;
        servers[place].0.connections()
    };
    for place in (0..10).chain([0, 1]) {
        assert_eq!(fetch(place).await, 1, "{place}");
    }
    for place in 10..13 {
        assert_eq!(fetch(place).await, 1, "{place}");
    }
    // 2, 3 and 4 have gone for the last three.
    for place in [0, 1, 5, 6, 7, 8, 9, 10, 11, 12] {
        assert_eq!(fetch(place).await, 1, "{place}");
    }
    for place in [2, 3, 4] {
        assert_eq!(fetch(place).await, 2, "{place}");
    }
}

#[tokio::test]
async fn a_shutdown_lets_what_is_on_its_way_finish() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get("/"));
    let mut line = host.accept().await;
    line.request().await;
    let leaving = tokio::spawn(async move { engine.shutdown(Duration::from_secs(20)).await });
    tokio::task::yield_now().await;
    line.say(OK).await;
    got(asked).await;
    line.expect_close().await;
    drop(line);
    leaving.await.expect("no panic");
}

#[tokio::test]
async fn a_server_that_speaks_first_is_no_http_server_and_is_not_asked_for_ever() {
    let (host, engine) = (Host::bind().await, engine());
    let fetch = host.get("/");
    let greeting = tokio::spawn(async move {
        let mut lines = Vec::new();
        loop {
            let mut line = host.accept().await;
            line.say("220 mail.test ESMTP\r\n").await;
            lines.push(line);
        }
    });
    for _ in 0..20 {
        let error = told(ask(&engine, fetch.clone()))
            .await
            .expect_err("no HTTP");
        assert!(
            ["protocol", "circuit_open"].contains(&error.kind()),
            "{error}"
        );
    }
    greeting.abort();
    let counters = engine.snapshot().await.counters;
    assert!(counters.dials <= 40, "{}", counters.dials);
}

#[tokio::test]
async fn what_comes_unasked_ends_an_idle_connection() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get("/"));
    let mut line = host.accept().await;
    line.request().await;
    line.say(OK).await;
    got(asked).await;
    line.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        .await;
    line.expect_close().await;
    gone(&engine, Reason::Fault, 1).await;
    let asked = ask(&engine, host.get("/"));
    let mut line = host.accept().await;
    line.request().await;
    line.say(OK).await;
    let response = got(asked).await;
    assert_eq!(
        (&response.body[..], response.receipt.attempts),
        (&b"ok"[..], 1)
    );
}

#[tokio::test]
async fn other_ways_to_an_origin_share_no_connection() {
    let (seen, url) = Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep));
    let engine = engine();
    for _ in 0..3 {
        let plain = Request::get(&url[..]);
        engine.fetch(plain.clone()).await.expect("a response");
        let particular = plain.protocols(Protocols::HTTP11);
        engine.fetch(particular).await.expect("a response");
    }
    assert_eq!(seen.connections(), 2);
}
