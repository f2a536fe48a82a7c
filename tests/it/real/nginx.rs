//! Against nginx.

use futures::{StreamExt, stream};
use gannet::{Engine, Request};

use crate::real::GRACE;
use crate::real::documents::{Tally, fetch_documents};
use crate::real::server::Server;

#[tokio::test]
async fn nginx_serves_a_thousand_fetches_on_one_connection() {
    let Some(server) = Server::nginx("keepalive_requests 100000;").await else {
        return;
    };
    let engine = server.engine();
    let tally = fetch_documents(&engine, &server, 1_000, 100).await;
    assert_eq!(tally.connections.len(), 1);
    assert_eq!(tally.repeated(), (0, 1));
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "GET", 200);
}

#[tokio::test]
async fn nginx_may_say_goaway_after_every_hundred_requests() {
    let Some(server) = Server::nginx("keepalive_requests 100;").await else {
        return;
    };
    let engine = server.engine();
    let tally = fetch_documents(&engine, &server, 1_000, 50).await;
    let (connections, repeated) = (tally.connections.len(), tally.repeated());
    eprintln!("{connections} connections; (repeated, most attempts) = {repeated:?}");
    assert!(connections >= 10, "{connections}");
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "GET", 200);
}

#[tokio::test]
async fn nginx_executes_no_post_twice_however_often_it_says_goaway() {
    let Some(server) = Server::nginx("keepalive_requests 7;").await else {
        return;
    };
    let engine = server.engine();
    let tally = post_bodies(&engine, &server, 200, 20).await;
    let (connections, repeated) = (tally.connections.len(), tally.repeated());
    eprintln!("{connections} connections; (repeated, most attempts) = {repeated:?}");
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "POST", 204);
}

#[tokio::test]
async fn nginx_may_allow_three_streams_only() {
    let Some(server) = Server::nginx("http2_max_concurrent_streams 3;").await else {
        return;
    };
    let engine = server.engine();
    let tally = fetch_documents(&engine, &server, 500, 500).await;
    let repeated = tally.repeated();
    eprintln!("(repeated, most attempts) = {repeated:?}");
    assert_eq!(tally.connections.len(), 1);
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "GET", 200);
}

#[tokio::test]
async fn nginx_speaks_http2_in_cleartext() {
    let Some(server) = Server::plain_nginx("").await else {
        return;
    };
    let engine = server.engine();
    let tally = fetch_documents(&engine, &server, 200, 50).await;
    assert_eq!(tally.connections.len(), 1);
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "GET", 200);
}

/// Posts `count` times, each time to a query of its own. All must be accepted.
async fn post_bodies(engine: &Engine, server: &Server, count: usize, in_flight: usize) -> Tally {
    let requests = (0..count).map(|i| {
        let target = format!("/accept?id={i}");
        let request = Request::post(server.url(&target), format!("body {i}"));
        (target, request)
    });
    let mut answers = engine.fetch_all(stream::iter(requests), in_flight);
    let mut tally = Tally::default();
    while let Some((target, answer)) = answers.next().await {
        let response = answer.unwrap_or_else(|error| panic!("{target}: {error:?}"));
        assert_eq!(response.status, 204, "{target}");
        tally.connections.insert(response.receipt.connection);
        let earlier = tally.attempts.insert(target, response.receipt.attempts);
        assert!(earlier.is_none(), "answered twice");
    }
    assert_eq!(tally.attempts.len(), count);
    tally
}
