//! How many connections an origin gets.

use std::time::Duration;

use futures::future::join_all;
use gannet::{Config, Request};

use super::{ask, engine, got};
use crate::support::engine_with;
use crate::support::script::{Host, OK, Then};

const MOMENT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn one_probe_goes_first_and_then_as_many_as_wait() {
    let (host, engine) = (Host::bind().await, engine());
    let asked: Vec<_> = (0..4).map(|_| ask(&engine, host.get("/"))).collect();
    let mut probe = host.accept().await;
    probe.request().await;
    // The probe is open; three still wait, and get one each.
    let mut lines = vec![probe];
    for _ in 0..3 {
        let mut line = host.accept().await;
        line.request().await;
        lines.push(line);
    }
    assert!(!host.is_called_within(MOMENT).await, "nobody waits");
    for line in &mut lines {
        line.say(OK).await;
    }
    for asked in asked {
        got(asked).await;
    }
}

#[tokio::test]
async fn while_the_probe_is_out_nobody_else_is_dialled_for() {
    let (host, engine) = (Host::bind().await, engine());
    let mut changes = engine.lifecycle();
    let asked: Vec<_> = (0..50).map(|_| ask(&engine, host.get("/"))).collect();
    let mut dials = 0;
    loop {
        match changes.next().await.expect("running").change {
            gannet::view::Change::Dialing => dials += 1,
            gannet::view::Change::Connected => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(dials, 1);
    let (_, _) = host.serve(|_, _, _| (OK.into(), Then::Keep));
    for asked in asked {
        got(asked).await;
    }
}

#[tokio::test]
async fn there_are_six_at_most_as_the_server_counts() {
    for limit in [6, 2, 1] {
        let (seen, url) = Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep));
        let mut config = Config::default();
        if limit != 6 {
            config.conn_limit_http1 = limit;
        }
        let engine = engine_with(config);
        let fetches = (0..600).map(|_| engine.fetch(Request::get(&url[..])));
        for response in join_all(fetches).await {
            response.expect("a response");
        }
        assert_eq!(seen.most(), limit);
        assert_eq!((seen.connections(), seen.requests()), (limit, 600));
    }
}

#[tokio::test]
async fn the_concurrency_asked_for_is_kept_to() {
    let (seen, url) = Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep));
    let mut config = Config::default();
    config.per_origin_concurrency = Some(2);
    let engine = engine_with(config);
    let fetches = (0..100).map(|_| engine.fetch(Request::get(&url[..])));
    for response in join_all(fetches).await {
        response.expect("a response");
    }
    assert_eq!(seen.connections(), 2);
}

#[tokio::test]
async fn the_cap_over_all_origins_holds() {
    let mut config = Config::default();
    config.max_connections = 4;
    let engine = engine_with(config);
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep)));
    }
    let fetches = (0..300).map(|i| engine.fetch(Request::get(&servers[i % 3].1[..])));
    for response in join_all(fetches).await {
        response.expect("a response");
    }
    let snapshot = engine.snapshot().await;
    assert!(snapshot.sockets <= 4, "{}", snapshot.sockets);
    // None is displaced for the sake of an origin that has one already.
    let dials = snapshot.counters.dials;
    assert!(
        dials <= 4 + snapshot.counters.closed.values().sum::<u64>(),
        "{dials}"
    );
}
