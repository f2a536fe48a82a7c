//! Whether a server floods: sends frames that cost work and move nothing.
//!
//! PING, SETTINGS, PRIORITY, unknown frames, interim heads, resets of what is over, DATA that is all
//! padding: each is legal, and nothing in HTTP/2 bounds them (RFC 9113 §10.5). Only what carries a
//! body one way or the other, or opens a stream, pays for them.

use std::time::{Duration, Instant};

/// Frames that one step of progress pays for. A chatty server sends two WINDOW_UPDATEs and a PING
/// for each DATA frame it takes.
const PER_STEP: u64 = 100;
/// The time that pays for as many frames as the limit: with 10,000, for a hundred each second.
const PERIOD: Duration = Duration::from_secs(100);
/// The least limit there is: what opens and answers a few fetches must pass.
const LEAST_LIMIT: u32 = 100;

/// What has come to pass on a connection, since it opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Traffic {
    /// Frames of the server's that carried nothing of a body.
    pub(crate) idle: u64,
    /// Frames that did, pieces of bodies sent, and streams opened.
    pub(crate) steps: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// No more than what is due.
    Fine,
    /// End the connection.
    Flooded,
}

/// A leaky bucket of frames without progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// Frames that nothing has paid for yet.
    level: f64,
    /// What has been judged, and when.
    seen: Traffic,
    at: Instant,
}

impl Flood {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            level: 0.0,
            seen: Traffic::default(),
            at: now,
        }
    }

    /// Weighs what has come since the last time. Within one turn the order of frames is not known:
    /// progress pays for what came before it, too.
    pub(crate) fn weigh(&mut self, traffic: Traffic, limit: u32, now: Instant) -> Verdict {
        let limit = f64::from(limit.max(LEAST_LIMIT));
        let idle = traffic.idle.saturating_sub(self.seen.idle);
        let steps = traffic.steps.saturating_sub(self.seen.steps);
        let time = now.saturating_duration_since(self.at);
        let paid = steps.saturating_mul(PER_STEP) as f64;
        let leaked = limit * time.div_duration_f64(PERIOD);
        self.level = (self.level - leaked + idle as f64 - paid).max(0.0);
        self.seen = traffic;
        self.at = self.at.max(now);
        match self.level > limit {
            true => Verdict::Flooded,
            false => Verdict::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u32 = 10_000;

    /// Drives a bucket by what is new in each turn.
    struct Turns {
        flood: Flood,
        traffic: Traffic,
        now: Instant,
    }

    impl Turns {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                flood: Flood::new(now),
                traffic: Traffic::default(),
                now,
            }
        }

        fn turn(&mut self, idle: u64, steps: u64, after: Duration) -> Verdict {
            self.now += after;
            self.traffic.idle += idle;
            self.traffic.steps += steps;
            self.flood.weigh(self.traffic, LIMIT, self.now)
        }
    }

    const AT_ONCE: Duration = Duration::ZERO;
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_limit_passes_and_one_more_does_not() {
        let mut turns = Turns::new();
        assert_eq!(turns.turn(10_000, 0, AT_ONCE), Verdict::Fine);
        assert_eq!(turns.turn(1, 0, AT_ONCE), Verdict::Flooded);
    }

    #[test]
    fn a_step_pays_for_a_hundred_frames_and_never_in_advance() {
        let mut turns = Turns::new();
        assert_eq!(turns.turn(0, 1_000_000, AT_ONCE), Verdict::Fine);
        assert_eq!(turns.turn(10_000, 0, AT_ONCE), Verdict::Fine);
        assert_eq!(turns.turn(100, 1, AT_ONCE), Verdict::Fine);
        assert_eq!(turns.turn(101, 1, AT_ONCE), Verdict::Flooded);
    }

    #[test]
    fn a_ping_each_second_for_a_month_is_fine_and_so_are_a_hundred() {
        for each in [1, 100] {
            let mut turns = Turns::new();
            for _ in 0..30 * 86_400 {
                assert_eq!(turns.turn(each, 0, SECOND), Verdict::Fine);
            }
        }
    }

    #[test]
    fn a_long_silence_pays_for_no_more_than_the_limit() {
        let mut turns = Turns::new();
        assert_eq!(turns.turn(10_000, 0, AT_ONCE), Verdict::Fine);
        assert_eq!(turns.turn(0, 0, SECOND * 1_000_000), Verdict::Fine);
        assert_eq!(turns.turn(10_001, 0, AT_ONCE), Verdict::Flooded);
    }

    /// Ten gigabytes sent, each DATA frame answered with two WINDOW_UPDATEs and a PING.
    #[test]
    fn a_busy_upload_is_fine_in_turns_of_any_size() {
        let mut turns = Turns::new();
        for i in 0..1_000 {
            let frames = 1 + i * 37 % 2_000;
            assert_eq!(turns.turn(frames * 3, frames, AT_ONCE), Verdict::Fine);
        }
    }

    #[test]
    fn a_limit_of_nothing_lets_a_few_fetches_through() {
        let start = Instant::now();
        let mut flood = Flood::new(start);
        let (idle, steps) = (100, 0);
        let verdict = flood.weigh(Traffic { idle, steps }, 0, start);
        assert_eq!(verdict, Verdict::Fine);
    }

    proptest! {
        #[test]
        fn it_is_the_model_of_whole_numbers(
            script in prop::collection::vec((0u64..6_000, 0u64..30, 0u64..40), 0..60),
        ) {
            let (mut turns, mut level) = (Turns::new(), 0i64);
            for (idle, steps, seconds) in script {
                let verdict = turns.turn(idle, steps, SECOND * seconds as u32);
                level += idle as i64 - 100 * steps as i64 - 100 * seconds as i64;
                level = level.max(0);
                // Rounding, at the limit itself.
                if level.abs_diff(10_000) > 0 {
                    prop_assert_eq!(verdict == Verdict::Flooded, level > 10_000);
                }
            }
        }

        #[test]
        fn what_is_paid_for_at_once_is_never_a_flood(
            script in prop::collection::vec((0u64..100_000, 0u64..50), 0..60),
        ) {
            let mut turns = Turns::new();
            for (steps, per_step) in script {
                prop_assert_eq!(turns.turn(steps * per_step, steps, AT_ONCE), Verdict::Fine);
            }
        }
    }
}
