//! Thousands of responses that nobody wants to the end.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use gannet::error::ErrorCode;
use gannet::event::{EventHandler, Events, Flow, On};
use gannet::response::Cut;
use gannet::{Engine, Error, Request, Upload};
use http::{HeaderMap, StatusCode};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{ask, come, engine, no_spare_window, serve, warm};
use crate::support::engine_with;
use crate::support::peer::{Books, CANCEL, Host, MAX_STREAMS, OK, Peer, head, plain};

const FETCHES: usize = 10_000;

/// Answers every second request with a head and the beginning of a body, and no request to its end,
/// until the client is gone or all is `over`. Returns the books of each connection.
fn half_hearted(host: Host, mut over: watch::Receiver<bool>) -> JoinHandle<Vec<Books>> {
    tokio::spawn(async move {
        let mut lines = JoinSet::new();
        loop {
            let peer = tokio::select! {
                peer = host.accept_at_leisure() => peer,
                _ = over.wait_for(|over| *over) => break,
            };
            lines.spawn(begin_answers(peer));
        }
        lines.join_all().await
    })
}

async fn begin_answers(mut peer: Peer) -> Books {
    peer.settings(&[(MAX_STREAMS, 100)]).await;
    let mut asked = 0;
    while peer.next().await {
        while let Some(stream) = peer.fresh() {
            asked += 1;
            if asked % 2 == 0 {
                peer.head(stream, OK, false).await;
                peer.data(stream, &[b'x'; 3_000], false).await;
            }
        }
    }
    peer.books
}

/// Starts a fetch of some kind, and gives it up after a moment of some length.
async fn give_up(engine: Engine, url: String, mut rng: fastrand::Rng) {
    let moment = Duration::from_micros(rng.u64(0..3_000));
    let request = match rng.bool() {
        true => Request::get(url),
        false => Request::post(url, Upload::stream(endless())),
    };
    let going = async {
        if rng.bool() {
            return engine.fetch(request).await.map(drop);
        }
        let mut open = engine.open(request).await?;
        while open.body.next().await.is_some() {}
        Ok(())
    };
    let ended = tokio::time::timeout(moment, going).await;
    assert!(ended.is_err(), "it came to an end: {ended:?}");
}

/// A body that never ends.
fn endless() -> impl futures::Stream<Item = std::io::Result<Vec<u8>>> + Send {
    stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(vec![b'u'; 100])
    })
}

#[tokio::test]
async fn ten_thousand_that_are_given_up_leave_nothing_behind() {
    let (host, engine) = (Host::bind().await, engine());
    let url = host.url();
    let (over, is_over) = watch::channel(false);
    let server = half_hearted(host, is_over);
    let mut rng = fastrand::Rng::with_seed(7);
    let fetches = stream::iter(0..FETCHES)
        .map(|_| give_up(engine.clone(), url.clone(), rng.fork()))
        .buffer_unordered(200);
    fetches.collect::<Vec<()>>().await;
    let quiet = async {
        loop {
            let snapshot = engine.snapshot().await;
            let streams: usize = snapshot.connections.iter().map(|c| c.streams).sum();
            if (
                snapshot.in_flight,
                snapshot.waiting,
                streams,
                snapshot.bytes.held,
            ) == (0, 0, 0, 0)
            {
                return snapshot;
            }
            tokio::task::yield_now().await;
        }
    };
    let quiet = tokio::time::timeout(Duration::from_secs(30), quiet).await;
    let snapshot = quiet.expect("something is left");
    assert_eq!(snapshot.bytes.open_bodies, 0);
    // Each is counted, and once.
    let ended = &snapshot.counters.outcomes;
    assert!(
        ended
            .keys()
            .all(|outcome| outcome.error == Some("cancelled")),
        "{ended:?}"
    );
    let count: u64 = ended.values().map(|ended| ended.took.count()).sum();
    assert_eq!(count, snapshot.counters.fetches);
    engine.shutdown(Duration::from_secs(5)).await;
    over.send_replace(true);
    let books = server.await.expect("no panic");
    let streams: Vec<_> = books.iter().flat_map(|b| b.streams.values()).collect();
    // What was sent, and nothing that was given up before, has reached the server.
    assert_eq!(streams.len() as u64, snapshot.counters.requests);
    assert!(
        streams.len() > FETCHES / 10 && streams.len() < FETCHES,
        "{}",
        streams.len()
    );
    assert!(
        streams.iter().all(|stream| stream.is_reset),
        "some are open"
    );
    let resets: Vec<_> = books.iter().flat_map(|b| &b.resets).collect();
    assert_eq!(resets.len(), streams.len());
    assert!(resets.iter().all(|(_, code)| *code == CANCEL));
    assert_eq!(ErrorCode(CANCEL).to_string(), "CANCEL");
}

