//! When requests leave, and how many at once.

use super::{ask, engine, got};
use crate::support::engine_with;
use crate::support::peer::{ACK, CANCEL, Host, MAX_STREAMS, PING, Peer, SETTINGS, plain};

/// A round trip: what the client had to say before is said.
async fn round_trip(peer: &mut Peer) {
    let pongs = peer.books.pongs;
    peer.frame(PING, 0, 0, b"12345678").await;
    peer.expect("a pong", |books| books.pongs > pongs).await;
}

/// Answers `count` requests, each as it comes.
async fn serve(peer: &mut Peer, count: usize) {
    for _ in 0..count {
        let stream = peer.expect_request().await;
        peer.respond(stream, b"ok").await;
    }
}

#[tokio::test]
async fn the_first_request_leaves_with_the_preface() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.accept().await;
    peer.is_polite = false;
    let stream = peer.expect_request().await;
    assert_eq!(peer.books.early, 1);
    peer.settings(&[]).await;
    peer.frame(SETTINGS, ACK, 0, &[]).await;
    peer.respond(stream, b"ok").await;
    assert_eq!(&got(asked).await.body[..], b"ok");
    peer.expect("an ACK", |books| books.acks == 1).await;
}

#[tokio::test]
async fn as_many_streams_are_open_as_the_server_allows_now() {
    let (host, engine) = (Host::bind().await, engine());
    let first = ask(&engine, host.get());
    let mut peer = host.welcome(&[(MAX_STREAMS, 3)]).await;
    serve(&mut peer, 1).await;
    got(first).await;
    let asked: Vec<_> = (0..500).map(|_| ask(&engine, host.get())).collect();
    peer.expect("3", |books| books.open_now() == 3).await;
    serve(&mut peer, 100).await;
    peer.expect("3", |books| books.open_now() == 3).await;
    round_trip(&mut peer).await;
    assert_eq!(peer.books.most_open, 3);
    peer.settings(&[(MAX_STREAMS, 100)]).await;
    peer.expect("100", |books| books.open_now() == 100).await;
    round_trip(&mut peer).await;
    assert_eq!(peer.books.open_now(), 100);
    serve(&mut peer, 400).await;
    for asked in asked {
        assert!(got(asked).await.receipt.reused);
    }
    assert_eq!((peer.books.most_open, peer.books.streams.len()), (100, 501));
}

#[tokio::test]
async fn a_server_may_allow_nothing_for_a_while() {
    let (host, engine) = (Host::bind().await, engine());
    let first = ask(&engine, host.get());
    let mut peer = host.welcome(&[(MAX_STREAMS, 3)]).await;
    serve(&mut peer, 1).await;
    got(first).await;
    let asked: Vec<_> = (0..20).map(|_| ask(&engine, host.get())).collect();
    peer.expect("3", |books| books.open_now() == 3).await;
    peer.settings(&[(MAX_STREAMS, 0)]).await;
    peer.expect("an ACK", |books| books.acks == 2).await;
    serve(&mut peer, 3).await;
    round_trip(&mut peer).await;
    assert_eq!((peer.books.open_now(), peer.books.streams.len()), (0, 4));
    peer.settings(&[(MAX_STREAMS, 10)]).await;
    peer.expect("10", |books| books.open_now() == 10).await;
    round_trip(&mut peer).await;
    assert_eq!(peer.books.most_open, 10);
    serve(&mut peer, 17).await;
    for asked in asked {
        assert_eq!(got(asked).await.receipt.attempts, 1);
    }
}

/// What was sent on the guess of `initial_streams` may be over the server's limit: the rest waits
/// in the session, and whoever leaves meanwhile does not take a place along.
#[tokio::test]
async fn those_caught_by_a_lower_limit_may_leave() {
    let host = Host::bind().await;
    let mut config = plain();
    config.initial_streams = 10;
    let engine = engine_with(config);
    let asked: Vec<_> = (0..30).map(|_| ask(&engine, host.get())).collect();
    let mut peer = host.welcome(&[(MAX_STREAMS, 1)]).await;
    peer.expect_request().await;
    let (left, kept): (Vec<_>, Vec<_>) =
        asked.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    left.iter().for_each(|(_, asked)| asked.abort());
    let kept_on = async {
        for (_, asked) in kept {
            got(asked).await;
        }
    };
    let serving = async {
        loop {
            let open = peer.books.streams.iter().find(|(_, s)| s.is_open());
            let open = open.map(|(id, _)| *id);
            match open {
                Some(stream) => peer.respond(stream, b"ok").await,
                None => assert!(peer.next().await, "closed"),
            }
        }
    };
    tokio::select! {
        () = kept_on => {}
        () = serving => {}
    }
    assert!(peer.books.resets.iter().all(|(_, code)| *code == CANCEL));
}

#[tokio::test]
async fn a_dropped_fetch_is_reset_and_the_connection_goes_on() {
    let (host, engine) = (Host::bind().await, engine());
    let dropped = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    dropped.abort();
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
    let next = ask(&engine, host.get());
    serve(&mut peer, 1).await;
    assert_eq!(&got(next).await.body[..], b"ok");
}

/// A server that allows no streams must not keep the place of one that would.
#[tokio::test]
async fn a_connection_without_room_makes_room_for_others() {
    let (closed, open) = (Host::bind().await, Host::bind().await);
    let mut config = plain();
    config.max_connections = 1;
    let engine = engine_with(config);
    let first = ask(&engine, closed.get());
    let mut peer = closed.welcome(&[]).await;
    serve(&mut peer, 1).await;
    got(first).await;
    peer.settings(&[(MAX_STREAMS, 0)]).await;
    round_trip(&mut peer).await;
    let waiting: Vec<_> = (0..4).map(|_| ask(&engine, closed.get())).collect();
    let other = ask(&engine, open.get());
    let closing = async { peer.expect_close().await };
    let serving = async {
        let mut peer = open.welcome(&[]).await;
        serve(&mut peer, 1).await;
        peer
    };
    let ((), _peer) = tokio::join!(closing, serving);
    got(other).await;
    waiting.iter().for_each(|asked| asked.abort());
}
