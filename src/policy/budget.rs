//! How many retries an engine can afford: a share of its fetches, so that retries cannot multiply
//! the load on servers that are failing because of their load.

use std::time::{Duration, Instant};

/// Half of the window that is looked at. The window moves by halves, so it is one to two of them.
const HALF: Duration = Duration::from_secs(10);

/// The retries of the last 10 to 20 s against the fetches of the same time.
#[derive(Debug)]
pub(crate) struct Budget {
    percent: u32,
    reserve: u64,
    window: Option<Window>,
}

/// The former half and the current one.
#[derive(Clone, Copy, Debug)]
struct Window {
    former: Half,
    current: Half,
    /// When the current half began.
    start: Instant,
    /// The last look at the count of fetches.
    seen: (Instant, u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    /// Fetches taken in before it.
    fetches: u64,
    /// Retries within it.
    retries: u64,
}

impl Budget {
    /// Up to `percent` of the fetches, and `reserve` retries more in each window, so that a small
    /// program may retry too. Both 0: never.
    pub(crate) fn new(percent: u32, reserve: u64) -> Self {
        Self {
            percent,
            reserve,
            window: None,
        }
    }

    /// Takes a retry from the budget, if it has one; `fetches`: taken in since the engine's start.
    ///
    /// The first call starts the window, and counts all fetches before it as taken in just then.
    pub(crate) fn withdraw(&mut self, fetches: u64, now: Instant) -> bool {
        let window = self
            .window
            .get_or_insert_with(|| Window::start(fetches, now));
        window.advance(fetches, now);
        let recent = fetches.saturating_sub(window.former.fetches);
        // In u128, which holds the product of all u64 and u32.
        let share = u128::from(recent) * u128::from(self.percent) / 100;
        let retries = window.former.retries + window.current.retries;
        let is_granted = u128::from(retries) < share + u128::from(self.reserve);
        window.current.retries += u64::from(is_granted);
        is_granted
    }
}

impl Window {
    fn start(fetches: u64, now: Instant) -> Self {
        Self {
            former: Half::default(),
            current: Half::default(),
            start: now,
            seen: (now, fetches),
        }
    }

    /// Moves on to the halves that `now` is in.
    fn advance(&mut self, fetches: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.start).as_secs() / HALF.as_secs();
        if passed > 0 {
            let former = self.start + Duration::from_secs((passed - 1) * HALF.as_secs());
            self.start = former + HALF;
            self.former = match passed {
                1 => self.current,
                _ => self.half_from(former, fetches, now),
            };
            self.current = self.half_from(self.start, fetches, now);
        }
        self.seen = (now, fetches);
    }

    /// A half that began at `start`, between the last look and `now`. Nobody looked then, so
    /// the fetches since the last look are taken to have come evenly.
    fn half_from(&self, start: Instant, fetches: u64, now: Instant) -> Half {
        let (seen, before) = self.seen;
        let share = start.saturating_duration_since(seen).as_secs_f64()
            / now.saturating_duration_since(seen).as_secs_f64();
        let came = fetches.saturating_sub(before) as f64 * share;
        Half {
            fetches: before.saturating_add(came as u64),
            retries: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many retries are granted at `now`, if one asks and asks.
    fn granted(budget: &mut Budget, fetches: u64, now: Instant) -> usize {
        (0..10_000)
            .take_while(|_| budget.withdraw(fetches, now))
            .count()
    }

    #[test]
    fn a_share_of_the_fetches_and_the_reserve_are_granted() {
        let now = Instant::now();
        assert_eq!(granted(&mut Budget::new(0, 0), 1000, now), 0);
        assert_eq!(granted(&mut Budget::new(0, 3), 1000, now), 3);
        assert_eq!(granted(&mut Budget::new(20, 0), 1000, now), 200);
        assert_eq!(granted(&mut Budget::new(20, 3), 4, now), 3);
        let all = u64::MAX;
        assert!(Budget::new(u32::MAX, all).withdraw(all, now));
    }

    #[test]
    fn after_two_halves_the_window_is_another() {
        let (mut budget, start) = (Budget::new(10, 2), Instant::now());
        let mut granted = |fetches, halves| granted(&mut budget, fetches, start + HALF * halves);
        assert_eq!(granted(100, 0), 12, "what came before counts");
        assert_eq!(granted(200, 1), 10, "100 more came");
        assert_eq!(granted(200, 2), 0, "10 of late");
        assert_eq!(granted(200, 3), 2);
        assert_eq!(granted(200, 4), 0, "2 of late");
    }

    #[test]
    fn after_a_long_calm_the_fetches_are_reckoned_to_have_come_evenly() {
        let (mut budget, start) = (Budget::new(10, 0), Instant::now());
        assert_eq!(granted(&mut budget, 0, start), 0);
        let hour = start + 3600 * SECOND;
        let recent = granted(&mut budget, 3600 * 100, hour + 5 * SECOND);
        assert!((149..=151).contains(&recent), "{recent} of 15 s");
    }

    proptest! {
        /// The model: a line for each second, whose window begins with one of the halves.
        #[test]
        fn it_agrees_with_a_ledger_of_seconds(
            percent in 0u32..150, reserve in 0u64..4,
            seconds in prop::collection::vec((0u64..30, 1usize..8), 1..80),
        ) {
            let (mut budget, start) = (Budget::new(percent, reserve), Instant::now());
            // Fetches up to and with each second, and retries in each.
            let (mut taken, mut retries) = (Vec::new(), Vec::new());
            let half = HALF.as_secs() as usize;
            for (second, (fetches, asked)) in seconds.into_iter().enumerate() {
                let now = start + SECOND * second as u32;
                taken.push(taken.last().map_or(fetches, |before| before + fetches));
                retries.push(0);
                let first = (second / half * half).checked_sub(half);
                let recent = taken[second] - first.filter(|first| *first > 0).map_or(0, |first| taken[first]);
                let allowed = recent * u64::from(percent) / 100 + reserve;
                for _ in 0..asked {
                    let of_late: u64 = retries[first.unwrap_or(0)..].iter().sum();
                    let is_granted = budget.withdraw(taken[second], now);
                    prop_assert_eq!(is_granted, of_late < allowed);
                    retries[second] += u64::from(is_granted);
                }
            }
        }

        #[test]
        fn whatever_the_calls_the_counts_hold_up(
            calls in prop::collection::vec((any::<u64>(), 0u32..100_000), 0..50),
        ) {
            let (mut budget, mut now) = (Budget::new(u32::MAX, u64::MAX), Instant::now());
            for (fetches, millis) in calls {
                now += Duration::from_millis(1) * millis;
                prop_assert!(budget.withdraw(fetches, now));
                prop_assert!(budget.withdraw(fetches, now - SECOND), "threads read the clock apart");
            }
        }
    }
}
