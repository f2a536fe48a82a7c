//! What is cheap to open again, and little used, goes first.

use super::aged::Aged;
use super::{Entry, Eviction};

/// Closes the connection with the least handshake × uses, counted from the age of the policy at its
/// last use; of two, the longer unused.
///
/// This is GDSF (Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency
/// caching policy", 1998) without the sizes, for connections have none. With handshakes of one cost
/// it closes what [`Lfu`](super::Lfu) would.
#[derive(Debug, Default)]
pub struct GreedyDual(Aged);

impl Eviction for GreedyDual {
    fn idle(&mut self, entry: Entry) {
        let cost = u64::try_from(entry.handshake.as_nanos()).unwrap_or(u64::MAX);
        self.0.idle(entry, cost.saturating_mul(entry.uses));
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
    use crate::policy::eviction::Lfu;
    use crate::policy::eviction::aged::tests::Naive;
    use crate::policy::eviction::tests::{agree, entry, ops};
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_dear_connection_outlives_cheap_ones_but_not_for_ever() {
        let (mut policy, start) = (GreedyDual::default(), Instant::now());
        policy.idle(entry(0, start, (0, 1, 30)));
        for connection in 1..=3 {
            policy.idle(entry(connection, start, (connection, 1, 10)));
            let expected = if connection < 3 { connection } else { 0 };
            assert_eq!(policy.choose(), Some(expected));
        }
    }

    #[test]
    fn many_uses_outweigh_a_dear_handshake() {
        let (mut policy, start) = (GreedyDual::default(), Instant::now());
        policy.idle(entry(1, start, (0, 5, 10)));
        policy.idle(entry(2, start, (1, 1, 40)));
        policy.idle(entry(3, start, (2, 1, 60)));
        let chosen: Vec<_> = std::iter::from_fn(|| policy.choose()).collect();
        assert_eq!(chosen, [2, 1, 3]);
    }

    #[test]
    fn a_cost_beyond_all_reckoning_is_no_more_than_dear() {
        let (mut policy, start) = (GreedyDual::default(), Instant::now());
        let endless = |connection| Entry {
            handshake: Duration::MAX,
            ..entry(connection, start, (connection, 2, 0))
        };
        policy.idle(endless(2));
        policy.idle(endless(1));
        policy.idle(entry(3, start, (9, 1, 10)));
        let chosen: Vec<_> = std::iter::from_fn(|| policy.choose()).collect();
        assert_eq!(chosen, [3, 1, 2]);
    }

    proptest! {
        #[test]
        fn the_cheapest_and_least_used_goes(ops in ops()) {
            let model = Naive::new(|e| e.handshake.as_nanos() as u64 * e.uses);
            agree(GreedyDual::default(), model, ops, |policy| policy.0.size())?;
        }

        #[test]
        fn at_one_cost_it_is_an_lfu(cost in 1u64..4, ops in ops()) {
            let (mut policy, mut lfu, start) = (GreedyDual::default(), Lfu::default(), Instant::now());
            let mut uses = 0;
            for (tick, (op, connection, n)) in (0..).zip(ops) {
                match op {
                    0..=4 => {
                        uses = (uses + n) % 7;
                        let entry = entry(connection, start, (tick, uses, cost));
                        policy.idle(entry);
                        lfu.idle(entry);
                    }
                    5 => {
                        policy.busy(connection);
                        lfu.busy(connection);
                    }
                    _ => prop_assert_eq!(policy.choose(), lfu.choose()),
                }
            }
        }
    }
}
