//! The counting itself: from any thread, cheap where it is often.

use std::array;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::ErrorCode;
use crate::view::histogram::{BUCKETS, Histogram, bucket_of};
use crate::view::{Counters, Reason};

/// One arbiter's share of the [`Counters`]. It outlives the Pool that it is for.
#[derive(Debug)]
pub(crate) struct Tally {
    requests: AtomicU64,
    reused: AtomicU64,
    queue: [AtomicU64; BUCKETS],
    /// What happens once per connection or per failure.
    rare: Mutex<Counters>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            queue: array::from_fn(|_| AtomicU64::new(0)),
            rare: Mutex::default(),
        }
    }
}

impl Tally {
    /// A request goes out after it was `queued` for so long.
    pub(crate) fn request(&self, is_reuse: bool, queued: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.reused
            .fetch_add(u64::from(is_reuse), Ordering::Relaxed);
        self.queue[bucket_of(queued)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dial(&self) {
        self.rare().dials += 1;
    }

    pub(crate) fn handshake(&self) {
        self.rare().handshakes += 1;
    }

    pub(crate) fn retry(&self, kind: &'static str) {
        *self.rare().retries.entry(kind).or_default() += 1;
    }

    pub(crate) fn retry_refused(&self) {
        self.rare().retries_refused += 1;
    }

    pub(crate) fn overloaded(&self) {
        self.rare().overloaded += 1;
    }

    /// The server promises something.
    pub(crate) fn promise(&self) {
        self.rare().promises += 1;
    }

    /// A promise is taken.
    pub(crate) fn push(&self) {
        self.rare().pushes += 1;
    }

    /// A fetch is answered with what was pushed.
    pub(crate) fn push_used(&self) {
        self.rare().pushes_used += 1;
    }

    pub(crate) fn suspect(&self) {
        self.rare().suspects += 1;
    }

    pub(crate) fn reset(&self, code: ErrorCode) {
        *self.rare().resets.entry(code).or_default() += 1;
    }

    pub(crate) fn goaway(&self, code: ErrorCode) {
        *self.rare().goaways.entry(code).or_default() += 1;
    }

    /// A connection is gone, and this is what it counted itself.
    pub(crate) fn closed(&self, reason: Reason, own: &Counters) {
        let mut rare = self.rare();
        *rare.closed.entry(reason).or_default() += 1;
        rare.add_own(own);
    }

    /// Adds what was counted to `sum`.
    pub(crate) fn add_to(&self, sum: &mut Counters) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        sum.requests += read(&self.requests);
        sum.reused += read(&self.reused);
        sum.queue
            .add(&Histogram::new(self.queue.iter().map(read).collect()));
        let rare = self.rare();
        sum.dials += rare.dials;
        sum.handshakes += rare.handshakes;
        sum.retries_refused += rare.retries_refused;
        sum.overloaded += rare.overloaded;
        sum.suspects += rare.suspects;
        sum.add_own(&rare);
        sum.promises += rare.promises;
        sum.pushes += rare.pushes;
        sum.pushes_used += rare.pushes_used;
        add(&mut sum.retries, &rare.retries);
        add(&mut sum.closed, &rare.closed);
        add(&mut sum.goaways, &rare.goaways);
        add(&mut sum.resets, &rare.resets);
    }

    fn rare(&self) -> MutexGuard<'_, Counters> {
        // Counting cannot panic half-way.
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add<K: Copy + Ord>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sum.entry(*key).or_default() += count;
    }
}
