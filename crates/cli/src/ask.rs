//! The flags that all that fetch have in common, spelled as in curl: what is asked, and on what way.

use std::time::Duration;

use clap::Args;
use gannet::Config;
use gannet::config::{ConnectTo, FixedAddresses};
use http::Method;

use crate::exit::Failure;
use crate::parse::{self, HeaderFlag};
use crate::reach::Reach;
use crate::secure::Secure;

/// What is asked of every URL.
#[derive(Args, Debug)]
#[command(next_help_heading = "Request")]
pub(crate) struct Ask {
    /// Send a header; 'Name;' sends an empty one, 'Name:' drops a default one
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse::header)]
    pub(crate) headers: Vec<HeaderFlag>,
    /// Use this method
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = method)]
    pub(crate) method: Option<Method>,
    /// POST this, or a file's content (@FILE, or @- for standard input; without line ends); several are
    /// joined with &
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Vec<String>,
    /// Say this as the user agent; nothing if empty
    #[arg(short = 'A', long, value_name = "NAME", default_value = concat!("gannet/", env!("CARGO_PKG_VERSION")))]
    pub(crate) user_agent: String,
}

/// How servers are connected to.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connecting")]
pub(crate) struct Way {
    /// Longest time to connect, TLS included [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    connect_timeout: Option<Duration>,
    /// Use these addresses for a host (* for all) and port
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = parse::resolve)]
    resolve: Vec<FixedAddresses>,
    /// Connect to HOST2:PORT2 for HOST1:PORT1; any part can be empty
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2", value_parser = parse::connect_to)]
    connect_to: Vec<ConnectTo>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    secure: Secure,
}

impl Way {
    /// Sets what flags were given for.
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), Failure> {
        if let Some(limit) = self.connect_timeout {
            config.connect_timeout = limit;
        }
        self.reach.apply(config)?;
        config.fixed_addresses.clone_from(&self.resolve);
        config.connect_to.clone_from(&self.connect_to);
        self.secure.apply(config)
    }
}

fn method(text: &str) -> Result<Method, String> {
    Method::from_bytes(text.as_bytes()).map_err(|_| "that is no method".to_owned())
}
