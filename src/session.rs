//! One face over a session with a server: a [`Session`] to send requests on, a [`Driver`] that
//! moves its bytes, an [`Exchange`] per request.
//!
//! HTTP/2 is the session there is; an HTTP/1.1 socket is to stand behind the same face.

mod http2;

pub(crate) use http2::{Driver, Exchange, Session, Step, open};
