//! A look inside: what happens to connections, as it happens, and what the engine has counted.
//!
//! Four origins share two sockets, so some connections must go. `cargo run --example inside`

use std::net::Ipv4Addr;
use std::time::Duration;

use futures::{StreamExt, stream};
use gannet::config::{FixedAddresses, Trust};
use gannet::{Config, Engine, Request};
use gannet_testbed::Testbed;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let testbed = Testbed::builder().start()?;
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(vec![testbed.ca_der().to_vec().into()]);
    config.max_connections = 2;
    config.fixed_addresses = vec![FixedAddresses {
        host: "*".into(),
        port: testbed.port(),
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
    }];
    let engine = Engine::builder().config(config).start()?;

    let mut lifecycle = engine.lifecycle();
    tokio::spawn(async move {
        while let Some(event) = lifecycle.next().await {
            println!("{} #{}: {:?}", event.origin, event.connection, event.change);
        }
    });
    let requests = stream::iter(0..200).map(|n| {
        let url = testbed.url_named(n / 50, &format!("/bytes/{n}"));
        (n, Request::get(url))
    });
    let mut pages = engine.fetch_all(requests, 20);
    while let Some((_, page)) = pages.next().await {
        page?;
    }

    let inside = engine.snapshot().await;
    for c in &inside.connections {
        println!("#{} {:?}: {} requests", c.number, c.state, c.requests);
    }
    let counters = &inside.counters;
    println!("{} requests", counters.requests);
    println!("{} on a connection that was open", counters.reused);
    println!("gone: {:?}", counters.closed);
    let wait = counters.queue.quantile(0.99);
    println!("of 100 requests, 99 waited less than {wait:?} for their place");
    assert!(counters.requests >= 200 && inside.sockets <= 2);
    engine.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
