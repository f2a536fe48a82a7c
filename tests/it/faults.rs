//! Actors that panic and actors that stop: every fetch is answered, and work goes on.

use std::time::Duration;

use futures::future::{join, join_all};
use gannet::message::{Drill, Fault, Victim};
use gannet::{Engine, Error, Failure, Fetch, Origin, Request, Target};
use gannet_testbed::{Testbed, verify};

use crate::support::{config, engine, testbed};

const BOTH: [Fault; 2] = [Fault::Panic, Fault::Stop];

fn origin(testbed: &Testbed) -> Origin {
    let target = Target::parse(&testbed.url("/")).expect("a URL");
    target.origin().clone()
}

/// On one thread, so that the drill and the hundred fetches behind it are in the victim's mailbox
/// together: nothing runs between their sending.
async fn a_hundred_behind_a_drill(victim: Victim, fault: Fault) {
    let testbed = testbed();
    let engine = Engine::builder().config(config(&testbed)).start_here();
    let fetch = |i: usize| engine.fetch(Request::get(testbed.url(&format!("/bytes/{i}"))));
    fetch(0).await.expect("a response");
    engine.drill(Drill {
        origin: origin(&testbed),
        victim,
        fault,
    });
    let answers = join_all((0..100).map(fetch)).await;
    for (i, answer) in answers.into_iter().enumerate() {
        let response = answer.unwrap_or_else(|e| panic!("{victim:?} {fault:?}: {e:?}"));
        assert!(verify(&format!("/bytes/{i}"), &response.body));
    }
    fetch(1).await.expect("the origin works again");
    assert_eq!(testbed.books().requests, 102, "each was sent exactly once");
    engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(
        testbed.books().open,
        0,
        "the {victim:?} left a socket behind"
    );
}

#[actix_rt::test]
async fn fetches_in_the_mailbox_of_an_ending_agent_are_answered() {
    for fault in BOTH {
        a_hundred_behind_a_drill(Victim::Agent, fault).await;
    }
}

#[actix_rt::test]
async fn fetches_in_the_mailbox_of_an_ending_pool_are_answered() {
    for fault in BOTH {
        a_hundred_behind_a_drill(Victim::Pool, fault).await;
    }
}

#[actix_rt::test]
async fn fetches_in_the_mailbox_of_an_ending_connection_are_answered() {
    for fault in BOTH {
        a_hundred_behind_a_drill(Victim::Connection, fault).await;
    }
}

/// A Stream's mailbox holds no fetches; what it holds is its own, which has been sent.
#[actix_rt::test]
async fn the_fetches_of_ending_streams_are_answered() {
    for fault in BOTH {
        let testbed = testbed();
        let engine = Engine::builder().config(config(&testbed)).start_here();
        let post =
            |i: usize| engine.fetch(Request::post(testbed.url("/delay/300/echo"), i.to_string()));
        let strike = async {
            testbed.until(|books| books.streams_open == 100).await;
            engine.drill(Drill {
                origin: origin(&testbed),
                victim: Victim::Stream,
                fault,
            });
        };
        let (answers, ()) = join(join_all((0..100).map(post)), strike).await;
        for answer in &answers {
            assert!(
                matches!(
                    answer,
                    Err(Failure {
                        error: Error::Internal { sent: true },
                        ..
                    })
                ),
                "{fault:?}: {answer:?}"
            );
        }
        assert_eq!(answers.len(), 100);
        let again = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
        assert!(
            again.expect("a response").receipt.reused,
            "the connection is unharmed"
        );
        testbed.until(|books| books.streams_open == 0).await;
    }
}

#[actix_rt::test]
async fn other_origins_do_not_notice_an_ending_connection() {
    let testbed = Testbed::builder()
        .addresses(2)
        .start()
        .expect("a free port");
    let engine = Engine::builder().config(config(&testbed)).start_here();
    let other = engine.fetch(Request::get(testbed.url_at(1, "/delay/200/bytes/5")));
    let strike = async {
        testbed.until(|books| books.streams_open == 1).await;
        engine
            .fetch(Request::get(testbed.url("/bytes/1")))
            .await
            .expect("a response");
        let (origin, victim) = (origin(&testbed), Victim::Connection);
        engine.drill(Drill {
            origin,
            victim,
            fault: Fault::Panic,
        });
        engine
            .fetch(Request::get(testbed.url("/bytes/2")))
            .await
            .expect("a response");
    };
    let (other, ()) = join(other, strike).await;
    assert_eq!(other.expect("a response").receipt.attempts, 1);
}

