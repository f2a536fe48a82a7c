//! However a response is cut into frames, and these into segments, it is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use gannet::event::{EventHandler, Events, On};
use gannet::{Engine, Request};
use http::{HeaderMap, StatusCode};

use super::decode::gzip;
use super::{come, warm};
use crate::support::engine_with;
use crate::support::peer::{
    DATA, END_HEADERS, END_STREAM, HEADERS, Host, OK, PING, Peer, WINDOW_UPDATE, field, frame,
    plain,
};

const CONTINUATION: u8 = 9;
const PADDED: u8 = 8;
const PRIORITISED: u8 = 32;
const PRIORITY: u8 = 2;

/// What a server has to say.
struct Said {
    interims: usize,
    is_coded: bool,
    body: Vec<u8>,
    has_trailers: bool,
}

/// What is made of it.
#[derive(Debug, Eq, PartialEq)]
struct Heard {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Said {
    fn any(rng: &mut fastrand::Rng) -> Self {
        Self {
            interims: rng.usize(0..3),
            is_coded: rng.bool(),
            body: (0..rng.usize(0..20_000)).map(|n| n as u8).collect(),
            has_trailers: rng.bool(),
        }
    }

    fn heard(&self) -> Heard {
        let fields = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                let value = value.parse().expect("a value");
                (http::HeaderName::from_static(name), value)
            });
            pairs.collect::<HeaderMap>()
        };
        let coding = [("content-encoding", "gzip")];
        let coding = &coding[..usize::from(self.is_coded)];
        Heard {
            status: StatusCode::OK,
            headers: fields(&[&[("a", "1"), ("b", "2")], coding].concat()),
            body: self.body.clone().into(),
            trailers: self.has_trailers.then(|| fields(&[("x", "y"), ("z", "")])),
        }
    }

    /// As frames, of any size and with any padding.
    fn frames(&self, stream: u32, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.interims {
            let block = [&[8, 3][..], b"103", &field("link", "</a>")].concat();
            block_frames(stream, &block, 0, rng, &mut bytes);
            bytes.extend(between(stream, rng));
        }
        let mut head = [OK, &field("a", "1"), &field("b", "2")].concat();
        let body = match self.is_coded {
            true => gzip(&self.body),
            false => self.body.clone(),
        };
        if self.is_coded {
            head.extend(field("content-encoding", "gzip"));
        }
        block_frames(stream, &head, 0, rng, &mut bytes);
        let mut left = &body[..];
        while !left.is_empty() {
            bytes.extend(between(stream, rng));
            let (piece, rest) = left.split_at(rng.usize(0..=left.len().min(5_000)));
            // Of frames with nothing but padding the h2 crate bears a hundred.
            bytes.extend(match piece.is_empty() {
                true => frame(DATA, 0, stream, piece),
                false => padded(DATA, 0, stream, piece, rng),
            });
            left = rest;
        }
        match self.has_trailers {
            false => bytes.extend(padded(DATA, END_STREAM, stream, b"", rng)),
            true => {
                let block = [field("x", "y"), field("z", "")].concat();
                block_frames(stream, &block, END_STREAM, rng, &mut bytes);
            }
        }
        bytes
    }
}

/// A header block as HEADERS and any number of CONTINUATION, between which nothing else may come.
fn block_frames(
    stream: u32,
    block: &[u8],
    flags: u8,
    rng: &mut fastrand::Rng,
    bytes: &mut Vec<u8>,
) {
    let (mut left, mut is_first) = (block, true);
    while is_first || !left.is_empty() {
        let (piece, rest) = left.split_at(rng.usize(0..=left.len()));
        let end = if rest.is_empty() { END_HEADERS } else { 0 };
        if !is_first {
            bytes.extend(frame(CONTINUATION, end, stream, piece));
        } else if rng.bool() {
            let weighed = [&[0, 0, 0, 0, 7], piece].concat();
            let flags = flags | end | PRIORITISED;
            bytes.extend(padded(HEADERS, flags, stream, &weighed, rng));
        } else {
            bytes.extend(padded(HEADERS, flags | end, stream, piece, rng));
        }
        (left, is_first) = (rest, false);
    }
}

