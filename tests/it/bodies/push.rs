//! What a server pushes unasked (RFC 9113 §8.4).

mod bounds;

use std::sync::Mutex;
use std::time::Duration;

use gannet::config::Pushes;
use gannet::error::ErrorCode;
use gannet::event::{EventHandler, On};
use gannet::origin::Target;
use gannet::{Config, Engine, Error, Request};
use http::HeaderMap;

use super::{SHORT, ask, come, no_spare_window, serve, warm};
use crate::support::engine_with;
use crate::support::peer::{
    CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, Host, OK, Peer, REFUSED_STREAM, field, frame,
    head, plain,
};

const PUSH_PROMISE: u8 = 5;
/// `:method` and `:scheme`, as HPACK has them in its static table.
const GET: u8 = 0x82;
const POST: u8 = 0x83;
const HTTP: u8 = 0x86;

/// Takes what is below `/taken`, and writes down what it was asked.
#[derive(Default)]
struct Taker(Mutex<Vec<String>>);

impl EventHandler for Taker {
    fn push_promised(&self, on: &On<'_>, promised: &Target, headers: &HeaderMap) -> bool {
        assert!(!headers.contains_key(":path"));
        let line = format!(
            "{} {}",
            on.target.path_and_query(),
            promised.path_and_query()
        );
        self.0.lock().expect("no panic").push(line);
        promised.path_and_query().starts_with("/taken")
    }
}

fn pushing() -> Config {
    let mut config = plain();
    config.bodies.pushes = Some(Pushes::default());
    config.events = gannet::event::Events::to(Taker::default());
    config
}

/// Everything that stands in for a GET of `path` here.
fn request(host: &Host, path: &str) -> Vec<u8> {
    let authority = format!("127.0.0.1:{}", host.port());
    request_of(GET, &authority, path)
}

fn request_of(method: u8, authority: &str, path: &str) -> Vec<u8> {
    let mut block = vec![method, HTTP];
    block.extend(field(":authority", authority));
    block.extend(field(":path", path));
    block
}

async fn promise(peer: &mut Peer, parent: u32, promised: u32, block: &[u8]) {
    peer.books.promise(promised);
    let payload = [&promised.to_be_bytes()[..], block].concat();
    peer.frame(PUSH_PROMISE, END_HEADERS, parent, &payload)
        .await;
}

fn at(host: &Host, path: &str) -> Request {
    Request::get(format!("http://127.0.0.1:{}{path}", host.port()))
}

/// A page that `pushed` was promised along with, answered; the promise kept only if `comes`.
async fn page(engine: &Engine, host: &Host, peer: &mut Peer, path: &str, pushed: u32, comes: bool) {
    let asked = ask(engine, host.get());
    let stream = peer.expect_request().await;
    promise(peer, stream, pushed, &request(host, path)).await;
    if comes {
        peer.respond(pushed, path.as_bytes()).await;
    }
    peer.respond(stream, b"page").await;
    assert_eq!(come(asked).await.expect("the page").body, "page");
}

#[tokio::test]
async fn by_default_nothing_may_be_pushed() {
    let (host, engine) = (Host::bind().await, engine_with(plain()));
    let mut peer = warm(&engine, &host).await;
    assert_eq!(
        peer.books.settings.get(&2),
        Some(&0),
        "SETTINGS_ENABLE_PUSH"
    );
    let asked = ask(&engine, host.get().max_attempts(1));
    let stream = peer.expect_request().await;
    promise(&mut peer, stream, 2, &request(&host, "/taken")).await;
    let answer = come(asked).await;
    assert!(matches!(answer, Err(Error::Protocol { .. })), "{answer:?}");
}

#[tokio::test]
async fn what_was_pushed_answers_one_fetch() {
    let (host, engine) = (Host::bind().await, engine_with(pushing()));
    let mut peer = warm(&engine, &host).await;
    assert_eq!(peer.books.settings.get(&2), Some(&1));
    page(&engine, &host, &mut peer, "/taken", 2, true).await;
    let pushed = come(ask(&engine, at(&host, "/taken")))
        .await
        .expect("what was pushed");
    assert_eq!(pushed.body, "/taken");
    let receipt = &pushed.receipt;
    assert!(receipt.pushed && receipt.wire_bytes == 6);
    assert_eq!((receipt.connection, receipt.stream), (Some(1), Some(2)));
    // The second time it is asked for.
    let asked = ask(&engine, at(&host, "/taken"));
    serve(&mut peer).await;
    let response = come(asked).await.expect("a response");
    assert!(response.body == "ok" && !response.receipt.pushed);
    let counters = engine.snapshot().await.counters;
    assert_eq!(
        (counters.promises, counters.pushes, counters.pushes_used),
        (1, 1, 1)
    );
    let asked = peer.books.streams.keys().filter(|id| *id % 2 == 1);
    assert_eq!(counters.requests, asked.count() as u64);
}

