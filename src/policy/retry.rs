//! Whether a failed attempt is worth another.

use std::time::Duration;

use http::Method;

use crate::error::Error;

/// What to do after an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Send it again, after a pause.
    Again { after: Duration },
    /// Tell the caller.
    GiveUp,
}

/// Pause before the second attempt; it doubles with each one after, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What has become of a fetch so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tries {
    /// Attempts that a server may have acted on, or that failed within the engine.
    pub(crate) failed: u32,
    /// Attempts that a server, by its own word, did not act on, or that never left.
    pub(crate) refused: u32,
}

impl Tries {
    /// Counts one more that ended with `error`.
    pub(crate) fn count(&mut self, error: &Error) {
        let counter = match error {
            Error::Reset { .. } | Error::GoAway { .. } | Error::Disconnected { .. }
                if error.is_unprocessed() =>
            {
                &mut self.refused
            }
            _ => &mut self.failed,
        };
        *counter = counter.saturating_add(1);
    }
}

/// Judges a fetch whose latest attempt, counted in `tries`, ended with `error`.
///
/// Sent again is what the server provably did not act on, whatever the method (RFC 9113 §8.7),
/// and what broke before a response came, if the method is idempotent (RFC 9110 §9.2.2). A failed
/// dial is final: the same address would fail again, and the caller should hear of it at once.
/// Refusals have a bound of their own, for a server that ends a connection every few requests
/// refuses a large burst many times before it is through.
pub(crate) fn judge(
    method: &Method,
    error: &Error,
    tries: Tries,
    max_attempts: u32,
    max_refusals: u32,
) -> Verdict {
    let again = match error {
        Error::Reset { .. } | Error::Closed { .. } => error.is_unprocessed(),
        Error::GoAway { .. } | Error::Disconnected { .. } | Error::Internal { .. } => {
            error.is_unprocessed() || method.is_idempotent()
        }
        _ => false,
    };
    let is_spent = tries.failed >= max_attempts || tries.refused > max_refusals;
    if !again || is_spent || max_attempts <= 1 {
        return Verdict::GiveUp;
    }
    let doublings = match error {
        // A fresh connection is all that it takes.
        Error::GoAway { .. } | Error::Disconnected { .. } => 0,
        _ => (tries.failed + tries.refused).saturating_sub(1).min(10),
    };
    let after = (PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
    Verdict::Again { after }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use std::io;
    use std::sync::Arc;

    fn judged(method: &Method, error: &Error) -> bool {
        let mut tries = Tries::default();
        tries.count(error);
        judge(method, error, tries, 3, 5) != Verdict::GiveUp
    }

    #[test]
    fn what_was_never_processed_goes_again_whatever_the_method() {
        let goaway = |unprocessed| Error::GoAway {
            code: ErrorCode(0),
            unprocessed,
            by_server: true,
        };
        let refused = Error::Reset {
            code: ErrorCode::REFUSED_STREAM,
            by_server: true,
        };
        assert!(judged(&Method::POST, &goaway(true)) && judged(&Method::POST, &refused));
        assert!(!judged(&Method::POST, &goaway(false)) && judged(&Method::PUT, &goaway(false)));
        assert!(judged(&Method::POST, &Error::Internal { sent: false }));
        assert!(!judged(&Method::POST, &Error::Internal { sent: true }));
    }

    #[test]
    fn a_broken_connection_is_repeated_only_for_idempotent_methods() {
        let source = Arc::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let broken = Error::Disconnected { source, sent: true };
        for (method, again) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            assert_eq!(judged(&method, &broken), again, "{method}");
        }
    }

    #[test]
    fn failed_dials_and_limits_are_final() {
        let after = Duration::from_secs(1);
        assert!(!judged(&Method::GET, &Error::ConnectTimeout { after }));
        assert!(!judged(&Method::GET, &Error::AcquireTimeout { after }));
        assert!(!judged(&Method::GET, &Error::TooLarge { limit: 1 }));
    }

    #[test]
    fn attempts_are_counted_and_pauses_grow() {
        let error = Error::Internal { sent: false };
        let judge = |failed, max| {
            let tries = Tries { failed, refused: 0 };
            judge(&Method::GET, &error, tries, max, 5)
        };
        assert_eq!(judge(3, 3), Verdict::GiveUp);
        assert_eq!(judge(1, 1), Verdict::GiveUp);
        assert_eq!(judge(1, 3), Verdict::Again { after: PAUSE });
        assert_eq!(judge(2, 3), Verdict::Again { after: PAUSE * 2 });
        let after = LONGEST_PAUSE;
        assert_eq!(judge(u32::MAX - 1, u32::MAX), Verdict::Again { after });
    }

    #[test]
    fn refusals_have_a_bound_of_their_own() {
        let (code, by_server) = (ErrorCode::REFUSED_STREAM, true);
        let error = Error::Reset { code, by_server };
        let mut tries = Tries::default();
        for _ in 0..5 {
            tries.count(&error);
            assert_ne!(judge(&Method::POST, &error, tries, 2, 5), Verdict::GiveUp);
        }
        tries.count(&error);
        assert_eq!(judge(&Method::POST, &error, tries, 2, 5), Verdict::GiveUp);
        let first = Tries {
            failed: 0,
            refused: 1,
        };
        let verdict = judge(&Method::POST, &error, first, 1, 5);
        assert_eq!(verdict, Verdict::GiveUp, "retries are switched off");
    }
}
