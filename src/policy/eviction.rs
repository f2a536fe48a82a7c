//! Which idle connection to close when another origin needs its place.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Instant;

/// Chooses among idle connections. Told of every change, so that a choice need not look at all.
///
/// A connection is idle while no stream is open on it; only idle ones are ever offered, and a choice
/// that was not offered is passed over, so no policy can close a connection that is at work. It is
/// called under the lock of the engine's ledger of sockets: it should be quick, and must not panic.
pub trait Eviction: fmt::Debug + Send {
    /// `connection` has become idle, and may be chosen from now on. The last fetch given to it
    /// was accepted at `used`.
    fn idle(&mut self, connection: u64, used: Instant);

    /// `connection` is at work again, or gone. Unknown connections are ignored.
    fn remove(&mut self, connection: u64);

    /// Takes out the connection to close next.
    fn choose(&mut self) -> Option<u64>;
}

/// Closes the connection whose last use is longest ago. Every step is O(log n).
///
/// Use counts from when a fetch was accepted, not from when it ended: the end is reported late,
/// and across threads not always in order.
#[derive(Debug, Default)]
pub struct Lru {
    by_age: BTreeSet<(Instant, u64)>,
    used: HashMap<u64, Instant>,
}

impl Eviction for Lru {
    fn idle(&mut self, connection: u64, used: Instant) {
        self.remove(connection);
        self.by_age.insert((used, connection));
        self.used.insert(connection, used);
    }

    fn remove(&mut self, connection: u64) {
        if let Some(used) = self.used.remove(&connection) {
            self.by_age.remove(&(used, connection));
        }
    }

    fn choose(&mut self) -> Option<u64> {
        let (_, connection) = self.by_age.pop_first()?;
        self.used.remove(&connection);
        Some(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        /// The model: a list, oldest first.
        #[test]
        fn lru_agrees_with_a_list(ops in prop::collection::vec((0u8..4, 0u64..6), 0..300)) {
            let (mut lru, mut model) = (Lru::default(), Vec::<u64>::new());
            let start = Instant::now();
            for (tick, (op, connection)) in (0..).zip(ops) {
                match op {
                    0 | 1 => {
                        lru.idle(connection, start + Duration::from_nanos(tick));
                        model.retain(|c| *c != connection);
                        model.push(connection);
                    }
                    2 => {
                        lru.remove(connection);
                        model.retain(|c| *c != connection);
                    }
                    _ => {
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(lru.choose(), expected);
                    }
                }
                prop_assert_eq!(lru.by_age.len(), model.len());
                prop_assert_eq!(lru.used.len(), model.len());
            }
        }
    }
}
