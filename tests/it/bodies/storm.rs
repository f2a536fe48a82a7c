//! Thousands of responses that nobody wants to the end, and splits of every kind.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use gannet::error::ErrorCode;
use gannet::{Engine, Request, Upload};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{ask, come, engine, serve, warm};
use crate::support::peer::{
    Books, CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, Host, MAX_STREAMS, OK, Peer, field,
    frame,
};

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

#[tokio::test]
async fn a_thousand_oversize_or_stopped_responses_leave_a_connection_as_good_as_new() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    for round in 0..1_000 {
        let limit = if round % 2 == 0 { 5_000 } else { 1 << 20 };
        let asked = ask(&engine, host.get().max_body(limit));
        let stream = peer.expect_request().await;
        peer.head(stream, OK, false).await;
        peer.data(stream, &[b'x'; 10_000], false).await;
        if round % 2 == 0 {
            assert!(come(asked).await.is_err());
        } else {
            asked.abort();
        }
        peer.expect_reset(stream).await;
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

/// A head cut into HEADERS and CONTINUATION, a body into DATA of any size with any padding.
fn split(stream: u32, head: &[u8], body: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut left, mut kind) = (head, HEADERS);
    while kind == HEADERS || !left.is_empty() {
        let (piece, rest) = left.split_at(rng.usize(0..=left.len()));
        let flags = if rest.is_empty() { END_HEADERS } else { 0 };
        bytes.extend(frame(kind, flags, stream, piece));
        (left, kind) = (rest, 9);
    }
    let mut left = body;
    while !left.is_empty() {
        let (piece, rest) = left.split_at(rng.usize(1..=left.len().min(5_000)));
        match rng.bool() {
            true => bytes.extend(frame(DATA, 0, stream, piece)),
            false => {
                let padding = rng.u8(..);
                let padded = [&[padding], piece, &vec![0; padding.into()][..]].concat();
                bytes.extend(frame(DATA, 8, stream, &padded));
            }
        }
        left = rest;
    }
    match rng.bool() {
        true => bytes.extend(frame(DATA, END_STREAM, stream, b"")),
        false => bytes.extend(frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &field("x", "y"),
        )),
    }
    bytes
}

#[tokio::test]
async fn however_a_response_is_split_it_is_the_same() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let head = [OK, &field("a", "1"), &field("b", "2")].concat();
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let body: Vec<u8> = (0..rng.usize(0..20_000)).map(|n| n as u8).collect();
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        let bytes = split(stream, &head, &body, &mut rng);
        let mut left = &bytes[..];
        while !left.is_empty() {
            let (piece, rest) = left.split_at(rng.usize(1..=left.len().min(9_000)));
            peer.raw(piece).await;
            tokio::task::yield_now().await;
            left = rest;
        }
        let response = come(asked).await.expect("a response");
        assert!(response.body == body, "seed {seed}");
        assert_eq!(
            (&response.headers["a"], &response.headers["b"]),
            (
                &"1".parse().expect("a value"),
                &"2".parse().expect("a value")
            )
        );
        assert_eq!(response.headers.len(), 2);
    }
}
