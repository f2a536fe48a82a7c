//! Each limit, just inside and just beyond.

use futures::StreamExt;
use gannet::error::Phase;
use gannet::request::{MinRate, OnDataLoss, OnTooLarge};
use gannet::response::Cut;
use gannet::{Error, Failure, Request};

use super::{Answer, SHORT, ask, come, engine, opened, serve, warm};
use crate::support::engine_with;
use crate::support::peer::{CANCEL, Host, OK, Peer, field, head, plain};
use crate::support::script;

/// The answer to a request whose response the peer gives as told.
async fn answered(
    (engine, peer): (&gannet::Engine, &mut Peer),
    request: Request,
    head: &[u8],
    pieces: &[&[u8]],
) -> Answer {
    let asked = ask(engine, request);
    let stream = peer.expect_request().await;
    peer.head(stream, head, false).await;
    for (at, piece) in pieces.iter().enumerate() {
        peer.data(stream, piece, at + 1 == pieces.len()).await;
    }
    come(asked).await
}

#[tokio::test]
async fn a_body_that_is_too_large_fails_or_is_cut() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    for announces in [false, true] {
        let long = head(&[("content-length", "9")][..usize::from(announces)]);
        let fetch = |limit| host.get().max_body(limit);
        let on = (&engine, &mut peer);
        let fits = answered(on, fetch(9), &long, &[b"four", b"five!"]).await;
        assert_eq!(fits.expect("it fits").body, "fourfive!");
        let on = (&engine, &mut peer);
        let fails = answered(on, fetch(8), &long, &[b"four", b"five!"]).await;
        assert!(
            matches!(fails, Err(Error::TooLarge { limit: 8 })),
            "{fails:?}"
        );
        let on = (&engine, &mut peer);
        let cut = fetch(8).on_too_large(OnTooLarge::Truncate);
        let cut = answered(on, cut, &long, &[b"four", b"five!"])
            .await
            .expect("a part");
        assert_eq!(
            (&cut.body[..], cut.receipt.cut),
            (&b"fourfive"[..], Some(Cut::TooLarge))
        );
        assert_eq!((cut.receipt.wire_bytes, cut.receipt.body_bytes), (9, 8));
    }
    let opening = tokio::spawn(engine.open(host.get().max_body(4)));
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    let mut response = come(opening).await.expect("a head");
    peer.data(stream, b"four", false).await;
    assert_eq!(
        response
            .body
            .next()
            .await
            .expect("a piece")
            .expect("it fits"),
        "four"
    );
    peer.data(stream, b"!", false).await;
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
    let end = response.body.next().await.expect("an end");
    assert!(matches!(end, Err(Error::TooLarge { limit: 4 })), "{end:?}");
}

#[tokio::test]
async fn fields_of_heads_and_trailers_are_counted() {
    let host = Host::bind().await;
    let mut config = plain();
    config.heads.max_fields = 5;
    let engine = engine_with(config.clone());
    let mut peer = warm(&engine, &host).await;
    let fields = |count| vec![("x", "y"); count];
    let inside = answered(
        (&engine, &mut peer),
        host.get(),
        &head(&fields(5)),
        &[b"ok"],
    )
    .await;
    assert_eq!(inside.expect("few enough").headers.len(), 5);
    let beyond = answered(
        (&engine, &mut peer),
        host.get(),
        &head(&fields(6)),
        &[b"ok"],
    )
    .await;
    assert!(matches!(beyond, Err(Error::Protocol { .. })), "{beyond:?}");
    for (count, fits) in [(5, true), (6, false)] {
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        peer.head(stream, OK, false).await;
        peer.head(stream, &field("x", "y").repeat(count), true)
            .await;
        assert_eq!(come(asked).await.is_ok(), fits, "{count} trailers");
    }
    let server = script::Host::bind().await;
    let (_, url) = server.serve(|_, request, _| {
        let fields = "x: y\r\n".repeat(3 + request);
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        (head.into_bytes(), script::Then::Keep)
    });
    let engine = engine_with({
        config.prior_knowledge = gannet::config::PriorKnowledge::None;
        config
    });
    assert!(
        engine.fetch(Request::get(&*url)).await.is_ok(),
        "3 + 1 and one of its own"
    );
    assert!(engine.fetch(Request::get(&*url)).await.is_err());
}

