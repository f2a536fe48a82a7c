//! Servers that are broken, or mean it.

use std::time::Duration;

use gannet::Error;
use gannet::error::{ErrorCode, Phase};

use super::{ask, engine, got, told};
use crate::support::engine_with;
use crate::support::peer::{
    DATA, END_HEADERS, END_STREAM, HEADERS, Host, MAX_STREAMS, OK, PING, Peer, SETTINGS, field,
    frame, head, plain,
};

/// Long enough to be reached only by what hangs on.
const SHORT: Duration = Duration::from_millis(150);

async fn answer_one(peer: &mut Peer) {
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
}

#[tokio::test]
async fn a_server_that_says_nothing_holds_up_nobody_else() {
    let (silent, other) = (Host::bind().await, Host::bind().await);
    let mut config = plain();
    config.initial_streams = 1;
    let engine = engine_with(config);
    let held = ask(&engine, silent.get());
    let mut peer = silent.accept().await;
    peer.is_polite = false;
    peer.expect_request().await;
    let behind = told(ask(&engine, silent.get().deadline(SHORT))).await;
    let phase = Phase::Queue;
    assert!(
        matches!(behind, Err(Error::Deadline { phase: p, .. }) if p == phase),
        "{behind:?}"
    );
    let asked = ask(&engine, other.get());
    answer_one(&mut other.welcome(&[]).await).await;
    got(asked).await;
    assert!(!held.is_finished());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_on() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get().head_timeout(SHORT));
    let mut peer = host.accept().await;
    peer.is_polite = false;
    let answer = told(asked).await;
    let phase = Phase::Head;
    assert!(
        matches!(answer, Err(Error::Timeout { phase: p, .. }) if p == phase),
        "{answer:?}"
    );
    let answer = told(ask(&engine, host.get().deadline(SHORT))).await;
    assert!(
        matches!(answer, Err(Error::Deadline { phase: p, .. }) if p == phase),
        "{answer:?}"
    );
}

#[tokio::test]
async fn what_is_not_http2_is_told_as_such() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.post("body"));
    let mut rude = host.accept().await;
    rude.raw(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        .await;
    let answer = told(asked).await;
    assert!(
        matches!(
            answer,
            Err(Error::GoAway {
                by_server: false,
                ..
            })
        ),
        "{answer:?}"
    );
    let asked = ask(&engine, host.get());
    answer_one(&mut host.welcome(&[]).await).await;
    got(asked).await;
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_an_error() {
    let (host, engine) = (Host::bind().await, engine());
    let sibling = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let open = peer.expect_request().await;
    for announced in ["3", "5"] {
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        peer.head(stream, &head(&[("content-length", announced)]), false)
            .await;
        peer.data(stream, b"four", true).await;
        let answer = told(asked).await;
        assert!(
            matches!(
                answer,
                Err(Error::Reset {
                    code: ErrorCode(1),
                    by_server: false
                })
            ),
            "{announced}: {answer:?}"
        );
    }
    peer.respond(open, b"ok").await;
    got(sibling).await;
}

#[tokio::test]
async fn interim_responses_are_counted_and_do_not_count_as_one() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    let interim = frame(HEADERS, END_HEADERS, stream, b"\x08\x03103");
    peer.raw(&interim.repeat(16)).await;
    peer.respond(stream, b"ok").await;
    assert_eq!(got(asked).await.status, 200);
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    let interim = frame(HEADERS, END_HEADERS, stream, b"\x08\x03100");
    peer.raw(&interim.repeat(17)).await;
    let answer = told(asked).await;
    assert!(matches!(answer, Err(Error::Protocol { .. })), "{answer:?}");
    let asked = ask(&engine, host.get().head_timeout(SHORT));
    let stream = peer.expect_request().await;
    peer.frame(HEADERS, END_HEADERS, stream, b"\x08\x03103")
        .await;
    let (answer, phase) = (told(asked).await, Phase::Head);
    assert!(
        matches!(answer, Err(Error::Timeout { phase: p, .. }) if p == phase),
        "{answer:?}"
    );
}

