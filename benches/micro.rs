//! What the small steps of a fetch cost by themselves: `cargo bench --bench micro [-- FILTER]`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use actix_rt::System;
use bytes::Bytes;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use futures::future::join_all;
use gannet::decode::{Caps, Chain, Decoder};
use gannet::policy::eviction::{Entry, Eviction, GreedyDual, Lfu, Lru, Sieve};
use gannet::{Config, Engine, Error, Fetch, Request, Target};
use gannet_testbed::{Testbed, text};

fn main() {
    divan::main();
}

/// From the text of a URL to the key of its pool.
#[divan::bench(args = [
    "https://example.com/",
    "https://www.example.co.uk:8443/a/long/path/to/some/page.html?with=a&query=of#parts",
    "https://bücher.example/straße",
])]
fn url_to_key(bencher: Bencher, url: &str) {
    bencher.bench(|| Target::parse(black_box(url)).map(|target| target.origin().clone()));
}

const CONNECTIONS: u64 = 100_000;

fn entry(connection: u64, start: Instant) -> Entry {
    let mut entry = Entry::new(connection, start + Duration::from_nanos(connection));
    entry.handshake = Duration::from_millis(5 + fastrand::u64(..295));
    entry
}

/// With 100,000 idle connections: which is to go, and a new one in its place.
#[divan::bench(types = [Lru, Lfu, Sieve, GreedyDual], sample_size = 1_000)]
fn evict<P: Eviction + Default>(bencher: Bencher) {
    let (mut policy, start) = (P::default(), Instant::now());
    (0..CONNECTIONS).for_each(|number| policy.idle(entry(number, start)));
    let mut next = CONNECTIONS;
    bencher.bench_local(|| {
        policy.choose();
        policy.idle(entry(next, start));
        next += 1;
    });
}

/// With as many: one of them is used, and idle again.
#[divan::bench(types = [Lru, Lfu, Sieve, GreedyDual], sample_size = 1_000)]
fn reuse<P: Eviction + Default>(bencher: Bencher) {
    let (mut policy, start) = (P::default(), Instant::now());
    let mut entries: Vec<_> = (0..CONNECTIONS).map(|n| entry(n, start)).collect();
    entries.iter().for_each(|entry| policy.idle(*entry));
    bencher.bench_local(|| {
        let entry = &mut entries[fastrand::usize(..CONNECTIONS as usize)];
        policy.busy(entry.connection);
        entry.uses += 1;
        entry.last_use += Duration::from_millis(1);
        policy.idle(*entry);
    });
}

const TEXT: usize = 256 << 10;

/// A text of 256 KiB as a server codes it, undone in pieces of 16 KiB.
#[divan::bench(args = ["gzip", "br", "zstd"], sample_count = 50)]
fn decode(bencher: Bencher, coding: &str) {
    let coded = coded(coding);
    let chain = Chain::parse([coding]);
    let Some(Chain::Known(codings)) = chain else {
        return;
    };
    bencher.counter(BytesCount::new(TEXT)).bench(|| {
        let mut decoder = Decoder::new(&codings, Caps::default());
        let mut length = 0;
        for piece in coded.chunks(16 << 10) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Ok(Some(out)) = decoder.next_piece() {
                length += out.len();
            }
        }
        assert_eq!(length, TEXT);
    });
}

/// The testbed's text in that coding, fetched from it.
fn coded(coding: &str) -> Bytes {
    let testbed = Testbed::builder().plain(true).start().expect("a port");
    let path = format!("/{coding}/{TEXT}");
    assert_eq!(text(&path, TEXT as u64).len(), TEXT);
    let url = testbed.url(&path);
    System::new().block_on(async {
        let mut config = Config::default();
        config.prior_knowledge = gannet::config::PriorKnowledge::All;
        let engine = Engine::builder().config(config).start_here();
        engine.fetch(Request::get(url)).await.expect("a body").body
    })
}

/// How many are asked at once, and answered before the next.
const ASKED: [usize; 2] = [1, 100];

/// There and back, by message: a caller and an Agent, which refuses what is no URL.
#[divan::bench(args = ASKED)]
fn agent_and_back(bencher: Bencher, asked: usize) {
    let system = System::new();
    let engine = system.block_on(async { Engine::builder().start_here() });
    let agent = system.block_on(async { engine.agent() });
    bencher.counter(ItemsCount::new(asked)).bench_local(|| {
        system.block_on(async {
            let fetches = (0..asked).map(|_| agent.send(Fetch::get("no URL")));
            for answer in join_all(fetches).await {
                assert!(
                    matches!(answer, Ok(Err(f)) if matches!(f.error, Error::BadRequest { .. }))
                );
            }
        });
    });
}

/// A caller, an Agent and a Pool, which decides that there is no room for the fetch, and back by the
/// Agent, which decides that it is not to be sent again.
#[divan::bench(args = ASKED)]
fn pool_and_back(bencher: Bencher, asked: usize) {
    // It lets itself be connected to, and never says a word.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let target = Target::parse(&format!("https://127.0.0.1:{port}/")).expect("a URL");
    let system = System::new();
    let engine = system.block_on(async {
        let mut config = Config::default();
        (config.max_pending, config.connect_timeout) = (1, Duration::from_secs(3600));
        let engine = Engine::builder().config(config).start_here();
        actix_rt::spawn(engine.fetch(Request::get(target.clone())));
        while engine.snapshot().await.waiting == 0 {}
        engine
    });
    bencher.counter(ItemsCount::new(asked)).bench_local(|| {
        system.block_on(async {
            let fetches = (0..asked).map(|_| engine.fetch(Request::get(target.clone())));
            for answer in join_all(fetches).await {
                assert!(matches!(answer, Err(f) if matches!(f.error, Error::Overloaded { .. })));
            }
        });
    });
}