/// Stops at the head, or at the first piece.
struct Stops {
    at_head: bool,
}

impl EventHandler for Stops {
    fn response_received(&self, _: &On<'_>, _: StatusCode, _: &HeaderMap) -> Flow {
        match self.at_head {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    }

    fn data_received(&self, _: &On<'_>, _: &Bytes) -> Flow {
        Flow::Stop
    }
}

/// A thousand of each.
#[tokio::test]
async fn a_thousand_oversize_or_stopped_responses_leave_a_connection_as_good_as_new() {
    let host = Host::bind().await;
    let mut config = plain();
    no_spare_window(&mut config);
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let stops = |at_head| host.get().events(Events::to(Stops { at_head }));
    for round in 0..5_000 {
        let kind = round % 5;
        let asked = ask(
            &engine,
            match kind {
                0 | 1 => host.get().max_body(5_000),
                2 | 3 => stops(kind == 2),
                _ => host.get(),
            },
        );
        let stream = peer.expect_request().await;
        let announced = head(&[("content-length", "20000")]);
        let head = if kind == 1 { &announced } else { OK };
        peer.head(stream, head, false).await;
        // What has come when the client ends it has been on the way, and counts.
        peer.data(stream, &[b'x'; 10_000], false).await;
        if kind == 4 {
            asked.abort();
        } else {
            let answer = come(asked).await;
            match answer {
                Ok(response) => assert!(kind > 1 && response.receipt.cut == Some(Cut::Stopped)),
                Err(error) => assert!(kind < 2 && matches!(error, Error::TooLarge { .. })),
            }
        }
        assert_eq!(peer.expect_reset(stream).await, CANCEL);
    }
    let asked = ask(&engine, host.get());
    serve(&mut peer).await;
    assert_eq!(
        come(asked).await.expect("a response").receipt.connection,
        Some(1)
    );
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.body(stream, 20 << 20, true).await;
    assert_eq!(come(asked).await.expect("all of it").body.len(), 20 << 20);
}

/// As long as there is no free stream all are in the queue, and there they are given up.
#[tokio::test]
async fn of_those_given_up_in_the_queue_none_reaches_the_server() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[(MAX_STREAMS, 100)]).await;
    serve(&mut peer).await;
    come(asked).await.expect("a response");
    let holding: Vec<_> = (0..100).map(|_| ask(&engine, host.get())).collect();
    let held = peer.expect_requests(100).await;
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    for number in 0..FETCHES {
        match number % 100 {
            0 => kept.push(ask(&engine, host.get())),
            _ => left.push(ask(&engine, host.get())),
        }
        if rng.u8(0..4) == 0 {
            tokio::task::yield_now().await;
        }
        // Some at once, some when they have waited for a while.
        while left.len() > rng.usize(0..500) {
            left.swap_remove(rng.usize(..left.len())).abort();
        }
    }
    left.iter().for_each(JoinHandle::abort);
    while engine.snapshot().await.waiting != kept.len() {
        tokio::task::yield_now().await;
    }
    for stream in held {
        peer.respond(stream, b"ok").await;
    }
    for _ in &kept {
        serve(&mut peer).await;
    }
    for asked in holding.into_iter().chain(kept) {
        come(asked).await.expect("a response");
    }
    peer.ping_pong().await;
    let sent = 1 + 100 + FETCHES / 100;
    assert_eq!(
        (peer.books.streams.len(), peer.books.resets.len()),
        (sent, 0)
    );
    assert_eq!(engine.snapshot().await.counters.requests, sent as u64);
}
