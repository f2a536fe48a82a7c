//! What a fetch lets be heard of itself while it runs.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::error::{Error, ErrorCode};
use crate::origin::{Origin, Target};

/// Whether a fetch goes on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Flow {
    /// It does.
    #[default]
    Continue,
    /// It ends here, with what has come so far; the server is told that the rest is not wanted. A
    /// redirect that is to be followed is followed, and a status that is to be retried is retried, all
    /// the same.
    Stop,
}

/// Which attempt an event is of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct On<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URL.
    pub target: &'a Target,
    /// Number of the connection within its engine.
    pub connection: u64,
    /// Stream identifier; for HTTP/1.x the number of the request on its connection.
    pub stream: u32,
}

/// Hears of the events of fetches; for an engine
/// ([`Config::events`](crate::Config::events)), or for one request
/// ([`Request::events`](crate::Request::events)), or both: the engine's hears first.
///
/// It is called on the thread of the connection, between two pieces of work: what takes long
/// belongs elsewhere. One that panics fails the fetch it was called for
/// ([`Error::Handler`]), and no other. By default nothing is done.
///
/// ```
/// use gannet::event::{EventHandler, Flow, On};
/// use http::{HeaderMap, StatusCode, header};
///
/// /// Wants HTML and nothing else.
/// struct HtmlOnly;
///
/// impl EventHandler for HtmlOnly {
///     fn response_received(&self, _: &On<'_>, _: StatusCode, headers: &HeaderMap) -> Flow {
///         let kind = headers.get(header::CONTENT_TYPE);
///         match kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
///             true => Flow::Continue,
///             false => Flow::Stop,
///         }
///     }
/// }
/// ```
#[allow(unused_variables, reason = "named for those who implement it")]
pub trait EventHandler: Send + Sync {
    /// The head of a response has come.
    fn response_received(&self, on: &On<'_>, status: StatusCode, headers: &HeaderMap) -> Flow {
        Flow::Continue
    }

    /// An interim response has come (1xx, RFC 9110 §15.2), such as 103 Early Hints.
    fn informational_received(&self, on: &On<'_>, status: StatusCode, headers: &HeaderMap) {}

    /// A piece of a body has come, decoded where that was asked for. On [`Flow::Stop`] it is the
    /// last piece that is handed out.
    fn data_received(&self, on: &On<'_>, data: &Bytes) -> Flow {
        Flow::Continue
    }

    /// A body has grown beyond [`Bodies::warn_at`](crate::config::Bodies::warn_at) bytes, or is
    /// announced to. Told once.
    fn body_grew_large(&self, on: &On<'_>, bytes: u64) {}

    /// Trailers have come.
    fn trailers_received(&self, on: &On<'_>, trailers: &HeaderMap) {}

    /// The server lets an upload go on that had been blocked (WINDOW_UPDATE, SETTINGS): so many
    /// bytes may be sent at once. HTTP/2 only.
    fn window_updated(&self, on: &On<'_>, bytes: usize) {}

    /// The response is complete, or has been stopped.
    fn stream_ended(&self, on: &On<'_>) {}

    /// The stream was reset (RFC 9113 §6.4).
    fn stream_reset(&self, on: &On<'_>, code: ErrorCode, by_server: bool) {}

    /// The server promises a response to a request that was not made (RFC 9113 §8.4), along with the
    /// one that `on` names. Whether it is taken: if nobody does, it is refused. Asked only where
    /// [pushes](crate::config::Bodies::pushes) are allowed, and of what is safe (`GET`, `HEAD`) and the
    /// server's own. What else is heard of it is heard by the same handlers, under its own URL.
    fn push_promised(&self, on: &On<'_>, promised: &Target, headers: &HeaderMap) -> bool {
        false
    }

    /// A connection is gone; `error` tells why, where there is an error. Heard by the engine's
    /// handler once, and by the handler of each request whose response it cut off.
    fn connection_terminated(&self, origin: &Origin, connection: u64, error: Option<&Error>) {}
}

/// A handler that may be there.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<dyn EventHandler>>);

impl Events {
    /// Nobody listens.
    pub const NONE: Self = Self(None);

    /// `handler` listens.
    pub fn to(handler: impl EventHandler + 'static) -> Self {
        Self(Some(Arc::new(handler)))
    }

    pub(crate) fn handler(&self) -> Option<&dyn EventHandler> {
        self.0.as_deref()
    }
}

impl From<Arc<dyn EventHandler>> for Events {
    fn from(handler: Arc<dyn EventHandler>) -> Self {
        Self(Some(handler))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Events(a handler)",
            None => "Events(none)",
        })
    }
}
