//! What hyper says of faults, in this crate's words.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use crate::error::Error;

/// The transport's error below hyper's, if there is one.
pub(super) fn cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

/// With the innermost word on what was wrong.
pub(super) fn broken(error: &hyper::Error) -> Error {
    let detail = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Error::Protocol {
        detail: detail.into(),
    }
}

pub(super) fn disconnected_by(source: &io::Error, sent: bool) -> Error {
    let source = Arc::new(io::Error::new(source.kind(), source.to_string()));
    Error::Disconnected { source, sent }
}

pub(super) fn unsent(why: &'static str) -> Error {
    Error::Disconnected {
        source: Arc::new(io::Error::new(io::ErrorKind::NotConnected, why)),
        sent: false,
    }
}