#[tokio::test]
async fn a_fetch_waits_for_what_is_on_its_way() {
    let (host, engine) = (Host::bind().await, engine_with(pushing()));
    let mut peer = warm(&engine, &host).await;
    page(&engine, &host, &mut peer, "/taken", 2, false).await;
    let asked = ask(&engine, at(&host, "/taken"));
    while engine.snapshot().await.waiting == 0 {
        tokio::task::yield_now().await;
    }
    // Only one does.
    let second = ask(&engine, at(&host, "/taken"));
    serve(&mut peer).await;
    assert!(!come(second).await.expect("a response").receipt.pushed);
    peer.respond(2, b"pushed").await;
    let response = come(asked).await.expect("what was pushed");
    assert!(response.body == "pushed" && response.receipt.pushed);
}

#[tokio::test]
async fn who_waits_for_what_does_not_come_is_served_otherwise() {
    let mut config = pushing();
    config.body_timeout = SHORT;
    let (host, engine) = (Host::bind().await, engine_with(config));
    let mut peer = warm(&engine, &host).await;
    // Reset, of no use, broken off, and for too long without a word.
    for (round, pushed) in (2..).step_by(2).take(4).enumerate() {
        page(&engine, &host, &mut peer, "/taken", pushed, false).await;
        let asked = ask(&engine, at(&host, "/taken"));
        while engine.snapshot().await.waiting == 0 {
            tokio::task::yield_now().await;
        }
        match round {
            0 => peer.reset(pushed, REFUSED_STREAM).await,
            1 => peer.head(pushed, b"\x8d", true).await,
            2 => {
                peer.head(pushed, &head(&[("vary", "*")]), false).await;
                peer.data(pushed, b"other", true).await;
            }
            _ => peer.head(pushed, OK, false).await,
        }
        serve(&mut peer).await;
        let response = come(asked).await.expect("a response");
        assert!(response.body == "ok" && !response.receipt.pushed, "{round}");
    }
    assert_eq!(peer.expect_reset(8).await, CANCEL);
}

#[tokio::test]
async fn the_wait_for_a_push_has_the_deadline_of_its_fetch() {
    let (host, engine) = (Host::bind().await, engine_with(pushing()));
    let mut peer = warm(&engine, &host).await;
    page(&engine, &host, &mut peer, "/taken", 2, false).await;
    let answer = come(ask(&engine, at(&host, "/taken").deadline(SHORT))).await;
    assert!(matches!(answer, Err(Error::Deadline { .. })), "{answer:?}");
    // Who has left waits no more, and what comes is for the next.
    let gone = ask(&engine, at(&host, "/taken"));
    while engine.snapshot().await.waiting == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    while engine.snapshot().await.in_flight > 0 {
        tokio::task::yield_now().await;
    }
    peer.respond(2, b"pushed").await;
    let response = come(ask(&engine, at(&host, "/taken"))).await;
    assert_eq!(response.expect("what was pushed").body, "pushed");
}

#[tokio::test]
async fn what_nobody_wants_or_may_want_is_refused() {
    let (host, engine) = (Host::bind().await, engine_with(pushing()));
    let mut peer = warm(&engine, &host).await;
    let own = format!("127.0.0.1:{}", host.port());
    let blocks = [
        request(&host, "/not"),
        request_of(GET, "a.example", "/taken"),
        request_of(GET, "127.0.0.1:1", "/taken"),
        request_of(POST, &own, "/taken"),
    ];
    for (promised, block) in (2..).step_by(2).zip(blocks) {
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        promise(&mut peer, stream, promised, &block).await;
        peer.expect_reset(promised).await;
        peer.respond(stream, b"page").await;
        assert_eq!(come(asked).await.expect("the page").body, "page");
    }
    let snapshot = engine.snapshot().await;
    assert_eq!((snapshot.counters.pushes, snapshot.bytes.held), (0, 0));
}

#[tokio::test]
async fn a_handler_that_panics_at_a_promise_fails_that_fetch_alone() {
    struct Panics;
    impl EventHandler for Panics {
        fn push_promised(&self, _: &On<'_>, _: &Target, _: &HeaderMap) -> bool {
            panic!("a test")
        }
    }
    let (host, engine) = (Host::bind().await, engine_with(pushing()));
    let mut peer = warm(&engine, &host).await;
    let asked = ask(
        &engine,
        host.get().events(gannet::event::Events::to(Panics)),
    );
    let stream = peer.expect_request().await;
    promise(&mut peer, stream, 2, &request(&host, "/not")).await;
    assert!(matches!(come(asked).await, Err(Error::Handler)));
    assert_eq!(peer.expect_reset(2).await, CANCEL);
    let asked = ask(&engine, host.get());
    serve(&mut peer).await;
    assert_eq!(
        come(asked).await.expect("a response").receipt.connection,
        Some(1)
    );
}

