//! Against nghttpd.

use futures::{StreamExt, stream};
use gannet::config::Pushes;
use gannet::event::{EventHandler, Events, On};
use gannet::origin::Target;
use gannet::{Error, Failure, Request};
use http::{HeaderMap, Method};

use crate::real::GRACE;
use crate::real::documents::{LARGE, fetch_documents};
use crate::real::server::Server;
use crate::support::engine_with;

#[tokio::test]
async fn nghttpd_serves_a_thousand_fetches_on_one_connection() {
    let Some(server) = Server::nghttpd(&[]).await else {
        return;
    };
    let tally = fetch_documents(&server.engine(), &server, 1_000, 100).await;
    assert_eq!(tally.connections.len(), 1);
    assert_eq!(tally.repeated(), (0, 1));
}

#[tokio::test]
async fn nghttpd_speaks_http2_in_cleartext() {
    let Some(server) = Server::nghttpd(&["--no-tls"]).await else {
        return;
    };
    let tally = fetch_documents(&server.engine(), &server, 200, 50).await;
    assert_eq!(tally.connections.len(), 1);
}

#[tokio::test]
async fn nghttpd_answers_head_404_and_trailers() {
    let Some(server) = Server::nghttpd(&["--trailer=x-checked: yes"]).await else {
        return;
    };
    let engine = server.engine();
    let fetch = |method, target| engine.fetch(Request::new(method, server.url(target)));
    let response = fetch(Method::HEAD, LARGE).await.expect("a response");
    assert_eq!(response.headers["content-length"], "1048576");
    assert!(response.status == 200 && response.body.is_empty());
    let response = fetch(Method::GET, "/nowhere").await.expect("a response");
    assert_eq!(response.status, 404);
    let response = fetch(Method::GET, LARGE).await.expect("a response");
    assert_eq!(response.body.len(), 1 << 20);
    assert_eq!(response.trailers.expect("trailers")["x-checked"], "yes");
}

#[tokio::test]
async fn a_killed_server_costs_no_fetch_its_answer_and_the_next_one_is_found() {
    let options = &["--max-concurrent-streams=20"];
    let Some(mut server) = Server::nghttpd(options).await else {
        return;
    };
    let mut config = server.config();
    // The server is back before a breaker would let anyone see it.
    config.breaker_failures = 0;
    let engine = engine_with(config);
    let request = Request::get(server.url(LARGE));
    let requests = (0..200).map(move |i| (i, request.clone()));
    let mut answers = engine.fetch_all(stream::iter(requests), 200);
    let (_, first) = answers.next().await.expect("200 answers");
    assert_eq!(first.expect("a response").body.len(), 1 << 20);
    server.kill();
    let (mut whole, mut failed) = (1, 0);
    while let Some((i, answer)) = answers.next().await {
        match answer {
            Ok(response) => {
                assert_eq!(response.body.len(), 1 << 20, "{i}");
                whole += 1;
            }
            Err(Failure {
                // The last: another connection was being opened when the server was killed.
                error: Error::Disconnected { .. } | Error::Connect { .. } | Error::Tls { .. },
                ..
            }) => failed += 1,
            Err(other) => panic!("{i}: {other:?}"),
        }
    }
    eprintln!("{whole} whole, {failed} failed");
    assert_eq!(whole + failed, 200);
    assert!(failed > 0, "only 20 of 200 may be open at once");
    server.restart().await;
    fetch_documents(&engine, &server, 50, 50).await;
    engine.shutdown(GRACE).await;
}

/// Takes what is promised.
struct Taker;

impl EventHandler for Taker {
    fn push_promised(&self, _: &On<'_>, _: &Target, _: &HeaderMap) -> bool {
        true
    }
}

#[tokio::test]
async fn what_nghttpd_pushes_answers_the_next_fetch() {
    let options = &["--push=/bytes/1024/0=/bytes/1048576/0"];
    let Some(server) = Server::nghttpd(options).await else {
        return;
    };
    let mut config = server.config();
    config.bodies.pushes = Some(Pushes::default());
    config.events = Events::to(Taker);
    let engine = engine_with(config);
    for is_pushed in [true, false] {
        if is_pushed {
            let page = engine.fetch(Request::get(server.url("/bytes/1024/0")));
            page.await.expect("a page");
        }
        let response = engine.fetch(Request::get(server.url(LARGE))).await;
        let response = response.expect("a response");
        assert_eq!(
            (response.body.len(), response.receipt.pushed),
            (1 << 20, is_pushed)
        );
    }
    let counters = engine.snapshot().await.counters;
    assert_eq!((counters.requests, counters.pushes_used), (2, 1));
}
