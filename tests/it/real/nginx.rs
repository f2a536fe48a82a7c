//! Against nginx.

use tokio::sync::watch;

use crate::real::GRACE;
use crate::real::documents::fetch_documents;
use crate::real::load::{Books, Mix, Progress, fetch_during, fetch_mix};
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
    let mix = Mix {
        gets: 20_000,
        posts: 2_000,
    };
    let (answered, _) = watch::channel(0);
    let ledger = fetch_mix(&engine, mix.closed(server.url("")), 75, answered).await;
    ledger.print("goaway after every 7");
    ledger.all_are_answered();
    engine.shutdown(GRACE).await;
    ledger.agrees_with(&server.books().await, Books::Complete);
}

#[tokio::test]
async fn nginx_may_allow_three_streams_only() {
    let Some(server) = Server::nginx("http2_max_concurrent_streams 3;").await else {
        return;
    };
    let engine = server.engine();
    let tally = fetch_documents(&engine, &server, 5_000, 5_000).await;
    let (connections, repeated) = (tally.connections.len(), tally.repeated());
    let extra = tally.attempts.values().map(|n| n - 1).sum::<u32>();
    eprintln!("{connections} connections, {extra} extra; (repeated, most attempts) = {repeated:?}");
    assert!(extra <= 500, "more than a tenth: {extra}");
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "GET", 200);
}

#[tokio::test]
async fn nginx_may_reload_twenty_times_under_load() {
    let Some(server) = Server::nginx_with_master("keepalive_requests 100000;").await else {
        return;
    };
    let engine = server.engine();
    let trouble = async |mut progress: Progress| {
        for _ in 0..20 {
            progress.more(300).await;
            server.reload().await;
        }
        progress.more(300).await;
    };
    let (ledger, ()) = fetch_during(&engine, server.url(""), 50, trouble).await;
    ledger.print("twenty reloads");
    ledger.only_doubtful_posts_fail();
    assert!(ledger.connections() > 10, "an old worker has no new ones");
    engine.shutdown(GRACE).await;
    ledger.agrees_with(&server.books().await, Books::Complete);
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

#[tokio::test]
async fn nginx_executes_no_post_twice_over_http1_however_often_it_closes() {
    let Some(server) = Server::nginx_http1("keepalive_requests 7;").await else {
        return;
    };
    let engine = server.engine();
    let mix = Mix {
        gets: 5_000,
        posts: 500,
    };
    let (answered, _) = watch::channel(0);
    let ledger = fetch_mix(&engine, mix.closed(server.url("")), 75, answered).await;
    ledger.print("closed after every 7");
    ledger.all_are_answered();
    let counters = engine.snapshot().await.counters;
    assert!(counters.retries.is_empty(), "{:?}", counters.retries);
    engine.shutdown(GRACE).await;
    ledger.agrees_with(&server.books().await, Books::Complete);
}