/// A frame, with padding or without.
fn padded(kind: u8, flags: u8, stream: u32, piece: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    if rng.bool() {
        return frame(kind, flags, stream, piece);
    }
    let padding = rng.u8(..);
    let padded = [&[padding], piece, &vec![0; padding.into()][..]].concat();
    frame(kind, flags | PADDED, stream, &padded)
}

/// What may come between the frames of a response, and has nothing to do with it.
fn between(stream: u32, rng: &mut fastrand::Rng) -> Vec<u8> {
    match rng.u8(0..8) {
        0 => frame(PING, 0, 0, b"are you?"),
        1 => frame(0xbe, rng.u8(..), stream, b"what is this"),
        2 => frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        3 => frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 1]),
        _ => Vec::new(),
    }
}

/// Counts interim responses.
struct Counts(Arc<AtomicUsize>);

impl EventHandler for Counts {
    fn informational_received(&self, _: &On<'_>, status: StatusCode, headers: &HeaderMap) {
        assert_eq!((status.as_u16(), headers.len()), (103, 1));
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn hear(engine: Engine, request: Request, is_open: bool) -> Heard {
    if !is_open {
        let response = engine.fetch(request).await.expect("a response");
        return Heard {
            status: response.status,
            headers: response.headers,
            body: response.body,
            trailers: response.trailers,
        };
    }
    let mut response = engine.open(request).await.expect("a head");
    Heard {
        status: response.status,
        headers: response.headers.clone(),
        body: response.body.gather(1 << 20).await.expect("a body"),
        trailers: response.body.trailers().cloned(),
    }
}

/// Says what is given to it as a response, in segments of any size.
async fn say(peer: &mut Peer, bytes: &[u8], rng: &mut fastrand::Rng) {
    let mut left = bytes;
    let most = [20, 1_000, 9_000][rng.usize(0..3)];
    while !left.is_empty() {
        let (piece, rest) = left.split_at(rng.usize(1..=left.len().min(most)));
        peer.raw(piece).await;
        tokio::task::yield_now().await;
        left = rest;
    }
}

#[tokio::test]
async fn however_a_response_is_split_it_is_the_same() {
    let host = Host::bind().await;
    let mut config = plain();
    config.bodies.decode = true;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    for seed in 0..600 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let said = Said::any(&mut rng);
        let interims = Arc::new(AtomicUsize::new(0));
        let request = host.get().events(Events::to(Counts(Arc::clone(&interims))));
        let asked = tokio::spawn(hear(engine.clone(), request, rng.bool()));
        let stream = peer.expect_request().await;
        let bytes = said.frames(stream, &mut rng);
        say(&mut peer, &bytes, &mut rng).await;
        assert!(come(asked).await == said.heard(), "seed {seed}");
        assert_eq!(interims.load(Ordering::Relaxed), said.interims, "{seed}");
    }
}

/// A short one, cut in two wherever it can be.
#[tokio::test]
async fn wherever_a_response_is_cut_in_two_it_is_the_same() {
    let host = Host::bind().await;
    let engine = engine_with(plain());
    let mut peer = warm(&engine, &host).await;
    let said = Said {
        interims: 1,
        is_coded: false,
        body: b"some text".to_vec(),
        has_trailers: true,
    };
    let (mut at, mut length) = (1, usize::MAX);
    while at < length {
        let asked = tokio::spawn(hear(engine.clone(), host.get(), at % 2 == 0));
        let stream = peer.expect_request().await;
        let bytes = said.frames(stream, &mut fastrand::Rng::with_seed(7));
        length = bytes.len();
        let (front, rest) = bytes.split_at(at);
        peer.raw(front).await;
        // Until it has been read, or most of the time: the answer to the rest comes either way.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        peer.raw(rest).await;
        assert!(come(asked).await == said.heard(), "cut at {at}");
        at += 1;
    }
}
