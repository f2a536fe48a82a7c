//! The best that can be done, for who knows the future.

use std::collections::{BTreeSet, HashMap};

use gannet::policy::eviction::{Entry, Eviction};

/// Closes the connection whose next use is furthest away (Belady, 1966).
#[derive(Debug)]
pub(crate) struct Optimal {
    /// For each access, when its origin is accessed next.
    next: Vec<usize>,
    /// Accesses so far: each ends in one call of `idle`.
    done: usize,
    order: BTreeSet<(usize, u64)>,
    due: HashMap<u64, usize>,
}

impl Optimal {
    pub(crate) fn new(accesses: &[u32]) -> Self {
        let (mut next, mut seen) = (vec![usize::MAX; accesses.len()], HashMap::new());
        for (i, origin) in accesses.iter().enumerate().rev() {
            if let Some(later) = seen.insert(origin, i) {
                next[i] = later;
            }
        }
        let (order, due) = (BTreeSet::new(), HashMap::new());
        Self {
            next,
            done: 0,
            order,
            due,
        }
    }
}

impl Eviction for Optimal {
    fn idle(&mut self, entry: Entry) {
        let due = self.next[self.done];
        self.done += 1;
        self.due.insert(entry.connection, due);
        self.order.insert((due, entry.connection));
    }

    fn busy(&mut self, connection: u64) {
        if let Some(due) = self.due.remove(&connection) {
            self.order.remove(&(due, connection));
        }
    }

    fn gone(&mut self, connection: u64) {
        self.busy(connection);
    }

    fn choose(&mut self) -> Option<u64> {
        let (_, connection) = self.order.pop_last()?;
        self.due.remove(&connection);
        Some(connection)
    }
}
