//! Slow is not dead: what moves is let go on.

use std::time::Duration;

use gannet::{Engine, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{pause, resume, sleep};

use super::{ask, got, told, warm};
use crate::support::engine_with;
use crate::support::peer::{
    DATA, Host, INITIAL_WINDOW, NO_ERROR, OK, SETTINGS, WINDOW_UPDATE, frame, plain,
};

const SECOND: Duration = Duration::from_secs(1);

/// Ten seconds for what has five without progress.
#[tokio::test]
async fn an_accepted_upload_that_moves_may_finish_after_a_goodbye() {
    let steps = async {
        let host = Host::bind().await;
        let engine = Engine::builder().config(plain()).start_here();
        let mut peer = warm(&engine, &host, &[]).await;
        let asked = ask(&engine, host.post(vec![b'x'; 400_000]));
        let stream = peer.expect_request().await;
        peer.goaway(stream, NO_ERROR).await;
        pause();
        for _ in 0..10 {
            sleep(SECOND).await;
            peer.window_update(0, 40_000).await;
            peer.window_update(stream, 40_000).await;
        }
        resume();
        peer.respond(stream, b"ok").await;
        got(asked).await;
    };
    LocalSet::new().run_until(steps).await;
}

/// One DATA frame takes twenty seconds, where ten of silence make suspect and five more kill.
#[tokio::test]
async fn a_frame_may_take_its_time() {
    let steps = async {
        let host = Host::bind().await;
        let engine = Engine::builder().config(plain()).start_here();
        let mut peer = warm(&engine, &host, &[]).await;
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        peer.head(stream, OK, false).await;
        pause();
        for part in frame(DATA, 1, stream, &[b'x'; 16_000]).chunks(800) {
            sleep(SECOND).await;
            peer.raw(part).await;
        }
        resume();
        let response = got(asked).await;
        assert_eq!(
            (response.body.len(), response.receipt.attempts),
            (16_000, 1)
        );
    };
    LocalSet::new().run_until(steps).await;
}

/// The PING stands behind megabytes that the peer takes in at its leisure, and answers nothing.
#[tokio::test]
async fn an_upload_that_moves_outlives_a_ping_that_waits_behind_it() {
    const SIZE: usize = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let mut config = plain();
    (config.silence_timeout, config.ping_timeout) = (SECOND / 2, SECOND / 2);
    let engine = engine_with(config);
    let asked = ask(&engine, Request::post(url, vec![b'x'; SIZE]));
    let (mut tcp, _) = listener.accept().await.expect("a connection");
    let most = i32::MAX as u32;
    let setting = [&INITIAL_WINDOW.to_be_bytes()[..], &most.to_be_bytes()].concat();
    let more = (most - 65_535).to_be_bytes();
    let hello = [
        frame(SETTINGS, 0, 0, &setting),
        frame(WINDOW_UPDATE, 0, 0, &more),
    ];
    tcp.write_all(&hello.concat()).await.expect("open");
    let (mut room, mut sum) = (vec![0; 64 << 10], 0);
    while sum < SIZE {
        // Two to three seconds for all of it: four times as long as a silent peer has.
        sleep(Duration::from_millis(10)).await;
        match tcp.read(&mut room).await {
            Ok(size) if size > 0 => sum += size,
            end => panic!("ended after {sum} bytes ({end:?}): {:?}", told(asked).await),
        }
    }
    assert!(!asked.is_finished(), "it waits for its answer");
}
