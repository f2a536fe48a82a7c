//! Connections that may be dead, and those that are.

use std::time::Duration;

use gannet::error::{Ailment, Phase};
use gannet::response::RetryReason;
use gannet::view::{ConnectionState, Reason, Snapshot};
use gannet::{Config, Error};

use super::{answer_one, ask, engine, got, shown, told, warm};
use crate::support::engine_with;
use crate::support::peer::{Host, INITIAL_WINDOW, PING, frame, plain};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(30);

/// Suspects after `silence`, kills after as much as `answer` more.
fn wary(silence: Duration, answer: Duration) -> Config {
    let mut config = plain();
    (config.silence_timeout, config.ping_timeout) = (silence, answer);
    config
}

fn is_at(snapshot: &Snapshot, number: u64, state: ConnectionState) -> bool {
    let mut all = snapshot.connections.iter();
    all.any(|c| c.number == number && c.state == state)
}

/// New fetches leave elsewhere, whatever the method; what is on the silent connection stays there,
/// and comes to a good end once the server is back.
#[tokio::test]
async fn a_silent_connection_gets_no_new_fetches_and_keeps_its_streams() {
    let host = Host::bind().await;
    let engine = engine_with(wary(SHORT, LONG));
    let mut old = warm(&engine, &host, &[]).await;
    let waiting = [ask(&engine, host.get()), ask(&engine, host.post("body"))];
    let streams = old.expect_requests(2).await;
    // From here on the old connection is not so much as read from.
    let suspect = |s: &Snapshot| is_at(s, 1, ConnectionState::Suspect);
    shown(&engine, "a suspect", suspect).await;
    let next = [ask(&engine, host.get()), ask(&engine, host.post("body"))];
    let mut new = host.welcome(&[]).await;
    for _ in 0..2 {
        answer_one(&mut new).await;
    }
    for next in next {
        let receipt = got(next).await.receipt;
        assert_eq!((receipt.connection, receipt.attempts), (Some(2), 1));
    }
    let snapshot = engine.snapshot().await;
    let of_old = snapshot.connections.iter().find(|c| c.number == 1);
    let of_old = of_old.expect("it is not given up");
    assert_eq!(of_old.state, ConnectionState::Suspect);
    assert_eq!(of_old.streams, 2);
    old.expect("a PING", |books| books.pings == 1).await;
    for stream in streams {
        old.respond(stream, b"late").await;
    }
    for waiting in waiting {
        let response = got(waiting).await;
        assert_eq!(response.body, "late");
        assert_eq!(response.receipt.connection, Some(1));
        assert!(response.receipt.retries.is_empty());
    }
    assert_eq!(old.books.streams.len(), 3);
    let counters = engine.snapshot().await.counters;
    assert_eq!((counters.dials, counters.suspects > 0), (2, true));
}

#[tokio::test]
async fn a_late_answer_to_the_ping_clears_the_suspicion() {
    let host = Host::bind().await;
    let engine = engine_with(wary(SHORT, LONG));
    let mut peer = warm(&engine, &host, &[]).await;
    let waiting = ask(&engine, host.post("body"));
    let stream = peer.expect_requests(1).await[0];
    let suspect = |s: &Snapshot| is_at(s, 1, ConnectionState::Suspect);
    shown(&engine, "a suspect", suspect).await;
    peer.expect("a PING", |books| books.pings == 1).await;
    let open = |s: &Snapshot| is_at(s, 1, ConnectionState::Open);
    let snapshot = shown(&engine, "no suspect", open).await;
    assert_eq!(snapshot.counters.dials, 1);
    let of_peer = &snapshot.connections[0];
    assert!(of_peer.ping.is_some_and(|took| took < LONG), "{of_peer:?}");
    peer.respond(stream, b"ok").await;
    assert_eq!(got(waiting).await.receipt.attempts, 1);
    let next = ask(&engine, host.get());
    answer_one(&mut peer).await;
    assert_eq!(got(next).await.receipt.connection, Some(1));
}

