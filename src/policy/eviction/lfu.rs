//! Least frequently used, with ageing.

use super::aged::Aged;
use super::{Entry, Eviction};

/// Closes the connection with the fewest uses, counted from the age of the policy at the last of
/// them; of two, the longer unused.
///
/// This is LFU with dynamic ageing (Arlitt et al., "Evaluating content management techniques for
/// Web proxy caches", 1999): the age rises with each connection closed, so one that was popular
/// once does not stay for ever.
#[derive(Debug, Default)]
pub struct Lfu(Aged);

impl Eviction for Lfu {
    fn idle(&mut self, entry: Entry) {
        self.0.idle(entry, entry.uses);
    }

    fn busy(&mut self, connection: u64) {
        self.0.busy(connection);
    }

    fn gone(&mut self, connection: u64) {
        self.0.gone(connection);
    }

    fn choose(&mut self) -> Option<u64> {
        self.0.choose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::eviction::aged::tests::Naive;
    use crate::policy::eviction::tests::{agree, entry, ops};
    use proptest::prelude::*;
    use std::time::Instant;

    #[test]
    fn who_was_popular_once_goes_in_the_end() {
        let (mut lfu, start) = (Lfu::default(), Instant::now());
        lfu.idle(entry(0, start, (0, 10, 0)));
        for connection in 1..=10 {
            lfu.idle(entry(connection, start, (connection, 1, 0)));
            let expected = if connection < 10 { connection } else { 0 };
            assert_eq!(lfu.choose(), Some(expected));
        }
    }

    #[test]
    fn the_busiest_stays_whenever_it_was_used() {
        let (mut lfu, start) = (Lfu::default(), Instant::now());
        lfu.idle(entry(1, start, (0, 3, 0)));
        lfu.idle(entry(2, start, (1, 2, 0)));
        lfu.idle(entry(3, start, (2, 2, 0)));
        assert_eq!(
            [lfu.choose(), lfu.choose(), lfu.choose()],
            [Some(2), Some(3), Some(1)]
        );
    }

    proptest! {
        #[test]
        fn the_least_used_goes(ops in ops()) {
            agree(Lfu::default(), Naive::new(|e| e.uses), ops, |lfu| lfu.0.size())?;
        }
    }
}
