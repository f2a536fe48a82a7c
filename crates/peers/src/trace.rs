//! Which origin is asked for, fetch after fetch, and what an ideal cache makes of it.

const EXPONENT: f64 = 0.9;

/// Draws origins, the n-th with a weight of 1/n^0.9, as `benches/eviction` has it. The same in every
/// run.
#[derive(Clone, Debug)]
pub struct Zipf {
    sums: Vec<f64>,
    state: u64,
}

impl Zipf {
    /// Of so many origins.
    #[must_use]
    pub fn new(origins: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=origins).map(|n| (n as f64).powf(-EXPONENT));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self {
            sums: sums.collect(),
            state: mix(1),
        }
    }
}

impl Iterator for Zipf {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.state = self.state.wrapping_add(1);
        let unit = (mix(self.state) >> 11) as f64 / (1_u64 << 53) as f64;
        let point = unit * self.sums.last()?;
        let drawn = self.sums.partition_point(|sum| *sum <= point);
        Some(drawn.min(self.sums.len() - 1))
    }
}

/// SplitMix64.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The part of these accesses that finds its origin among the `capacity` that were used last.
#[must_use]
pub fn lru_reuse(accesses: impl Iterator<Item = usize>, capacity: usize) -> f64 {
    let (mut recent, mut all, mut found) = (Vec::new(), 0_u32, 0_u32);
    for access in accesses {
        all += 1;
        match recent.iter().rposition(|other| *other == access) {
            Some(at) => {
                found += 1;
                recent.remove(at);
            }
            None if recent.len() == capacity => {
                recent.remove(0);
            }
            None => {}
        }
        recent.push(access);
    }
    f64::from(found) / f64::from(all.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_found_again() {
        let reuse = |capacity| lru_reuse([1, 2, 1, 3, 2, 1].into_iter(), capacity);
        assert_eq!(reuse(1), 0.0);
        assert_eq!(reuse(2), 1.0 / 6.0);
        assert_eq!(reuse(3), 0.5);
    }

    #[test]
    fn the_first_origin_is_drawn_most_often() {
        let mut drawn = [0; 100];
        for origin in Zipf::new(100).take(10_000) {
            drawn[origin] += 1;
        }
        assert!(drawn[0] > drawn[9] && drawn[9] > drawn[99]);
        assert!(drawn[99] > 0);
    }
}