#[tokio::test]
async fn a_head_may_have_so_many_bytes() {
    let host = Host::bind().await;
    let mut config = plain();
    // As RFC 9113 §6.5.2 counts: name, value and 32 for each field.
    let size = |value: usize| (":status".len() + 3 + 32) + (1 + value + 32);
    config.max_head = u32::try_from(size(100)).expect("small");
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    for (length, fits) in [(100, true), (101, false)] {
        let value = "y".repeat(length);
        let head = head(&[("x", &value)]);
        let answer = answered((&engine, &mut peer), host.get(), &head, &[b"ok"]);
        assert_eq!(answer.await.is_ok(), fits, "{length}");
    }
    // As it stands there, of HTTP/1.1.
    let server = script::Host::bind().await;
    let answer = |length| {
        let value = "y".repeat(length);
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {value}\r\n\r\n")
    };
    let mut config = gannet::Config::default();
    config.max_head = u32::try_from(answer(100).len()).expect("small");
    let (_, url) =
        server.serve(move |_, request, _| (answer(99 + request).into_bytes(), script::Then::Keep));
    let engine = engine_with(config);
    assert!(engine.fetch(Request::get(&*url)).await.is_ok());
    let beyond = engine.fetch(Request::get(&*url)).await;
    let is_it = matches!(&beyond, Err(failure) if failure.kind() == "protocol");
    assert!(is_it, "{beyond:?}");
}

#[tokio::test]
async fn what_is_lost_of_a_body_fails_it_or_is_kept() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let long = head(&[("content-length", "9")]);
    let keeping = || host.get().on_data_loss(OnDataLoss::Keep).max_attempts(1);
    let sibling = ask(&engine, host.get());
    let other = peer.expect_request().await;
    let short = answered((&engine, &mut peer), host.get(), &long, &[b"four"]).await;
    assert!(short.is_err(), "{short:?}");
    let kept = answered((&engine, &mut peer), keeping(), &long, &[b"four", b""]).await;
    let kept = kept.expect("what there was");
    assert_eq!(
        (&kept.body[..], kept.receipt.cut),
        (&b"four"[..], Some(Cut::DataLoss))
    );
    peer.respond(other, b"ok").await;
    assert_eq!(come(sibling).await.expect("a response").body, "ok");
    let asked = ask(&engine, keeping());
    let stream = peer.expect_request().await;
    peer.head(stream, &long, false).await;
    peer.data(stream, b"four", false).await;
    peer.reset(stream, 2).await;
    let kept = come(asked).await.expect("what there was");
    assert_eq!(
        (&kept.body[..], kept.receipt.cut),
        (&b"four"[..], Some(Cut::DataLoss))
    );

    let server = script::Host::bind().await;
    let (_, url) = server.serve(|_, _, _| {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour".to_vec();
        (cut, script::Then::Close)
    });
    let engine = engine_with(gannet::Config::default());
    let failed = engine.fetch(Request::get(&*url)).await;
    let is_it = matches!(
        &failed,
        Err(Failure {
            error: Error::Truncated {
                got: 4,
                expected: Some(9)
            },
            ..
        })
    );
    assert!(is_it, "{failed:?}");
    let kept = Request::get(&*url).on_data_loss(OnDataLoss::Keep);
    assert_eq!(
        engine.fetch(kept).await.expect("what there was").body,
        "four"
    );
}

#[tokio::test]
async fn a_server_that_drips_below_the_least_rate_is_given_up_on() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let least = |bytes| MinRate { bytes, over: SHORT };
    let asked = ask(&engine, host.get().min_rate(least(100)));
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    peer.data(stream, &[b'x'; 99], false).await;
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
    let answer = come(asked).await;
    let is_it =
        matches!(answer, Err(Error::Timeout { phase: Phase::Rate, after }) if after == SHORT);
    assert!(is_it, "{answer:?}");
    let asked = ask(&engine, host.get().min_rate(least(1)));
    serve(&mut peer).await;
    come(asked).await.expect("fast enough");
    let (response, _) = opened(&engine, &host, &mut peer).await;
    drop(response);
}

/// The time that pieces lie unread is not the server's; the time after that is.
#[tokio::test]
async fn a_drip_that_is_read_as_it_comes_is_below_the_least_rate_as_well() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let (bytes, over) = (1_000, SHORT);
    let request = host.get().min_rate(MinRate { bytes, over });
    let opening = tokio::spawn(engine.open(request));
    let stream = peer.expect_request().await;
    peer.head(stream, OK, false).await;
    let mut response = come(opening).await.expect("a head");
    let mut drip = tokio::time::interval(SHORT / 10);
    let mut read = 0;
    let error = loop {
        drip.tick().await;
        assert!(read < 50, "it goes on and on");
        peer.data(stream, b"x", false).await;
        match response.body.next().await.expect("no end") {
            Ok(piece) => read += piece.len(),
            Err(error) => break error,
        }
    };
    let is_it = matches!(error, Error::Timeout { phase: Phase::Rate, after } if after == SHORT);
    assert!(is_it, "{error:?}");
}
