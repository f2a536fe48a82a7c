//! Every fetch is answered once, whatever servers do.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use gannet::Engine;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Answer, ask, told};
use crate::support::engine_with;
use crate::support::peer::{CANCEL, Host, MAX_STREAMS, NO_ERROR, OK, Peer, REFUSED_STREAM, plain};

const FETCHES: usize = 300;

/// Dice that fall the same way each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Does something to each request, until the connection ends.
async fn misbehave(mut peer: Peer, mut dice: Dice) {
    peer.settings(&[(MAX_STREAMS, 1 + dice.roll(20) as u32)])
        .await;
    let mut goes = false;
    while peer.next().await {
        while let Some(stream) = peer.fresh() {
            match dice.roll(16) {
                0 => peer.reset(stream, REFUSED_STREAM).await,
                1 => peer.reset(stream, CANCEL).await,
                2 if !goes => {
                    goes = true;
                    peer.goaway(stream, NO_ERROR).await;
                    peer.respond(stream, b"ok").await;
                }
                3 if dice.roll(3) == 0 => return,
                4 if dice.roll(3) == 0 => peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
                5 => {}
                6 => peer.head(stream, OK, false).await,
                7 => peer.settings(&[(MAX_STREAMS, dice.roll(20) as u32)]).await,
                _ => peer.respond(stream, b"ok").await,
            }
        }
    }
}

/// Servers of `host` that misbehave, one a connection.
fn unleash(host: Arc<Host>, seed: u64) -> JoinHandle<()> {
    tokio::spawn(async move {
        for number in 1.. {
            let peer = host.accept_at_leisure().await;
            tokio::spawn(misbehave(peer, Dice(seed + number)));
        }
    })
}

/// Asks for everything, leaves some of it; the answers to the rest.
async fn fetch_through(engine: &Engine, hosts: &[Arc<Host>], dice: &mut Dice) -> Vec<Answer> {
    let mut kept = Vec::new();
    for i in 0..FETCHES {
        let host = &hosts[i % hosts.len()];
        let request = match dice.roll(2) {
            0 => host.get(),
            _ => host.post("body"),
        };
        let asked = ask(engine, request.deadline(Duration::from_millis(400)));
        match dice.roll(8) {
            0 => asked.abort(),
            1 => drop(tokio::spawn(async move {
                tokio::task::yield_now().await;
                asked.abort();
            })),
            _ => kept.push(asked),
        }
        if dice.roll(10) == 0 {
            tokio::task::yield_now().await;
        }
    }
    join_all(kept.into_iter().map(told)).await
}

async fn survive(seed: u64) {
    let mut dice = Dice(seed);
    let mut config = plain();
    config.max_connections = 2;
    config.close_timeout = Duration::from_millis(50);
    let engine = engine_with(config);
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(Arc::new(Host::bind().await));
    }
    let wild = (0..).zip(&hosts);
    let wild: Vec<_> = wild
        .map(|(i, host)| unleash(Arc::clone(host), seed + i))
        .collect();
    let answers = fetch_through(&engine, &hosts, &mut dice).await;
    let good = answers.iter().flatten();
    assert!(good.clone().all(|response| response.body == "ok"));
    assert!(good.count() > 0, "seed {seed}: {answers:?}");
    let internal = answers
        .iter()
        .filter(|a| matches!(a, Err(gannet::Error::Internal { .. })));
    assert_eq!(internal.count(), 0, "seed {seed}: no actor is to blame");
    // The cap is free again: a place, a proper server, an answer.
    let calm = Host::bind().await;
    let asked = ask(&engine, calm.get());
    let mut peer = calm.welcome(&[]).await;
    let stream = peer.expect_request().await;
    peer.respond(stream, b"calm").await;
    assert_eq!(told(asked).await.expect("a response").body, "calm");
    let shutdown = timeout(Duration::from_secs(20), engine.shutdown(Duration::ZERO));
    shutdown.await.expect("the shutdown ends");
    wild.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn whatever_servers_do_every_fetch_has_one_answer() {
    for seed in 1..=3 {
        survive(seed * 7_919).await;
    }
}
