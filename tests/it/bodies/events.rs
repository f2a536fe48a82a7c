//! What handlers hear, and what they may do.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gannet::error::ErrorCode;
use gannet::event::{EventHandler, Events, Flow, On};
use gannet::response::Cut;
use gannet::{Engine, Error, Origin, Request};
use http::{HeaderMap, StatusCode};

use super::{ask, come, engine, serve, warm};
use crate::support::engine_with;
use crate::support::peer::{CANCEL, Host, INITIAL_WINDOW, OK, field, head, plain};
use crate::support::script;

/// Writes down what it hears; stops or panics at what it is told to.
#[derive(Clone, Default)]
struct Scribe {
    heard: Arc<Mutex<Vec<String>>>,
    stops_at: &'static str,
    panics_at: &'static str,
}

impl Scribe {
    fn note(&self, what: &str, more: impl std::fmt::Display) -> Flow {
        self.heard
            .lock()
            .expect("no panic within")
            .push(format!("{what} {more}"));
        assert!(what != self.panics_at, "as it was told");
        match what == self.stops_at {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().expect("no panic within"))
    }

    fn events(&self) -> Events {
        Events::to(self.clone())
    }
}

impl EventHandler for Scribe {
    fn response_received(&self, on: &On<'_>, status: StatusCode, _: &HeaderMap) -> Flow {
        self.note(
            "response",
            format_args!("{} {}", on.stream, status.as_u16()),
        )
    }

    fn informational_received(&self, _: &On<'_>, status: StatusCode, headers: &HeaderMap) {
        self.note(
            "informational",
            format_args!("{} {}", status.as_u16(), headers.len()),
        );
    }

    fn data_received(&self, _: &On<'_>, data: &Bytes) -> Flow {
        self.note("data", data.len())
    }

    fn body_grew_large(&self, _: &On<'_>, bytes: u64) {
        self.note("large", bytes);
    }

    fn trailers_received(&self, _: &On<'_>, trailers: &HeaderMap) {
        self.note("trailers", trailers.len());
    }

    fn window_updated(&self, _: &On<'_>, bytes: usize) {
        self.note("window", bytes);
    }

    fn stream_ended(&self, on: &On<'_>) {
        self.note("ended", on.stream);
    }

    fn stream_reset(&self, _: &On<'_>, code: ErrorCode, by_server: bool) {
        self.note("reset", format_args!("{} {by_server}", code.0));
    }

    fn connection_terminated(&self, _: &Origin, connection: u64, error: Option<&Error>) {
        self.note(
            "terminated",
            format_args!("{connection} {}", error.map_or("-", Error::kind)),
        );
    }
}

#[tokio::test]
async fn everything_is_heard_in_order() {
    let host = Host::bind().await;
    let mut config = plain();
    config.bodies.warn_at = Some(5);
    let engine = engine_with(config);
    let scribe = Scribe::default();
    let request = Request::post(host.url(), "0123456789").events(scribe.events());
    let mut peer = warm(&engine, &host).await;
    peer.settings(&[(INITIAL_WINDOW, 4)]).await;
    peer.ping_pong().await;
    let asked = ask(&engine, request);
    let stream = peer.expect_request().await;
    peer.expect("what is allowed", |books| {
        books.streams[&stream].body.len() == 4
    })
    .await;
    peer.window_update(stream, 6).await;
    peer.expect("the rest", |books| books.streams[&stream].body.len() == 10)
        .await;
    let early = [&[8, 3][..], b"103", &field("link", "</a>")].concat();
    peer.head(stream, &early, false).await;
    peer.ping_pong().await;
    peer.head(stream, OK, false).await;
    for piece in ["one", "three"] {
        peer.data(stream, piece.as_bytes(), false).await;
        peer.ping_pong().await;
    }
    peer.head(stream, &field("x-sum", "1"), true).await;
    come(asked).await.expect("a response");
    let heard = scribe.heard();
    assert_eq!(
        heard,
        [
            "window 6",
            "informational 103 1",
            "response 3 200",
            "data 3",
            "large 8",
            "data 5",
            "trailers 1",
            "ended 3"
        ]
    );
}

