//! Streams and connections that end early, and what is sent again.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gannet::error::ErrorCode;
use gannet::{Error, Request};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{ask, engine, got, told};
use crate::support::engine_with;
use crate::support::peer::{
    CANCEL, Host, INTERNAL_ERROR, NO_ERROR, PING, Peer, REFUSED_STREAM, plain,
};

async fn answer_one(peer: &mut Peer) -> u32 {
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
    stream
}

#[tokio::test]
async fn what_a_goaway_leaves_out_is_sent_once_more_elsewhere() {
    let (host, engine) = (Host::bind().await, engine());
    let asked: Vec<_> = (0..20u8)
        .map(|i| ask(&engine, host.post(vec![i])))
        .collect();
    let mut old = host.welcome(&[]).await;
    let mut streams = old.expect_requests(20).await;
    streams.sort_unstable();
    old.goaway(streams[7], NO_ERROR).await;
    let mut new = host.welcome(&[]).await;
    let sent_again = new.expect_requests(12).await;
    for stream in &streams[..8] {
        old.respond(*stream, b"old").await;
    }
    for stream in &sent_again {
        new.respond(*stream, b"new").await;
    }
    let body = |peer: &Peer, stream: &u32| peer.books.streams[stream].body[0];
    let mut by_old: BTreeSet<_> = streams[..8].iter().map(|s| body(&old, s)).collect();
    let by_new: BTreeSet<_> = sent_again.iter().map(|s| body(&new, s)).collect();
    for (i, asked) in (0..).zip(asked) {
        let response = got(asked).await;
        let expected: (&[u8], u32) = match by_old.contains(&i) {
            true => (b"old", 1),
            false => (b"new", 2),
        };
        assert_eq!((&response.body[..], response.receipt.attempts), expected);
    }
    assert!(by_old.is_disjoint(&by_new));
    by_old.extend(by_new);
    assert_eq!(by_old.len(), 20);
    old.expect_close().await;
    assert_eq!(old.books.goaways, [NO_ERROR]);
}

#[tokio::test]
async fn a_refused_post_is_sent_again() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.post("body"));
    let mut peer = host.welcome(&[]).await;
    for _ in 0..2 {
        let stream = peer.expect_requests(1).await[0];
        peer.reset(stream, REFUSED_STREAM).await;
    }
    let stream = peer.expect_requests(1).await[0];
    assert_eq!(peer.books.streams[&stream].body, b"body");
    peer.respond(stream, b"ok").await;
    assert_eq!(got(asked).await.receipt.attempts, 3);
    assert_eq!(peer.books.streams.len(), 3);
}

#[tokio::test]
async fn other_resets_are_answers() {
    let (host, engine) = (Host::bind().await, engine());
    let first = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    answer_one(&mut peer).await;
    got(first).await;
    for code in [CANCEL, INTERNAL_ERROR] {
        for request in [host.get(), host.post("body")] {
            let asked = ask(&engine, request);
            let stream = peer.expect_request().await;
            peer.reset(stream, code).await;
            let answer = told(asked).await;
            assert!(
                matches!(answer, Err(Error::Reset { code: ErrorCode(c), by_server: true }) if c == code),
                "{answer:?}"
            );
        }
    }
    assert_eq!(peer.books.streams.len(), 5);
}

