//! Every limit of an engine: its default, the reason for it, and the worst it can cost.
//!
//! | worst case | product of knobs |
//! |---|---|
//! | open sockets | `max_connections` |
//! | response bytes in flight | `max_connections` × `connection_window` |
//! | response bytes held | `bodies.budget` + `max_body`; a buffer in the making may take twice its bytes |
//! | memory of dropped bodies kept for the next | half of `bodies.budget`, while a connection is at work |
//! | fetches waiting for a connection | arbiters × `max_pending` |
//! | TLS sessions kept | `tls.sessions`, at about 5 KiB each, or 200 KiB of a hostile server |
//! | pushed responses kept | arbiters × `bodies.pushes.kept`, within the byte budget |
//! | origins remembered | arbiters × `max_origins`, at about 300 bytes each |
//! | time of one fetch | `deadline` |
//! | time a dead connection is used | `silence_timeout`; it is closed `ping_timeout` later |

mod address;
mod bodies;
mod heads;
mod names;
mod noproxy;
mod place;
mod protocols;
mod proxy;
mod pushes;
mod tls;

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;

pub use crate::config::address::AddressPolicy;
pub use crate::config::bodies::Bodies;
pub use crate::config::heads::Heads;
pub use crate::config::names::{Answer, Families, Resolve, Resolver, Resolving};
pub use crate::config::noproxy::NoProxy;
pub use crate::config::place::{ConnectTo, FixedAddresses};
pub use crate::config::protocols::PriorKnowledge;
pub use crate::config::proxy::ProxyRules;
pub use crate::config::pushes::Pushes;
pub use crate::config::tls::{CertificateDer, Identity, TlsConfig, TlsVersion, Trust};

