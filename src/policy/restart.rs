//! How soon a crashed actor is replaced: at once as a rule, and ever later if it crashes again and
//! again, so that a fault that is met at each start does not take the whole thread.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The most starts within any [`SPAN`]; so many in one are also the most without a pause.
const MOST: usize = 5;
const SPAN: Duration = Duration::from_secs(1);
/// Before the first start beyond; it doubles with each one after, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// More than reach [`LONGEST_PAUSE`].
const MOST_DOUBLINGS: u32 = 5;
/// After so long without an end, crashes count as single ones again.
const CALM: Duration = Duration::from_secs(10);

/// The last starts in place of what has crashed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restarts {
    /// The latest ones, at most [`MOST`], oldest first. Some may be yet to come.
    starts: VecDeque<Instant>,
    /// Ends since one was the first too many.
    excess: u32,
    ended: Option<Instant>,
}

impl Restarts {
    /// One has ended unexpectedly; when may the next start (now or later)?
    ///
    /// Once it has backed off it goes on to, until there has been calm: a pause by itself would
    /// make the next crash look like a single one.
    pub(crate) fn ended(&mut self, now: Instant) -> Instant {
        let last = self.ended.replace(now);
        if last.is_some_and(|last| now.saturating_duration_since(last) >= CALM) {
            self.excess = 0;
        }
        let free = self.free().unwrap_or(now);
        let is_single = self.excess == 0 && free <= now;
        let start = match is_single {
            true => now,
            false => free.max(now + self.pause()),
        };
        self.excess = self.excess.saturating_add(u32::from(!is_single));
        if self.starts.len() == MOST {
            self.starts.pop_front();
        }
        self.starts.push_back(start);
        start
    }

    /// When one more start is no longer within a span of the [`MOST`] before it.
    fn free(&self) -> Option<Instant> {
        let oldest = self.starts.front()?;
        (self.starts.len() == MOST).then(|| *oldest + SPAN)
    }

    fn pause(&self) -> Duration {
        let doublings = self.excess.min(MOST_DOUBLINGS);
        (PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn single_crashes_are_replaced_at_once() {
        let (mut restarts, mut now) = (Restarts::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(restarts.ended(now), now);
            now += SPAN / MOST as u32;
        }
    }

    #[test]
    fn what_crashes_at_each_start_is_started_ever_later() {
        let (mut restarts, start) = (Restarts::default(), Instant::now());
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..13 {
            let next = restarts.ended(now);
            pauses.push((next - now).as_millis());
            now = next;
        }
        // The sixth start waits for the second to pass, which is longer than its pause.
        let expected = [0, 0, 0, 0, 0, 1000, 400, 800, 1600, 3200, 5000, 5000, 5000];
        assert_eq!(pauses, expected);
    }

    #[test]
    fn slower_crashes_pause_from_200_ms_on() {
        let (mut restarts, start) = (Restarts::default(), Instant::now());
        for crash in 0..5 {
            let now = start + 190 * MILLI * crash;
            assert_eq!(restarts.ended(now), now);
        }
        let now = start + 950 * MILLI;
        assert_eq!(restarts.ended(now), now + PAUSE);
    }

    #[test]
    fn calm_makes_it_forget() {
        let (mut restarts, mut now) = (Restarts::default(), Instant::now());
        for _ in 0..20 {
            restarts.ended(now);
        }
        for _ in 0..20 {
            now += LONGEST_PAUSE;
            assert_eq!(restarts.ended(now), now + LONGEST_PAUSE);
        }
        now += CALM - MILLI;
        assert_eq!(restarts.ended(now), now + LONGEST_PAUSE, "not yet calm");
        now += CALM;
        assert_eq!(restarts.ended(now), now);
    }

    proptest! {
        /// Whether each end comes after the start before it, or many at once.
        #[test]
        fn in_no_second_are_there_more_than_five_starts(
            lives in prop::collection::vec(prop_oneof![4 => 0u32..300, 1 => 0u32..15_000], 1..100), one_by_one: bool,
        ) {
            let (mut restarts, mut now) = (Restarts::default(), Instant::now());
            let mut starts: Vec<Instant> = Vec::new();
            for life in lives {
                now += MILLI * life;
                let start = restarts.ended(now);
                prop_assert!(start >= now && restarts.starts.len() <= MOST);
                if one_by_one {
                    prop_assert!(start <= now + LONGEST_PAUSE);
                    now = start;
                }
                starts.push(start);
            }
            starts.sort();
            for pair in starts.windows(MOST + 1) {
                prop_assert!(pair[MOST] - pair[0] >= SPAN, "{:?}", pair);
            }
        }
    }
}
