//! A part of a time, so that many who wait do not all act at once.

use std::time::Duration;

/// `jitter` of `whole`: nothing of it at 0, all of it at 1.
pub(crate) fn part(whole: Duration, jitter: f64) -> Duration {
    let part = Duration::try_from_secs_f64(whole.as_secs_f64() * jitter.clamp(0.0, 1.0));
    // Rounding may pass the whole, and even the longest duration.
    part.map_or(whole, |part| part.min(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_are_nothing_and_all() {
        for whole in [Duration::ZERO, Duration::from_millis(50), Duration::MAX] {
            assert_eq!(part(whole, 0.0), Duration::ZERO);
            assert_eq!(part(whole, 1.0), whole);
        }
        let half = part(Duration::from_secs(10), 0.5);
        assert_eq!(half, Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn it_is_never_more_than_the_whole(secs: u64, nanos in 0u32..1_000_000_000, jitter: f64) {
            let whole = Duration::new(secs, nanos);
            prop_assert!(part(whole, jitter) <= whole);
            prop_assert_eq!(part(whole, f64::NAN), whole);
        }
    }
}
