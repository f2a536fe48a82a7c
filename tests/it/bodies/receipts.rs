//! Every outcome has an account of itself.

use gannet::{Error, Request};

use super::{SHORT, engine, warm};
use crate::support::engine_with;
use crate::support::peer::{Host, OK, REFUSED_STREAM, plain};

#[tokio::test]
async fn a_failure_tells_how_far_it_got() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let asked = tokio::spawn(engine.fetch(host.post("12345").body_timeout(SHORT)));
    let refused = peer.expect_requests(1).await[0];
    peer.reset(refused, REFUSED_STREAM).await;
    let stream = peer.expect_requests(1).await[0];
    peer.head(stream, OK, false).await;
    peer.data(stream, b"half", false).await;
    let failure = asked.await.expect("no panic").expect_err("it is silent");
    assert!(
        matches!(failure.error, Error::Timeout { .. }),
        "{failure:?}"
    );
    let receipt = &failure.receipt;
    assert_eq!(
        (receipt.connection, receipt.stream),
        (Some(1), Some(stream))
    );
    assert_eq!((receipt.wire_bytes, receipt.sent_bytes), (4, 5));
    assert_eq!(
        (receipt.attempts, receipt.retries.len(), receipt.reused),
        (2, 1, true)
    );
    let passed = [
        Some(receipt.queued),
        receipt.sent,
        receipt.first_byte,
        Some(receipt.done),
    ];
    assert!(passed.is_sorted() && passed[1].is_some(), "{passed:?}");
    assert!(
        receipt
            .peer
            .as_ref()
            .is_some_and(|peer| peer.address.port() == host.port())
    );
}

#[tokio::test]
async fn a_failure_before_any_connection_has_none_to_tell_of() {
    let mut config = plain();
    config.acquire_timeout = SHORT;
    let engine = engine_with(config);
    let nowhere = engine
        .fetch(Request::get("nowhere"))
        .await
        .expect_err("no URL");
    assert_eq!(
        (nowhere.receipt.attempts, nowhere.receipt.connection),
        (0, None)
    );
    let silent = Host::bind().await;
    let failure = engine.fetch(Request::get("http://127.0.0.1:1/")).await;
    let failure = failure.expect_err("nobody listens");
    assert_eq!((failure.kind(), failure.receipt.attempts), ("connect", 1));
    assert!(failure.receipt.peer.is_none() && failure.receipt.sent.is_none());
    assert!(failure.receipt.done >= failure.receipt.queued);
    drop(silent);
}