/// Of pushes that are refused, cut off, or taken, nothing remains that the connection suffers from.
#[tokio::test]
async fn a_thousand_pushes_leave_a_connection_as_good_as_new() {
    let mut config = pushing();
    no_spare_window(&mut config);
    let (host, engine) = (Host::bind().await, engine_with(config));
    let mut peer = warm(&engine, &host).await;
    for round in 0..1_000u32 {
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        let promised = 2 * (round + 1);
        let path = if round % 3 == 0 { "/taken" } else { "/not" };
        promise(&mut peer, stream, promised, &request(&host, path)).await;
        // Refused or not, what the server had begun to send is on its way.
        peer.head(promised, OK, false).await;
        peer.data(promised, &[b'x'; 10_000], round % 2 == 0).await;
        peer.respond(stream, b"page").await;
        assert_eq!(come(asked).await.expect("the page").body, "page");
    }
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.body(stream, 20 << 20, true).await;
    let response = come(asked).await.expect("all of it");
    assert_eq!(
        (response.body.len(), response.receipt.connection),
        (20 << 20, Some(1))
    );
}

#[tokio::test]
async fn a_flood_of_promises_ends_its_connection_and_less_of_it_does_not() {
    for (count, ends) in [(500, false), (4_000, true)] {
        let mut config = pushing();
        config.max_idle_frames = 1_000;
        let (host, engine) = (Host::bind().await, engine_with(config));
        let mut peer = warm(&engine, &host).await;
        let asked = ask(&engine, host.get().max_attempts(1));
        let stream = peer.expect_request().await;
        let block = request(&host, "/not");
        let promises = (1..=count).flat_map(|number: u32| {
            let payload = [&(2 * number).to_be_bytes()[..], &block].concat();
            frame(PUSH_PROMISE, END_HEADERS, stream, &payload)
        });
        (1..=count).for_each(|number| peer.books.promise(2 * number));
        peer.raw(&promises.collect::<Vec<_>>()).await;
        if !ends {
            peer.respond(stream, b"page").await;
        }
        let answer = come(asked).await;
        match answer {
            Ok(_) => assert!(!ends),
            Err(Error::GoAway {
                code, by_server, ..
            }) => assert!(ends && !by_server && code == ErrorCode::ENHANCE_YOUR_CALM),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// What nobody has asked for holds up no end.
#[tokio::test]
async fn a_push_on_its_way_does_not_keep_an_engine_from_closing() {
    let (host, engine) = (Host::bind().await, engine_with(pushing()));
    let mut peer = warm(&engine, &host).await;
    page(&engine, &host, &mut peer, "/taken", 2, false).await;
    let closing = tokio::spawn(async move { engine.shutdown(Duration::from_secs(3_600)).await });
    peer.expect_close().await;
    drop(peer);
    come(closing).await;
}

/// What comes of a page that is given up, at whatever moment, is no reason to lose the connection.
#[tokio::test]
async fn a_promise_that_crosses_a_cancellation_harms_nothing() {
    let mut config = pushing();
    no_spare_window(&mut config);
    let (host, engine) = (Host::bind().await, engine_with(config));
    let mut peer = warm(&engine, &host).await;
    let other = ask(&engine, host.get());
    let sibling = peer.expect_request().await;
    for round in 0..100 {
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        if round % 3 == 0 {
            asked.abort();
            peer.expect_reset(stream).await;
        }
        let bytes = pushed(&host, stream, round);
        peer.books.promise(2 + 2 * round);
        peer.window -= 10_000;
        if round % 3 == 1 {
            asked.abort();
        }
        for piece in bytes.chunks(1 + round as usize * 200) {
            peer.raw(piece).await;
        }
        if round % 3 == 2 {
            asked.abort();
        }
        peer.expect_reset(stream).await;
        peer.ping_pong().await;
    }
    // What was indexed on the way is known to both sides.
    peer.head(sibling, &[0x88, 0xbe], true).await;
    let response = come(other).await.expect("a response");
    assert_eq!(
        (response.receipt.attempts, &response.headers["x"]),
        (1, &"99".parse().expect("a value"))
    );
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.body(stream, 20 << 20, true).await;
    assert_eq!(come(asked).await.expect("all of it").body.len(), 20 << 20);
}

/// A promise, padded or not, and all of its response, of which a field is to be indexed.
fn pushed(host: &Host, parent: u32, round: u32) -> Vec<u8> {
    let promised = 2 + 2 * round;
    let block = request(host, "/taken");
    let plain = [&promised.to_be_bytes()[..], &block].concat();
    let padded = [&[3][..], &plain, &[0; 3]].concat();
    let promise = match round % 2 {
        0 => frame(PUSH_PROMISE, END_HEADERS, parent, &plain),
        _ => frame(PUSH_PROMISE, END_HEADERS | 8, parent, &padded),
    };
    let value = format!("{round:02}");
    let head = [OK, &[0x40, 1, b'x', 2], value.as_bytes()].concat();
    [
        promise,
        frame(HEADERS, END_HEADERS, promised, &head),
        frame(DATA, END_STREAM, promised, &[b'x'; 10_000]),
    ]
    .concat()
}
