//! How many streams an origin gets after it said ENHANCE_YOUR_CALM (RFC 9113 §7): half at once, and
//! then more step by step, until it has no complaint at any number.

use std::time::{Duration, Instant};

/// The ceiling doubles each time so long has passed without a complaint.
const STEP: Duration = Duration::from_secs(10);
/// A ceiling that has grown to this is none: no later than ten steps after a complaint.
const AMPLE: usize = 1024;

/// What an origin is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// The ceiling just after the last complaint, and when that was.
    slowed: Option<(usize, Instant)>,
}

impl Pace {
    /// `open` streams were open when it complained.
    pub(crate) fn slow(&mut self, open: usize, now: Instant) {
        let given = self.ceiling(now).map_or(open, |ceiling| ceiling.min(open));
        self.slowed = Some(((given / 2).max(1), now));
    }

    /// How many streams may be open; `None`: no bound of its own.
    pub(crate) fn ceiling(self, now: Instant) -> Option<usize> {
        let (slowed, since) = self.slowed?;
        let steps = now.saturating_duration_since(since).as_secs() / STEP.as_secs();
        if steps == 0 {
            return Some(slowed);
        }
        // From one stream, ten doublings are ample.
        let doubled = slowed.saturating_mul(1 << steps.min(10));
        (doubled < AMPLE).then_some(doubled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_halves_at_once_and_doubles_step_by_step() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.ceiling(start), None);
        pace.slow(100, start);
        let early = start + STEP - Duration::from_nanos(1);
        assert_eq!(pace.ceiling(early), Some(50));
        for (steps, ceiling) in [(1, 100), (2, 200), (4, 800)] {
            assert_eq!(pace.ceiling(start + STEP * steps), Some(ceiling));
        }
        assert_eq!(pace.ceiling(start + STEP * 5), None);
    }

    #[test]
    fn a_further_complaint_halves_the_smaller_of_what_is_open_and_what_is_given() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.slow(100, start);
        pace.slow(100, start);
        assert_eq!(pace.ceiling(start), Some(25));
        pace.slow(8, start + STEP);
        assert_eq!(pace.ceiling(start + STEP), Some(4));
        for _ in 0..5 {
            pace.slow(8, start);
        }
        assert_eq!(pace.ceiling(start), Some(1));
        pace.slow(0, start);
        assert_eq!(pace.ceiling(start), Some(1), "something must go on");
    }

    #[test]
    fn half_of_very_many_holds_for_one_step() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.slow(usize::MAX, start);
        assert_eq!(pace.ceiling(start), Some(usize::MAX / 2));
        assert_eq!(pace.ceiling(start + STEP), None);
    }

    proptest! {
        /// The model: a ceiling that is doubled at each step.
        #[test]
        fn it_agrees_with_doubling_one_step_at_a_time(
            complaints in prop::collection::vec((0usize..5000, 0u32..1000), 1..20),
        ) {
            let (mut pace, mut now) = (Pace::default(), Instant::now());
            let mut model: Option<usize> = None;
            for (open, seconds) in complaints {
                pace.slow(open, now);
                model = Some((model.unwrap_or(usize::MAX).min(open) / 2).max(1));
                for _ in 0..seconds / 10 {
                    model = model.map(|ceiling| ceiling * 2).filter(|ceiling| *ceiling < 1024);
                }
                now += Duration::from_secs(1) * seconds;
                prop_assert_eq!(pace.ceiling(now), model);
            }
            prop_assert_eq!(pace.ceiling(now + STEP * 10), None);
        }
    }
}
