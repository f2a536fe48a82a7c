//! Least recently used.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::{Entry, Eviction};

/// Closes the connection whose last use is longest ago; of two, the older connection.
#[derive(Debug, Default)]
pub struct Lru {
    by_age: BTreeSet<(Instant, u64)>,
    /// The idle ones. Of a busy one nothing need be known: it returns with a new last use.
    used: HashMap<u64, Instant>,
}

impl Eviction for Lru {
    fn idle(&mut self, entry: Entry) {
        if let Some(old) = self.used.insert(entry.connection, entry.last_use) {
            self.by_age.remove(&(old, entry.connection));
        }
        self.by_age.insert((entry.last_use, entry.connection));
    }

    fn busy(&mut self, connection: u64) {
        if let Some(used) = self.used.remove(&connection) {
            self.by_age.remove(&(used, connection));
        }
    }

    fn gone(&mut self, connection: u64) {
        self.busy(connection);
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
    use crate::policy::eviction::tests::{agree, ops};
    use proptest::prelude::*;

    /// A list, looked through at each choice.
    #[derive(Debug, Default)]
    pub(crate) struct Naive(Vec<Entry>);

    impl Eviction for Naive {
        fn idle(&mut self, entry: Entry) {
            self.gone(entry.connection);
            self.0.push(entry);
        }
        fn busy(&mut self, connection: u64) {
            self.gone(connection);
        }
        fn gone(&mut self, connection: u64) {
            self.0.retain(|e| e.connection != connection);
        }
        fn choose(&mut self) -> Option<u64> {
            let oldest = self.0.iter().min_by_key(|e| (e.last_use, e.connection));
            let chosen = oldest?.connection;
            self.gone(chosen);
            Some(chosen)
        }
    }

    proptest! {
        #[test]
        fn the_longest_unused_goes(ops in ops()) {
            agree(Lru::default(), Naive::default(), ops, |lru| lru.by_age.len().max(lru.used.len()))?;
        }
    }
}
