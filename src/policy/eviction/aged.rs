//! A ranking in which merits fade: what [`Lfu`](super::Lfu) and [`GreedyDual`](super::GreedyDual)
//! have in common.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::Entry;

/// Ranks each connection by the ranking's age when it was last used, plus a value of its own. The
/// age rises to the rank of each that is closed, so whoever is not used falls behind in time
/// without ever being looked at.
#[derive(Debug, Default)]
pub(super) struct Aged {
    age: u64,
    /// The idle ones.
    order: BTreeSet<Rank>,
    /// The busy ones too, for they may come back without having been used.
    known: HashMap<u64, Mark>,
}

/// Merit, last use and number: of two with one merit, the longer unused goes.
type Rank = (u64, Instant, u64);

#[derive(Debug)]
struct Mark {
    rank: Rank,
    uses: u64,
    /// The age of the ranking when it was last used.
    age: u64,
}

impl Aged {
    pub(super) fn idle(&mut self, entry: Entry, value: u64) {
        let (connection, mut age) = (entry.connection, self.age);
        if let Some(mark) = self.known.get(&connection) {
            self.order.remove(&mark.rank);
            if mark.uses == entry.uses {
                age = mark.age;
            }
        }
        // A sum that is cut off is only ranked with its like, by last use.
        let rank = (age.saturating_add(value), entry.last_use, connection);
        let uses = entry.uses;
        self.order.insert(rank);
        self.known.insert(connection, Mark { rank, uses, age });
    }

    pub(super) fn busy(&mut self, connection: u64) {
        if let Some(mark) = self.known.get(&connection) {
            self.order.remove(&mark.rank);
        }
    }

    pub(super) fn gone(&mut self, connection: u64) {
        if let Some(mark) = self.known.remove(&connection) {
            self.order.remove(&mark.rank);
        }
    }

    pub(super) fn choose(&mut self) -> Option<u64> {
        let (merit, _, connection) = self.order.pop_first()?;
        self.known.remove(&connection);
        // One that was busy while the ranking aged may rank below its age.
        self.age = self.age.max(merit);
        Some(connection)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::policy::eviction::Eviction;

    impl Aged {
        pub(in super::super) fn size(&self) -> usize {
            self.order.len().max(self.known.len())
        }
    }

    /// A list, looked through at each choice.
    #[derive(Debug)]
    pub(in super::super) struct Naive {
        value: fn(&Entry) -> u64,
        age: u64,
        items: Vec<Item>,
    }

    #[derive(Clone, Copy, Debug)]
    struct Item {
        entry: Entry,
        age: u64,
        is_idle: bool,
    }

    impl Naive {
        pub(in super::super) fn new(value: fn(&Entry) -> u64) -> Self {
            let (age, items) = (0, Vec::new());
            Self { value, age, items }
        }

        fn rank(&self, item: &Item) -> Rank {
            let entry = item.entry;
            let merit = item.age.saturating_add((self.value)(&entry));
            (merit, entry.last_use, entry.connection)
        }
    }

    impl Eviction for Naive {
        fn idle(&mut self, entry: Entry) {
            let old = self
                .items
                .iter()
                .find(|i| i.entry.connection == entry.connection);
            let unused = old.filter(|i| i.entry.uses == entry.uses);
            let (age, is_idle) = (unused.map_or(self.age, |i| i.age), true);
            self.gone(entry.connection);
            self.items.push(Item {
                entry,
                age,
                is_idle,
            });
        }
        fn busy(&mut self, connection: u64) {
            let mut items = self.items.iter_mut();
            if let Some(item) = items.find(|i| i.entry.connection == connection) {
                item.is_idle = false;
            }
        }
        fn gone(&mut self, connection: u64) {
            self.items.retain(|i| i.entry.connection != connection);
        }
        fn choose(&mut self) -> Option<u64> {
            let idle = self.items.iter().filter(|i| i.is_idle);
            let (merit, _, chosen) = idle.map(|i| self.rank(i)).min()?;
            self.gone(chosen);
            self.age = self.age.max(merit);
            Some(chosen)
        }
    }
}
