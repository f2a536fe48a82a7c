//! Every limit of an engine: its default, the reason for it, and the worst it can cost.
//!
//! | worst case | product of knobs |
//! |---|---|
//! | open sockets | `max_connections` |
//! | response bytes in flight | `max_connections` × `connection_window` |
//! | response bytes assembled | fetches in flight × `max_body` × 2, for a buffer grows by doubling |
//! | fetches waiting for a connection | arbiters × `max_pending` |
//! | time of one fetch | `deadline` |

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use rustls::pki_types::CertificateDer;

use crate::origin::Origin;

/// Limits and settings of an engine. A number of 0 counts as 1 where nothing could be fetched
/// otherwise.
///
/// ```
/// let mut config = gannet::Config::default();
/// config.max_connections = 8;
/// assert_eq!(config.max_attempts, 3);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Sockets open at once, over all origins and arbiters; one that is closing counts until it is
    /// closed. Default 256: under the usual limit of 1,024 file descriptors, and about 9 MiB of
    /// idle TLS sessions.
    pub max_connections: usize,
    /// Streams open at once on one connection, whatever the server allows. Default 1,000: far
    /// above what servers grant (100 to 250), so that it only stops the absurd.
    pub max_streams_per_connection: usize,
    /// Streams opened on a new connection before the server's SETTINGS say how many it allows.
    /// Default 10: no server in use allows fewer by default, and waiting would cost a round trip.
    /// What a stricter server refuses is sent again.
    pub initial_streams: usize,
    /// Fetches waiting for a place on a connection, per arbiter. One more is answered
    /// `Overloaded`. Default 100,000, at about 1 KiB each.
    pub max_pending: usize,
    /// The same, per origin. Default 50,000.
    pub max_pending_per_origin: usize,

    /// Name, TCP, TLS and preface together. Default 10 s.
    pub connect_timeout: Duration,
    /// Longest wait for a place on a connection, dialling included. Default 60 s: a fetch that
    /// waits longer is better answered than kept.
    pub acquire_timeout: Duration,
    /// Longest wait for the response head once the request is on its stream. Default 30 s.
    pub head_timeout: Duration,
    /// Longest silence within a body. Default 30 s.
    pub body_timeout: Duration,
    /// All the time one fetch may take, queueing and retries included. Default 180 s.
    pub deadline: Duration,
    /// How long a closing connection waits for the server to close its side, so that both sides
    /// agree on the number of sockets. Default 1 s; then the socket is dropped.
    pub close_timeout: Duration,

    /// Largest response body, in bytes as received. Default 32 MiB.
    pub max_body: u64,
    /// Largest response head, in bytes as RFC 9113 §6.5.2 counts them. Default 256 KiB.
    pub max_head: u32,
    /// HTTP/2 flow-control window of one stream (RFC 9113 §6.9), in bytes. Default 2 MiB: the
    /// protocol's 64 KiB would hold a stream to one such window a round trip.
    pub stream_window: u32,
    /// HTTP/2 flow-control window of one connection, in bytes. Default 16 MiB: eight streams'
    /// worth, so that one unread response does not stall the rest.
    pub connection_window: u32,

    /// Attempts per fetch that end without a response, refusals aside. Default 3; 1 switches
    /// retries off, those of refusals included.
    pub max_attempts: u32,
    /// Refusals per fetch: attempts that the server, by its own word, did not act on (RFC 9113
    /// §8.7). Default 50: a server that ends a connection every few requests refuses the rest of
    /// a burst again and again.
    pub max_refusals: u32,

    /// Where trust comes from. Default: the system's roots.
    pub trust: Trust,
    /// Which `http` origins are spoken to in HTTP/2 at once (RFC 9113 §3.3). Default: none.
    pub prior_knowledge: PriorKnowledge,
    /// Fixed addresses for a host and port, asked before the resolver; the first match counts.
    /// Default: none.
    pub resolve: Vec<Resolve>,
    /// Other places to connect to, asked before `resolve`; the first match counts. The name in
    /// the certificate and in the request stays the URL's. Default: none.
    pub connect_to: Vec<ConnectTo>,
}

/// Where trust in a server's certificate comes from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The operating system's roots and rules.
    #[default]
    System,
    /// These roots and no others.
    Roots(Vec<CertificateDer<'static>>),
    /// Anything at all. An attacker on the path can read and change everything.
    DangerAcceptAnyCertificate,
}

