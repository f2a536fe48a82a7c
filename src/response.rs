//! What came back, and the receipt of how.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

pub use crate::origin::Protocol;

use crate::error::Error;

/// A complete response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Headers, as bytes; duplicates kept.
    pub headers: HeaderMap,
    /// The body as received, not decoded.
    pub body: Bytes,
    /// Trailers, if the server sent any.
    pub trailers: Option<HeaderMap>,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// How the response was come by.
    pub receipt: Receipt,
}

/// How a response was come by. Times count from the moment the fetch was asked for: when an Agent
/// took its message, or when the future of `Engine::fetch` was first polled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Receipt {
    /// When the fetch was given its place on an open connection; queueing and dialling before.
    pub queued: Duration,
    /// When the response head had arrived.
    pub first_byte: Duration,
    /// When the response was complete.
    pub done: Duration,
    /// Number of the connection within its engine.
    pub connection: u64,
    /// Stream identifier on that connection.
    pub stream: u32,
    /// Whether an earlier fetch had used the connection.
    pub reused: bool,
    /// Attempts made, this one included.
    pub attempts: u32,
    /// The attempts before this one, and why each was followed by another.
    pub retries: Vec<Retry>,
    /// Body bytes on the wire.
    pub wire_bytes: u64,
    /// The other end of the connection.
    pub peer: Arc<Peer>,
}

/// An attempt that was followed by another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retry {
    /// When it was over.
    pub at: Duration,
    /// The connection that its request may have left on; `None` if it never left.
    pub connection: Option<u64>,
    /// Why another was made.
    pub reason: RetryReason,
}

/// Why another attempt was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RetryReason {
    /// It failed.
    Error(Error),
    /// The server's answer was worth another: 421, or a status that was asked to be retried.
    Status(StatusCode),
}

/// The other end of a connection, and what it took to reach it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What TLS agreed on; `None` in cleartext.
    pub tls: Option<TlsFacts>,
    /// What the steps of the dial took.
    pub dial: DialTimes,
}

/// What TLS agreed on.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// Protocol version, such as `TLSv1_3`.
    pub version: &'static str,
    /// Cipher suite.
    pub cipher_suite: &'static str,
    /// The application protocol negotiated (ALPN), if any.
    pub alpn: Option<String>,
}

/// How long the steps of a dial took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct DialTimes {
    /// Resolving the name.
    pub resolve: Duration,
    /// Whether the name's addresses were remembered from an earlier answer; not said of literals
    /// and fixed addresses.
    pub cached: bool,
    /// The TCP handshake.
    pub tcp: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the start until the first request could leave.
    pub total: Duration,
}

impl Response {
    /// The address the response came from.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        self.receipt.peer.address
    }
}
