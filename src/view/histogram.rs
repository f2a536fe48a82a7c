//! How durations are spread.

use std::time::Duration;

/// Counts by powers of two of a microsecond.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
}

/// The last one holds everything from 2^39 µs (six days) on.
pub(crate) const BUCKETS: usize = 41;

/// The bucket of `duration`: the first is below 1 µs, the n-th below 2^n µs.
pub(crate) fn bucket_of(duration: Duration) -> usize {
    let micros = duration.as_micros();
    let bits = u128::BITS - micros.leading_zeros();
    (bits as usize).min(BUCKETS - 1)
}

impl Histogram {
    pub(crate) fn new(counts: Vec<u64>) -> Self {
        Self { counts }
    }

    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        let longer = self.counts.len().max(other.counts.len());
        self.counts.resize(longer, 0);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Durations counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bucket's upper bound and count, shortest first.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let bounds = (0..).map(|bits: u32| Duration::from_micros(1 << bits.min(63)));
        bounds.zip(self.counts.iter().copied())
    }

    /// The least bound that a share of `quantile` (0 to 1) of all durations does not reach; zero if
    /// there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = (quantile.clamp(0.0, 1.0) * self.count() as f64).ceil() as u64;
        let mut sum = 0;
        for (bound, count) in self.buckets() {
            sum += count;
            if count > 0 && sum >= rank {
                return bound;
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_duration_is_below_its_buckets_bound_and_not_below_the_one_before(micros in 0u64..1 << 38) {
            let bucket = bucket_of(Duration::from_micros(micros));
            prop_assert!(micros < 1 << bucket);
            prop_assert!(bucket == 0 || micros >= 1 << (bucket - 1));
        }

        #[test]
        fn half_of_all_are_below_the_median(micros in prop::collection::vec(0u64..1 << 20, 1..50)) {
            let mut histogram = Histogram::default();
            for m in &micros {
                let mut counts = vec![0; BUCKETS];
                counts[bucket_of(Duration::from_micros(*m))] = 1;
                histogram.add(&Histogram::new(counts));
            }
            let median = histogram.quantile(0.5);
            let below = micros.iter().filter(|m| Duration::from_micros(**m) < median).count();
            prop_assert!(below * 2 >= micros.len());
            prop_assert_eq!(histogram.count(), micros.len() as u64);
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_the_longest_has_a_bucket() {
        assert_eq!(Histogram::default().quantile(0.9), Duration::ZERO);
        assert_eq!(bucket_of(Duration::MAX), BUCKETS - 1);
    }
}
