//! A crawler's skeleton: follows the links of a site of 2,000 pages, with bounded memory.
//!
//! `IN_FLIGHT` bounds what is open, `Frontier` what is known. `cargo run --example crawler`

use std::collections::{HashSet, VecDeque};

use futures::{StreamExt, stream::FuturesUnordered};
use gannet::config::Trust;
use gannet::{Config, Engine, Request};
use gannet_testbed::Testbed;

const IN_FLIGHT: usize = 50;
const MAX_KNOWN: usize = 100_000;

/// What is to be fetched, and what has been seen; further links are let go once it is full.
#[derive(Default)]
struct Frontier {
    next: VecDeque<String>,
    seen: HashSet<String>,
}

impl Frontier {
    fn add(&mut self, path: &str) {
        if self.seen.len() < MAX_KNOWN && self.seen.insert(path.to_owned()) {
            self.next.push_back(path.to_owned());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let testbed = Testbed::builder().start()?;
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(vec![testbed.ca_der().to_vec().into()]);
    let engine = Engine::builder().config(config).start()?;

    let (mut frontier, mut open, mut pages) = (Frontier::default(), FuturesUnordered::new(), 0);
    frontier.add("/tree/2000/0");
    loop {
        while open.len() < IN_FLIGHT
            && let Some(path) = frontier.next.pop_front()
        {
            open.push(engine.fetch(Request::get(testbed.url(&path)).max_body(1 << 20)));
        }
        let Some(answer) = open.next().await else {
            break;
        };
        let page = String::from_utf8(answer?.body.to_vec())?;
        pages += 1;
        for link in page.split("href=\"").skip(1) {
            frontier.add(link.split('"').next().unwrap_or_default());
        }
    }
    println!(
        "{pages} pages over {} connection",
        testbed.books().connections
    );
    assert_eq!(pages, 2000);
    Ok(())
}
