//! Through proxies that say exactly what a test tells them to.

mod faults;
mod http2;
mod script;
mod socks;
mod tunnels;

use gannet::config::ProxyRules;
use gannet::origin::Proxy;
use gannet::{Config, Engine, Error, Request, Response};

use crate::support::engine_with;

fn proxy(text: &str) -> Proxy {
    Proxy::parse(text).expect("a proxy")
}

/// An engine whose every fetch goes through `proxy`, once.
fn engine(mut config: Config, text: &str) -> Engine {
    config.proxy = ProxyRules::all(proxy(text));
    config.max_attempts = 1;
    engine_with(config)
}

async fn get(engine: &Engine, url: &str) -> Result<Response, Error> {
    engine.fetch(Request::get(url)).await.map_err(Error::from)
}
