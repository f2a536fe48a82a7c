//! What a client is told.

use std::net::{Ipv4Addr, SocketAddr};

use crate::Failure;

/// One client, one workload.
#[derive(Clone, Debug)]
pub struct Args {
    /// Which client.
    pub client: String,
    /// A file with the certificate to trust, in PEM.
    pub ca: String,
    /// Where the server listens.
    pub port: u16,
    /// How many fetches.
    pub count: usize,
    /// Bytes that each body must have.
    pub body: usize,
    /// Fetches under way at once.
    pub in_flight: usize,
    /// Names under which the server is known; each is an origin.
    pub hosts: usize,
    /// Connections open at most, for clients that know such a limit.
    pub cap: usize,
    /// Whether to speak HTTP/1.1.
    pub http1: bool,
    /// Whether the connection is on another thread than the caller.
    pub apart: bool,
    /// In what order.
    pub shape: Shape,
}

/// The order of fetches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// All of one origin.
    Steady,
    /// Origin by origin, the fetches of each one after the other, so many origins at once.
    Visits,
    /// One of each origin; then the memory of the idle connections is told.
    Idle,
    /// Of many origins, some much more often than others.
    Zipf,
    /// One, and then nothing for three seconds.
    Rest,
}

impl Args {
    /// Those of this program.
    ///
    /// # Errors
    ///
    /// If some are missing, not known or no numbers.
    pub fn parse() -> Result<Self, Failure> {
        let mut args = pico_args::Arguments::from_env();
        let shape: Option<String> = args.opt_value_from_str("--shape")?;
        let told = Self {
            ca: args.value_from_str("--ca")?,
            port: args.value_from_str("--port")?,
            count: args.opt_value_from_str("--count")?.unwrap_or(1),
            body: args.opt_value_from_str("--body")?.unwrap_or(1_024),
            in_flight: args.opt_value_from_str("--in-flight")?.unwrap_or(100),
            hosts: args.opt_value_from_str("--hosts")?.unwrap_or(1),
            cap: args.opt_value_from_str("--cap")?.unwrap_or(256),
            http1: args.contains("--http1"),
            apart: args.contains("--apart"),
            shape: Shape::named(shape.as_deref().unwrap_or("steady"))?,
            client: args.free_from_str()?,
        };
        match args.finish().first() {
            None => Ok(told),
            Some(other) => Err(format!("{} is not known", other.display()).into()),
        }
    }

    /// The URL of every origin.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let url = |n| format!("https://o{n}.bench.test:{}/", self.port);
        (0..self.hosts).map(url).collect()
    }

    /// Where all of them are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The protocol to offer.
    #[must_use]
    pub fn alpn(&self) -> &'static str {
        if self.http1 { "http/1.1" } else { "h2" }
    }
}

impl Shape {
    fn named(name: &str) -> Result<Self, Failure> {
        Ok(match name {
            "steady" => Self::Steady,
            "visits" => Self::Visits,
            "idle" => Self::Idle,
            "zipf" => Self::Zipf,
            "rest" => Self::Rest,
            other => return Err(format!("no shape: {other}").into()),
        })
    }
}
