//! Every wait has a deadline, every buffer a limit.

use std::time::Duration;

use futures::future::join_all;
use gannet::error::Phase;
use gannet::{Error, Failure, Request};

use crate::support::{config, engine, engine_with, testbed};

#[tokio::test]
async fn a_silent_server_is_given_up_on() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let limit = Duration::from_millis(50);
    let warm = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
    warm.expect("a response");
    let request = Request::get(testbed.url("/silent")).head_timeout(limit);
    let answer = engine.fetch(request).await;
    assert!(
        matches!(answer, Err(Failure { error: Error::Timeout { phase: Phase::Head, after }, .. }) if after == limit),
        "{answer:?}"
    );
    let request = Request::get(testbed.url("/stall")).body_timeout(limit);
    let answer = engine.fetch(request).await;
    assert!(
        matches!(answer, Err(Failure { error: Error::Timeout { phase: Phase::Body, after }, .. }) if after == limit),
        "{answer:?}"
    );
    let limit = Duration::from_millis(500);
    let request = Request::get(testbed.url("/silent")).deadline(limit);
    let answer = engine.fetch(request).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::Deadline {
                    phase: Phase::Head,
                    ..
                },
                ..
            })
        ),
        "{answer:?}"
    );
    testbed.until(|books| books.streams_open == 0).await;
    assert_eq!(
        testbed.books().connections,
        1,
        "a slow stream does not cost the connection"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let fetch = |path, limit| engine.fetch(Request::get(testbed.url(path)).max_body(limit));
    assert!(fetch("/bytes/1000", 1000).await.is_ok());
    let answer = fetch("/bytes/1001", 1000).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::TooLarge { limit: 1000 },
                ..
            })
        ),
        "{answer:?}"
    );
    let answer = fetch("/trailers", 3).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::TooLarge { limit: 3 },
                ..
            })
        ),
        "of unannounced length: {answer:?}"
    );
}

#[tokio::test]
async fn the_queue_is_bounded_and_timed() {
    let testbed = gannet_testbed::Testbed::builder()
        .max_concurrent_streams(1)
        .start()
        .expect("a free port");
    let mut config = config(&testbed);
    config.max_pending_per_origin = 3;
    config.initial_streams = 1;
    config.acquire_timeout = Duration::from_secs(1);
    let engine = engine_with(config);
    let held = tokio::spawn(
        engine.fetch(Request::get(testbed.url("/silent")).deadline(Duration::from_secs(5))),
    );
    testbed.until(|books| books.streams_open == 1).await;
    let waiting = (0..4).map(|_| engine.fetch(Request::get(testbed.url("/bytes/1"))));
    let (mut refused, mut late) = (0, 0);
    for answer in join_all(waiting).await {
        match answer {
            Err(Failure {
                error: Error::Overloaded { limit: 3 },
                ..
            }) => refused += 1,
            Err(Failure {
                error: Error::AcquireTimeout { .. },
                ..
            }) => late += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((refused, late), (1, 3));
    held.abort();
    let answer = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
    assert!(
        answer.is_ok(),
        "the slot of the one that left is free: {answer:?}"
    );
}

#[tokio::test]
async fn a_cancelled_fetch_is_reset_and_a_waiting_one_never_sent() {
    let testbed = gannet_testbed::Testbed::builder()
        .max_concurrent_streams(1)
        .start()
        .expect("a free port");
    let mut config = config(&testbed);
    config.initial_streams = 1;
    let engine = engine_with(config);
    let open = tokio::spawn(engine.fetch(Request::get(testbed.url("/stall"))));
    testbed.until(|books| books.streams_open == 1).await;
    let waiting = tokio::spawn(engine.fetch(Request::get(testbed.url("/bytes/1"))));
    let behind = tokio::spawn(engine.fetch(Request::get(testbed.url("/bytes/2"))));
    tokio::task::yield_now().await;
    waiting.abort();
    open.abort();
    assert!(behind.await.expect("not aborted").is_ok());
    let books = testbed.books();
    assert_eq!((books.requests, books.cancelled), (2, 1), "{books:?}");
    assert_eq!(
        books.connections, 1,
        "cancelling does not cost the connection"
    );
}

#[tokio::test]
async fn shutdown_answers_those_the_grace_does_not_suffice_for() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let fetches: Vec<_> = (0..20)
        .map(|_| tokio::spawn(engine.fetch(Request::get(testbed.url("/silent")))))
        .collect();
    testbed.until(|books| books.streams_open == 20).await;
    engine.shutdown(Duration::from_millis(50)).await;
    for answer in join_all(fetches).await {
        let answer = answer.expect("not aborted");
        assert!(
            matches!(
                answer,
                Err(Failure {
                    error: Error::Closed { sent: true },
                    ..
                })
            ),
            "{answer:?}"
        );
    }
    testbed.until(|books| books.open == 0).await;
}

#[tokio::test]
async fn shutdown_lets_open_fetches_finish() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let slow = tokio::spawn(engine.fetch(Request::get(testbed.url("/delay/200/bytes/10"))));
    testbed.until(|books| books.streams_open == 1).await;
    engine.shutdown(Duration::from_secs(10)).await;
    assert!(slow.await.expect("not aborted").is_ok());
}