#[tokio::test]
async fn a_dead_connection_costs_a_get_an_attempt_and_a_post_its_answer() {
    let host = Host::bind().await;
    let engine = engine_with(wary(SHORT, SHORT));
    let mut old = warm(&engine, &host, &[]).await;
    let (get, post) = (ask(&engine, host.get()), ask(&engine, host.post("body")));
    let mut new = host.welcome(&[]).await;
    answer_one(&mut new).await;
    let answer = told(post).await;
    assert!(
        matches!(answer, Err(Error::Unresponsive { ailment: Ailment::NoAnswer, after }) if after == SHORT),
        "{answer:?}"
    );
    let receipt = got(get).await.receipt;
    assert_eq!((receipt.connection, receipt.attempts), (Some(2), 2));
    let before = &receipt.retries[0];
    assert_eq!(before.connection, Some(1));
    let ailment = Ailment::NoAnswer;
    assert!(
        matches!(&before.reason, RetryReason::Error(Error::Unresponsive { ailment: a, .. }) if *a == ailment),
        "{before:?}"
    );
    old.expect_close().await;
    assert_eq!((old.books.pings, old.books.streams.len()), (1, 3));
    let counters = engine.snapshot().await.counters;
    assert_eq!(counters.closed[&Reason::NoAnswer], 1);
    assert_eq!(counters.retries["unresponsive"], 1);
}

/// A peer that only sends is alive in its own eyes.
#[tokio::test]
async fn a_connection_that_takes_nothing_is_dead_however_much_it_says() {
    let host = Host::bind().await;
    let mut config = wary(LONG, LONG);
    config.write_timeout = SHORT;
    let engine = engine_with(config);
    let mut old = warm(&engine, &host, &[(INITIAL_WINDOW, (1 << 31) - 1)]).await;
    old.window_update(0, 1 << 30).await;
    let upload = ask(&engine, host.post(vec![b'x'; 64 << 20]));
    old.expect_request().await;
    let stuck = ask(&engine, host.get());
    let talking = async {
        let pings = frame(PING, 0, 0, b"12345678");
        loop {
            old.raw(&pings).await;
            tokio::task::yield_now().await;
        }
    };
    let moving = async {
        let mut new = host.welcome(&[]).await;
        answer_one(&mut new).await;
        (told(upload).await, got(stuck).await.receipt, new)
    };
    let (answer, receipt, _new) = tokio::select! {
        moved = moving => moved,
        () = talking => unreachable!("talk without end"),
    };
    let ailment = Ailment::WriteStalled;
    assert!(
        matches!(answer, Err(Error::Unresponsive { ailment: a, after }) if a == ailment && after == SHORT),
        "{answer:?}"
    );
    assert_eq!((receipt.connection, receipt.attempts), (Some(2), 2));
    let counters = engine.snapshot().await.counters;
    assert_eq!(counters.closed[&Reason::WriteStalled], 1);
    assert_eq!((counters.suspects, counters.dials), (0, 2));
}

#[tokio::test]
async fn streams_that_time_out_send_one_ping_and_its_answer_is_enough() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host, &[]).await;
    let kept = ask(&engine, host.get());
    let open = peer.expect_request().await;
    let slow: Vec<_> = (0..5)
        .map(|_| ask(&engine, host.post("body").head_timeout(SHORT)))
        .collect();
    for slow in slow {
        let answer = told(slow).await;
        let phase = Phase::Head;
        assert!(
            matches!(answer, Err(Error::Timeout { phase: p, after }) if p == phase && after == SHORT),
            "{answer:?}"
        );
    }
    peer.expect_requests(5).await;
    peer.expect("a PING", |books| books.pings == 1).await;
    let open_again = |s: &Snapshot| is_at(s, 1, ConnectionState::Open);
    shown(&engine, "no suspect", open_again).await;
    let next = ask(&engine, host.get());
    answer_one(&mut peer).await;
    assert_eq!(got(next).await.receipt.connection, Some(1));
    peer.respond(open, b"ok").await;
    assert_eq!(got(kept).await.receipt.attempts, 1);
    assert_eq!((peer.books.pings, peer.books.resets.len()), (1, 5));
    let counters = engine.snapshot().await.counters;
    assert_eq!((counters.suspects, counters.dials), (1, 1));
}
