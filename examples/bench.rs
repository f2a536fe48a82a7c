//! A small benchmark: 1 KiB pages over one connection, 100 at a time, with the latencies.
//!
//! `cargo run --release --example bench -- 50000`

use std::time::Instant;

use futures::{StreamExt, stream};
use gannet::config::Trust;
use gannet::{Config, Engine, Request, Target};
use gannet_testbed::Testbed;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(5_000), |n| n.parse::<usize>())?;
    let testbed = Testbed::builder().start()?;
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(vec![testbed.ca_der().to_vec().into()]);
    let engine = Engine::builder().config(config).arbiters(1).start()?;

    // Parsed once: the same URL is asked for every time.
    let target = Target::parse(&testbed.url("/bytes/1024"))?;
    let requests = stream::iter(0..count).map(|n| (n, Request::get(target.clone())));
    let mut responses = engine.fetch_all(requests, 100);
    let (start, mut latencies) = (Instant::now(), Vec::with_capacity(count));
    while let Some((_, response)) = responses.next().await {
        latencies.push(response?.receipt.done);
    }
    let seconds = start.elapsed().as_secs_f64();

    latencies.sort_unstable();
    let at = |share: f64| latencies[((count - 1) as f64 * share) as usize];
    println!(
        "{count} fetches in {seconds:.2} s: {:.0} a second",
        count as f64 / seconds
    );
    println!("p50 {:?}, p90 {:?}, p99 {:?}", at(0.5), at(0.9), at(0.99));
    println!("{} connection", testbed.books().connections);
    Ok(())
}
