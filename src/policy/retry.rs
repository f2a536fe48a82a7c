//! Whether a failed attempt is worth another.

mod status;

use std::io;
use std::time::Duration;

use http::{Method, StatusCode};

pub(crate) use crate::policy::retry::status::judge_status;

use crate::error::{Error, ErrorCode};
use crate::policy::jitter::part;

/// What to do after an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Send it again.
    Again {
        /// After this pause.
        after: Duration,
        /// Whether the retry budget must allow it: the server may have worked for this attempt.
        is_charged: bool,
        /// Whether it must go over another connection.
        elsewhere: bool,
    },
    /// Tell the caller.
    GiveUp,
}

/// The longest pause before the second attempt; it doubles with each one after, up to
/// [`LONGEST_PAUSE`]. What is waited is a random part of it, so that those who failed together do
/// not come back together.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The same after a server has asked for calm.
const CALM_PAUSE: Duration = Duration::from_secs(1);

/// What has become of a fetch so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tries {
    /// Attempts that a server may have acted on, or that failed within the engine.
    pub(crate) failed: u32,
    /// Attempts that a server, by its own word, did not act on, or that never left.
    pub(crate) refused: u32,
    /// Attempts whose connection was ended for a fault of the server's, its culprit unknown.
    pub(crate) faults: u32,
    /// Attempts answered 421.
    pub(crate) misdirected: u32,
    /// Attempts that the server wanted over HTTP/1.1.
    pub(crate) downgrades: u32,
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
        self.faults += u32::from(is_fault(error));
        self.downgrades += u32::from(error.requires_http1());
    }

    /// Counts one more that ended with a response of this status.
    pub(crate) fn count_status(&mut self, status: StatusCode) {
        match status {
            StatusCode::MISDIRECTED_REQUEST => self.misdirected += 1,
            _ => self.failed = self.failed.saturating_add(1),
        }
    }
}

/// The bounds of the judgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_attempts: u32,
    pub(crate) max_refusals: u32,
    /// Whether the request's body can still be sent from its beginning.
    pub(crate) is_whole: bool,
    /// Whether HTTP/1.1 will do.
    pub(crate) accepts_http1: bool,
    /// From 0 to 1, drawn anew for each judgement.
    pub(crate) jitter: f64,
}

/// Judges a fetch whose latest attempt, counted in `tries`, ended with `error`.
///
/// Sent again is what the server provably did not act on, whatever the method (RFC 9113 §8.7),
/// and what broke before a response came, if the method is idempotent (RFC 9110 §9.2.2). A failed
/// dial is final: the same address would fail again, and the caller should hear of it at once.
/// Refusals have a bound of their own, for a server that ends a connection every few requests
/// refuses a large burst many times before it is through. A request that had a connection to itself
/// and broke it is the culprit, and stays at home. What the server wants over HTTP/1.1 goes again that
/// way, once.
pub(crate) fn judge(method: &Method, error: &Error, tries: Tries, bounds: Bounds) -> Verdict {
    let is_charged = !error.is_unprocessed();
    let again = match error {
        error if error.requires_http1() => bounds.accepts_http1 && tries.downgrades <= 1,
        Error::Reset { code, .. } => !is_charged || is_calm(*code) && method.is_idempotent(),
        Error::Closed { .. } => !is_charged,
        Error::GoAway { .. } | Error::Disconnected { .. } | Error::Internal { .. } => {
            !is_charged || method.is_idempotent()
        }
        Error::Unresponsive { .. } => method.is_idempotent(),
        _ => false,
    };
    let is_spent = tries.failed >= bounds.max_attempts || tries.refused > bounds.max_refusals;
    let is_culprit = is_fault(error) && tries.faults > 1;
    if !again || is_spent || is_culprit || bounds.max_attempts <= 1 || !bounds.is_whole {
        return Verdict::GiveUp;
    }
    let most = match error {
        Error::GoAway { code, .. } | Error::Reset { code, .. } if is_calm(*code) => CALM_PAUSE,
        error if error.requires_http1() => Duration::ZERO,
        // A fresh connection is all that it takes.
        Error::GoAway { .. } | Error::Disconnected { .. } | Error::Unresponsive { .. } => {
            Duration::ZERO
        }
        _ => PAUSE,
    };
    Verdict::Again {
        after: pause(most, tries, bounds.jitter),
        is_charged: is_charged && !is_collateral(error),
        elsewhere: false,
    }
}

