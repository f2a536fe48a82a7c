//! What is known of a session beside what its streams are told.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::config::Bodies;
use crate::error::{Error, ErrorCode};
use crate::message::GoAway;
use crate::message::vitals::Vitals;
use crate::session::tap::Sight;
use crate::view::Reason;

/// Shared by all that work on one session.
///
/// A stream's error is often not the cause: it tells of a broken pipe where the server had said
/// why it would go, or of a fault of the session's that another stream's response was guilty of.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) sight: Rc<Sight>,
    pub(crate) vitals: Rc<Vitals>,
    /// Whether bodies are decoded unless a request says otherwise.
    pub(super) decodes: bool,
    /// Whether the server may push.
    pub(super) takes_pushes: bool,
    /// Why the session ended, once it has.
    pub(crate) fate: OnceCell<Error>,
    /// What makes the session go, where there is more to tell than that it broke.
    parting: Cell<Option<Reason>>,
}

impl Known {
    pub(super) fn new(vitals: Rc<Vitals>, bodies: &Bodies) -> Self {
        Self {
            sight: Rc::new(Sight::default()),
            vitals,
            decodes: bodies.decode,
            takes_pushes: bodies.pushes.is_some(),
            fate: OnceCell::new(),
            parting: Cell::new(None),
        }
    }

    /// What makes the session go, GOAWAY aside.
    pub(crate) fn parting(&self) -> Reason {
        self.parting.get().unwrap_or(Reason::Broken)
    }

    /// Notes what makes the session go. What came first counts.
    pub(super) fn part(&self, reason: Reason) {
        self.parting.set(self.parting.get().or(Some(reason)));
    }

    /// The session is ended from this side; its streams are to say why.
    pub(crate) fn doom(&self, error: Error) {
        // The first cause is the cause.
        let _ = self.fate.set(error);
    }

    /// The server's latest goodbye.
    pub(crate) fn goaway(&self) -> Option<GoAway> {
        self.sight.goaway()
    }

    /// The session has come to its end.
    pub(crate) fn ended(&self, result: Result<(), h2::Error>) {
        let error = match (result, self.goaway()) {
            (Err(error), None) if error.is_io() => {
                let refusal = self.sight.refusal().cloned();
                refusal.unwrap_or_else(|| error_of(error, true))
            }
            (Err(error), None) => error_of(error, true),
            (Err(error), Some(_)) if error.is_go_away() && error.is_library() => {
                error_of(error, true)
            }
            (Err(error), Some(goaway)) if error.is_io() && is_orderly(goaway) => {
                error_of(error, true)
            }
            (_, Some(goaway)) => ended_by(goaway, false),
            (Ok(()), None) => {
                disconnected(io::ErrorKind::ConnectionAborted, "the server closed it")
            }
        };
        self.doom(error);
    }

    /// The error of `stream`, its request sent, with all that is known besides.
    pub(crate) fn explain(&self, stream: u32, error: h2::Error) -> Error {
        let error = error_of(error, true);
        if error.is_unprocessed() {
            return error;
        }
        let is_ours = matches!(error, Error::GoAway { by_server, .. } if !by_server);
        match self.sight.suspect() {
            Some(culprit) if is_ours && culprit == stream => Error::Protocol {
                detail: Cow::Borrowed(
                    "a header block of the response is malformed or out of place",
                ),
            },
            Some(_) if is_ours => disconnected(
                io::ErrorKind::InvalidData,
                "another response on it was malformed",
            ),
            _ if matches!(error, Error::Disconnected { .. }) => self.cause(stream).unwrap_or(error),
            _ => error,
        }
    }

    /// Why the connection of `stream` broke.
    fn cause(&self, stream: u32) -> Option<Error> {
        match (self.fate.get(), self.goaway()) {
            (_, None) if self.sight.refusal().is_some() => self.sight.refusal().cloned(),
            (Some(fate @ Error::Unresponsive { .. }), _) => Some(fate.clone()),
            (_, Some(goaway)) if goaway.last < stream => Some(ended_by(goaway, true)),
            (Some(fate), _) => Some(fate.clone()),
            // An orderly goodbye is no reason for what the server did accept to break.
            (None, goaway) => goaway
                .filter(|goaway| !is_orderly(*goaway))
                .map(|goaway| ended_by(goaway, false)),
        }
    }
}

fn is_orderly(goaway: GoAway) -> bool {
    ErrorCode(goaway.code) == ErrorCode::NO_ERROR
}

fn ended_by(goaway: GoAway, unprocessed: bool) -> Error {
    Error::GoAway {
        code: ErrorCode(goaway.code),
        unprocessed,
        by_server: true,
    }
}

pub(super) fn disconnected(kind: io::ErrorKind, reason: &'static str) -> Error {
    Error::Disconnected {
        source: Arc::new(io::Error::new(kind, reason)),
        sent: true,
    }
}

/// `sent`: whether the request may have left.
pub(crate) fn error_of(error: h2::Error, sent: bool) -> Error {
    let code = error.reason().map(|reason| ErrorCode(reason.into()));
    let by_server = error.is_remote();
    match code {
        // A remote GOAWAY reaches only the streams above its last identifier (RFC 9113 §6.8).
        Some(code) if error.is_go_away() => Error::GoAway {
            code,
            unprocessed: by_server || !sent,
            by_server,
        },
        Some(code) if error.is_reset() => Error::Reset { code, by_server },
        _ if error.is_io() => Error::Disconnected {
            source: Arc::new(
                error
                    .into_io()
                    .unwrap_or_else(|| io::ErrorKind::Other.into()),
            ),
            sent,
        },
        _ => Error::Protocol {
            detail: Cow::Owned(error.to_string()),
        },
    }
}
