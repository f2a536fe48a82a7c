//! Against HAProxy, with nginx behind it to keep the books.

use crate::real::GRACE;
use crate::real::documents::fetch_documents;
use crate::real::load::{Books, Progress, fetch_during};
use crate::real::server::Server;

#[tokio::test]
async fn haproxy_serves_a_thousand_fetches_on_one_connection() {
    let Some((front, behind)) = Server::haproxy().await else {
        return;
    };
    let engine = front.engine();
    let tally = fetch_documents(&engine, &front, 1_000, 100).await;
    assert_eq!(tally.connections.len(), 1);
    assert_eq!(tally.repeated(), (0, 1));
    engine.shutdown(GRACE).await;
    tally.matches(&behind.books().await, "GET", 200);
}

/// Each hands its port to the next (`-sf`: SIGUSR1, a soft stop) while fetches go on.
#[tokio::test]
async fn haproxy_may_hand_over_to_the_next_again_and_again() {
    let Some((mut front, behind)) = Server::haproxy().await else {
        return;
    };
    let engine = front.engine();
    let url = front.url("");
    let trouble = async |mut progress: Progress| {
        for _ in 0..5 {
            progress.more(500).await;
            front.hand_over().await;
        }
        progress.more(500).await;
    };
    let (ledger, ()) = fetch_during(&engine, url, 50, trouble).await;
    ledger.print("five soft stops of haproxy");
    ledger.only_doubtful_posts_fail();
    assert!(
        ledger.connections() > 5,
        "no connection outlives its haproxy"
    );
    engine.shutdown(GRACE).await;
    drop(front);
    ledger.agrees_with(&behind.books().await, Books::Complete);
}
