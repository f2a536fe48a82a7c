//! Four servers, each with its own idea of the protocol, and one engine.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};
use gannet::config::Trust;
use gannet::view::{Change, Lifecycles};
use gannet::{Config, Protocol, Request};
use gannet_testbed::Testbed;

use crate::real::GRACE;
use crate::real::documents::DOCUMENTS;
use crate::real::server::Server;
use crate::support::engine_with;

const FETCHES_EACH: usize = 250;
/// The limit that an engine has for HTTP/1.1 unless told otherwise.
const LIMIT: usize = 6;

#[tokio::test]
async fn the_same_urls_over_four_servers_come_back_the_same_in_one_run_of_one_engine() {
    let Some(old) = Server::nginx_http1("").await else {
        return;
    };
    let Some(both) = Server::nginx("").await else {
        return;
    };
    let Some(new) = Server::nghttpd(&[]).await else {
        return;
    };
    let mute = Testbed::builder().alpn(&[]).start().expect("a free port");
    let roots = [old.root(), both.root(), new.root(), mute.ca_der().to_vec()];
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(roots.into_iter().map(Into::into).collect());
    let engine = engine_with(config);
    let mut changes = engine.lifecycle();
    let servers = [
        (old.url(""), Protocol::Http11),
        (both.url(""), Protocol::Http2),
        (new.url(""), Protocol::Http2),
        (mute.url(""), Protocol::Http11),
    ];
    let documents = DOCUMENTS.iter().cycle().take(FETCHES_EACH);
    let requests: Vec<_> = documents
        .flat_map(|document| servers.iter().map(move |server| (document, server)))
        .map(|(document, (url, protocol))| {
            let request = Request::get(format!("{url}{}", document.path));
            ((document, *protocol), request)
        })
        .collect();
    assert_eq!(requests.len(), 4 * FETCHES_EACH);
    let mut answers = engine.fetch_all(stream::iter(requests), 200);
    while let Some(((document, protocol), answer)) = answers.next().await {
        let response = answer.expect("a response");
        assert_eq!(
            (response.status.as_u16(), response.protocol),
            (200, protocol)
        );
        assert!(
            response.body == document.body,
            "{} is not whole",
            document.path
        );
        assert_eq!(response.receipt.attempts, 1);
    }
    drop(answers);
    one_probe_each(&mut changes);
    engine.shutdown(GRACE).await;
    assert_eq!(connections(both).await, 1);
    let fanned_out = connections(old).await;
    assert!((2..=LIMIT).contains(&fanned_out), "{fanned_out}");
    let books = mute.books();
    assert!((2..=LIMIT as u64).contains(&books.handshakes), "{books:?}");
    assert_eq!(books.handshake_failures, 0);
}

/// Until the first connection of an origin was open, there was one dial.
fn one_probe_each(changes: &mut Lifecycles) {
    let mut dials = BTreeMap::new();
    let mut open = BTreeSet::new();
    while let Some(Some(change)) = changes.next().now_or_never() {
        match change.change {
            Change::Dialing if !open.contains(&change.origin) => {
                *dials.entry(change.origin).or_insert(0) += 1;
            }
            Change::Connected => {
                open.insert(change.origin);
            }
            _ => {}
        }
    }
    assert!(
        dials.len() == 4 && dials.values().all(|n| *n == 1),
        "{dials:?}"
    );
}

/// How many connections requests came on, as the server has it.
async fn connections(server: Server) -> usize {
    let books = server.books().await;
    assert_eq!(books.len(), FETCHES_EACH);
    let connections: BTreeSet<_> = books.iter().map(|entry| entry.connection).collect();
    connections.len()
}
