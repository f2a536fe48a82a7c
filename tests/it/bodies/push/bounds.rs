//! What bounds pushes, each from both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gannet::config::Pushes;
use gannet::event::{EventHandler, Events, On};
use gannet::origin::Target;
use gannet::{Config, Engine};
use http::HeaderMap;
use tokio::task::LocalSet;

use super::super::{ask, come, serve, warm};
use super::{at, page, promise, pushing, request};
use crate::support::engine_with;
use crate::support::peer::{CANCEL, Host, Peer, head};

const KEEP_FOR: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

fn bounded(bound: impl FnOnce(&mut Pushes)) -> Config {
    let (mut config, mut pushes) = (pushing(), Pushes::default());
    pushes.keep_for = KEEP_FOR;
    bound(&mut pushes);
    config.bodies.pushes = Some(pushes);
    config
}

#[tokio::test]
async fn promises_along_with_a_response_are_taken_up_to_a_number() {
    let config = bounded(|pushes| (pushes.per_response, pushes.at_once) = (2, 3));
    let (host, engine) = (Host::bind().await, engine_with(config));
    let mut peer = warm(&engine, &host).await;
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    for (promised, path) in [(2, "/taken/1"), (4, "/taken/2"), (6, "/taken/3")] {
        promise(&mut peer, stream, promised, &request(&host, path)).await;
    }
    assert_eq!(peer.expect_reset(6).await, CANCEL);
    assert_eq!(peer.books.resets.len(), 1);
    assert_eq!(peer.books.settings.get(&3), Some(&3));
    peer.respond(stream, b"page").await;
    come(asked).await.expect("the page");
    assert_eq!(engine.snapshot().await.counters.pushes, 2);
}

#[tokio::test]
async fn what_is_larger_than_may_be_kept_is_refused_at_its_head() {
    let config = bounded(|pushes| pushes.kept = 50_000);
    let (host, engine) = (Host::bind().await, engine_with(config));
    let mut peer = warm(&engine, &host).await;
    page(&engine, &host, &mut peer, "/taken", 2, false).await;
    peer.head(2, &head(&[("content-length", "50001")]), false)
        .await;
    assert_eq!(peer.expect_reset(2).await, CANCEL);
}

/// Takes what is promised, and counts what has come of it.
struct Counter(Arc<AtomicUsize>);

impl EventHandler for Counter {
    fn push_promised(&self, _: &On<'_>, _: &Target, _: &HeaderMap) -> bool {
        true
    }

    fn stream_ended(&self, on: &On<'_>) {
        let is_pushed = on.stream.is_multiple_of(2);
        self.0.fetch_add(is_pushed.into(), Ordering::Relaxed);
    }
}

/// An engine on this thread, to which a body of 10,000 bytes has been pushed. All on one thread: once
/// the end of it was told, its Pool hears of it before it hears of another fetch.
async fn pushed(mut config: Config) -> (Host, Engine, Peer) {
    let ended = Arc::new(AtomicUsize::new(0));
    config.events = Events::to(Counter(Arc::clone(&ended)));
    let host = Host::bind().await;
    let engine = Engine::builder().config(config).start_here();
    let mut peer = warm(&engine, &host).await;
    page(&engine, &host, &mut peer, "/taken", 2, false).await;
    peer.respond(2, &[b'x'; 10_000]).await;
    while ended.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    (host, engine, peer)
}

/// Whether it answers a fetch.
async fn answers(host: &Host, engine: &Engine, mut peer: Peer, is_kept: bool) {
    let asked = ask(engine, at(host, "/taken"));
    if !is_kept {
        serve(&mut peer).await;
    }
    assert_eq!(
        come(asked).await.expect("a response").receipt.pushed,
        is_kept
    );
}

#[tokio::test]
async fn nothing_is_kept_beyond_its_bytes_or_while_half_of_the_budget_is_used() {
    let steps = async {
        for (kept, budget, is_kept) in [
            (12_000, 1 << 20, true),
            (10_000, 1 << 20, false),
            (12_000, 20_000, true),
            (12_000, 19_998, false),
        ] {
            let mut config = bounded(|pushes| pushes.kept = kept);
            config.bodies.budget = budget;
            let (host, engine, peer) = pushed(config).await;
            answers(&host, &engine, peer, is_kept).await;
        }
    };
    LocalSet::new().run_until(steps).await;
}

#[tokio::test]
async fn what_is_pushed_is_kept_for_a_while() {
    let steps = async {
        for (after, is_kept) in [(KEEP_FOR - SECOND, true), (KEEP_FOR + SECOND, false)] {
            let (host, engine, peer) = pushed(bounded(|_| ())).await;
            assert_eq!(engine.snapshot().await.bytes.held, 10_000);
            tokio::time::pause();
            tokio::time::advance(after).await;
            let held = engine.snapshot().await.bytes.held;
            tokio::time::resume();
            assert_eq!(held, if is_kept { 10_000 } else { 0 });
            answers(&host, &engine, peer, is_kept).await;
        }
    };
    LocalSet::new().run_until(steps).await;
}
