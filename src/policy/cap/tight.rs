//! When it matters at once who is idle.

use std::hash::Hash;

use crate::policy::cap::Cap;

impl<W: Clone + Eq + Hash> Cap<W> {
    /// Whether few places are free: one, or an eighth of all.
    pub(crate) fn is_tight(&self) -> bool {
        let free = self.max.saturating_sub(self.sockets());
        free <= 1.max(self.max / 8)
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::eviction::Lru;

    use super::*;

    #[test]
    fn places_are_few_before_there_are_none() {
        for (max, enough) in [(1, 0), (2, 1), (16, 14), (100, 88)] {
            let mut cap = Cap::new(max, Box::<Lru>::default());
            for place in 0..max {
                assert_eq!(cap.is_tight(), place >= enough, "{place} of {max}");
                cap.acquire(place);
            }
            assert!(cap.is_tight());
            cap.acquire(max);
            assert!(cap.is_tight(), "somebody waits");
        }
    }
}
