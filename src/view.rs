//! What the engine shows of itself: a [`Snapshot`] when asked, and each [`Change`] as it happens.

mod histogram;
mod outcomes;
mod prometheus;
mod tally;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::broadcast;

pub use crate::policy::breaker::State as Breaker;
pub use crate::view::histogram::Histogram;
pub(crate) use crate::view::outcomes::Outcomes;
pub use crate::view::outcomes::{Ended, Outcome};
pub(crate) use crate::view::tally::Tally;

use crate::error::{Error, ErrorCode};
use crate::origin::Origin;
use crate::response::Protocol;

/// The state of an engine at one moment; from [`Engine::snapshot`](crate::Engine::snapshot), or as
/// the answer to a [`TakeSnapshot`](crate::message::TakeSnapshot).
///
/// Each arbiter tells its part for itself, so the parts may be some microseconds apart.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Fetches taken in and not answered yet.
    pub in_flight: usize,
    /// Of these, those that wait for a place on a connection.
    pub waiting: usize,
    /// Sockets open, those being opened and closed included.
    pub sockets: usize,
    /// Origins that wait for a place among the sockets.
    pub waiting_origins: usize,
    /// What is held of bodies.
    pub bytes: BytesView,
    /// Every connection that is not gone.
    pub connections: Vec<ConnectionView>,
    /// Every origin that has a connection or a fetch.
    pub origins: Vec<OriginView>,
    /// Origins remembered, these and others.
    pub origins_remembered: usize,
    /// Everything counted since the engine's start.
    pub counters: Counters,
}

impl Snapshot {
    /// Adds the part of one arbiter.
    pub(crate) fn add(&mut self, part: Self) {
        self.waiting += part.waiting;
        self.connections.extend(part.connections);
        self.origins.extend(part.origins);
        self.origins_remembered += part.origins_remembered;
        self.counters.add_own(&part.counters);
    }
}

/// Body bytes that have come and lie in the engine.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct BytesView {
    /// The most that may lie there: [`Bodies::budget`](crate::config::Bodies::budget).
    pub limit: u64,
    /// Bytes that lie there.
    pub held: u64,
    /// The most that ever did.
    pub most: u64,
    /// Bodies that are open to be read piece by piece.
    pub open_bodies: usize,
}

/// One connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionView {
    /// Whom it leads to.
    pub origin: Origin,
    /// Its number within the engine.
    pub number: u64,
    /// The address at its other end, once it is open.
    pub peer: Option<SocketAddr>,
    /// The protocol spoken, once it is open.
    pub protocol: Option<Protocol>,
    /// What it is at.
    pub state: ConnectionState,
    /// Time since it began to be opened.
    pub age: Duration,
    /// Streams in use.
    pub streams: usize,
    /// Streams allowed at once, by the server and by this side.
    pub allowed: usize,
    /// Fetches given to it so far.
    pub requests: u64,
    /// Streams that this side may still reset before the connection is replaced.
    pub resets_left: u64,
    /// A round trip, as the TCP handshake took it, once it is open.
    pub round_trip: Option<Duration>,
    /// What the latest PING took.
    pub ping: Option<Duration>,
    /// Time since the latest frame from the server.
    pub silent_for: Option<Duration>,
    /// The window that this side grants to the server for the whole connection, in bytes, with what
    /// lies unread.
    pub window: u32,
    /// Body bytes that have come and that their consumers have not taken.
    pub unread: u64,
    /// Bytes received, TLS aside.
    pub received: u64,
    /// Bytes sent, TLS included.
    pub sent: u64,
}

/// What a connection is at.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It is being opened.
    Dialing,
    /// It takes new streams.
    Open,
    /// It may be dead: new fetches go elsewhere until it shows a sign of life.
    Suspect,
    /// It goes on until another has taken its place.
    Retiring,
    /// It takes no new streams.
    Draining,
}

/// One origin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OriginView {
    /// The origin.
    pub origin: Origin,
    /// Fetches that wait for it.
    pub waiting: usize,
    /// Fetches of it that are with a connection.
    pub on_wire: usize,
    /// Whether it is dialled at present.
    pub breaker: Breaker,
    /// Dials that failed in a row.
    pub failures: u32,
    /// The protocol that it spoke last.
    pub protocol: Option<Protocol>,
    /// A round trip to it, as the latest TCP handshake took it.
    pub round_trip: Option<Duration>,
    /// Streams that its server allowed last.
    pub streams: Option<usize>,
    /// Requests after which its server ends a connection, once that is learnt.
    pub requests_until_goaway: Option<u64>,
    /// Whether it has asked for HTTP/1.1.
    pub needs_http1: bool,
}