/// Full jitter: anything from nothing to `most`, which doubles with every attempt.
fn pause(most: Duration, tries: Tries, jitter: f64) -> Duration {
    let before = tries.failed.saturating_add(tries.refused).saturating_sub(1);
    let most = most.saturating_mul(2_u32.pow(before.min(10)));
    part(most.min(LONGEST_PAUSE), jitter)
}

/// Whether this side ended the connection for a fault that it cannot lay at one stream's door.
fn is_fault(error: &Error) -> bool {
    matches!(error, Error::GoAway { by_server, unprocessed, .. } if !by_server && !unprocessed)
}

/// Whether what broke may well have been another fetch's: a whole burst fails at once then, and none
/// of it is to blame.
fn is_collateral(error: &Error) -> bool {
    let is_neighbours = matches!(error, Error::Disconnected { source, .. }
        if source.kind() == io::ErrorKind::InvalidData);
    is_neighbours || is_fault(error)
}

fn is_calm(code: ErrorCode) -> bool {
    code == ErrorCode::ENHANCE_YOUR_CALM
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    const BOUNDS: Bounds = Bounds {
        max_attempts: 3,
        max_refusals: 5,
        is_whole: true,
        accepts_http1: false,
        jitter: 1.0,
    };

    fn judged(method: &Method, error: &Error) -> Verdict {
        let mut tries = Tries::default();
        tries.count(error);
        judge(method, error, tries, BOUNDS)
    }

    fn is_repeated(method: &Method, error: &Error) -> bool {
        judged(method, error) != Verdict::GiveUp
    }

    fn reset(code: ErrorCode) -> Error {
        let by_server = true;
        Error::Reset { code, by_server }
    }

    fn again(after: Duration, is_charged: bool) -> Verdict {
        Verdict::Again {
            after,
            is_charged,
            elsewhere: false,
        }
    }

    #[test]
    fn what_was_never_processed_goes_again_whatever_the_method() {
        let goaway = |unprocessed| Error::GoAway {
            code: ErrorCode(0),
            unprocessed,
            by_server: true,
        };
        let refused = reset(ErrorCode::REFUSED_STREAM);
        assert_eq!(
            judged(&Method::POST, &goaway(true)),
            again(Duration::ZERO, false)
        );
        assert_eq!(judged(&Method::POST, &refused), again(PAUSE, false));
        assert!(!is_repeated(&Method::POST, &goaway(false)));
        assert_eq!(
            judged(&Method::PUT, &goaway(false)),
            again(Duration::ZERO, true)
        );
        assert!(is_repeated(&Method::POST, &Error::Internal { sent: false }));
        assert!(!is_repeated(&Method::POST, &Error::Internal { sent: true }));
        assert!(is_repeated(&Method::POST, &Error::Closed { sent: false }));
        let calm = reset(ErrorCode::ENHANCE_YOUR_CALM);
        assert_eq!(judged(&Method::GET, &calm), again(CALM_PAUSE, true));
    }

    #[test]
    fn a_broken_connection_is_repeated_only_for_idempotent_methods() {
        let source = Arc::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let broken = Error::Disconnected { source, sent: true };
        let dead = Error::Unresponsive {
            ailment: crate::error::Ailment::NoAnswer,
            after: PAUSE,
        };
        for (method, again) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            assert_eq!(is_repeated(&method, &broken), again, "{method}");
            assert_eq!(is_repeated(&method, &dead), again, "{method}");
        }
    }

    #[test]
    fn failed_dials_and_limits_are_final() {
        let after = Duration::from_secs(1);
        assert!(!is_repeated(&Method::GET, &Error::ConnectTimeout { after }));
        assert!(!is_repeated(&Method::GET, &Error::AcquireTimeout { after }));
        assert!(!is_repeated(&Method::GET, &Error::TooLarge { limit: 1 }));
        assert!(!is_repeated(
            &Method::GET,
            &reset(ErrorCode::HTTP_1_1_REQUIRED)
        ));
    }

    #[test]
    fn attempts_are_counted_and_pauses_grow() {
        let error = Error::Internal { sent: false };
        let judge = |failed, max_attempts| {
            let tries = Tries {
                failed,
                ..Tries::default()
            };
            let bounds = Bounds {
                max_attempts,
                ..BOUNDS
            };
            judge(&Method::GET, &error, tries, bounds)
        };
        assert_eq!(judge(3, 3), Verdict::GiveUp);
        assert_eq!(judge(1, 1), Verdict::GiveUp);
        assert_eq!(judge(1, 3), again(PAUSE, false));
        assert_eq!(judge(2, 3), again(PAUSE * 2, false));
        let last = judge(u32::MAX - 1, u32::MAX);
        assert_eq!(last, again(LONGEST_PAUSE, false));
    }

    #[test]
    fn refusals_have_a_bound_of_their_own() {
        let error = reset(ErrorCode::REFUSED_STREAM);
        let few = |max_attempts| Bounds {
            max_attempts,
            ..BOUNDS
        };
        let mut tries = Tries::default();
        for _ in 0..5 {
            tries.count(&error);
            assert_ne!(judge(&Method::POST, &error, tries, few(2)), Verdict::GiveUp);
        }
        tries.count(&error);
        assert_eq!(judge(&Method::POST, &error, tries, few(2)), Verdict::GiveUp);
        let mut first = Tries::default();
        first.count(&error);
        let verdict = judge(&Method::POST, &error, first, few(1));
        assert_eq!(verdict, Verdict::GiveUp, "retries are switched off");
    }

    #[test]
    fn what_is_wanted_over_http_1_1_goes_that_way_once_and_free_of_charge() {
        let goaway = Error::GoAway {
            code: ErrorCode::HTTP_1_1_REQUIRED,
            unprocessed: false,
            by_server: true,
        };
        let bounds = Bounds {
            accepts_http1: true,
            ..BOUNDS
        };
        for error in [goaway, reset(ErrorCode::HTTP_1_1_REQUIRED)] {
            assert_eq!(
                judged(&Method::GET, &error),
                Verdict::GiveUp,
                "not accepted"
            );
            let mut tries = Tries::default();
            tries.count(&error);
            let verdict = judge(&Method::POST, &error, tries, bounds);
            assert_eq!(verdict, again(Duration::ZERO, false));
            tries.count(&error);
            let verdict = judge(&Method::GET, &error, tries, bounds);
            assert_eq!(verdict, Verdict::GiveUp, "it had its way");
        }
    }

    #[test]
    fn who_breaks_a_connection_of_its_own_is_the_culprit() {
        let fault = Error::GoAway {
            code: ErrorCode(1),
            unprocessed: false,
            by_server: false,
        };
        let mut tries = Tries::default();
        tries.count(&fault);
        let free = again(Duration::ZERO, false);
        assert_eq!(judge(&Method::GET, &fault, tries, BOUNDS), free);
        tries.count(&fault);
        assert_eq!(judge(&Method::GET, &fault, tries, BOUNDS), Verdict::GiveUp);
    }

    proptest! {
        #[test]
        fn nothing_is_repeated_for_ever(codes in prop::collection::vec(0u32..15, 20)) {
            let mut tries = Tries::default();
            let mut attempts = 0;
            for code in codes {
                let error = reset(ErrorCode(code));
                tries.count(&error);
                attempts += 1;
                if judge(&Method::GET, &error, tries, BOUNDS) == Verdict::GiveUp {
                    break;
                }
            }
            prop_assert!(attempts <= BOUNDS.max_attempts + BOUNDS.max_refusals);
        }
    }
}
