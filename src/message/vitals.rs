//! What a connection shows of itself.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::response::Protocol;

/// Written by a connection and what lies below it, read by its Pool, all on one thread: so the Pool
/// can look without asking.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    /// Once it is open.
    pub(crate) peer: Cell<Option<SocketAddr>>,
    pub(crate) protocol: Cell<Option<Protocol>>,
    /// What it took to open.
    pub(crate) handshake: Cell<Duration>,
    /// A round trip, as the TCP handshake took it.
    pub(crate) round_trip: Cell<Duration>,
    /// When the latest frame came.
    pub(crate) heard: Cell<Option<Instant>>,
    /// Whether a request has been answered.
    pub(crate) answered: Cell<bool>,
    /// What the latest PING took.
    pub(crate) ping: Cell<Option<Duration>>,
    /// Streams that this side gave up.
    pub(crate) resets: Cell<u64>,
    /// Exchanges that are over, of which the Pool has not heard yet; kept where each has the
    /// connection to itself, so that nobody dials for what is on its way.
    pub(crate) freed: Cell<u64>,
    /// Streams that are over and that the Pool has not counted yet.
    pub(crate) over: Cell<u64>,
    /// Messages to the Pool that it has not handled yet: what is over now is over after them.
    pub(crate) told: Cell<u64>,
    /// Bytes on the wire, TLS included.
    pub(crate) sent: Cell<u64>,
    pub(crate) received: Cell<u64>,
    /// When a write that had been blocked went through.
    pub(crate) moved: Cell<Option<Instant>>,
    /// Since when no byte could be written.
    pub(crate) blocked: Cell<Option<Instant>>,
    /// What the server is granted on the whole connection.
    pub(crate) window: Cell<u32>,
    /// Body bytes that have come and lie unread, held against the connection's window.
    pub(crate) unread: Cell<u64>,
    /// Empty DATA frames taken out.
    pub(crate) empty_data: Cell<u64>,
    /// Bytes of header blocks received.
    pub(crate) head_bytes: Cell<u64>,
    /// Steps that request bodies have come on: one for each piece sent, and for each KiB of it.
    pub(crate) uploaded: Cell<u64>,
}

/// Counts one more.
pub(crate) fn bump(counter: &Cell<u64>, by: u64) {
    counter.set(counter.get().saturating_add(by));
}
