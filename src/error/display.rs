//! What an error says to people.

use std::fmt;

use crate::error::Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest { part, reason } => write!(f, "bad {part}: {reason}"),
            Self::Overloaded { limit } => write!(f, "the queue is full ({limit} fetches wait)"),
            Self::AcquireTimeout { after } => {
                write!(f, "no connection or stream became free within {after:?}")
            }
            Self::Resolve { host, source } => write!(f, "cannot resolve {host}: {source}"),
            Self::Connect { peer, source } => write!(f, "cannot connect to {peer}: {source}"),
            Self::ConnectTimeout { after } => write!(f, "not connected within {after:?}"),
            Self::Blocked { host, address } => {
                write!(f, "{host} is at {address}, which is forbidden")
            }
            Self::Proxy { status, detail } => match status {
                Some(status) => write!(f, "the proxy answered {status}: {detail}"),
                None => write!(f, "the proxy failed: {detail}"),
            },
            Self::Tls { fault, source } => write!(f, "{fault}: {source}"),
            Self::NoCommonProtocol { offered, chosen } => match chosen {
                Some(chosen) => write!(f, "offered {offered}, but the server chose {chosen}"),
                None => write!(f, "offered {offered}, but the server chose no protocol"),
            },
            Self::Timeout { phase, after } => write!(f, "no {phase} within {after:?}"),
            Self::Deadline { phase, after } => {
                write!(f, "{phase} did not come before the deadline, {after:?}")
            }
            Self::CircuitOpen { cause, retry_in } => {
                write!(f, "not dialled for another {retry_in:?}: {cause}")
            }
            Self::Unresponsive { ailment, after } => {
                write!(f, "the connection is dead: {ailment} {after:?}")
            }
            Self::Reset { code, by_server } => match by_server {
                true => write!(f, "the server reset the stream: {code}"),
                false => write!(f, "the stream was faulty: {code}"),
            },
            Self::GoAway {
                code, by_server, ..
            } => match by_server {
                true => write!(f, "the server shut the connection down: {code}"),
                false => write!(f, "the connection was faulty: {code}"),
            },
            Self::Disconnected { source, .. } => write!(f, "the connection broke: {source}"),
            Self::Protocol { detail } => write!(f, "HTTP was broken: {detail}"),
            Self::Upload { source } => write!(f, "the request's body could not be read: {source}"),
            Self::Handler => f.write_str("the fetch's event handler panicked"),
            Self::Decode { detail } => write!(f, "the body could not be decoded: {detail}"),
            Self::Redirect { location, reason } => {
                write!(f, "the redirect to {location} is not followed: {reason}")
            }
            Self::Truncated { got, expected } => match expected {
                Some(expected) => write!(f, "the body ended after {got} of {expected} bytes"),
                None => write!(f, "the body was cut off after {got} bytes"),
            },
            Self::TooLarge { limit } => write!(f, "the body exceeds {limit} bytes"),
            Self::Closed { .. } => f.write_str("the engine, or the Agent asked, is shut down"),
            Self::Internal { .. } => f.write_str("an actor of the engine ended unexpectedly"),
        }
    }
}
