//! A queue, a bit and a hand.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use super::{Entry, Eviction};

/// Goes round the connections from old to new, and closes the first that was not used again since
/// it was last looked at.
///
/// This is SIEVE (Zhang et al., "SIEVE is simpler than LRU", NSDI 2024), with connections at work
/// stepped over: they come back to where they were. A choice looks at many if many were used,
/// which is paid for by those uses.
#[derive(Debug, Default)]
pub struct Sieve {
    idle: BTreeMap<u64, Look>,
    /// Those that were idle before, and may be again.
    busy: HashMap<u64, Look>,
    /// The first to look at; or the next after it, if that is not idle.
    hand: u64,
}

/// What a connection looks like to the hand.
#[derive(Clone, Copy, Debug)]
struct Look {
    uses: u64,
    was_used: bool,
}

impl Eviction for Sieve {
    fn idle(&mut self, entry: Entry) {
        let Entry {
            connection, uses, ..
        } = entry;
        let known = self.idle.get(&connection).copied();
        let known = known.or_else(|| self.busy.remove(&connection));
        // The uses before it was first idle are one: they opened it.
        let was_used = known.is_some_and(|look| look.was_used || look.uses != uses);
        self.idle.insert(connection, Look { uses, was_used });
    }

    fn busy(&mut self, connection: u64) {
        if let Some(look) = self.idle.remove(&connection) {
            self.busy.insert(connection, look);
        }
    }

    fn gone(&mut self, connection: u64) {
        self.idle.remove(&connection);
        self.busy.remove(&connection);
    }

    fn choose(&mut self) -> Option<u64> {
        let spare = |(connection, look): (&u64, &mut Look)| {
            (!mem::take(&mut look.was_used)).then_some(*connection)
        };
        let ahead = self.idle.range_mut(self.hand..).find_map(spare);
        let chosen = ahead
            .or_else(|| self.idle.range_mut(..self.hand).find_map(spare))
            // Once round, and all had been used.
            .or_else(|| self.idle.range_mut(self.hand..).find_map(spare))
            .or_else(|| self.idle.range_mut(..self.hand).find_map(spare))?;
        self.idle.remove(&chosen);
        // Past the newest it starts again from the oldest: it must not wait at the end of the line
        // for newcomers.
        self.hand = self
            .idle
            .range(chosen..)
            .next()
            .map_or(0, |(next, _)| *next);
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::eviction::tests::{agree, entry, ops};
    use proptest::prelude::*;
    use std::time::Instant;

    /// A list, and a hand that tries number after number.
    #[derive(Debug, Default)]
    struct Naive {
        items: Vec<Item>,
        hand: u64,
    }

    #[derive(Clone, Copy, Debug)]
    struct Item {
        entry: Entry,
        was_used: bool,
        is_idle: bool,
    }

    impl Eviction for Naive {
        fn idle(&mut self, entry: Entry) {
            let known = |i: &&mut Item| i.entry.connection == entry.connection;
            if let Some(item) = self.items.iter_mut().find(known) {
                item.was_used |= item.entry.uses != entry.uses;
                (item.entry, item.is_idle) = (entry, true);
            } else {
                let (was_used, is_idle) = (false, true);
                self.items.push(Item {
                    entry,
                    was_used,
                    is_idle,
                });
            }
        }
        fn busy(&mut self, connection: u64) {
            let known = |i: &&mut Item| i.entry.connection == connection;
            if let Some(item) = self.items.iter_mut().find(known) {
                item.is_idle = false;
            }
        }
        fn gone(&mut self, connection: u64) {
            self.items.retain(|i| i.entry.connection != connection);
        }
        fn choose(&mut self) -> Option<u64> {
            self.items.iter().find(|i| i.is_idle)?;
            loop {
                let number = self.hand;
                self.hand = (number + 1) % 100;
                let here = |i: &&mut Item| i.is_idle && i.entry.connection == number;
                match self.items.iter_mut().find(here) {
                    Some(item) if item.was_used => item.was_used = false,
                    Some(_) => {
                        self.gone(number);
                        let idle = self.items.iter().filter(|i| i.is_idle);
                        let ahead = idle.map(|i| i.entry.connection).filter(|c| *c > number);
                        self.hand = ahead.min().unwrap_or(0);
                        return Some(number);
                    }
                    None => {}
                }
            }
        }
    }

    #[test]
    fn what_was_used_again_is_passed_over_once() {
        let (mut sieve, start) = (Sieve::default(), Instant::now());
        for connection in 1..=3 {
            sieve.idle(entry(connection, start, (0, 7, 0)));
        }
        sieve.busy(1);
        sieve.idle(entry(1, start, (1, 8, 0)));
        assert_eq!(sieve.choose(), Some(2));
        sieve.idle(entry(4, start, (2, 1, 0)));
        let rest: Vec<_> = std::iter::from_fn(|| sieve.choose()).collect();
        assert_eq!(rest, [3, 4, 1], "the hand goes on from where it was");
    }

    #[test]
    fn a_newcomer_is_not_looked_at_before_the_oldest() {
        let (mut sieve, start) = (Sieve::default(), Instant::now());
        sieve.idle(entry(1, start, (0, 1, 0)));
        sieve.idle(entry(1, start, (1, 2, 0)));
        sieve.idle(entry(2, start, (2, 1, 0)));
        assert_eq!(sieve.choose(), Some(2), "1 was used again");
        sieve.idle(entry(3, start, (3, 1, 0)));
        assert_eq!(sieve.choose(), Some(1), "round again, and not used since");
    }

    #[test]
    fn one_at_work_comes_back_to_its_old_place() {
        let (mut sieve, start) = (Sieve::default(), Instant::now());
        for connection in 1..=3 {
            sieve.idle(entry(connection, start, (0, 1, 0)));
        }
        sieve.busy(1);
        assert_eq!(sieve.choose(), Some(2), "1 is at work");
        sieve.idle(entry(1, start, (0, 1, 0)));
        assert_eq!(sieve.choose(), Some(3), "1 is behind the hand");
        assert_eq!(sieve.choose(), Some(1), "offered again without a use");
    }

    proptest! {
        #[test]
        fn the_hand_stops_at_the_first_that_was_not_used_again(ops in ops()) {
            agree(Sieve::default(), Naive::default(), ops, |sieve| sieve.idle.len() + sieve.busy.len())?;
        }
    }
}
