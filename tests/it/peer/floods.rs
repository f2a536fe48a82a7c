//! Frames that move nothing: some are to be borne, a flood ends the connection.

use gannet::error::ErrorCode;
use gannet::{Engine, Error};

use super::{ask, got, told, warm};
use crate::support::engine_with;
use crate::support::peer::{
    DATA, END_STREAM, Host, OK, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, plain,
};

const LIMIT: u32 = 1_000;

/// A frame of each kind that a server may send as often as it likes.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("PING", frame(PING, 0, 0, b"12345678")),
        ("SETTINGS", frame(SETTINGS, 0, 0, b"")),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("unknown", frame(0xbe, 0xff, 0, b"what is this")),
        ("padding", frame(DATA, 8, 3, &[2, 0, 0])),
        ("empty DATA", frame(DATA, 0, 3, b"")),
        ("RST_STREAM", frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
    ]
}

fn engine() -> Engine {
    let mut config = plain();
    config.max_idle_frames = LIMIT;
    config.max_attempts = 1;
    engine_with(config)
}

#[tokio::test]
async fn each_kind_of_flood_ends_its_connection_and_less_of_it_does_not() {
    for (kind, one) in kinds() {
        // Of padding the h2 crate bears a hundred.
        let borne = if kind == "padding" { 90 } else { LIMIT / 2 };
        for (count, ends) in [(borne, false), (LIMIT * 4, true)] {
            let (host, engine) = (Host::bind().await, engine());
            let mut peer = warm(&engine, &host, &[]).await;
            let asked = ask(&engine, host.get());
            let stream = peer.expect_request().await;
            peer.head(stream, OK, false).await;
            peer.raw(&one.repeat(count as usize)).await;
            if !ends {
                peer.data(stream, b"ok", true).await;
                let answer = told(asked).await;
                assert!(
                    answer.as_ref().is_ok_and(|r| r.body == "ok"),
                    "{kind}: {answer:?}"
                );
                continue;
            }
            let answer = told(asked).await;
            let is_it = matches!(answer, Err(Error::GoAway { code, by_server: false, .. })
                if code == ErrorCode::ENHANCE_YOUR_CALM);
            assert!(is_it, "{kind}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn progress_pays_for_what_else_comes() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    let ping = frame(PING, 0, 0, b"12345678");
    let chatty = [ping.repeat(90), frame(DATA, 0, stream, b"x")].concat();
    for _ in 0..100 {
        peer.raw(&chatty).await;
    }
    peer.frame(DATA, END_STREAM, stream, b"").await;
    assert_eq!(got(asked).await.body.len(), 100);
}

/// The innocent go again elsewhere, and once only.
#[tokio::test]
async fn the_fetches_of_a_flooded_connection_go_again_elsewhere() {
    let mut config = plain();
    config.max_idle_frames = LIMIT;
    let (host, engine) = (Host::bind().await, engine_with(config));
    let mut peer = warm(&engine, &host, &[]).await;
    let asked = ask(&engine, host.get());
    peer.expect_request().await;
    peer.raw(&frame(PING, 0, 0, b"12345678").repeat(4_000))
        .await;
    let mut next = host.welcome(&[]).await;
    let stream = next.expect_request().await;
    next.respond(stream, b"ok").await;
    let response = got(asked).await;
    assert_eq!(
        (&response.body[..], response.receipt.attempts),
        (&b"ok"[..], 2)
    );
}
