//! What the servers serve, and fetches of it whose every answer is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use futures::{StreamExt, stream};
use gannet::{Engine, Request};
use gannet_testbed::content;

use crate::real::server::{Entry, Server};

/// How many documents there are of each size, in bytes.
const SIZES: [(u64, usize); 6] = [
    (0, 4),
    (1, 4),
    (1 << 10, 20),
    (16 << 10, 16),
    (100 << 10, 5),
    (1 << 20, 1),
];

/// The path of the large one.
pub(crate) const LARGE: &str = "/bytes/1048576/0";

pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// Made once for all servers.
pub(crate) static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let named = |(size, count)| (0..count).map(move |i| (size, format!("/bytes/{size}/{i}")));
    SIZES
        .into_iter()
        .flat_map(named)
        .map(|(size, path)| Document {
            body: content(&path, size).flatten().collect(),
            path,
        })
        .collect()
});

/// What the receipts of many fetches say.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: BTreeSet<u64>,
    /// Attempts by path and query.
    pub(crate) attempts: BTreeMap<String, u32>,
}

impl Tally {
    /// How many fetches took more than one attempt, and the most that one took.
    pub(crate) fn repeated(&self) -> (usize, u32) {
        let repeated = self.attempts.values().filter(|n| **n > 1).count();
        (repeated, self.attempts.values().copied().max().unwrap_or(0))
    }

    /// Every fetch stands once in the server's books, answered with `status`.
    pub(crate) fn matches(&self, books: &[Entry], method: &str, status: u16) {
        let targets: BTreeSet<_> = books.iter().map(|entry| entry.target.as_str()).collect();
        assert!(targets.into_iter().eq(self.attempts.keys()), "{books:?}");
        assert_eq!(books.len(), self.attempts.len(), "one was executed twice");
        let odd = books
            .iter()
            .find(|entry| entry.method != method || entry.status != status);
        assert!(odd.is_none(), "{odd:?}");
    }
}

/// Fetches `count` documents, `in_flight` at a time, each under a query of its own. All must
/// arrive, and whole.
pub(crate) async fn fetch_documents(
    engine: &Engine,
    server: &Server,
    count: usize,
    in_flight: usize,
) -> Tally {
    let documents = DOCUMENTS.iter().cycle().take(count).enumerate();
    let requests = documents.map(|(i, document)| {
        let target = format!("{}?id={i}", document.path);
        let request = Request::get(server.url(&target));
        ((target, document), request)
    });
    let mut answers = engine.fetch_all(stream::iter(requests), in_flight);
    let mut tally = Tally::default();
    while let Some(((target, document), answer)) = answers.next().await {
        let response = answer.unwrap_or_else(|error| panic!("{target}: {error:?}"));
        assert_eq!(response.status, 200, "{target}");
        assert!(response.body == document.body, "{target} is not whole");
        tally
            .connections
            .insert(response.receipt.connection.expect("a connection"));
        let earlier = tally.attempts.insert(target, response.receipt.attempts);
        assert!(earlier.is_none(), "answered twice");
    }
    assert_eq!(tally.attempts.len(), count);
    tally
}
