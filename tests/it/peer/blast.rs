//! One faulty response among many: how far the damage goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gannet::error::ErrorCode;
use gannet::response::RetryReason;
use gannet::{Engine, Error, Response};
use tokio::task::JoinHandle;

use super::{Answer, ask, engine, got, number_of, numbered, told, warm};
use crate::support::peer::{
    DATA, END_HEADERS, END_STREAM, HEADERS, Host, OK, Peer, SETTINGS, WINDOW_UPDATE, frame, head,
};

const FETCHES: usize = 200;
const POISON: usize = 0;

/// What the server says to the poisonous request on this stream.
type Poison = fn(u32) -> Vec<u8>;

fn answer(stream: u32) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, OK);
    [head, frame(DATA, END_STREAM, stream, b"ok")].concat()
}

fn malformed_head(stream: u32) -> Vec<u8> {
    let block = head(&[("X-Upper", "case")]);
    frame(HEADERS, END_HEADERS, stream, &block)
}

fn window_overflow(_: u32) -> Vec<u8> {
    let most = (u32::MAX >> 1).to_be_bytes();
    frame(WINDOW_UPDATE, 0, 0, &most)
}

fn crippled_settings(_: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, b"12345")
}

/// Answers `streams` in one write.
async fn answer_all(peer: &mut Peer, streams: &[u32], poison: Poison) {
    let mut said = Vec::new();
    for stream in streams {
        match number_of(peer, *stream) {
            POISON => said.extend(poison(*stream)),
            _ => said.extend(answer(*stream)),
        }
    }
    peer.raw(&said).await;
}

/// Serves connections from the second on; counts them, and the most streams on one at once.
fn serve(host: Arc<Host>, poison: Poison, most: Arc<AtomicUsize>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let mut peer = host.accept_at_leisure().await;
            let most = Arc::clone(&most);
            tokio::spawn(async move {
                peer.settings(&[]).await;
                while peer.next().await {
                    let is_asked = |s: &u32| peer.books.streams[s].is_asked;
                    let open: Vec<u32> = peer.books.streams.keys().copied().collect();
                    let fresh: Vec<u32> = open
                        .into_iter()
                        .filter(|s| is_asked(s) && !peer.books.streams[s].is_answered)
                        .collect();
                    most.fetch_max(peer.books.open_now(), Ordering::Relaxed);
                    for stream in fresh {
                        answer_all(&mut peer, &[stream], poison).await;
                        let stream = peer.books.streams.get_mut(&stream);
                        stream.expect("just seen").is_answered = true;
                    }
                }
            });
        }
    })
}

/// Asks for everything at once; the answers in order, and the most streams at once on any
/// connection but the first.
async fn blast(engine: &Engine, poison: Poison) -> (Vec<Answer>, usize) {
    let host = Arc::new(Host::bind().await);
    let mut first = warm(engine, &host, &[]).await;
    let asked: Vec<_> = (0..FETCHES)
        .map(|i| ask(engine, numbered(&host, i)))
        .collect();
    let mut streams = first.expect_requests(FETCHES).await;
    streams.sort_by_key(|stream| number_of(&first, *stream));
    let most = Arc::default();
    let serving = serve(Arc::clone(&host), poison, Arc::clone(&most));
    answer_all(&mut first, &streams, poison).await;
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(told(asked).await);
    }
    serving.abort();
    (answers, most.load(Ordering::Relaxed))
}

/// All but the poisonous one succeeded; its error.
fn culprit(answers: &[Answer]) -> &Error {
    let failed = answers.iter().enumerate().filter(|(_, a)| a.is_err());
    let failed: Vec<_> = failed.map(|(number, _)| number).collect();
    assert_eq!(failed, [POISON], "{:?}", answers[failed[0]]);
    answers[POISON].as_ref().expect_err("it failed")
}

fn good(answers: &[Answer]) -> impl Iterator<Item = &Response> {
    answers.iter().flatten()
}

#[tokio::test]
async fn one_malformed_head_among_two_hundred_costs_one_fetch() {
    let engine = engine();
    let (answers, _) = blast(&engine, malformed_head).await;
    let error = culprit(&answers);
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    assert!(good(&answers).all(|r| r.body == "ok" && r.receipt.attempts <= 2));
    let counters = engine.snapshot().await.counters;
    assert!(counters.dials <= 3, "{counters:?}");
}

/// Nobody can tell whose fault it was: each goes alone, until the one is found.
async fn poison_is_found(poison: Poison) {
    let engine = engine();
    let (answers, most_at_once) = blast(&engine, poison).await;
    let error = culprit(&answers);
    assert!(
        matches!(error, Error::GoAway { by_server: false, code, .. } if *code != ErrorCode::NO_ERROR),
        "{error:?}"
    );
    assert_eq!(most_at_once, 1);
    let again = good(&answers).filter(|r| r.receipt.attempts == 2);
    for response in again {
        let before = &response.receipt.retries[0];
        assert!(
            matches!(&before.reason, RetryReason::Error(Error::GoAway { by_server, .. }) if !by_server),
            "{before:?}"
        );
    }
    let counters = engine.snapshot().await.counters;
    assert!(counters.dials <= 3, "{counters:?}");
}

#[tokio::test]
async fn who_makes_a_server_overflow_a_window_fails_alone() {
    poison_is_found(window_overflow).await;
}

#[tokio::test]
async fn who_makes_a_server_send_crippled_settings_fails_alone() {
    poison_is_found(crippled_settings).await;
}

#[tokio::test]
async fn empty_pieces_of_a_body_cost_nothing() {
    let (engine, host) = (engine(), Host::bind().await);
    let mut peer = warm(&engine, &host, &[]).await;
    let (kept, asked) = (ask(&engine, host.get()), ask(&engine, host.get()));
    let streams = peer.expect_requests(2).await;
    peer.head(streams[0], OK, false).await;
    let nothing = frame(DATA, 0, streams[0], b"").repeat(300);
    peer.raw(&nothing).await;
    peer.data(streams[0], b"ok", true).await;
    peer.respond(streams[1], b"ok").await;
    for asked in [kept, asked] {
        let response = got(asked).await;
        assert_eq!(
            (&response.body[..], response.receipt.connection),
            (&b"ok"[..], Some(1))
        );
    }
    let counters = engine.snapshot().await.counters;
    assert_eq!((counters.empty_data, counters.dials), (300, 1));
    // That of the fetch before them included.
    assert_eq!(counters.head_bytes, 3 * OK.len() as u64);
}