/// Across threads the order is anyone's; what holds is that all are answered and work goes on.
#[actix_rt::test]
async fn drills_across_threads_lose_nothing() {
    let testbed = testbed();
    let mut config = config(&testbed);
    // Of the requests that a Stream's end takes with it most were sent: to repeat them is charged.
    config.retry_reserve = 1_000;
    let engine = Engine::builder().config(config).start().expect("threads");
    let agent = engine.agent();
    for victim in [
        Victim::Agent,
        Victim::Pool,
        Victim::Connection,
        Victim::Stream,
    ] {
        for fault in BOTH {
            let fetches =
                (0..50).map(|i| engine.fetch(Request::get(testbed.url(&format!("/bytes/{i}")))));
            let sends =
                (0..50).map(|i| agent.send(Fetch::get(testbed.url(&format!("/bytes/{i}")))));
            let drill = async {
                engine.drill(Drill {
                    origin: origin(&testbed),
                    victim,
                    fault,
                })
            };
            let ((), (fetches, sends)) =
                join(drill, join(join_all(fetches), join_all(sends))).await;
            let sends = sends
                .into_iter()
                .map(|s| s.expect("the caller's own Agent is no victim"));
            for (i, answer) in (0..50).chain(0..50).zip(fetches.into_iter().chain(sends)) {
                match answer {
                    Ok(response) => assert!(verify(&format!("/bytes/{i}"), &response.body)),
                    // A Stream that ends has sent its request; a GET goes again, up to a bound.
                    Err(error) => panic!("{victim:?} {fault:?}: {error:?}"),
                }
            }
            let again = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
            assert!(again.is_ok(), "after {victim:?} {fault:?}: {again:?}");
        }
    }
}

#[actix_rt::test]
async fn an_attempt_that_is_dropped_answers() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let hold = engine.fetch(Request::get(testbed.url("/silent")));
    let hold = tokio::spawn(hold);
    testbed.until(|books| books.streams_open == 1).await;
    let agent = engine.agent();
    let sent = agent.send(Fetch::get(testbed.url("/silent")));
    let (sent, ()) = join(sent, async {
        testbed.until(|books| books.streams_open == 2).await;
        engine.shutdown(Duration::ZERO).await;
    })
    .await;
    let answer = sent.expect("the Agent lives");
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
    assert!(hold.await.expect("not aborted").is_err());
}

/// The successor of a Pool does not know the connections that it left; they go all the same.
#[actix_rt::test]
async fn a_shutdown_reaches_the_connections_of_a_pool_that_has_ended() {
    for fault in BOTH {
        let testbed = testbed();
        let engine = Engine::builder().config(config(&testbed)).start_here();
        let silent = engine.fetch(Request::get(testbed.url("/silent")));
        let shutdown = async {
            testbed.until(|books| books.streams_open == 1).await;
            engine.drill(Drill {
                origin: origin(&testbed),
                victim: Victim::Pool,
                fault,
            });
            let other = engine.fetch(Request::get(testbed.url("/bytes/1"))).await;
            other.expect("a response");
            engine.shutdown(Duration::ZERO).await;
        };
        let (answer, ()) = join(silent, shutdown).await;
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
        testbed.until(|books| books.open == 0).await;
    }
}

#[actix_rt::test]
async fn of_several_graces_the_shortest_counts() {
    let testbed = testbed();
    let engine = Engine::builder().config(config(&testbed)).start_here();
    let silent = engine.fetch(Request::get(testbed.url("/silent")));
    let shutdown = async {
        testbed.until(|books| books.streams_open == 1).await;
        let patient = engine.shutdown(Duration::from_secs(3600));
        join(patient, engine.shutdown(Duration::ZERO)).await;
    };
    let (answer, _) = join(silent, shutdown).await;
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