/// Which `http` origins are known to speak HTTP/2 in cleartext.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum PriorKnowledge {
    /// None: a fetch from an `http` origin is refused.
    #[default]
    None,
    /// These.
    Origins(HashSet<Origin>),
    /// All.
    All,
}

/// Fixed addresses of one host and port, as curl's `--resolve`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolve {
    /// Host, lower case; `*` stands for every host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Addresses, tried in order.
    pub addresses: Vec<IpAddr>,
}

/// Another place to connect to for one host and port, as curl's `--connect-to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectTo {
    /// Host of the URL, lower case; `None` stands for every host.
    pub host: Option<String>,
    /// Port of the URL; `None` stands for every port.
    pub port: Option<u16>,
    /// Host to connect to instead; `None` keeps the URL's.
    pub to_host: Option<String>,
    /// Port to connect to instead; `None` keeps the URL's.
    pub to_port: Option<u16>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 256,
            max_streams_per_connection: 1_000,
            initial_streams: 10,
            max_pending: 100_000,
            max_pending_per_origin: 50_000,
            connect_timeout: Duration::from_secs(10),
            acquire_timeout: Duration::from_secs(60),
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(180),
            close_timeout: Duration::from_secs(1),
            max_body: 32 << 20,
            max_head: 256 << 10,
            stream_window: 2 << 20,
            connection_window: 16 << 20,
            max_attempts: 3,
            max_refusals: 50,
            trust: Trust::System,
            prior_knowledge: PriorKnowledge::None,
            resolve: Vec::new(),
            connect_to: Vec::new(),
        }
    }
}

impl PriorKnowledge {
    /// Whether `origin` is known to speak HTTP/2 in cleartext.
    #[must_use]
    pub fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::None => false,
            Self::Origins(origins) => origins.contains(origin),
            Self::All => true,
        }
    }
}

impl Config {
    /// With a 1 for each limit of 0 that would let nothing through, ever.
    pub(crate) fn at_least_one(mut self) -> Self {
        for limit in [
            &mut self.max_connections,
            &mut self.max_streams_per_connection,
            &mut self.initial_streams,
            &mut self.max_pending,
            &mut self.max_pending_per_origin,
        ] {
            *limit = (*limit).max(1);
        }
        self
    }

    /// Where to connect for `origin`: host and port after `connect_to`.
    pub(crate) fn place_of(&self, origin: &Origin) -> (String, u16) {
        let (host, port) = (origin.host(), origin.port());
        let rule = self.connect_to.iter().find(|rule| {
            rule.host.as_deref().is_none_or(|h| h == host) && rule.port.is_none_or(|p| p == port)
        });
        let to_host = rule.and_then(|r| r.to_host.as_deref()).unwrap_or(host);
        let to_port = rule.and_then(|r| r.to_port).unwrap_or(port);
        (to_host.to_owned(), to_port)
    }

    /// The fixed addresses of a host and port, if there are any.
    pub(crate) fn fixed_addresses(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let rule = self
            .resolve
            .iter()
            .find(|rule| (rule.host == host || rule.host == "*") && rule.port == port)?;
        Some(rule.addresses.iter().map(|ip| (*ip, port).into()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Target;

    fn origin(url: &str) -> Origin {
        Target::parse(url).expect("a URL").origin().clone()
    }

    #[test]
    fn connect_to_moves_what_it_matches_and_keeps_the_rest() {
        let mut config = Config::default();
        config.connect_to.push(ConnectTo {
            host: Some("a.test".into()),
            port: None,
            to_host: Some("127.0.0.1".into()),
            to_port: Some(8443),
        });
        let place = |url| config.place_of(&origin(url));
        assert_eq!(place("https://a.test/"), ("127.0.0.1".into(), 8443));
        assert_eq!(place("https://b.test/"), ("b.test".into(), 443));
    }

    #[test]
    fn a_fixed_address_needs_host_and_port_to_match() {
        let mut config = Config::default();
        config.resolve.push(Resolve {
            host: "*".into(),
            port: 443,
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
        });
        assert!(config.fixed_addresses("a.test", 443).is_some());
        assert!(config.fixed_addresses("a.test", 80).is_none());
    }

    #[test]
    fn prior_knowledge_is_asked_by_origin() {
        let known = PriorKnowledge::Origins([origin("http://a.test/")].into());
        assert!(known.covers(&origin("http://a.test:80/x")));
        assert!(!known.covers(&origin("http://b.test/")));
    }
}
