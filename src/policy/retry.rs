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

/// Pause before the second attempt; it doubles with each one after.
const PAUSE: Duration = Duration::from_millis(10);

/// Judges attempt number `attempt` (from 1) of at most `max`.
///
/// Sent again is what the server provably did not act on, whatever the method (RFC 9113 §8.7),
/// and what broke before a response came, if the method is idempotent (RFC 9110 §9.2.2). A failed
/// dial is final: the same address would fail again, and the caller should hear of it at once.
pub(crate) fn judge(method: &Method, error: &Error, attempt: u32, max: u32) -> Verdict {
    let again = match error {
        Error::Reset { .. } | Error::Closed { .. } => error.is_unprocessed(),
        Error::GoAway { .. } | Error::Disconnected { .. } | Error::Internal { .. } => {
            error.is_unprocessed() || method.is_idempotent()
        }
        _ => false,
    };
    if !again || attempt >= max {
        return Verdict::GiveUp;
    }
    Verdict::Again {
        after: PAUSE * 2_u32.saturating_pow(attempt.saturating_sub(1).min(10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use std::io;
    use std::sync::Arc;

    fn judged(method: &Method, error: &Error) -> bool {
        judge(method, error, 1, 3) != Verdict::GiveUp
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
        assert_eq!(judge(&Method::GET, &error, 3, 3), Verdict::GiveUp);
        assert_eq!(judge(&Method::GET, &error, 1, 1), Verdict::GiveUp);
        assert_eq!(
            judge(&Method::GET, &error, 1, 3),
            Verdict::Again { after: PAUSE }
        );
        assert_eq!(
            judge(&Method::GET, &error, 2, 3),
            Verdict::Again { after: PAUSE * 2 }
        );
        assert_ne!(
            judge(&Method::GET, &error, u32::MAX - 1, u32::MAX),
            Verdict::GiveUp
        );
    }
}
