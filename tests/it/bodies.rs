//! Bodies, both ways: as they come, within limits, and what is heard of them.

mod decode;
mod events;
mod limits;
mod open;
mod push;
mod receipts;
mod split;
mod storm;
mod upload;
mod windows;
mod word;

use std::time::Duration;

use gannet::{Config, Engine, Error, OpenResponse, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::engine_with;
use crate::support::peer::{Host, OK, Peer, plain};

type Answer = Result<Response, Error>;

/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(200);

fn engine() -> Engine {
    engine_with(plain())
}

fn ask(engine: &Engine, request: Request) -> JoinHandle<Answer> {
    let fetch = engine.fetch(request);
    tokio::spawn(async move { fetch.await.map_err(Error::from) })
}

/// What must come.
async fn come<T>(asked: JoinHandle<T>) -> T {
    let answer = timeout(Duration::from_secs(60), asked).await;
    answer.expect("no answer came").expect("no panic")
}

/// An open response whose head the peer has sent, and its stream.
async fn opened(engine: &Engine, host: &Host, peer: &mut Peer) -> (OpenResponse, u32) {
    let opening = tokio::spawn(engine.open(host.get()));
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    (come(opening).await.expect("a head"), stream)
}

/// A connection that has served one fetch.
async fn warm(engine: &Engine, host: &Host) -> Peer {
    let asked = ask(engine, host.get());
    let mut peer = host.welcome(&[]).await;
    serve(&mut peer).await;
    come(asked).await.expect("a response");
    peer
}

async fn serve(peer: &mut Peer) {
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
}

/// So that what is not given back is missed soon.
fn no_spare_window(config: &mut Config) {
    config.connection_window = 200_000;
    config.bodies.max_connection_window = 200_000;
}
