//! When a connection has had its time, and when to have the next one ready.

use std::time::{Duration, Instant};

use crate::policy::jitter;

/// Half of the stream ids of a client (RFC 9113 §5.1.1): no server counts so far, and an id is
/// never used twice.
const MOST_REQUESTS: u64 = 1 << 29;

/// What a connection may live to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Requests sent.
    pub(crate) max_requests: Option<u64>,
    /// Streams that this side reset: a server may take many for an attack (CVE-2023-44487).
    pub(crate) max_resets: u64,
    /// See [`expiry`].
    pub(crate) expires: Option<Instant>,
}

/// What it has lived through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wear {
    /// Requests sent.
    pub(crate) requests: u64,
    /// Streams that this side reset.
    pub(crate) resets: u64,
}

/// Why a connection is replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// It has carried as many requests as it may, or nearly.
    Requests,
    /// Too many of its streams were reset by this side.
    Resets,
    /// It is old.
    Old,
}

/// How worn a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Age {
    /// Not at all.
    Fit,
    /// Go on, but have a replacement dialled.
    Retire(Reason),
    /// No more streams.
    Spent(Reason),
}

impl Life {
    /// Judges. It retires a little before it is spent, so that nobody waits for the replacement.
    pub(crate) fn age(self, wear: Wear, now: Instant) -> Age {
        let max = self.max_requests.unwrap_or(u64::MAX).min(MOST_REQUESTS);
        // Of one or two requests there is no "nearly".
        let nearly = match max > 2 {
            true => max - (max / 8).max(2),
            false => max,
        };
        if wear.requests >= max {
            Age::Spent(Reason::Requests)
        } else if wear.requests >= nearly {
            Age::Retire(Reason::Requests)
        } else if wear.resets >= self.max_resets {
            Age::Retire(Reason::Resets)
        } else if self.expires.is_some_and(|expires| now >= expires) {
            Age::Retire(Reason::Old)
        } else {
            Age::Fit
        }
    }
}

/// When a connection is old: `max_age` shortened by up to a tenth, so that connections opened
/// together do not end together. `None` if that is beyond reckoning.
pub(crate) fn expiry(opened: Instant, max_age: Duration, jitter: f64) -> Option<Instant> {
    opened.checked_add(max_age - jitter::part(max_age / 10, jitter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ENDLESS: Life = Life {
        max_requests: None,
        max_resets: u64::MAX,
        expires: None,
    };

    fn after(life: Life, requests: u64) -> Age {
        life.age(
            Wear {
                requests,
                resets: 0,
            },
            Instant::now(),
        )
    }

    #[test]
    fn a_bounded_connection_retires_before_it_is_spent() {
        let bounded = |max| Life {
            max_requests: Some(max),
            ..ENDLESS
        };
        let spent = Age::Spent(Reason::Requests);
        let retire = Age::Retire(Reason::Requests);
        for (max, retires) in [(3, 1), (10, 8), (100, 88), (1000, 875)] {
            assert_eq!(after(bounded(max), retires - 1), Age::Fit, "{max}");
            assert_eq!(after(bounded(max), retires), retire, "{max}");
            assert_eq!(after(bounded(max), max - 1), retire, "{max}");
            assert_eq!(after(bounded(max), max), spent, "{max}");
        }
        for max in [1, 2] {
            assert_eq!(after(bounded(max), max - 1), Age::Fit, "{max}");
            assert_eq!(after(bounded(max), max), spent, "{max}");
        }
        assert_eq!(after(bounded(0), 0), spent);
    }

    #[test]
    fn stream_ids_run_out_whatever_the_limits_say() {
        let spent = Age::Spent(Reason::Requests);
        for max_requests in [None, Some(u64::MAX)] {
            let life = Life {
                max_requests,
                ..ENDLESS
            };
            assert_eq!(after(life, MOST_REQUESTS), spent);
            assert_eq!(after(life, MOST_REQUESTS / 2), Age::Fit);
        }
    }

    #[test]
    fn resets_and_age_retire_it() {
        let now = Instant::now();
        let life = Life {
            max_requests: Some(10),
            max_resets: 2,
            expires: Some(now + SECOND),
        };
        let mut wear = Wear::default();
        assert_eq!(life.age(wear, now), Age::Fit);
        let old = life.age(wear, now + SECOND);
        assert_eq!(old, Age::Retire(Reason::Old));
        wear.resets = 2;
        assert_eq!(life.age(wear, now), Age::Retire(Reason::Resets));
        wear.requests = 10;
        assert_eq!(life.age(wear, now), Age::Spent(Reason::Requests));
    }

    #[test]
    fn what_never_expires_has_no_expiry() {
        assert_eq!(expiry(Instant::now(), Duration::MAX, 0.5), None);
    }

    proptest! {
        #[test]
        fn wear_only_grows(
            max in prop::option::of(0u64..50), max_resets in 0u64..50, requests in 0u64..60, resets in 0u64..60,
        ) {
            let grade = |age| match age { Age::Fit => 0, Age::Retire(_) => 1, Age::Spent(_) => 2 };
            let (life, now) = (Life { max_requests: max, max_resets, expires: None }, Instant::now());
            let graded = |requests, resets| grade(life.age(Wear { requests, resets }, now));
            prop_assert!(graded(requests, resets) <= graded(requests + 1, resets));
            prop_assert!(graded(requests, resets) <= graded(requests, resets + 1));
            prop_assert_eq!(graded(requests, resets) == 2, max.is_some_and(|max| requests >= max));
        }

        #[test]
        fn it_expires_within_the_last_tenth(millis in 0u64..100_000, jitter in 0.0f64..1.0) {
            let (opened, max_age) = (Instant::now(), Duration::from_millis(millis));
            let expires = expiry(opened, max_age, jitter).expect("within reckoning");
            prop_assert!(expires <= opened + max_age && expires >= opened + max_age / 10 * 9);
        }
    }
}
