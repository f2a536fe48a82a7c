//! Against a server of frames, which can do what a proper one never would.

mod again;
mod blast;
mod cancel;
mod drain;
mod endings;
mod farewell;
mod floods;
mod health;
mod hostile;
mod room;
mod slow;
mod storm;
mod windows;

use std::time::Duration;

use gannet::view::Snapshot;
use gannet::{Engine, Error, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::engine_with;
use crate::support::peer::{Host, Peer, plain};

type Answer = Result<Response, Error>;

fn engine() -> Engine {
    engine_with(plain())
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

/// The response to a fetch, which must come.
async fn got(asked: JoinHandle<Answer>) -> Response {
    told(asked).await.expect("a response")
}

/// A GET that carries its own number, for the peer to tell it by.
fn numbered(host: &Host, number: usize) -> Request {
    host.get().body(number.to_string())
}

/// The number of the request on `stream`.
fn number_of(peer: &Peer, stream: u32) -> usize {
    let body = String::from_utf8_lossy(&peer.books.streams[&stream].body);
    body.parse().expect("a number")
}

async fn answer_one(peer: &mut Peer) -> u32 {
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
    stream
}

/// A connection that has served one fetch and knows what the server allows.
async fn warm(engine: &Engine, host: &Host, settings: &[(u16, u32)]) -> Peer {
    let asked = ask(engine, host.get());
    let mut peer = host.welcome(settings).await;
    answer_one(&mut peer).await;
    got(asked).await;
    peer
}

/// Waits until the engine shows itself like this.
async fn shown(engine: &Engine, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let looking = async {
        let mut changes = engine.lifecycle();
        loop {
            let snapshot = engine.snapshot().await;
            if is_so(&snapshot) {
                return snapshot;
            }
            // Not all that is shown is told as a change.
            let _ = timeout(Duration::from_millis(5), changes.next()).await;
        }
    };
    let found = timeout(Duration::from_secs(30), looking).await;
    found.unwrap_or_else(|_| panic!("never shown: {what}"))
}
