//! Flow-control windows that fit what is needed.

use futures::StreamExt;
use gannet::Config;

use super::{ask, come, opened, warm};
use crate::support::engine_with;
use crate::support::peer::{Host, OK, plain};

fn sized(stream: u32, connection: u32) -> Config {
    let mut config = plain();
    (config.stream_window, config.connection_window) = (stream, connection);
    config.max_body = 1 << 30;
    config
}

#[tokio::test]
async fn four_megabytes_come_within_six_round_trips() {
    let (host, engine) = (Host::bind().await, engine_with(plain()));
    let mut peer = warm(&engine, &host).await;
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    // Each wait is for one frame, and a round trip brings one or more.
    let waits = peer.body(stream, 4_000_000, true).await;
    assert!(waits < 6, "{waits}");
    assert_eq!(come(asked).await.expect("a response").body.len(), 4_000_000);
}

#[tokio::test]
async fn the_window_of_a_connection_that_is_filled_grows_up_to_its_bound() {
    let host = Host::bind().await;
    let mut config = sized(8 << 20, 128 << 10);
    config.bodies.max_connection_window = 1 << 20;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.body(stream, 64 << 20, true).await;
    assert_eq!(come(asked).await.expect("a response").body.len(), 64 << 20);
    let window = engine.snapshot().await.connections[0].window;
    assert!((256 << 10..=1 << 20).contains(&window), "{window}");
}

#[tokio::test]
async fn many_who_do_not_read_hold_up_none_who_does() {
    let host = Host::bind().await;
    let engine = engine_with(sized(256 << 10, 1 << 20));
    let mut peer = warm(&engine, &host).await;
    let mut unread = Vec::new();
    for _ in 0..20 {
        let (response, stream) = opened(&engine, &host, &mut peer).await;
        peer.body(stream, 256 << 10, false).await;
        unread.push((response, stream));
    }
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.body(stream, 8 << 20, true).await;
    assert_eq!(come(asked).await.expect("a response").body.len(), 8 << 20);
    let snapshot = engine.snapshot().await;
    assert_eq!(snapshot.connections[0].unread, 20 * (256 << 10));
    for (mut response, stream) in unread {
        let reading = tokio::spawn(async move {
            let mut read = 0;
            while let Some(piece) = response.body.next().await {
                read += piece.expect("sound").len();
            }
            read
        });
        peer.body(stream, 100_000, true).await;
        assert_eq!(come(reading).await, (256 << 10) + 100_000);
    }
    let snapshot = engine.snapshot().await;
    assert_eq!(
        (snapshot.connections[0].unread, snapshot.bytes.held),
        (0, 0)
    );
}

#[tokio::test]
async fn the_more_bodies_are_open_the_less_each_may_send_ahead() {
    let host = Host::bind().await;
    let mut config = sized(1 << 20, 1 << 20);
    config.bodies.budget = 4 << 20;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    assert_eq!(peer.stream_window, 1 << 20);
    let mut open = Vec::new();
    for _ in 0..16 {
        let (response, stream) = opened(&engine, &host, &mut peer).await;
        peer.data(stream, b"x", false).await;
        open.push(response);
    }
    while peer.stream_window > 128 << 10 {
        assert!(peer.next().await, "it is closed");
    }
    assert_eq!(peer.stream_window, 128 << 10);
    open.truncate(1);
    let asked = ask(&engine, host.get());
    super::serve(&mut peer).await;
    come(asked).await.expect("a response");
    while peer.stream_window < 1 << 20 {
        assert!(peer.next().await, "it is closed");
    }
}
