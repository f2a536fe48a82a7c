//! What came back, and the receipt of how.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rustls::pki_types::CertificateDer;

pub use crate::origin::Protocol;

use crate::error::Error;
use crate::origin::Target;

/// A complete response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Headers, as bytes; duplicates kept.
    pub headers: HeaderMap,
    /// The body: as received, or decoded where that was asked for.
    pub body: Bytes,
    /// The body as received, where the other is decoded and both were asked for.
    pub raw_body: Option<Bytes>,
    /// Trailers, if the server sent any.
    pub trailers: Option<HeaderMap>,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// Whether the end of the body was the end of the connection: nobody can tell whether more was
    /// meant (RFC 9112 §8). HTTP/1.x only.
    pub partial: bool,
    /// The head as it came, status line and final empty line included: the names' case and order.
    /// HTTP/1.x only; at most [`Config::max_head`](crate::Config::max_head) bytes.
    pub raw_head: Option<Bytes>,
    /// How the response was come by.
    pub receipt: Receipt,
}

/// Why a fetch produced no response, and how far it got. It can be used like its [`Error`].
///
/// ```no_run
/// # async fn run(engine: gannet::Engine) {
/// use gannet::{Error, Request};
///
/// if let Err(failure) = engine.fetch(Request::get("https://example.com/")).await {
///     println!("{failure}, after {:?} and {} attempts", failure.receipt.done, failure.receipt.attempts);
///     if let Error::Tls { fault, .. } = &failure.error {
///         println!("{fault}");
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// How far it got: of the last attempt, and what went before it.
    pub receipt: Box<Receipt>,
}

impl Failure {
    pub(crate) fn new(error: Error, receipt: Receipt) -> Self {
        Self {
            error,
            receipt: Box::new(receipt),
        }
    }
}

impl std::ops::Deref for Failure {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Of what went wrong before anything was tried.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error, Receipt::default())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Why a body is not all that the server had to send.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Cut {
    /// An event handler stopped it.
    Stopped,
    /// It is larger than allowed.
    TooLarge,
    /// It ended before it was complete.
    DataLoss,
}

/// How a fetch went. Times count from the moment it was asked for: when an Agent took its message,
/// or when the future of `Engine::fetch` was first polled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// When the fetch was given its place on an open connection, or was answered without; queueing
    /// and dialling before. The parts of the dial are in [`Peer::dial`].
    pub queued: Duration,
    /// When the request was sent, its body included, as far as it went; `None` if none was.
    pub sent: Option<Duration>,
    /// When the response head had arrived, if it has.
    pub first_byte: Option<Duration>,
    /// When all was over.
    pub done: Duration,
    /// Number of the connection within its engine, if it got one.
    pub connection: Option<u64>,
    /// Stream identifier on that connection; for HTTP/1.x the number of the request on it, from 1.
    pub stream: Option<u32>,
    /// Whether an earlier fetch had used the connection.
    pub reused: bool,
    /// Attempts made, the last one included.
    pub attempts: u32,
    /// The attempts before the last one, and why each was followed by another.
    pub retries: Vec<Retry>,
    /// The redirects that were followed, in order.
    pub hops: Vec<Hop>,
    /// Bytes of the response's head on the wire, of HTTP/1.x.
    pub head_bytes: Option<u64>,
    /// Bytes of the response's body on the wire.
    pub wire_bytes: u64,
    /// Bytes of the body handed out: as many, unless it was decoded or cut.
    pub body_bytes: u64,
    /// Whether the body was decoded, as its `Content-Encoding` says.
    pub decoded: bool,
    /// Bytes of the request's body handed to the connection.
    pub sent_bytes: u64,
    /// Why the body is not all that the server had to send, if it is not.
    pub cut: Option<Cut>,
    /// Whether the server had pushed the response, and nothing was sent for it: connection, stream,
    /// peer and bytes are those it came by.
    pub pushed: bool,
    /// The other end of the connection, if there was one.
    pub peer: Option<Arc<Peer>>,
}

/// A redirect that was followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hop {
    /// When it had been read.
    pub at: Duration,
    /// The connection it came on.
    pub connection: u64,
    /// Its status.
    pub status: StatusCode,
    /// Where it led.
    pub to: Target,
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
    /// Its address; the proxy's, where there is one.
    pub address: SocketAddr,
    /// This side's address.
    pub local: Option<SocketAddr>,
    /// The addresses that were tried besides, in order.
    pub passed: Vec<Passed>,
    /// The proxy between, as a URL without credentials.
    pub proxy: Option<String>,
    /// What TLS agreed on; `None` in cleartext.
    pub tls: Option<TlsFacts>,
    /// What the steps of the dial took.
    pub dial: DialTimes,
}

/// An address that was tried, but not connected to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Passed {
    /// The address.
    pub address: SocketAddr,
    /// How long it was tried.
    pub took: Duration,
    /// Why it failed; `None`: another answered first.
    pub failure: Option<Arc<io::Error>>,
}

/// What TLS agreed on.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// Protocol version, such as `TLSv1_3`.
    pub version: &'static str,
    /// Cipher suite.
    pub cipher_suite: &'static str,
    /// The application protocol negotiated (ALPN), if any.
    pub alpn: Option<String>,
    /// Whether an earlier session with the server was resumed, its certificate not sent again.
    pub resumed: bool,
    /// The certificates that the server sent, its own first, in DER; those of the session that was
    /// resumed, if one was. At most 64 KiB.
    pub chain: Vec<CertificateDer<'static>>,
}

/// How long the steps of a dial took. Resolving and TCP are those of a proxy where there is one, and
/// took nothing where the tunnel is one more on a connection to the proxy that was there.
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
    /// Having a proxy open the way, TLS with it included.
    pub proxy: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the start until the first request could leave.
    pub total: Duration,
}

/// Without the certificates' bytes.
impl fmt::Debug for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFacts")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("alpn", &self.alpn)
            .field("resumed", &self.resumed)
            .field("chain", &format_args!("{} certificates", self.chain.len()))
            .finish()
    }
}

impl Response {
    /// The address the response came from.
    #[must_use]
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.receipt.peer.as_ref().map(|peer| peer.address)
    }
}
