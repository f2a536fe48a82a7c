//! Against Apache httpd.

use crate::real::GRACE;
use crate::real::documents::fetch_documents;
use crate::real::server::Server;

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
