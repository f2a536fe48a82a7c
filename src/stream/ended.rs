//! How a fetch ends on its stream.

use http::StatusCode;

use crate::body::{End, Inlet};
use crate::error::Error;
use crate::message::attempt::Attempt;
use crate::origin::Protocol;
use crate::response::Response;

/// What a fetch has come to on this stream.
pub(super) enum Ended {
    /// All at once.
    Answered {
        attempt: Attempt,
        outcome: Result<Box<Response>, Error>,
        /// Whether nobody need judge it first.
        is_final: bool,
    },
    /// Its caller had the head already; this is the end of the body.
    Piped {
        /// Kept to the end, for it counts as a fetch in flight.
        attempt: Attempt,
        inlet: Inlet,
        head: (StatusCode, Protocol),
        end: Box<End>,
    },
}

impl Ended {
    pub(super) fn error(&self) -> Option<&Error> {
        match self {
            Self::Answered { outcome, .. } => outcome.as_ref().err(),
            Self::Piped { end, .. } => end.error.as_ref(),
        }
    }

    /// Tells whoever waits for it.
    pub(super) fn tell(self) {
        match self {
            Self::Answered {
                attempt,
                outcome: Ok(response),
                is_final: false,
            } => attempt.refer(response),
            Self::Answered {
                attempt, outcome, ..
            } => attempt.finish(outcome),
            Self::Piped {
                attempt,
                inlet,
                head,
                end,
            } => {
                attempt.count_body(head, &end, inlet.is_left());
                inlet.end(*end);
                drop(attempt);
            }
        }
    }
}
