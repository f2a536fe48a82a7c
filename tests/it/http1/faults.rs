//! Actors that fail while they speak HTTP/1.1.

use std::time::Duration;

use futures::future::{join, join_all};
use gannet::message::{Drill, Fault, Victim};
use gannet::{Config, Engine, Error, Origin, Request, Target};
use gannet_testbed::{Testbed, verify};

use crate::support::config;

fn testbed() -> Testbed {
    let builder = Testbed::builder().alpn(&["http/1.1"]);
    builder.start().expect("a free port")
}

fn origin(testbed: &Testbed) -> Origin {
    let target = Target::parse(&testbed.url("/")).expect("a URL");
    target.origin().clone()
}

fn engine(config: Config) -> Engine {
    Engine::builder().config(config).start_here()
}

#[actix_rt::test]
async fn fetches_behind_a_failing_actor_are_answered() {
    for victim in [
        Victim::Agent,
        Victim::Pool,
        Victim::Connection,
        Victim::Stream,
    ] {
        for fault in [Fault::Panic, Fault::Stop] {
            let testbed = testbed();
            let engine = engine(config(&testbed));
            let fetch = |i: usize| engine.fetch(Request::get(testbed.url(&format!("/bytes/{i}"))));
            fetch(0).await.expect("a response");
            let origin = origin(&testbed);
            engine.drill(Drill {
                origin,
                victim,
                fault,
            });
            let answers = join_all((0..100).map(fetch)).await;
            for (i, answer) in answers.into_iter().enumerate() {
                let response = answer.unwrap_or_else(|e| panic!("{victim:?} {fault:?}: {e:?}"));
                assert!(verify(&format!("/bytes/{i}"), &response.body));
            }
            fetch(1).await.expect("the origin works again");
            engine.shutdown(Duration::from_secs(5)).await;
        }
    }
}

#[actix_rt::test]
async fn fetches_on_the_wire_of_a_failing_actor_are_answered_and_their_sockets_closed() {
    for victim in [Victim::Connection, Victim::Stream] {
        for fault in [Fault::Panic, Fault::Stop] {
            let testbed = testbed();
            let engine = engine(config(&testbed));
            let post = |i: usize| {
                engine.fetch(Request::post(testbed.url("/delay/300/echo"), i.to_string()))
            };
            let strike = async {
                testbed.until(|books| books.streams_open == 6).await;
                let origin = origin(&testbed);
                engine.drill(Drill {
                    origin,
                    victim,
                    fault,
                });
            };
            let (answers, ()) = join(join_all((0..6).map(post)), strike).await;
            for answer in answers {
                let error = answer.expect_err("it was struck");
                assert!(
                    matches!(
                        error.error,
                        Error::Internal { sent: true } | Error::Disconnected { sent: true, .. }
                    ),
                    "{victim:?} {fault:?}: {error:?}"
                );
            }
            testbed.until(|books| books.open == 0).await;
            let good = engine.fetch(Request::get(testbed.url("/bytes/9"))).await;
            good.expect("the origin works again");
            engine.shutdown(Duration::from_secs(5)).await;
        }
    }
}
