//! Origins that cannot be dialled, and those that come back.

use std::net::TcpListener;
use std::time::Duration;

use futures::future::join_all;
use gannet::view::{Breaker, Change};
use gannet::{Config, Engine, Error, Request, Response};
use gannet_testbed::Testbed;

use super::{next, plain};
use crate::support::peer::plain as config;
use crate::support::{self, engine_with, testbed};

const LONG: Duration = Duration::from_secs(3_600);

/// A port that nothing listens on.
fn refused_port() -> u16 {
    let placeholder = TcpListener::bind("127.0.0.1:0").expect("a port");
    placeholder.local_addr().expect("bound").port()
}

fn breaking(failures: u32, pause: Duration) -> Config {
    let mut config = config();
    (config.breaker_failures, config.breaker_pause) = (failures, pause);
    config
}

fn plain_at(port: u16) -> Testbed {
    let testbed = Testbed::builder().plain(true).port(port).start();
    testbed.expect("the port is still free")
}

async fn fetch(engine: &Engine, url: &str) -> Result<Response, Error> {
    engine.fetch(Request::get(url)).await.map_err(Error::from)
}

async fn dials(engine: &Engine) -> u64 {
    engine.snapshot().await.counters.dials
}

/// Fetches until the breaker opens; how long it will be so.
async fn until_open(engine: &Engine, url: &str) -> Duration {
    loop {
        match fetch(engine, url).await {
            Err(Error::CircuitOpen { retry_in, .. }) => return retry_in,
            Err(Error::Connect { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn after_some_refused_dials_none_is_made_for_a_while() {
    let engine = engine_with(breaking(3, LONG));
    let url = format!("http://127.0.0.1:{}/", refused_port());
    for _ in 0..3 {
        let answer = fetch(&engine, &url).await;
        assert!(matches!(answer, Err(Error::Connect { .. })), "{answer:?}");
    }
    let answers = join_all((0..100).map(|_| fetch(&engine, &url))).await;
    for answer in answers {
        let Err(Error::CircuitOpen { cause, retry_in }) = answer else {
            panic!("{answer:?}");
        };
        assert!(matches!(*cause, Error::Connect { .. }), "{cause:?}");
        assert!(retry_in <= LONG, "{retry_in:?}");
    }
    assert_eq!(dials(&engine).await, 3);
}

#[tokio::test]
async fn after_the_pause_one_probe_goes_out_for_all_who_wait() {
    let engine = engine_with(breaking(2, Duration::from_millis(400)));
    let url = format!("http://127.0.0.1:{}/", refused_port());
    let pause = until_open(&engine, &url).await;
    let before = dials(&engine).await;
    tokio::time::sleep(pause).await;
    let answers = join_all((0..100).map(|_| fetch(&engine, &url))).await;
    for answer in &answers {
        let is_it = matches!(
            answer,
            Err(Error::Connect { .. } | Error::CircuitOpen { .. })
        );
        assert!(is_it, "{answer:?}");
    }
    let probed = answers
        .iter()
        .any(|a| matches!(a, Err(Error::Connect { .. })));
    assert!(probed, "nobody was told of the probe's failure");
    assert_eq!(dials(&engine).await, before + 1);
}

#[tokio::test]
async fn a_probe_that_succeeds_closes_the_breaker() {
    let port = refused_port();
    let engine = engine_with(breaking(2, Duration::from_millis(40)));
    let url = format!("http://127.0.0.1:{port}/");
    let pause = until_open(&engine, &url).await;
    let testbed = plain_at(port);
    let before = dials(&engine).await;
    tokio::time::sleep(pause).await;
    let answers = join_all((0..100).map(|_| fetch(&engine, &url))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(testbed.books().connections, 1);
    let snapshot = engine.snapshot().await;
    assert_eq!(snapshot.counters.dials, before + 1);
    let origin = &snapshot.origins[0];
    assert_eq!((origin.breaker, origin.failures), (Breaker::Closed, 0));
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_not_asked_for_in_a_loop() {
    let (testbed, other) = (testbed(), testbed());
    let mut config = support::config(&other);
    config.breaker_pause = LONG;
    let engine = engine_with(config);
    let url = testbed.url("/");
    let answer = fetch(&engine, &url).await;
    assert!(matches!(answer, Err(Error::Tls { .. })), "{answer:?}");
    for _ in 0..20 {
        let Err(Error::CircuitOpen { cause, .. }) = fetch(&engine, &url).await else {
            panic!("it was dialled again");
        };
        assert!(matches!(*cause, Error::Tls { .. }), "{cause:?}");
    }
    assert_eq!(dials(&engine).await, 1);
    testbed.until(|books| books.handshake_failures == 1).await;
    assert_eq!(testbed.books().connections, 1);
}

#[tokio::test]
async fn a_breaker_is_one_origins_alone() {
    let testbed = plain(1, None);
    let engine = engine_with(breaking(1, LONG));
    let refused = format!("http://127.0.0.1:{}/", refused_port());
    until_open(&engine, &refused).await;
    let answer = fetch(&engine, &testbed.url("/")).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn who_waits_for_a_server_that_restarts_is_served_when_it_is_back() {
    let testbed = plain(1, None);
    let port = testbed.port();
    let engine = engine_with(breaking(1_000, LONG));
    let url = testbed.url("/bytes/10");
    fetch(&engine, &url).await.expect("a response");
    let mut changes = engine.lifecycle();
    testbed.stop();
    next(&mut changes, |c| matches!(c.change, Change::Closed(_))).await;
    let waiting = tokio::spawn({
        let fetches: Vec<_> = (0..50).map(|_| engine.fetch(Request::get(&url))).collect();
        join_all(fetches)
    });
    for _ in 0..4 {
        next(&mut changes, |c| matches!(c.change, Change::DialFailed(_))).await;
    }
    let snapshot = engine.snapshot().await;
    assert_eq!((snapshot.waiting, snapshot.in_flight), (50, 50));
    assert!(snapshot.origins[0].failures >= 4);
    let testbed = plain_at(port);
    for answer in waiting.await.expect("no panic") {
        assert_eq!(answer.expect("a response").receipt.attempts, 1);
    }
    assert_eq!(testbed.books().connections, 1);
}
