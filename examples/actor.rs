//! A program made of actors: a `Census` sends `Fetch` messages and counts the answers.
//!
//! `cargo run --example actor`

use actix::prelude::*;
use gannet::config::Trust;
use gannet::{Config, Engine, Fetch};
use gannet_testbed::Testbed;

/// Asks for pages through anything that takes `Fetch` messages.
struct Census {
    fetcher: Recipient<Fetch>,
}

#[derive(Message)]
#[rtype(result = "usize")]
struct Count(Vec<String>);

impl Actor for Census {
    type Context = Context<Self>;
}

impl Handler<Count> for Census {
    type Result = ResponseFuture<usize>;

    /// How many of the URLs answer with success.
    fn handle(&mut self, Count(urls): Count, _: &mut Self::Context) -> Self::Result {
        let answers: Vec<_> = urls
            .into_iter()
            .map(|url| self.fetcher.send(Fetch::get(url)))
            .collect();
        Box::pin(async move {
            let answers = futures::future::join_all(answers).await;
            let responses = answers.into_iter().flatten().flatten();
            responses.filter(|r| r.status.is_success()).count()
        })
    }
}

#[actix_rt::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let testbed = Testbed::builder().start()?;
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(vec![testbed.ca_der().to_vec().into()]);
    let engine = Engine::builder().config(config).start()?;

    let fetcher = engine.agent().recipient();
    let census = Census { fetcher }.start();
    let good = (0..90).map(|i| testbed.url(&format!("/bytes/{i}")));
    let bad = (0..10).map(|_| testbed.url("/status/404"));
    let found = census.send(Count(good.chain(bad).collect())).await?;
    println!("{found} of 100 pages are there");
    assert_eq!(found, 90);
    Ok(())
}
