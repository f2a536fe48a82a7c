//! One face over a session with a server: a [`Session`] to send requests on, a [`Driver`] that
//! moves its bytes, an [`Exchange`] per request.
//!
//! HTTP/2 is the session there is; an HTTP/1.1 socket is to stand behind the same face.

mod http2;
mod known;
mod tap;

pub(crate) use http2::{Driver, Exchange, Opened, Pinger, RESETS_TOLERATED, Session, Step, open};
pub(crate) use known::Known;

/// The protocol that a session speaks.
pub(crate) const PROTOCOL: crate::response::Protocol = crate::response::Protocol::Http2;
