//! What the engine logs: one function an event, so that names and keys cannot drift.
//!
//! No function takes a URL, a header or a body, so no secret can reach a log.

use slog::{Logger, debug, error, info, o};

use crate::error::Error;
use crate::origin::Origin;
use crate::response::Peer;
use crate::view::Reason;

/// A logger that drops everything: what an engine has unless it is given one.
pub(crate) fn discard() -> Logger {
    Logger::root(slog::Discard, slog::o!())
}

/// One of its own for an actor, which every record of it names.
pub(crate) fn of_actor(log: &Logger, actor: &'static str) -> Logger {
    log.new(o!("actor" => actor))
}

pub(crate) fn started(log: &Logger, arbiters: usize, max_connections: usize) {
    info!(log, "engine started"; "arbiters" => arbiters, "max_connections" => max_connections);
}

pub(crate) fn shutting_down(log: &Logger, open: usize) {
    info!(log, "engine shutting down"; "open_fetches" => open);
}

pub(crate) fn connected(log: &Logger, origin: &Origin, connection: u64, peer: &Peer) {
    debug!(log, "connected"; "origin" => %origin, "connection" => connection,
        "peer" => %peer.address, "dial_us" => micros(peer.dial.total));
}

pub(crate) fn dial_failed(log: &Logger, origin: &Origin, connection: u64, error: &Error) {
    debug!(log, "dial failed"; "origin" => %origin, "connection" => connection,
        "kind" => error.kind(), "error" => %error);
}

pub(crate) fn draining(log: &Logger, origin: &Origin, connection: u64, reason: Reason) {
    debug!(log, "draining"; "origin" => %origin, "connection" => connection,
        "reason" => ?reason);
}

pub(crate) fn disconnected(log: &Logger, origin: &Origin, connection: u64, streams: u64) {
    debug!(log, "disconnected"; "origin" => %origin, "connection" => connection,
        "streams" => streams);
}

pub(crate) fn retrying(log: &Logger, origin: &Origin, attempt: u32, kind: &str) {
    debug!(log, "retrying"; "origin" => %origin, "attempt" => attempt, "kind" => kind);
}

pub(crate) fn flooded(log: &Logger, origin: &Origin, connection: u64) {
    info!(log, "flooded"; "origin" => %origin, "connection" => connection);
}

pub(crate) fn actor_ended(log: &Logger, ended: &'static str) {
    error!(log, "actor ended unexpectedly"; "ended" => ended);
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
