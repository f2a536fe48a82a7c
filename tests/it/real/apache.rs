//! Against Apache httpd.

use gannet::Protocols;

use crate::real::GRACE;
use crate::real::documents::fetch_documents;
use crate::real::server::Server;
use crate::support::engine_with;

#[tokio::test]
async fn apache_serves_a_thousand_fetches_on_one_connection() {
    let Some(server) = Server::apache().await else {
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
async fn apache_serves_a_thousand_fetches_over_http_1_on_six_connections() {
    let Some(server) = Server::apache().await else {
        return;
    };
    let mut config = server.config();
    config.accepted_protocols = Protocols::HTTP11;
    let engine = engine_with(config);
    let tally = fetch_documents(&engine, &server, 1_000, 100).await;
    // Apache's KeepAliveRequests is 100.
    assert!(tally.connections.len() <= 20, "{}", tally.connections.len());
    engine.shutdown(GRACE).await;
    tally.matches(&server.books().await, "GET", 200);
}
