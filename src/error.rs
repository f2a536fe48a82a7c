//! The one public error type: why a fetch produced no response.
//!
//! Variants are grouped by who must act: the caller, the operator, the network, the server, the
//! engine. Two questions have methods: [`Error::is_unprocessed`] (is it *safe* to send again?) and
//! [`Error::is_retryable`] (is it *worth* sending again?).

mod code;
mod display;
mod part;
mod tls;

use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

pub use crate::error::code::ErrorCode;
pub use crate::error::part::{Ailment, Part, Phase};
pub use crate::error::tls::TlsFault;

/// Why a fetch produced no response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The request cannot be sent as it stands; no socket was opened. The caller must change it.
    BadRequest {
        /// The part of the request that is wrong.
        part: Part,
        /// What is wrong with it. Never holds credentials.
        reason: Cow<'static, str>,
    },
    /// A bounded queue is full; nothing was sent. The caller must slow down.
    Overloaded {
        /// The limit that was hit, in fetches.
        limit: usize,
    },
    /// No connection or stream became free in time; nothing was sent. The caller must slow down.
    AcquireTimeout {
        /// How long the fetch had waited.
        after: Duration,
    },
    /// The host name could not be resolved.
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: Arc<io::Error>,
    },
    /// No connection could be opened.
    Connect {
        /// The address tried last.
        peer: SocketAddr,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The connection (name, TCP, proxy, TLS and preface) was not ready in time.
    ConnectTimeout {
        /// The limit, [`Config::connect_timeout`](crate::config::Config::connect_timeout).
        after: Duration,
    },
    /// The address policy forbids the address; no packet was sent. The caller must change the URL,
    /// or the operator [`Config::address_policy`](crate::config::Config::address_policy).
    Blocked {
        /// The host as it was asked for.
        host: String,
        /// An address of it that is forbidden.
        address: IpAddr,
    },
    /// The proxy would not, or could not, open the way to the origin.
    Proxy {
        /// Its answer; `None` if it gave none, or speaks SOCKS.
        status: Option<StatusCode>,
        /// What was wrong. Never holds credentials.
        detail: Cow<'static, str>,
    },
    /// The TLS handshake failed: most often the certificate.
    Tls {
        /// What was wrong.
        fault: TlsFault,
        /// What the TLS layer said. `source.get_ref()` downcasts to `rustls::Error` (0.23), if it
        /// was rustls that said it; otherwise the socket or the settings are at fault.
        source: Arc<io::Error>,
    },
    /// Client and server share no protocol.
    NoCommonProtocol {
        /// What the engine offered.
        offered: Cow<'static, str>,
        /// What the server chose; `None` if it chose nothing.
        chosen: Option<String>,
    },
    /// The server was too slow in one phase of the exchange.
    Timeout {
        /// The phase that took too long.
        phase: Phase,
        /// Its limit.
        after: Duration,
    },
    /// The request's own deadline passed.
    Deadline {
        /// What the fetch was waiting for.
        phase: Phase,
        /// The deadline, counted from acceptance.
        after: Duration,
    },
    /// Dials of the origin failed again and again, so none was made for this fetch.
    CircuitOpen {
        /// Why the latest dial failed.
        cause: Arc<Self>,
        /// When the next dial will be tried, from now.
        retry_in: Duration,
    },
    /// The connection was found dead while the fetch was on it.
    Unresponsive {
        /// The sign of death.
        ailment: Ailment,
        /// How long it was waited for a sign of life.
        after: Duration,
    },
    /// The stream was reset (RFC 9113 §6.4).
    Reset {
        /// Why.
        code: ErrorCode,
        /// Whether the server sent the reset; otherwise this side found a fault in the stream.
        by_server: bool,
    },
    /// The connection was shut down with GOAWAY (RFC 9113 §6.8).
    GoAway {
        /// Why.
        code: ErrorCode,
        /// Whether the server certainly did not act on this request.
        unprocessed: bool,
        /// Whether the server sent the GOAWAY; otherwise this side found a fault in the session.
        by_server: bool,
    },
    /// The connection broke while the fetch was on it.
    Disconnected {
        /// What ended the connection.
        source: Arc<io::Error>,
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// The server, or the request, broke HTTP.
    Protocol {
        /// What was wrong.
        detail: Cow<'static, str>,
    },
    /// The request's body could not be read, or was not what was announced of it.
    Upload {
        /// What its source said.
        source: Arc<io::Error>,
    },
    /// The [`EventHandler`](crate::event::EventHandler) of the fetch panicked.
    Handler,
    /// The body could not be decoded.
    Decode {
        /// What was wrong.
        detail: Cow<'static, str>,
    },
    /// A redirect leads where the fetch may not go; what the server did before it is done.
    Redirect {
        /// Where it leads, shortened, without credentials.
        location: String,
        /// Why it is not followed.
        reason: Cow<'static, str>,
    },
    /// The response ended before it was complete.
    Truncated {
        /// Body bytes received.
        got: u64,
        /// Body bytes announced, if they were.
        expected: Option<u64>,
    },
    /// The response is larger than allowed.
    TooLarge {
        /// The limit that was hit, in bytes.
        limit: u64,
    },
    /// The engine is shut down, or shutting down; or the Agent that was asked is gone.
    Closed {
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// An actor of the engine ended unexpectedly. Please report it.
    Internal {
        /// Whether the request may have reached the server.
        sent: bool,
    },
}

impl Error {
    /// Whether the server certainly did not act on the request, so that it may be sent again
    /// whatever its method (RFC 9113 §8.7).
    #[must_use]
    pub fn is_unprocessed(&self) -> bool {
        match self {
            Self::BadRequest { .. }
            | Self::Overloaded { .. }
            | Self::AcquireTimeout { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::ConnectTimeout { .. }
            | Self::Blocked { .. }
            | Self::Proxy { .. }
            | Self::Tls { .. }
            | Self::NoCommonProtocol { .. }
            | Self::CircuitOpen { .. } => true,
            Self::Deadline { phase, .. } => matches!(phase, Phase::Queue | Phase::Connect),
            Self::Reset { code, by_server } if *by_server => {
                [ErrorCode::REFUSED_STREAM, ErrorCode::HTTP_1_1_REQUIRED].contains(code)
            }
            Self::Reset { .. } => false,
            Self::GoAway { unprocessed, .. } => *unprocessed || self.requires_http1(),
            Self::Disconnected { sent, .. } | Self::Closed { sent } | Self::Internal { sent } => {
                !sent
            }
            Self::Timeout { .. }
            | Self::Unresponsive { .. }
            | Self::Protocol { .. }
            | Self::Upload { .. }
            | Self::Handler
            | Self::Decode { .. }
            | Self::Redirect { .. }
            | Self::Truncated { .. }
            | Self::TooLarge { .. } => false,
        }
    }

    /// Whether the server wants the request over HTTP/1.1 (RFC 9113 §7): it has not acted on it.
    pub(crate) fn requires_http1(&self) -> bool {
        matches!(self, Self::Reset { code, by_server } | Self::GoAway { code, by_server, .. }
            if *by_server && *code == ErrorCode::HTTP_1_1_REQUIRED)
    }

    /// Whether a later attempt may end otherwise. Says nothing of safety: see
    /// [`is_unprocessed`](Self::is_unprocessed).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::BadRequest { .. }
            | Self::Blocked { .. }
            | Self::NoCommonProtocol { .. }
            | Self::Protocol { .. }
            | Self::Upload { .. }
            | Self::Handler
            | Self::Decode { .. }
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::Closed { .. } => false,
            // A certificate stays bad; a handshake that was cut short may succeed.
            Self::Tls { fault, .. } => !fault.is_settled(),
            // A proxy that refuses will refuse again; one that cannot reach the origin may, later.
            Self::Proxy { status, .. } => status.is_none_or(|status| status.is_server_error()),
            Self::CircuitOpen { cause, .. } => cause.is_retryable(),
            _ => true,
        }
    }

    /// A short stable name of the variant, for logs, metrics and result files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "bad_request",
            Self::Overloaded { .. } => "overloaded",
            Self::AcquireTimeout { .. } => "acquire_timeout",
            Self::Resolve { .. } => "resolve",
            Self::Connect { .. } => "connect",
            Self::ConnectTimeout { .. } => "connect_timeout",
            Self::Blocked { .. } => "blocked",
            Self::Proxy { .. } => "proxy",
            Self::Tls { .. } => "tls",
            Self::NoCommonProtocol { .. } => "no_common_protocol",
            Self::Timeout { .. } => "timeout",
            Self::Deadline { .. } => "deadline",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::Unresponsive { .. } => "unresponsive",
            Self::Reset { .. } => "reset",
            Self::GoAway { .. } => "goaway",
            Self::Disconnected { .. } => "disconnected",
            Self::Protocol { .. } => "protocol",
            Self::Upload { .. } => "upload",
            Self::Handler => "handler",
            Self::Decode { .. } => "decode",
            Self::Redirect { .. } => "redirect",
            Self::Truncated { .. } => "truncated",
            Self::TooLarge { .. } => "too_large",
            Self::Closed { .. } => "closed",
            Self::Internal { .. } => "internal",
        }
    }

    pub(crate) fn bad(part: Part, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::BadRequest {
            part,
            reason: reason.into(),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { source, .. }
            | Self::Connect { source, .. }
            | Self::Tls { source, .. }
            | Self::Upload { source }
            | Self::Disconnected { source, .. } => Some(&**source),
            Self::CircuitOpen { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_refused_or_wants_otherwise_is_unprocessed() {
        let reset = |code, by_server| Error::Reset { code, by_server };
        assert!(reset(ErrorCode::REFUSED_STREAM, true).is_unprocessed());
        assert!(!reset(ErrorCode::REFUSED_STREAM, false).is_unprocessed());
        assert!(reset(ErrorCode::HTTP_1_1_REQUIRED, true).is_unprocessed());
        assert!(!reset(ErrorCode(0x8), true).is_unprocessed());
    }

    #[test]
    fn a_deadline_in_the_queue_is_unprocessed_and_one_on_the_wire_is_not() {
        let after = Duration::from_secs(1);
        let passed = |phase| Error::Deadline { phase, after }.is_unprocessed();
        assert!(passed(Phase::Queue) && passed(Phase::Connect));
        assert!(!passed(Phase::Head) && !passed(Phase::Body));
    }
}