use crate::event::Events;
use crate::origin::Protocols;
use crate::request::Redirects;

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
    /// Connections of one origin that take new streams. Default 1, as RFC 9113 §9.1 advises for
    /// HTTP/2. Where it is more, a further one is opened only when the others have had no free
    /// stream for [`spread_after`](Self::spread_after). Those that are replaced, or under
    /// suspicion, do not count; all count against `max_connections`.
    pub conn_limit: usize,
    /// The same of an origin that speaks HTTP/1.1, which has one request at a time on a connection.
    /// Default 6, as browsers have it. One that is new is probed with a single connection; the
    /// others are opened at once as fetches wait, as far as `max_connections` has room to spare. At
    /// worst, so many fetches that hang keep all others of the origin waiting.
    pub conn_limit_http1: usize,
    /// How long an origin's connections must have been full, and open, before it gets one more.
    /// Default 100 ms.
    pub spread_after: Duration,
    /// Fetches of one origin on the wire at once, over all its connections. Default `None`: as
    /// many as there are streams.
    pub per_origin_concurrency: Option<usize>,
    /// Streams open at once on one connection, whatever the server allows. Default 1,000: far
    /// above what servers grant (100 to 250), so that it only stops the absurd.
    pub max_streams_per_connection: usize,
    /// Streams opened on a new connection before the server's SETTINGS say how many it allows.
    /// Default 10: no server in use allows fewer by default, and waiting would cost a round trip.
    /// What a stricter server refuses is sent again, and its limit remembered for the next
    /// connection.
    pub initial_streams: usize,
    /// Fetches waiting for a place on a connection, per arbiter. One more is answered
    /// `Overloaded`. Default 100,000, at about 1 KiB each.
    pub max_pending: usize,
    /// The same, per origin. Default 50,000.
    pub max_pending_per_origin: usize,
    /// Once others wait for its place among the connections, how many more fetches an origin
    /// gives to the connection before the others have their turn. Default 100.
    pub turn_fetches: usize,
    /// The same in time; what is on the wire then may finish. Default 1 s.
    pub turn_time: Duration,

    /// Name, TCP, proxy, TLS and preface together. Default 10 s.
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
    /// How long a connection that the server has ended (GOAWAY) may go without progress on the
    /// streams it still has. Default 5 s.
    pub drain_timeout: Duration,

    /// How long a connection may be idle, no stream open, before it is closed. Default 90 s:
    /// shorter than most servers wait.
    pub idle_timeout: Option<Duration>,
    /// How old a connection may grow before another takes its place, less up to a tenth by chance,
    /// so that connections opened together do not end together. Default 1 h, for names move.
    pub max_age: Option<Duration>,
    /// Requests that one connection serves at most. Default `None`: about 500 million, for stream
    /// identifiers run out. What a server is seen to allow is remembered apart from this.
    pub max_requests: Option<u64>,

    /// Silence on a connection with open streams after which it is suspect: it is sent a PING, and
    /// gets no new fetch until it shows a sign of life. Default 10 s.
    pub silence_timeout: Duration,
    /// How long a suspect connection may go on silent before it is closed. Default 5 s.
    pub ping_timeout: Duration,
    /// How long nothing can be written to a connection that has something to write, before it is
    /// closed. Default 10 s.
    pub write_timeout: Duration,
    /// Idle time before the system probes a connection (`TCP_KEEPALIVE`). Default 60 s.
    pub tcp_keepalive: Option<Duration>,
    /// How long the system waits for what was sent to be acknowledged (`TCP_USER_TIMEOUT`, RFC
    /// 5482), where it has such a thing. Default 30 s.
    pub tcp_user_timeout: Option<Duration>,

    /// Largest response body, in bytes as received. Default 32 MiB. It does not hold for bodies that
    /// are handed out piece by piece, unless the request sets one itself.
    pub max_body: u64,
    /// What else holds for bodies.
    pub bodies: Bodies,
    /// Largest response head, in bytes as RFC 9113 §6.5.2 counts them; of HTTP/1.x as they come,
    /// those of interim responses included. Default 256 KiB.
    pub max_head: u32,
    /// What else holds for heads.
    pub heads: Heads,
    /// HTTP/2 flow-control window of one stream (RFC 9113 §6.9), in bytes. Default 2 MiB: the
    /// protocol's 64 KiB would hold a stream to one such window a round trip.
    pub stream_window: u32,
    /// HTTP/2 flow-control window of one connection, in bytes. Default 16 MiB: eight streams'
    /// worth, so that one unread response does not stall the rest.
    pub connection_window: u32,

    /// Frames on an HTTP/2 connection that move nothing (PING, SETTINGS, interim heads, padding, …)
    /// before it is ended as faulty, its fetches answered `GoAway` with ENHANCE_YOUR_CALM and not by
    /// the server. Each step of a body, either way, and each request pays for 100 of them, and
    /// 100 s for as many as the limit. Default 10,000: a server that pings a hundred times a second
    /// passes, and the worst a flood costs is some milliseconds of CPU per connection. Fewer than
    /// 100 count as 100.
    pub max_idle_frames: u32,

    /// Attempts per fetch that end without a response, refusals aside. Default 3; 1 switches
    /// retries off, those of refusals included.
    pub max_attempts: u32,
    /// Refusals per fetch: attempts that the server, by its own word, did not act on (RFC 9113
    /// §8.7). Default 50: a server that ends a connection every few requests refuses the rest of
    /// a burst again and again.
    pub max_refusals: u32,
    /// Retries per hundred fetches of the last 10 to 20 s, over the whole engine; refusals are free
    /// of charge. Default 10, so that retries cannot multiply what a server in trouble has to bear.
    pub retry_budget: u32,
    /// Retries allowed in such a time beyond that, for programs that fetch little. Default 100.
    pub retry_reserve: u32,
    /// Statuses that are worth another attempt, if the method is idempotent; `Retry-After` is
    /// honoured. The last answer is handed out as it is. Default: none.
    pub retry_statuses: Vec<StatusCode>,

    /// Whether redirects are followed. Default: none is, for crawlers follow themselves.
    pub redirects: Redirects,

    /// Origins remembered beyond their connections (streams allowed, requests until GOAWAY,
    /// failures), per arbiter; the one unused longest is forgotten. Default 10,000.
    pub max_origins: usize,
    /// Dials of one origin that fail in a row before it is left alone for a while, its fetches
    /// answered `CircuitOpen`; 0 never does. A bad certificate needs only one. Default 5.
    pub breaker_failures: u32,
    /// For how long, the first time; it doubles each time the next dial fails too, up to
    /// 60 times this. Default 1 s.
    pub breaker_pause: Duration,

    /// How TLS is spoken: trust, versions, the client's certificate, and so on.
    pub tls: TlsConfig,
    /// The protocols to offer to servers, the preferred one first. A server over TLS chooses (ALPN,
    /// RFC 7301); one that chooses nothing is taken to speak HTTP/1.1. Default: HTTP/2, HTTP/1.1.
    pub accepted_protocols: Protocols,
    /// Which `http` origins are spoken to in HTTP/2 at once (RFC 9113 §3.3). Default: none.
    pub prior_knowledge: PriorKnowledge,
    /// Which addresses may be connected to. Default: any. Programs that fetch what strangers ask for
    /// want [`AddressPolicy::public_only`].
    pub address_policy: AddressPolicy,
    /// The local address to connect from; then only addresses of its family are tried. Default: the
    /// system's choice.
    pub local_address: Option<IpAddr>,
    /// The network interface to connect through (`SO_BINDTODEVICE`), where the system has such a
    /// thing; elsewhere each dial fails. Default: the system's choice.
    pub interface: Option<String>,
    /// Who is asked for the addresses of names. Default: the DNS servers of the system's
    /// configuration.
    pub resolver: Resolver,
    /// Families of addresses asked for and used, fixed ones and literals included. Default: both.
    pub families: Families,
    /// Longest wait for the addresses of a name. Default 5 s: a dead DNS server costs each fetch
    /// that needs it no more, and the others nothing.
    pub dns_timeout: Duration,
    /// Names whose addresses, or lack of any, are remembered, over the whole engine; the one
    /// unused longest is forgotten. At most 1 h each, as long as the answer says (its TTL), at
    /// least 1 s; lack of addresses at most 1 min. Default 10,000, at about 1 KiB each; 0
    /// remembers none.
    pub dns_cache: usize,
    /// Fixed addresses for a host and port, asked before the resolver; the first match counts.
    /// Default: none.
    pub fixed_addresses: Vec<FixedAddresses>,
    /// Other places to connect to, asked before `fixed_addresses`; the first match counts. The name in
    /// the certificate and in the request stays the URL's. Default: none.
    pub connect_to: Vec<ConnectTo>,
    /// The proxies to go through. Default: none, whatever the environment says.
    pub proxy: ProxyRules,
    /// Who hears of the events of all fetches. Default: nobody.
    pub events: Events,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 256,
            conn_limit: 1,
            conn_limit_http1: 6,
            spread_after: Duration::from_millis(100),
            per_origin_concurrency: None,
            max_streams_per_connection: 1_000,
            initial_streams: 10,
            max_pending: 100_000,
            max_pending_per_origin: 50_000,
            turn_fetches: 100,
            turn_time: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            acquire_timeout: Duration::from_secs(60),
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(180),
            close_timeout: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(90)),
            max_age: Some(Duration::from_secs(3_600)),
            max_requests: None,
            silence_timeout: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            tcp_keepalive: Some(Duration::from_secs(60)),
            tcp_user_timeout: Some(Duration::from_secs(30)),
            max_body: 32 << 20,
            bodies: Bodies::default(),
            max_head: 256 << 10,
            heads: Heads::default(),
            stream_window: 2 << 20,
            connection_window: 16 << 20,
            max_idle_frames: 10_000,
            max_attempts: 3,
            max_refusals: 50,
            retry_budget: 10,
            retry_reserve: 100,
            retry_statuses: Vec::new(),
            redirects: Redirects::NONE,
            max_origins: 10_000,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(1),
            accepted_protocols: Protocols::ANY,
            tls: TlsConfig::default(),
            prior_knowledge: PriorKnowledge::None,
            address_policy: AddressPolicy::any(),
            local_address: None,
            interface: None,
            resolver: Resolver::System,
            families: Families::Both,
            dns_timeout: Duration::from_secs(5),
            dns_cache: 10_000,
            fixed_addresses: Vec::new(),
            connect_to: Vec::new(),
            proxy: ProxyRules::none(),
            events: Events::NONE,
        }
    }
}

impl Config {
    /// With a 1 for each limit of 0 that would let nothing through, ever.
    pub(crate) fn at_least_one(mut self) -> Self {
        for limit in [
            &mut self.max_connections,
            &mut self.conn_limit,
            &mut self.conn_limit_http1,
            &mut self.max_streams_per_connection,
            &mut self.initial_streams,
            &mut self.max_pending,
            &mut self.max_pending_per_origin,
            &mut self.turn_fetches,
        ] {
            *limit = (*limit).max(1);
        }
        self.max_requests = self.max_requests.map(|limit| limit.max(1));
        self.per_origin_concurrency = self.per_origin_concurrency.map(|limit| limit.max(1));
        self
    }
}
