//! Bodies of requests, from wherever they come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use gannet::error::Phase;
use gannet::{Error, Protocols, Request, Upload};
use http::HeaderMap;

use super::{SHORT, ask, come, engine, serve, warm};
use crate::support::peer::{CANCEL, Host, INITIAL_WINDOW, NO_ERROR, REFUSED_STREAM, head};
use crate::support::{engine as engine_of, testbed};

/// So many bytes in uneven pieces, all the same.
fn pieces(total: usize) -> impl futures::Stream<Item = io::Result<Vec<u8>>> + Send {
    stream::unfold((total, 1), |(left, step)| async move {
        let now = left.min(step);
        (now > 0).then(|| (Ok(vec![b'x'; now]), (left - now, step * 3 % 40_009)))
    })
}

#[tokio::test]
async fn bytes_streams_readers_and_files_arrive_as_they_are_over_both_protocols() {
    let testbed = testbed();
    let engine = engine_of(&testbed);
    let content = vec![b'x'; 300_000];
    let path = std::env::temp_dir().join(format!("gannet-upload-{}", std::process::id()));
    std::fs::write(&path, &content).expect("writable");
    for protocols in [Protocols::HTTP2, Protocols::HTTP11] {
        let uploads = [
            Upload::from(content.clone()),
            Upload::stream(pieces(300_000)),
            Upload::stream(pieces(300_000)).length(300_000),
            Upload::reader(io::Cursor::new(content.clone())),
            Upload::file(&path),
        ];
        for upload in uploads {
            let told = format!("{upload:?} {protocols:?}");
            let request = Request::post(testbed.url("/echo"), upload).protocols(protocols);
            let response = engine.fetch(request).await.expect("a response");
            assert_eq!(response.body.len(), 300_000, "{told}");
            assert!(response.body == content, "{told}");
            assert_eq!(response.receipt.sent_bytes, 300_000, "{told}");
        }
    }
    std::fs::remove_file(&path).expect("removable");
    let gone = engine.fetch(Request::post(testbed.url("/echo"), Upload::file(&path)));
    let error = gone.await.expect_err("there is no such file");
    let is_it =
        matches!(&*error, Error::Upload { source } if source.kind() == io::ErrorKind::NotFound);
    assert!(is_it, "{error:?}");
}

#[tokio::test]
async fn a_file_that_grows_is_sent_as_far_as_it_reached() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    peer.settings(&[(INITIAL_WINDOW, 0)]).await;
    peer.ping_pong().await;
    let path = std::env::temp_dir().join(format!("gannet-grows-{}", std::process::id()));
    std::fs::write(&path, "as it was").expect("writable");
    let asked = ask(&engine, Request::post(host.url(), Upload::file(&path)));
    let stream = peer.expect_request().await;
    std::fs::write(&path, "as it was, and more").expect("writable");
    peer.window_update(stream, 1_000).await;
    peer.expect("all of it", |books| books.streams[&stream].is_asked)
        .await;
    assert_eq!(peer.books.streams[&stream].body, b"as it was");
    std::fs::remove_file(&path).expect("removable");
    peer.respond(stream, b"ok").await;
    come(asked).await.expect("a response");
}

#[tokio::test]
async fn a_source_that_fails_or_lies_fails_its_own_fetch_only() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let sibling = ask(&engine, host.get());
    let other = peer.expect_request().await;
    let failing = || {
        let pieces = stream::iter([Ok("some"), Err("no more")]);
        Upload::stream(pieces)
    };
    let short = Upload::stream(pieces(10)).length(11);
    let long = Upload::stream(pieces(10)).length(9);
    for upload in [failing(), short, long] {
        let asked = ask(&engine, Request::post(host.url(), upload));
        let stream = peer.expect_request().await;
        assert_eq!(peer.expect_reset(stream).await, CANCEL);
        let error = come(asked).await.expect_err("its source is faulty");
        assert!(matches!(error, Error::Upload { .. }), "{error:?}");
    }
    peer.respond(other, b"ok").await;
    assert_eq!(come(sibling).await.expect("a response").body, "ok");
}

