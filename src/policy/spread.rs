//! When an origin gets one more connection.
//!
//! One session carries many streams, and a second one costs a socket and a handshake on both sides
//! (RFC 9113 §9.1). So another is opened only where fetches have waited for a while. In HTTP/1.1
//! there is one request at a time on a connection: each who waits gets one, up to the limit.

use std::time::{Duration, Instant};

/// What the Pool knows of an origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Fetches that wait for a stream.
    pub(crate) waiting: usize,
    /// Connections in use that take new streams: neither suspect nor retiring.
    pub(crate) open: usize,
    /// Connections being dialled.
    pub(crate) dialing: usize,
    /// The most that may be open.
    pub(crate) conn_limit: usize,
    /// Since when no stream has been free on any.
    pub(crate) saturated_since: Option<Instant>,
    /// When the youngest open one opened.
    pub(crate) youngest: Option<Instant>,
    /// How long fetches wait before another is worth it.
    pub(crate) threshold: Duration,
    pub(crate) now: Instant,
    /// Whether each connection is known to carry one fetch at a time.
    pub(crate) is_serial: bool,
}

/// Whether to dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Another {
    /// Not as things are.
    No,
    /// Ask again then.
    At(Instant),
    /// Yes.
    Now,
}

/// Decides. One at a time: what the last one brought is seen before the next is dialled; unless it is
/// known what it will bring.
pub(crate) fn another(facts: Facts) -> Another {
    if facts.is_serial {
        let is_wanted = facts.dialing < facts.waiting;
        let has_place = facts.open + facts.dialing < facts.conn_limit.max(1);
        return match is_wanted && has_place {
            true => Another::Now,
            false => Another::No,
        };
    }
    if facts.waiting == 0 || facts.dialing > 0 {
        return Another::No;
    }
    if facts.open == 0 {
        return Another::Now;
    }
    match facts.saturated_since {
        Some(saturated) if facts.open < facts.conn_limit => {
            let since = facts.youngest.map_or(saturated, |y| y.max(saturated));
            match since.checked_add(facts.threshold) {
                Some(at) if facts.now < at => Another::At(at),
                Some(_) => Another::Now,
                None => Another::No,
            }
        }
        _ => Another::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn saturated(now: Instant) -> Facts {
        Facts {
            waiting: 1,
            open: 1,
            dialing: 0,
            conn_limit: 2,
            saturated_since: Some(now),
            youngest: Some(now),
            threshold: SECOND,
            now,
            is_serial: false,
        }
    }

    #[test]
    fn each_who_waits_gets_one_where_a_connection_carries_but_one() {
        let mut facts = saturated(Instant::now());
        (facts.is_serial, facts.conn_limit) = (true, 6);
        (facts.waiting, facts.saturated_since) = (3, None);
        for dialing in 0..3 {
            facts.dialing = dialing;
            assert_eq!(another(facts), Another::Now);
        }
        facts.dialing = 3;
        assert_eq!(another(facts), Another::No, "one each is coming");
        (facts.waiting, facts.open) = (9, 3);
        assert_eq!(another(facts), Another::No, "there are six");
        facts.open = 2;
        assert_eq!(another(facts), Another::Now);
    }

    #[test]
    fn the_first_is_dialled_at_once() {
        let mut facts = saturated(Instant::now());
        facts.open = 0;
        assert_eq!(another(facts), Another::Now);
        facts.dialing = 1;
        assert_eq!(another(facts), Another::No);
        (facts.dialing, facts.waiting) = (0, 0);
        assert_eq!(another(facts), Another::No);
    }

    #[test]
    fn the_second_only_when_the_first_has_been_full_for_a_while() {
        let mut facts = saturated(Instant::now());
        let due = facts.now + SECOND;
        assert_eq!(another(facts), Another::At(due));
        facts.now = due;
        assert_eq!(another(facts), Another::Now);
        facts.youngest = Some(due);
        assert_eq!(another(facts), Another::At(due + SECOND), "it is new");
        facts.youngest = None;
        assert_eq!(another(facts), Another::Now);
        facts.saturated_since = None;
        assert_eq!(another(facts), Another::No);
    }

    #[test]
    fn no_more_than_the_limit_and_none_after_an_endless_threshold() {
        let mut facts = saturated(Instant::now());
        facts.threshold = Duration::MAX;
        assert_eq!(another(facts), Another::No);
        (facts.threshold, facts.conn_limit) = (Duration::ZERO, 1);
        assert_eq!(another(facts), Another::No);
    }

    proptest! {
        #[test]
        fn asked_again_when_it_said_it_is_time(
            waiting in 0usize..2, open in 0usize..4, dialing in 0usize..2, conn_limit in 0usize..4,
            saturated in prop::option::of(0u32..10), youngest in prop::option::of(0u32..10),
            threshold in 0u32..10, at in 10u32..20, is_serial: bool,
        ) {
            let start = Instant::now();
            let time = |seconds| start + SECOND * seconds;
            let facts = Facts {
                waiting, open, dialing, conn_limit, threshold: SECOND * threshold, now: time(at), is_serial,
                saturated_since: saturated.map(time), youngest: youngest.map(time),
            };
            let verdict = another(facts);
            if verdict != Another::No {
                prop_assert!(waiting > dialing && open + dialing < conn_limit.max(1));
                prop_assert!(is_serial || dialing == 0);
            }
            if let Another::At(at) = verdict {
                prop_assert!(at > facts.now);
                let early = at - Duration::from_nanos(1);
                prop_assert_eq!(another(Facts { now: early, ..facts }), verdict);
                prop_assert_eq!(another(Facts { now: at, ..facts }), Another::Now);
            }
        }
    }
}