#[tokio::test]
async fn a_connection_that_breaks_costs_a_get_an_attempt_and_a_post_its_answer() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    peer.expect_request().await;
    drop(peer);
    let mut peer = host.welcome(&[]).await;
    answer_one(&mut peer).await;
    assert_eq!(got(asked).await.receipt.attempts, 2);
    let asked = ask(&engine, host.post("body"));
    peer.expect_requests(1).await;
    drop(peer);
    let answer = told(asked).await;
    assert!(
        matches!(answer, Err(Error::Disconnected { sent: true, .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn without_retries_a_broken_connection_is_told_at_once() {
    let host = Host::bind().await;
    let mut config = plain();
    config.max_attempts = 1;
    let engine = engine_with(config);
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    peer.expect_request().await;
    drop(peer);
    let answer = told(asked).await;
    assert!(
        matches!(answer, Err(Error::Disconnected { sent: true, .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_idle_connection_answers_pings() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    answer_one(&mut peer).await;
    got(asked).await;
    peer.frame(PING, 0, 0, b"12345678").await;
    peer.expect("a pong", |books| books.pongs == 1).await;
    let asked = ask(&engine, host.get());
    answer_one(&mut peer).await;
    assert!(got(asked).await.receipt.reused);
}

#[tokio::test]
async fn after_an_idle_connections_end_the_next_fetch_opens_another() {
    let (host, engine) = (Host::bind().await, engine());
    for (round, by_goaway) in [(0, true), (1, false), (2, true)] {
        let asked = ask(&engine, host.post("body"));
        let mut peer = host.welcome(&[]).await;
        let stream = answer_one(&mut peer).await;
        let receipt = got(asked).await.receipt;
        assert_eq!((receipt.reused, receipt.attempts), (false, 1), "{round}");
        if by_goaway {
            peer.goaway(stream, NO_ERROR).await;
        } else {
            peer.close().await;
        }
        peer.expect_close().await;
    }
}

#[tokio::test]
async fn a_refused_dial_is_told_at_once_and_not_held_against_the_origin() {
    let engine = engine();
    let port = Host::bind().await.port();
    let url = format!("http://127.0.0.1:{port}/");
    let answer = told(ask(&engine, Request::get(&url))).await;
    assert!(matches!(answer, Err(Error::Connect { .. })), "{answer:?}");
    let host = Host::bind_to(port).await;
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    answer_one(&mut peer).await;
    assert_eq!(got(asked).await.receipt.attempts, 1);
}

/// A listener whose queue is full leaves further dials without an answer.
#[tokio::test]
async fn a_dial_without_an_answer_ends_by_the_connect_timeout() {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(any).expect("a free port");
    let listener = socket.listen(0).expect("listening");
    let address = listener.local_addr().expect("bound");
    let mut queue = Vec::new();
    while let Ok(tcp) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queue.push(tcp.expect("a place in the queue"));
        assert!(queue.len() < 100, "the queue has no end");
    }
    let mut config = plain();
    config.connect_timeout = Duration::from_millis(100);
    let engine = engine_with(config);
    let answer = told(ask(&engine, Request::get(format!("http://{address}/")))).await;
    assert!(
        matches!(answer, Err(Error::ConnectTimeout { .. })),
        "{answer:?}"
    );
}

/// The time an attempt took is not time spent in a queue.
#[tokio::test]
async fn the_wait_for_a_place_is_not_the_wait_for_an_answer() {
    let host = Host::bind().await;
    let mut config = plain();
    config.acquire_timeout = Duration::from_millis(300);
    let engine = engine_with(config);
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    peer.reset(stream, REFUSED_STREAM).await;
    answer_one(&mut peer).await;
    assert_eq!(got(asked).await.receipt.attempts, 2);
}

/// A GET goes again after a break, but if that fails for want of a server, the answer must not
/// claim that no server ever saw it.
#[tokio::test]
async fn what_a_server_may_have_acted_on_is_never_called_unprocessed() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    peer.expect_request().await;
    drop(host);
    peer.close().await;
    drop(peer);
    let error = told(asked).await.expect_err("nobody is left to answer");
    assert!(
        matches!(error, Error::Disconnected { sent: true, .. }),
        "{error:?}"
    );
    assert!(!error.is_unprocessed());
}

/// Ten requests a connection: a burst of two hundred is refused again and again, and still served.
#[tokio::test]
async fn a_burst_gets_through_a_server_that_ends_every_connection_after_ten() {
    let (host, engine) = (Host::bind().await, engine());
    let asked: Vec<_> = (0..200).map(|_| ask(&engine, host.get())).collect();
    for _ in 0..20 {
        let mut peer = host.welcome(&[]).await;
        let streams = peer.expect_requests(10).await;
        peer.goaway(*streams.iter().max().expect("ten"), NO_ERROR)
            .await;
        for stream in streams {
            peer.respond(stream, b"ok").await;
        }
        peer.expect_close().await;
    }
    for asked in asked {
        got(asked).await;
    }
}

/// Who is cut off by a shutdown is cut off in good manners: reset, then GOAWAY, then the end.
#[tokio::test]
async fn a_shutdown_says_goodbye_to_a_server_that_is_too_slow() {
    let (host, engine) = (Host::bind().await, engine());
    let asked: Vec<_> = (0..5).map(|_| ask(&engine, host.get())).collect();
    let mut peer = host.welcome(&[]).await;
    peer.expect_requests(5).await;
    let shutdown = engine.shutdown(Duration::from_millis(50));
    tokio::join!(peer.expect_close(), shutdown);
    let books = &peer.books;
    assert_eq!(books.goaways, [NO_ERROR]);
    assert_eq!(books.resets.len(), 5);
    assert!(books.resets.iter().all(|(_, code)| *code == CANCEL));
    for asked in asked {
        let answer = told(asked).await;
        assert!(
            matches!(answer, Err(Error::Closed { sent: true })),
            "{answer:?}"
        );
    }
}