#[tokio::test]
async fn resets_and_broken_connections_are_heard_of() {
    let host = Host::bind().await;
    let (scribe, overall) = (Scribe::default(), Scribe::default());
    let mut config = plain();
    config.events = overall.events();
    config.max_attempts = 1;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let asked = ask(&engine, host.get().events(scribe.events()));
    let stream = peer.expect_request().await;
    peer.reset(stream, 11).await;
    assert!(come(asked).await.is_err());
    assert_eq!(scribe.heard(), ["reset 11 true"]);
    let asked = ask(&engine, host.get().events(scribe.events()));
    peer.expect_request().await;
    drop(peer);
    assert!(come(asked).await.is_err());
    assert_eq!(scribe.heard(), ["terminated 1 disconnected"]);
    engine.shutdown(super::SHORT).await;
    let heard = overall.heard();
    assert_eq!(
        heard
            .iter()
            .filter(|e| e.starts_with("terminated 1"))
            .count(),
        1,
        "{heard:?}"
    );
}

/// A fetch that is stopped at `what`: its body, and how it was cut.
async fn stopped(engine: &Engine, request: Request, what: &'static str) -> (Bytes, Option<Cut>) {
    let scribe = Scribe {
        stops_at: what,
        ..Scribe::default()
    };
    let response = engine.fetch(request.events(scribe.events())).await;
    let response = response.expect("a response");
    assert_eq!(response.status, 200);
    let ended = scribe.heard().pop();
    assert!(ended.is_some_and(|e| e.starts_with("ended")));
    (response.body, response.receipt.cut)
}

#[tokio::test]
async fn a_handler_may_stop_a_response_at_its_head_or_within() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    for (what, body) in [("response", ""), ("data", "piece")] {
        let (engine, request) = (engine.clone(), host.get());
        let asked = tokio::spawn(async move { stopped(&engine, request, what).await });
        let stream = peer.expect_request().await;
        peer.head(stream, &head(&[("content-length", "1000000")]), false)
            .await;
        peer.data(stream, b"piece", false).await;
        assert_eq!(peer.expect_reset(stream).await, CANCEL);
        let (got, cut) = come(asked).await;
        assert_eq!(
            (&got[..], cut),
            (body.as_bytes(), Some(Cut::Stopped)),
            "{what}"
        );
    }
    let asked = ask(&engine, host.get());
    serve(&mut peer).await;
    come(asked).await.expect("a response");
    // The same over HTTP/1.1, where the connection goes with it.
    let server = script::Host::bind().await;
    let (plain_engine, request) = (engine_with(gannet::Config::default()), server.get("/"));
    let asked = tokio::spawn(async move { stopped(&plain_engine, request, "data").await });
    let mut line = server.accept().await;
    line.head().await;
    line.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npiece")
        .await;
    assert_eq!(come(asked).await.0, "piece");
    line.expect_close().await;
}

#[tokio::test]
async fn a_handler_that_panics_harms_its_own_fetch_only() {
    let (host, engine) = (Host::bind().await, engine());
    let mut peer = warm(&engine, &host).await;
    let sibling = ask(&engine, host.get());
    let other = peer.expect_request().await;
    for panics_at in ["response", "data", "ended"] {
        let scribe = Scribe {
            panics_at,
            ..Scribe::default()
        };
        let asked = ask(&engine, host.get().events(scribe.events()));
        serve(&mut peer).await;
        let answer = come(asked).await;
        assert!(matches!(answer, Err(Error::Handler)), "{answer:?}");
    }
    peer.respond(other, b"ok").await;
    assert_eq!(
        come(sibling).await.expect("a response").receipt.connection,
        Some(1)
    );
}
