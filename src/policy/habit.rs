//! After how many requests a server ends a connection, such as nginx by its `keepalive_requests`:
//! a connection retired in time spares the rest of a burst from being refused.

use std::time::{Duration, Instant};

/// What was learnt holds for so long, then the server is tried again: its setting may have changed.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// What the ends of a server's connections have in common.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habit {
    /// Requests that the last one to end had taken.
    last: u64,
    /// When a connection last ended like the one before it.
    confirmed: Option<Instant>,
}

impl Habit {
    /// A connection ended by GOAWAY(NO_ERROR) after the server had taken `processed` requests.
    ///
    /// The same number twice in a row is a habit; one that differs is a chance, such as a restart
    /// of the server, and unlearns. What ended in any other way says nothing: do not tell it.
    pub(crate) fn ended(&mut self, processed: u64, now: Instant) {
        let is_same = processed > 0 && processed == self.last;
        self.last = processed;
        self.confirmed = is_same.then_some(now);
    }

    /// How many requests the server takes on one connection, if that is known.
    pub(crate) fn limit(self, now: Instant) -> Option<u64> {
        let confirmed = self.confirmed?;
        (now.saturating_duration_since(confirmed) < MEMORY).then_some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_in_a_row_are_a_habit_and_another_unlearns() {
        let (mut habit, now) = (Habit::default(), Instant::now());
        assert_eq!(habit.limit(now), None);
        habit.ended(100, now);
        assert_eq!(habit.limit(now), None, "one may be chance");
        habit.ended(100, now);
        assert_eq!(habit.limit(now), Some(100));
        habit.ended(7, now);
        assert_eq!(habit.limit(now), None);
        habit.ended(100, now);
        assert_eq!(habit.limit(now), None, "not in a row");
    }

    #[test]
    fn a_server_that_takes_nothing_has_no_limit() {
        let (mut habit, now) = (Habit::default(), Instant::now());
        habit.ended(0, now);
        habit.ended(0, now);
        assert_eq!(habit.limit(now), None);
    }

    #[test]
    fn it_is_forgotten_unless_confirmed() {
        let (mut habit, start) = (Habit::default(), Instant::now());
        let tick = Duration::from_nanos(1);
        habit.ended(100, start);
        habit.ended(100, start);
        assert_eq!(habit.limit(start + MEMORY - tick), Some(100));
        assert_eq!(habit.limit(start + MEMORY), None);
        habit.ended(100, start + MEMORY);
        assert_eq!(habit.limit(start + MEMORY * 2 - tick), Some(100));
    }

    proptest! {
        /// The model: all ends, in order.
        #[test]
        fn it_agrees_with_the_last_two_of_a_list(
            ends in prop::collection::vec((0u64..3, 0u64..700), 0..40), wait in 0u64..1000,
        ) {
            let (mut habit, mut now, mut list) = (Habit::default(), Instant::now(), Vec::new());
            for (processed, seconds) in ends {
                now += Duration::from_secs(seconds);
                habit.ended(processed, now);
                list.push(processed);
            }
            let is_recent = Duration::from_secs(wait) < MEMORY;
            let expected = match list[..] {
                [.., a, b] if a == b && a > 0 && is_recent => Some(a),
                _ => None,
            };
            prop_assert_eq!(habit.limit(now + Duration::from_secs(wait)), expected);
        }
    }
}
