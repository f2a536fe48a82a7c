//! Against Caddy, whose HTTP is Go's.

use gannet::Protocols;

use crate::real::GRACE;
use crate::real::documents::fetch_documents;
use crate::real::server::Server;
use crate::support::engine_with;

#[tokio::test]
async fn caddy_serves_a_thousand_fetches_in_either_protocol() {
    let Some(server) = Server::caddy().await else {
        return;
    };
    for (protocols, most) in [(Protocols::ANY, 1), (Protocols::HTTP11, 6)] {
        let mut config = server.config();
        config.accepted_protocols = protocols;
        let engine = engine_with(config);
        let tally = fetch_documents(&engine, &server, 1_000, 100).await;
        assert!(tally.connections.len() <= most, "{protocols}");
        assert_eq!(tally.repeated(), (0, 1), "{protocols}");
        engine.shutdown(GRACE).await;
    }
}
