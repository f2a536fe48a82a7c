//! Against a server of frames, which can do what a proper one never would.

mod endings;
mod hostile;
mod room;
mod storm;
mod windows;

use std::time::Duration;

use gannet::{Engine, Error, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::engine_with;
use crate::support::peer::plain;

type Answer = Result<Response, Error>;

fn engine() -> Engine {
    engine_with(plain())
}

/// Starts a fetch; aborting it drops the fetch's future.
fn ask(engine: &Engine, request: Request) -> JoinHandle<Answer> {
    tokio::spawn(engine.fetch(request))
}

/// The answer to a fetch, which must come.
async fn told(asked: JoinHandle<Answer>) -> Answer {
    let answer = timeout(Duration::from_secs(60), asked).await;
    answer.expect("no answer came").expect("no panic")
}

/// The response to a fetch, which must come.
async fn got(asked: JoinHandle<Answer>) -> Response {
    told(asked).await.expect("a response")
}