#[tokio::test]
async fn dropping_the_last_handle_closes_everything() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let answer = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
    answer.expect("a response");
    assert_eq!(testbed.books().open, 1);
    drop(engine);
    testbed.until(|books| books.open == 0).await;
}

#[actix_rt::test]
async fn dropping_the_last_handle_closes_everything_on_the_callers_arbiter_too() {
    let testbed = testbed();
    let engine = gannet::Engine::builder()
        .config(config(&testbed))
        .start_here();
    let agent = engine.agent();
    drop(engine);
    let answer = agent
        .send(gannet::Fetch::get(testbed.url("/bytes/1")))
        .await;
    answer
        .expect("the Agent lives")
        .expect("and keeps its engine running");
    assert_eq!(testbed.books().open, 1);
    drop(agent);
    testbed.until(|books| books.open == 0).await;
}

/// Twenty thousand origins wait for the one place there is when the engine goes down.
#[tokio::test]
async fn thousands_who_wait_for_a_place_are_answered_at_a_shutdown() {
    let testbed = gannet_testbed::Testbed::builder().plain(true).start();
    let testbed = testbed.expect("a free port");
    let mut config = config(&testbed);
    config.max_connections = 1;
    config.prior_knowledge = gannet::config::PriorKnowledge::All;
    config.fixed_addresses.push(gannet::config::FixedAddresses {
        host: "*".into(),
        port: testbed.port(),
        addresses: vec![testbed.address().ip()],
    });
    let engine = engine_with(config);
    let url = |i: usize, path| format!("http://site-{i}.test:{}{path}", testbed.port());
    let held = tokio::spawn(engine.fetch(Request::get(url(0, "/silent"))));
    testbed.until(|books| books.streams_open == 1).await;
    let waiting = (1..20_000).map(|i| engine.fetch(Request::get(url(i, "/bytes/1"))));
    let shutdown = async {
        engine.shutdown(Duration::from_millis(300)).await;
    };
    let (answers, ()) = tokio::join!(join_all(waiting), shutdown);
    // The arbiters close one after the other, so a few of the second may still be served.
    let mut served = 0;
    for answer in &answers {
        match answer {
            Ok(_) => served += 1,
            Err(Failure { error, .. }) => {
                assert!(matches!(error, Error::Closed { .. }), "{error:?}")
            }
        }
    }
    assert_eq!(answers.len(), 19_999);
    assert!(
        served < 10_000,
        "{served} served: the shutdown came too late to be tested"
    );
    assert!(held.await.expect("not aborted").is_err());
}

/// What was refused because the queue was full of fetches that nobody waits for any more.
#[tokio::test]
async fn those_who_left_do_not_fill_the_queue() {
    let testbed = gannet_testbed::Testbed::builder()
        .max_concurrent_streams(1)
        .start()
        .expect("a free port");
    let mut config = config(&testbed);
    config.max_pending_per_origin = 10;
    config.initial_streams = 1;
    let engine = engine_with(config);
    let held = tokio::spawn(engine.fetch(Request::get(testbed.url("/silent"))));
    testbed.until(|books| books.streams_open == 1).await;
    let get = |path| Request::get(testbed.url(path));
    let leaving = (0..10).map(|_| tokio::spawn(engine.fetch(get("/bytes/1"))));
    let leaving: Vec<_> = leaving.collect();
    // The ten are on their way before this one is.
    tokio::task::yield_now().await;
    let answer = engine.fetch(get("/bytes/1")).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::Overloaded { limit: 10 },
                ..
            })
        ),
        "{answer:?}"
    );
    for task in leaving {
        task.abort();
        assert!(task.await.is_err_and(|end| end.is_cancelled()));
    }
    // The last refusal has made the Pool look through its queue; it does so again only after this.
    tokio::time::sleep(Duration::from_millis(25)).await;
    let next = tokio::spawn(engine.fetch(get("/bytes/2")));
    tokio::task::yield_now().await;
    held.abort();
    let answer = next.await.expect("not aborted");
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(testbed.books().requests, 2);
}

#[actix_rt::test]
async fn a_fetch_of_an_engine_whose_thread_is_gone_is_answered() {
    let testbed = testbed();
    let config = config(&testbed);
    let engine = std::thread::spawn(move || {
        let local = actix_rt::System::new();
        local.block_on(async { gannet::Engine::builder().config(config).start_here() })
    });
    let engine = engine.join().expect("no panic");
    let answer = engine.fetch(Request::get(testbed.url("/"))).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::Closed { .. },
                ..
            })
        ),
        "{answer:?}"
    );
    engine.shutdown(Duration::from_secs(1)).await;
}
