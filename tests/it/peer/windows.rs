//! Flow control, up and down.

use gannet::Error;

use super::{ask, engine, got, told};
use crate::support::engine_with;
use crate::support::peer::{CANCEL, Host, INITIAL_WINDOW, NO_ERROR, OK, Peer, field, plain};

/// `:status 413`.
fn too_large() -> Vec<u8> {
    [b"\x08\x03413".to_vec(), field("x-why", "too large")].concat()
}

async fn sent(peer: &mut Peer, stream: u32, length: usize) {
    let came = |books: &crate::support::peer::Books| books.streams[&stream].body.len() >= length;
    peer.expect("the upload", came).await;
    assert_eq!(peer.books.streams[&stream].body.len(), length);
}

#[tokio::test]
async fn an_early_answer_to_an_upload_is_delivered() {
    let (host, engine) = (Host::bind().await, engine());
    let sibling = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let open = peer.expect_request().await;
    let asked = ask(&engine, host.post(vec![b'x'; 1 << 20]));
    let stream = peer.expect_request().await;
    sent(&mut peer, stream, 65_535).await;
    peer.head(stream, &too_large(), true).await;
    assert_eq!(got(asked).await.status, 413);
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
    peer.respond(open, b"ok").await;
    got(sibling).await;
    let next = ask(&engine, host.post("small"));
    peer.window_update(0, 1 << 20).await;
    let stream = peer.expect_requests(1).await[0];
    assert_eq!(peer.books.streams[&stream].body, b"small");
    peer.respond(stream, b"ok").await;
    got(next).await;
}

/// RFC 9113 §8.1: an answer that needs no more of the request may be followed by a reset without
/// an error, and must not be discarded for it.
#[tokio::test]
async fn an_early_answer_survives_the_reset_that_follows() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.post(vec![b'x'; 1 << 20]));
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    sent(&mut peer, stream, 65_535).await;
    let answer = [
        crate::support::peer::frame(1, 4, stream, &too_large()),
        crate::support::peer::frame(0, 1, stream, b"no"),
        crate::support::peer::frame(3, 0, stream, &NO_ERROR.to_be_bytes()),
    ];
    peer.raw(&answer.concat()).await;
    let response = got(asked).await;
    assert_eq!(
        (response.status.as_u16(), &response.body[..]),
        (413, &b"no"[..])
    );
}

#[tokio::test]
async fn an_upload_waits_for_its_window() {
    let (host, engine) = (Host::bind().await, engine());
    let first = ask(&engine, host.get());
    let mut peer = host.welcome(&[(INITIAL_WINDOW, 0)]).await;
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
    got(first).await;
    let asked = ask(&engine, host.post(vec![b'x'; 50_000]));
    let stream = peer.expect_request().await;
    sent(&mut peer, stream, 0).await;
    peer.window_update(stream, 10_000).await;
    sent(&mut peer, stream, 10_000).await;
    peer.settings(&[(INITIAL_WINDOW, 5_000)]).await;
    sent(&mut peer, stream, 15_000).await;
    // Below what is in use, and back: nothing may leave, then the rest.
    peer.settings(&[(INITIAL_WINDOW, 0)]).await;
    peer.window_update(stream, 4_000).await;
    peer.expect("an ACK", |books| books.acks == 3).await;
    sent(&mut peer, stream, 15_000).await;
    peer.settings(&[(INITIAL_WINDOW, 100_000)]).await;
    peer.expect("the end", |books| books.streams[&stream].is_asked)
        .await;
    sent(&mut peer, stream, 50_000).await;
    peer.respond(stream, b"ok").await;
    got(asked).await;
}

#[tokio::test]
async fn what_is_not_read_gives_its_window_back() {
    let host = Host::bind().await;
    let mut config = plain();
    (config.stream_window, config.connection_window) = (128 << 10, 256 << 10);
    let engine = engine_with(config);
    let first = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
    got(first).await;
    for round in 0..200 {
        let is_dropped = round % 2 == 0;
        let limit = if is_dropped { u64::MAX } else { 1_000 };
        let asked = ask(&engine, host.get().max_body(limit));
        let stream = peer.expect_request().await;
        peer.head(stream, OK, false).await;
        peer.body(stream, 50_000, false).await;
        if is_dropped {
            asked.abort();
        } else {
            let answer = told(asked).await;
            assert!(matches!(answer, Err(Error::TooLarge { .. })), "{answer:?}");
        }
        peer.body(stream, 50_000, round % 3 == 0).await;
        if round % 3 != 0 {
            peer.expect_reset(stream).await;
        }
    }
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.body(stream, 4 << 20, true).await;
    let response = got(asked).await;
    assert_eq!(
        (response.body.len(), response.receipt.connection),
        (4 << 20, Some(1))
    );
}
