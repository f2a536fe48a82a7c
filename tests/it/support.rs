//! Engines and servers for the tests.

pub(crate) mod dns;
pub(crate) mod peer;
pub(crate) mod script;

use gannet::config::Trust;
use gannet::{Config, Engine};
use gannet_testbed::Testbed;

/// A config that trusts `testbed`.
pub(crate) fn config(testbed: &Testbed) -> Config {
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(vec![testbed.ca_der().to_vec().into()]);
    config
}

/// An engine on threads of its own that trusts `testbed`.
pub(crate) fn engine(testbed: &Testbed) -> Engine {
    engine_with(config(testbed))
}

pub(crate) fn engine_with(config: Config) -> Engine {
    let engine = Engine::builder().config(config).arbiters(2).start();
    engine.expect("threads")
}

pub(crate) fn testbed() -> Testbed {
    Testbed::builder().start().expect("a free port")
}
