//! Responses over HTTP/1.1, against a server of bytes.

mod downgrade;
mod ends;
mod faults;
mod faulty;
mod heads;
mod lifetimes;
mod plain;
mod spread;
mod tls;

use std::time::Duration;

use gannet::view::{Counters, Reason};
use gannet::{Config, Engine, Error, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::engine_with;

type Answer = Result<Response, Error>;

fn engine() -> Engine {
    engine_with(Config::default())
}

/// Starts a fetch; aborting it drops the fetch's future.
fn ask(engine: &Engine, request: Request) -> JoinHandle<Answer> {
    let fetch = engine.fetch(request);
    tokio::spawn(async move { fetch.await.map_err(Error::from) })
}

/// The answer to a fetch, which must come.
async fn told(asked: JoinHandle<Answer>) -> Answer {
    let answer = timeout(Duration::from_secs(60), asked).await;
    answer.expect("no answer came").expect("no panic")
}

/// Waits until so many connections have gone for this reason.
async fn gone(engine: &Engine, reason: Reason, count: u64) -> Counters {
    let looking = async {
        let mut changes = engine.lifecycle();
        loop {
            let counters = engine.snapshot().await.counters;
            if counters.closed.get(&reason) == Some(&count) {
                return counters;
            }
            let _ = timeout(Duration::from_millis(5), changes.next()).await;
        }
    };
    let found = timeout(Duration::from_secs(30), looking).await;
    found.unwrap_or_else(|_| panic!("never {count} of {reason:?}"))
}

/// The response to a fetch, which must come.
async fn got(asked: JoinHandle<Answer>) -> Response {
    told(asked).await.expect("a response")
}