/// Everything counted since an engine's start.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Fetches taken in.
    pub fetches: u64,
    /// Requests sent: attempts that got a stream.
    pub requests: u64,
    /// Of these, those on a connection that had been used before.
    pub reused: u64,
    /// Connections begun to be opened.
    pub dials: u64,
    /// Connections that opened.
    pub handshakes: u64,
    /// Retries, by [`Error::kind`] or `status` or `misdirected`.
    pub retries: BTreeMap<&'static str, u64>,
    /// Retries that the budget did not allow.
    pub retries_refused: u64,
    /// Fetches turned away because a queue was full.
    pub overloaded: u64,
    /// Connections gone, by what made them go.
    pub closed: BTreeMap<Reason, u64>,
    /// GOAWAY frames received, by code.
    pub goaways: BTreeMap<ErrorCode, u64>,
    /// RST_STREAM frames that ended a fetch, by code.
    pub resets: BTreeMap<ErrorCode, u64>,
    /// Streams that this side gave up (RST_STREAM); of HTTP/1.x, responses.
    pub cancelled: u64,
    /// Times that a connection became suspect.
    pub suspects: u64,
    /// Empty DATA frames kept from the HTTP/2 layer, which would take them for an attack.
    pub empty_data: u64,
    /// Bytes of header blocks that came on HTTP/2, compressed as they were (RFC 7541): the payload of
    /// HEADERS, CONTINUATION and PUSH_PROMISE.
    pub head_bytes: u64,
    /// Responses that servers have promised unasked.
    pub promises: u64,
    /// Of these, those that were taken.
    pub pushes: u64,
    /// Fetches answered with one.
    pub pushes_used: u64,
    /// Fetches that have ended, by how.
    pub outcomes: BTreeMap<Outcome, Ended>,
    /// How long requests waited for their place on a connection, dialling included.
    pub queue: Histogram,
}

impl Counters {
    /// Adds what connections count themselves.
    pub(crate) fn add_own(&mut self, own: &Self) {
        self.cancelled += own.cancelled;
        self.empty_data += own.empty_data;
        self.head_bytes += own.head_bytes;
    }
}

/// What made a connection go.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Reason {
    /// It could not be opened.
    DialFailed,
    /// Another origin needed its place, and it was idle.
    Evicted,
    /// Another origin needed its place, and had waited long enough.
    Yielded,
    /// Nobody used it.
    Idle,
    /// It had grown too old.
    MaxAge,
    /// It had served enough requests.
    MaxRequests,
    /// This side had given up enough of its streams.
    MaxResets,
    /// The origin had more connections than it needs.
    Surplus,
    /// The server answered 421: it is not the place for this origin.
    Misdirected,
    /// The server ended it.
    GoAway,
    /// The server does not keep it: it said so (`Connection: close`, HTTP/1.0), or closed it between
    /// two requests (HTTP/1.x).
    NotKept,
    /// A response was given up half-way (cancelled, too slow, too large), for which HTTP/1.x has no
    /// other means than to close.
    Abandoned,
    /// The server wants HTTP/1.1 (HTTP_1_1_REQUIRED).
    Http1Required,
    /// The server ended it, and then did not finish what it had accepted.
    DrainStalled,
    /// A PING was not answered.
    NoAnswer,
    /// Nothing could be written to it.
    WriteStalled,
    /// The transport failed, or the server closed it without a word.
    Broken,
    /// This side ended it, for what the server sent was no HTTP, or too much like an attack.
    Fault,
    /// Its actor ended unexpectedly.
    Crashed,
    /// The program asked for it.
    Asked,
    /// The engine shut down.
    Shutdown,
}

impl Reason {
    /// A short stable name, for logs, metrics and result files.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::DialFailed => "dial_failed",
            Self::Evicted => "evicted",
            Self::Yielded => "yielded",
            Self::Idle => "idle",
            Self::MaxAge => "max_age",
            Self::MaxRequests => "max_requests",
            Self::MaxResets => "max_resets",
            Self::Surplus => "surplus",
            Self::Misdirected => "misdirected",
            Self::GoAway => "goaway",
            Self::NotKept => "not_kept",
            Self::Abandoned => "abandoned",
            Self::Http1Required => "http1_required",
            Self::DrainStalled => "drain_stalled",
            Self::NoAnswer => "no_answer",
            Self::WriteStalled => "write_stalled",
            Self::Broken => "broken",
            Self::Fault => "fault",
            Self::Crashed => "crashed",
            Self::Asked => "asked",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Something that happened to a connection; from
/// [`Engine::lifecycle`](crate::Engine::lifecycle).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lifecycle {
    /// Whom it leads to.
    pub origin: Origin,
    /// Its number within the engine.
    pub connection: u64,
    /// What happened.
    pub change: Change,
}

/// What happened to a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// It begins to be opened.
    Dialing,
    /// It is open.
    Connected,
    /// It could not be opened.
    DialFailed(Error),
    /// It may be dead.
    Suspect,
    /// It is alive after all.
    Recovered,
    /// It takes no new streams.
    Draining(Reason),
    /// It is gone.
    Closed(Reason),
}

/// What happens to connections, from the moment of asking; from
/// [`Engine::lifecycle`](crate::Engine::lifecycle).
#[derive(Debug)]
pub struct Lifecycles {
    pub(crate) changes: broadcast::Receiver<Lifecycle>,
}

impl Lifecycles {
    /// The next one; `None` once the engine is gone. Whoever falls more than 1,024 behind misses the
    /// oldest.
    pub async fn next(&mut self) -> Option<Lifecycle> {
        loop {
            match self.changes.recv().await {
                Ok(change) => return Some(change),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