#[tokio::test]
async fn a_source_that_panics_fails_its_own_fetch_only() {
    let panics = || {
        let pieces = stream::iter([Ok("some"), Err("more")]);
        Upload::stream(pieces.inspect(|piece| assert!(piece.is_ok(), "a test")))
    };
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let sibling = ask(&engine, host.get());
    let other = peer.expect_request().await;
    let asked = ask(&engine, Request::post(host.url(), panics()));
    let stream = peer.expect_request().await;
    peer.expect_reset(stream).await;
    let error = come(asked).await.expect_err("its source panics");
    assert!(matches!(error, Error::Upload { .. }), "{error:?}");
    peer.respond(other, b"ok").await;
    assert_eq!(come(sibling).await.expect("a response").body, "ok");

    let server = crate::support::script::Host::bind().await;
    let engine = engine_of_http1();
    let asked = ask(&engine, Request::post(server.url("/"), panics()));
    let _line = server.accept().await;
    let error = come(asked).await.expect_err("its source panics");
    assert!(matches!(error, Error::Upload { .. }), "{error:?}");
}

#[tokio::test]
async fn window_updates_and_settings_let_a_blocked_upload_go_on() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    peer.settings(&[(INITIAL_WINDOW, 1_000)]).await;
    peer.ping_pong().await;
    let asked = ask(&engine, Request::post(host.url(), vec![b'x'; 200_000]));
    let stream = peer.expect_request().await;
    let has =
        |bytes| move |books: &crate::support::peer::Books| books.streams[&3].body.len() == bytes;
    peer.expect("the first window", has(1_000)).await;
    peer.window_update(stream, 500).await;
    peer.expect("what was added", has(1_500)).await;
    peer.settings(&[(INITIAL_WINDOW, 50_000)]).await;
    peer.expect("what the new setting allows", has(50_500))
        .await;
    peer.window_update(stream, 1 << 20).await;
    peer.expect("the connection's window", has(65_535)).await;
    peer.window_update(0, 1 << 20).await;
    peer.expect("all of it", has(200_000)).await;
    peer.respond(stream, b"ok").await;
    come(asked).await.expect("a response");
}

/// A frame without a byte in it needs no leave (RFC 9113 §6.9.1).
#[tokio::test]
async fn an_upload_that_fills_the_window_to_the_last_byte_ends() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    peer.settings(&[(INITIAL_WINDOW, 1_000)]).await;
    peer.ping_pong().await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().expect("a value"));
    for upload in [
        Upload::stream(pieces(1_000)).length(1_000),
        Upload::stream(pieces(1_000)),
        Upload::stream(pieces(1_000)).trailers(trailers),
        Upload::from(vec![b'x'; 1_000]),
    ] {
        let asked = ask(&engine, Request::post(host.url(), upload));
        let stream = peer.expect_requests(1).await[0];
        assert_eq!(peer.books.streams[&stream].body.len(), 1_000);
        peer.respond(stream, b"ok").await;
        come(asked).await.expect("a response");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_more_of_it_is_given_up_on() {
    let (host, engine) = (Host::bind().await, engine());
    let request = Request::post(host.url(), vec![b'x'; 100_000]).upload_timeout(SHORT);
    let asked = ask(&engine, request);
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    assert_eq!(peer.expect_reset(stream).await, CANCEL);
    let error = come(asked).await.expect_err("it is stuck");
    let is_it = matches!(error, Error::Timeout { phase, after } if phase == Phase::Upload && after == SHORT);
    assert!(is_it, "{error:?}");
}

#[tokio::test]
async fn trailers_follow_the_body() {
    let (host, engine) = (Host::bind().await, engine());
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().expect("a value"));
    let upload = Upload::stream(pieces(70)).trailers(trailers.clone());
    let asked = ask(&engine, Request::post(host.url(), upload));
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_requests(1).await[0];
    assert_eq!(peer.books.streams[&stream].body.len(), 70);
    peer.respond(stream, b"ok").await;
    come(asked).await.expect("a response");

    let script = crate::support::script::Host::bind().await;
    let upload = Upload::from("text").trailers(trailers);
    let asked = ask(&engine_of_http1(), Request::post(script.url("/"), upload));
    let mut line = script.accept().await;
    let seen = line.head().await;
    assert!(
        seen.contains("trailer: x-sum") && seen.contains("chunked"),
        "{seen}"
    );
    let chunks = b"4\r\ntext\r\n0\r\nx-sum: 7\r\n\r\n";
    assert_eq!(line.bytes(chunks.len()).await, chunks);
    line.say(crate::support::script::OK).await;
    come(asked).await.expect("a response");
}

