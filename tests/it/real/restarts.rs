//! Servers that are started anew under an open load of 2,000 fetches a second.

use futures::future::join;
use tokio::sync::watch;

use crate::real::GRACE;
use crate::real::load::{Books, Mix, Progress, fetch_mix};
use crate::real::server::Server;

const PER_SECOND: usize = 2_000;
/// Three seconds' worth.
const MIX: Mix = Mix {
    gets: 5_400,
    posts: 600,
};

/// The server restarts twice.
async fn restart_under_load(
    name: &str,
    extent: Books,
    server: Server,
    restart: impl AsyncFn(&mut Server),
) {
    let engine = server.engine();
    let (answered, progress) = watch::channel(0);
    let mix = MIX.open(server.url(""), PER_SECOND);
    let load = fetch_mix(&engine, mix, MIX.count(), answered);
    let trouble = async {
        let (mut server, mut progress) = (server, Progress(progress));
        for i in 1..=2 {
            // In the midst of a crowd, so that something is in flight.
            progress.until(i * MIX.count() / 3 + 10).await;
            restart(&mut server).await;
        }
        server
    };
    let (ledger, server) = join(load, trouble).await;
    ledger.print(name);
    ledger.only_doubtful_posts_fail();
    assert!(ledger.connections() > 2, "no server outlives a restart");
    engine.shutdown(GRACE).await;
    ledger.agrees_with(&server.books().await, extent);
}

#[tokio::test]
async fn a_server_that_restarts_in_order_fails_no_fetch_that_is_safe_or_was_not_sent() {
    let Some(server) = Server::nginx_with_master("").await else {
        return;
    };
    let restart = async |server: &mut Server| {
        server.stop().await;
        server.restart().await;
    };
    restart_under_load("restarts in order", Books::Complete, server, restart).await;
}

#[tokio::test]
async fn a_server_that_is_killed_and_restarts_fails_no_fetch_that_is_safe_or_was_not_sent() {
    let Some(server) = Server::nginx("").await else {
        return;
    };
    let restart = async |server: &mut Server| {
        server.kill();
        server.restart().await;
    };
    restart_under_load("killed and restarted", Books::Torn, server, restart).await;
}
