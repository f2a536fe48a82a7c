//! How large the flow-control windows of HTTP/2 are to be (RFC 9113 §6.9).

use std::time::{Duration, Instant};

/// A round trip is taken to last at least as long; within less there is nothing to measure.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(10);
/// The protocol's own default: less would only cost frames.
const LEAST_STREAM_WINDOW: u32 = 64 << 10;

/// The window of one connection: grows with what comes within a round trip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    window: u32,
    most: u32,
    /// Since when bytes are counted, and how many there had been before.
    since: Instant,
    before: u64,
}

impl Growth {
    /// Begins with `window`, and goes no higher than `most`.
    pub(crate) fn new(window: u32, most: u32, now: Instant) -> Self {
        Self {
            window,
            most: most.max(window),
            since: now,
            before: 0,
        }
    }

    pub(crate) fn window(self) -> u32 {
        self.window
    }

    /// `received` bytes have come in all. Where two thirds of the window came within one round
    /// trip, the server may well have waited for more of it: the window doubles.
    pub(crate) fn heed(&mut self, received: u64, round_trip: Duration, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let span = round_trip.max(LEAST_ROUND_TRIP);
        if passed < span {
            return;
        }
        let got = received.saturating_sub(self.before) as f64;
        let within_one = got * span.div_duration_f64(passed);
        if within_one * 3.0 > f64::from(self.window) * 2.0 {
            self.window = self.window.saturating_mul(2).min(self.most);
        }
        (self.since, self.before) = (now, received);
    }
}

/// What the server is to be granted on the whole connection: its window, and besides it what has come
/// and lies unread, so that those who read are not held up by those who do not. Without room in the
/// budget nothing is made up for.
pub(crate) fn target(window: u32, unread: u64, has_room: bool) -> u32 {
    let unread = if has_room { unread } else { 0 };
    let unread = u32::try_from(unread).unwrap_or(u32::MAX);
    window.saturating_add(unread).min(i32::MAX as u32)
}

/// Whether a new target is worth a frame, and the lock it takes.
pub(crate) fn is_worth_it(target: u32, present: u32, window: u32) -> bool {
    target.abs_diff(present) >= (window / 4).max(1)
}

/// The window of each stream: as configured, unless so many bodies are open to be read piece by piece
/// that their readers, falling behind, could fill half the budget. Powers of two below that, so that it
/// changes seldom; never less than 64 KiB, or than what is configured.
pub(crate) fn stream_window(configured: u32, open_bodies: usize, budget: u64) -> u32 {
    let share = budget / 2 / u64::try_from(open_bodies.max(1)).unwrap_or(u64::MAX);
    if share >= u64::from(configured) {
        return configured;
    }
    let power = 1_u64 << share.max(1).ilog2();
    let power = u32::try_from(power).unwrap_or(u32::MAX);
    power.max(LEAST_STREAM_WINDOW).min(configured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u32 = 1 << 20;
    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn a_server_that_fills_the_window_each_round_trip_gets_a_larger_one() {
        let start = Instant::now();
        let mut growth = Growth::new(MIB, 8 * MIB, start);
        let (mut received, mut windows) = (0, Vec::new());
        for round in 1..=6 {
            received += u64::from(growth.window());
            growth.heed(received, RTT, start + RTT * round);
            windows.push(growth.window() / MIB);
        }
        assert_eq!(windows, [2, 4, 8, 8, 8, 8]);
    }

    #[test]
    fn a_server_with_less_to_say_keeps_what_it_has() {
        let start = Instant::now();
        let mut growth = Growth::new(MIB, 8 * MIB, start);
        growth.heed(u64::from(MIB), RTT, start + RTT / 2);
        assert_eq!(growth.window(), MIB, "the round trip is not over");
        growth.heed(u64::from(MIB), RTT, start + RTT * 2);
        growth.heed(u64::from(MIB) + 600_000, RTT, start + RTT * 3);
        assert_eq!(growth.window(), MIB);
    }

    #[test]
    fn what_lies_unread_is_made_up_for_while_there_is_room() {
        assert_eq!(target(MIB, 5, true), MIB + 5);
        assert_eq!(target(MIB, 5, false), MIB);
        assert_eq!(target(MIB, u64::MAX, true), i32::MAX as u32);
        assert!(is_worth_it(MIB + MIB / 4, MIB, MIB) && !is_worth_it(MIB + 5, MIB, MIB));
    }

    #[test]
    fn streams_get_less_the_more_bodies_are_open() {
        let of = |open| stream_window(2 * MIB, open, 256 << 20);
        assert_eq!((of(0), of(64), of(65)), (2 * MIB, 2 * MIB, MIB));
        assert_eq!((of(1_000), of(1_000_000)), (128 << 10, 64 << 10));
        assert_eq!(stream_window(1_000, 1_000, 1), 1_000);
    }

    proptest! {
        #[test]
        fn open_bodies_never_fill_more_than_half_the_budget_if_that_is_possible(
            configured in 1u32..10_000_000, open in 0usize..100_000, budget in 1u64..1 << 40,
        ) {
            let window = stream_window(configured, open, budget);
            prop_assert!(window <= configured);
            let fits = u64::from(window) * open as u64 <= budget / 2;
            prop_assert!(fits || window == configured.min(LEAST_STREAM_WINDOW) || open == 0);
        }

        #[test]
        fn a_window_only_grows_and_never_beyond_its_bound(
            steps in prop::collection::vec((0u64..10_000_000, 1u32..200), 0..50),
        ) {
            let start = Instant::now();
            let mut growth = Growth::new(MIB, 16 * MIB, start);
            let (mut received, mut at) = (0, start);
            for (more, millis) in steps {
                let before = growth.window();
                received += more;
                at += Duration::from_millis(millis.into());
                growth.heed(received, RTT, at);
                prop_assert!(growth.window() >= before && growth.window() <= 16 * MIB);
            }
        }
    }
}