fn engine_of_http1() -> gannet::Engine {
    crate::support::engine_with(gannet::Config::default())
}

#[tokio::test]
async fn an_early_answer_ends_the_upload_and_harms_no_sibling() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let asked: Vec<_> = (0..10)
        .map(|_| {
            ask(
                &engine,
                Request::post(host.url(), Upload::stream(pieces(100_000))),
            )
        })
        .collect();
    let mut streams = Vec::new();
    for _ in &asked {
        streams.push(peer.expect_request().await);
    }
    let refused = streams[3];
    peer.head(refused, &[&[8, 3][..], b"413"].concat(), false)
        .await;
    peer.data(refused, b"too much", true).await;
    peer.reset(refused, NO_ERROR).await;
    peer.window_update(0, 10 << 20).await;
    for stream in &streams {
        peer.window_update(*stream, 1 << 20).await;
    }
    for stream in streams.iter().filter(|stream| **stream != refused) {
        let stream = *stream;
        peer.expect("a whole upload", |books| {
            books.streams[&stream].body.len() == 100_000
        })
        .await;
        peer.respond(stream, b"ok").await;
    }
    let mut statuses = Vec::new();
    for asked in asked {
        statuses.push(come(asked).await.expect("a response").status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 9].as_slice(), &[413]].concat());
    let asked = ask(&engine, host.get());
    serve(&mut peer).await;
    come(asked).await.expect("a response");
}

#[tokio::test]
async fn only_what_can_be_sent_again_is() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = {
        let opened = Arc::clone(&opened);
        Upload::stream(pieces(10).inspect(move |_| {
            opened.fetch_add(1, Ordering::Relaxed);
        }))
    };
    let asked = ask(&engine, Request::post(host.url(), counted));
    let stream = peer.expect_requests(1).await[0];
    peer.reset(stream, REFUSED_STREAM).await;
    let error = come(asked).await.expect_err("its body is used up");
    assert!(
        error.is_unprocessed() && opened.load(Ordering::Relaxed) > 0,
        "{error:?}"
    );
    let asked = ask(&engine, Request::post(host.url(), "bytes"));
    let stream = peer.expect_requests(1).await[0];
    peer.reset(stream, REFUSED_STREAM).await;
    let stream = peer.expect_requests(1).await[0];
    peer.respond(stream, b"ok").await;
    assert_eq!(come(asked).await.expect("a response").receipt.attempts, 2);
    // Nothing was taken of this one, for the word to send it never came.
    let upload = Upload::stream(pieces(10));
    let request = Request::post(host.url(), upload).expect_continue(60 * SHORT);
    let asked = ask(&engine, request);
    let stream = peer.expect_request().await;
    peer.reset(stream, REFUSED_STREAM).await;
    let stream = peer.expect_request().await;
    peer.head(stream, &[&[8, 3][..], b"100"].concat(), false)
        .await;
    peer.expect("the body", |books| books.streams[&stream].body.len() == 10)
        .await;
    peer.respond(stream, b"ok").await;
    assert_eq!(come(asked).await.expect("a response").receipt.attempts, 2);
}

#[tokio::test]
async fn a_header_value_in_latin_1_is_delivered_as_bytes() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    let mut block = head(&[("x-plain", "y")]);
    block.extend([&[0, 6][..], b"x-name", &[4], b"caf\xe9"].concat());
    peer.head(stream, &block, true).await;
    let response = come(asked).await.expect("a response");
    assert_eq!(response.headers["x-name"].as_bytes(), b"caf\xe9");
}