#[tokio::test]
async fn no_flood_of_frames_outlasts_the_deadline() {
    let pings = frame(PING, 0, 0, b"12345678");
    let more = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 7]);
    let less = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]);
    let unknown = frame(0xbe, 0xff, 0, b"what is this");
    let mut config = plain();
    // The deadline is to hold by itself.
    config.max_idle_frames = u32::MAX;
    for flood in [pings, [more, less].concat(), unknown] {
        let (host, engine) = (Host::bind().await, engine_with(config.clone()));
        let asked = ask(&engine, host.post("body").deadline(SHORT));
        let mut peer = host.welcome(&[(MAX_STREAMS, 7)]).await;
        peer.expect_request().await;
        let flood = flood.repeat(1_000);
        let flooding = async {
            loop {
                peer.raw(&flood).await;
                tokio::task::yield_now().await;
            }
        };
        let answer = tokio::select! {
            answer = told(asked) => answer,
            () = flooding => unreachable!("a flood without end"),
        };
        assert!(matches!(answer, Err(Error::Deadline { .. })), "{answer:?}");
        drop(peer);
        let asked = ask(&engine, host.get());
        answer_one(&mut host.welcome(&[]).await).await;
        got(asked).await;
    }
}

#[tokio::test]
async fn data_on_a_stream_that_is_over_costs_at_most_the_connection() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    peer.respond(stream, b"ok").await;
    got(asked).await;
    peer.data(stream, b"more", false).await;
    peer.expect("a complaint", |books| {
        !books.resets.is_empty() || !books.goaways.is_empty()
    })
    .await;
    let asked = ask(&engine, host.get());
    if peer.books.goaways.is_empty() {
        answer_one(&mut peer).await;
    } else {
        answer_one(&mut host.welcome(&[]).await).await;
    }
    got(asked).await;
}

#[tokio::test]
async fn trailers_and_tiny_pieces_arrive() {
    let (host, engine) = (Host::bind().await, engine());
    let asked = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    let pieces: Vec<u8> = (0..10_000u32)
        .flat_map(|i| frame(DATA, 0, stream, &[i as u8]))
        .collect();
    peer.raw(&pieces).await;
    peer.frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        stream,
        &field("x-sum", "7"),
    )
    .await;
    let response = got(asked).await;
    let expected: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
    assert!(response.body == expected);
    assert_eq!(response.trailers.expect("trailers")["x-sum"], "7");
}

#[tokio::test]
async fn a_head_over_the_limit_is_an_error_of_its_fetch() {
    let host = Host::bind().await;
    let mut config = plain();
    config.max_head = 1_000;
    let engine = engine_with(config);
    let (sibling, asked) = (ask(&engine, host.get()), ask(&engine, host.get()));
    let mut peer = host.welcome(&[]).await;
    let (open, stream) = (peer.expect_request().await, peer.expect_request().await);
    let value = "v".repeat(100);
    let fields: Vec<_> = (0..10).map(|i| (format!("x-{i}"), &value[..])).collect();
    let fields: Vec<_> = fields.iter().map(|(n, v)| (&n[..], *v)).collect();
    peer.head(stream, &head(&fields), false).await;
    peer.expect_reset(stream).await;
    peer.respond(open, b"ok").await;
    let answers = [told(sibling).await, told(asked).await];
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 1, "{answers:?}");
}

/// Such a head cannot be told from a broken header table, so it costs the connection: its fetch
/// fails, or is asked again as its siblings are.
#[tokio::test]
async fn a_malformed_head_is_an_error_and_siblings_are_asked_again() {
    let (host, engine) = (Host::bind().await, engine());
    let (post, sibling) = (ask(&engine, host.post("body")), ask(&engine, host.get()));
    let mut peer = host.welcome(&[]).await;
    let streams = peer.expect_requests(2).await;
    let posted = streams
        .iter()
        .find(|s| !peer.books.streams[s].body.is_empty());
    let posted = *posted.expect("the POST");
    peer.head(posted, &head(&[("X-Upper", "case")]), true).await;
    let answer = told(post).await;
    assert!(matches!(answer, Err(Error::Protocol { .. })), "{answer:?}");
    answer_one(&mut host.welcome(&[]).await).await;
    assert_eq!(got(sibling).await.receipt.attempts, 2);
}
