//! Which idle connection to close when another origin needs its place.
//!
//! | policy | closes | choose it when |
//! |---|---|---|
//! | [`Lru`], the default | the one unused for longest | nothing is known, or fetches come in bursts and move on, as a crawl's do |
//! | [`Lfu`] | the least used, old merits fading | some origins are popular for long, also while a crawl passes through |
//! | [`Sieve`] | the next in line that was not used again | some origins are popular and the others are fetched from once; what is popular may change |
//! | [`GreedyDual`] | the cheapest to open again and least used, old merits fading | handshakes differ much, and their time matters more than their number: it reuses fewer than `Lfu` and spends less |
//!
//! Not [`Sieve`] for a crawl over several origins in turn: it closes newcomers soonest, often before
//! their second fetch.
//!
//! `cargo bench --bench eviction` compares them. Each step of each costs O(log n), that of
//! [`Sieve::choose`](Eviction::choose) amortised. None of them panics.

use std::fmt;
use std::time::{Duration, Instant};

mod aged;
mod greedy_dual;
mod lfu;
mod lru;
mod sieve;

pub use greedy_dual::GreedyDual;
pub use lfu::Lfu;
pub use lru::Lru;
pub use sieve::Sieve;

/// What a policy may know of an idle connection: a plain snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Its number within the engine; a later connection has a higher one.
    pub connection: u64,
    /// When it was opened.
    pub opened: Instant,
    /// When the latest of its fetches was accepted. Not when that ended: ends are reported late,
    /// and across threads not always in order.
    pub last_use: Instant,
    /// Fetches given to it so far.
    pub uses: u64,
    /// What it took to open (name, TCP, TLS): what it would cost to dial again.
    pub handshake: Duration,
}

impl Entry {
    /// A connection that was never used and cost nothing. For tests of a policy.
    #[must_use]
    pub fn new(connection: u64, opened: Instant) -> Self {
        Self {
            connection,
            opened,
            last_use: opened,
            uses: 0,
            handshake: Duration::ZERO,
        }
    }
}

/// Chooses among idle connections. Told of every change, so that a choice need not look at all.
///
/// A connection is idle while no stream is open on it; only idle ones are ever offered, and a choice
/// that was not offered is passed over, so no policy can close a connection that is at work. It is
/// called under the lock of the engine's ledger of sockets: it should be quick, and must not panic.
pub trait Eviction: fmt::Debug + Send {
    /// A connection has become idle, and may be chosen from now on. May be called again for one
    /// that is known: the newer entry counts.
    fn idle(&mut self, entry: Entry);

    /// `connection` is at work again, and will be idle again or gone. Unknown ones are ignored.
    fn busy(&mut self, connection: u64);

    /// `connection` is gone: forget all about it. Unknown ones are ignored.
    fn gone(&mut self, connection: u64);

    /// Takes out the connection to close next; it is as good as gone.
    fn choose(&mut self) -> Option<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// What happens, to which connection, and a number to make something of.
    pub(crate) type Op = (u8, u64, u64);

    pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
        prop::collection::vec((0u8..8, 0u64..8, 0u64..4), 0..400)
    }

    /// Has `policy` and `model` live through `ops`: they must choose the same, always an idle one,
    /// and `size` of the policy must not outgrow what is known.
    pub(crate) fn agree<P: Eviction>(
        mut policy: P,
        mut model: impl Eviction,
        ops: Vec<Op>,
        size: impl Fn(&P) -> usize,
    ) -> Result<(), TestCaseError> {
        let (start, mut known, mut idle) = (
            Instant::now(),
            BTreeMap::<u64, Entry>::new(),
            BTreeSet::new(),
        );
        for (tick, (op, connection, n)) in (0..).zip(ops) {
            match op {
                0..=3 => {
                    let entry = known
                        .entry(connection)
                        .or_insert_with(|| Entry::new(connection, start));
                    entry.uses += n / 2;
                    // Three in a row are of one age.
                    entry.last_use = start + Duration::from_nanos(tick / 3);
                    entry.handshake = Duration::from_nanos(n);
                    policy.idle(*entry);
                    model.idle(*entry);
                    idle.insert(connection);
                }
                4 => {
                    policy.busy(connection);
                    model.busy(connection);
                    idle.remove(&connection);
                }
                5 => {
                    policy.gone(connection);
                    model.gone(connection);
                    idle.remove(&connection);
                    known.remove(&connection);
                }
                _ => {
                    let chosen = policy.choose();
                    prop_assert_eq!(chosen, model.choose());
                    prop_assert_eq!(chosen.is_none(), idle.is_empty());
                    if let Some(chosen) = chosen {
                        prop_assert!(idle.remove(&chosen), "{chosen} is not idle");
                        known.remove(&chosen);
                    }
                }
            }
            prop_assert!(size(&policy) <= known.len());
        }
        known.keys().for_each(|connection| policy.gone(*connection));
        prop_assert_eq!(size(&policy), 0, "something of the dead is kept");
        Ok(())
    }

    /// An entry that was used `uses` times, the last time at `tick`, and cost `cost`.
    pub(crate) fn entry(
        connection: u64,
        start: Instant,
        (tick, uses, cost): (u64, u64, u64),
    ) -> Entry {
        Entry {
            last_use: start + Duration::from_nanos(tick),
            uses,
            handshake: Duration::from_nanos(cost),
            ..Entry::new(connection, start)
        }
    }
}
