//! Memory of large bodies that are gone, for those to come: pages that are returned to the system and
//! fetched again cost more than all else that is done for such a body.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// A smaller body's memory is the allocator's business.
const WORTH_KEEPING: usize = 32 << 10;

/// What is kept, over all connections of an engine, while any of them is at work.
#[derive(Debug)]
pub(crate) struct Spares {
    /// Connections at work.
    at_work: AtomicUsize,
    kept: Mutex<Kept>,
    /// The most that is kept, in bytes.
    most: usize,
}

#[derive(Debug, Default)]
struct Kept {
    /// By capacity, and a number that tells those of one capacity apart.
    buffers: BTreeMap<(usize, u64), Vec<u8>>,
    /// Their capacity.
    bytes: usize,
    /// Buffers ever kept.
    number: u64,
}

/// A body's memory, on its way back once nobody has the body any more.
struct Lent {
    buffer: Vec<u8>,
    home: Weak<Spares>,
}

/// A connection is at work. With the last of them all that is kept goes.
#[derive(Debug)]
pub(crate) struct AtWork(Arc<Spares>);

impl Spares {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            at_work: AtomicUsize::new(0),
            kept: Mutex::default(),
            most,
        }
    }

    pub(crate) fn at_work(self: &Arc<Self>) -> AtWork {
        self.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(Arc::clone(self))
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().buffers.is_empty()
    }

    /// An empty buffer with this much room: one that fits, of at most twice that, or a new one.
    pub(crate) fn take(&self, room: usize) -> Vec<u8> {
        let found = (room >= WORTH_KEEPING).then(|| self.find(room)).flatten();
        found.unwrap_or_else(|| Vec::with_capacity(room))
    }

    fn find(&self, room: usize) -> Option<Vec<u8>> {
        let mut kept = self.lock();
        let fitting = (room, 0)..=(room.saturating_mul(2), u64::MAX);
        let key = *kept.buffers.range(fitting).next()?.0;
        let mut buffer = kept.buffers.remove(&key)?;
        kept.bytes -= buffer.capacity();
        buffer.clear();
        Some(buffer)
    }

    /// Makes a body of a buffer, which comes back when it is dropped.
    pub(crate) fn lend(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        if buffer.capacity() < WORTH_KEEPING {
            return buffer.into();
        }
        let home = Arc::downgrade(self);
        Bytes::from_owner(Lent { buffer, home })
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        // Dropped after the lock is free.
        let mut gone = BTreeMap::new();
        let mut kept = self.lock();
        if self.at_work.load(Ordering::Acquire) == 0 || capacity > self.most {
            return;
        }
        if kept.bytes + capacity > self.most {
            // They are of no use to the bodies that come now, or there would be fewer.
            gone = mem::take(&mut kept.buffers);
            kept.bytes = 0;
        }
        let key = (capacity, kept.number);
        kept.number += 1;
        kept.bytes += capacity;
        kept.buffers.insert(key, buffer);
        drop(kept);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Its own steps do not panic half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.0.at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
            // What comes back from now on is not kept: whoever gives it back looks under the lock.
            let kept = mem::take(&mut *self.0.lock());
            drop(kept);
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.give_back(mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 100_000;

    fn body(spares: &Arc<Spares>, byte: u8) -> Bytes {
        let mut buffer = spares.take(SIZE);
        assert!(buffer.is_empty() && buffer.capacity() >= SIZE);
        buffer.resize(SIZE, byte);
        spares.lend(buffer)
    }

    fn kept(spares: &Spares) -> (usize, usize) {
        let kept = spares.lock();
        let sum = kept.buffers.values().map(Vec::capacity).sum();
        assert_eq!(kept.bytes, sum);
        (kept.buffers.len(), sum)
    }

    #[test]
    fn memory_comes_back_when_nobody_has_the_body_any_more() {
        let spares = Arc::new(Spares::new(10 * SIZE));
        let _at_work = spares.at_work();
        let first = body(&spares, 1);
        let (place, part) = (first.as_ptr(), first.slice(7..9));
        drop(first);
        let second = body(&spares, 2);
        assert!(second.as_ptr() != place && part == [1, 1][..]);
        drop(part);
        let third = body(&spares, 3);
        assert_eq!(third.as_ptr(), place);
        assert!(third.iter().all(|byte| *byte == 3) && third.len() == SIZE);
    }

    #[test]
    fn no_more_is_kept_than_allowed_and_of_what_is_needed() {
        let spares = Arc::new(Spares::new(3 * SIZE));
        let _at_work = spares.at_work();
        let bodies: Vec<_> = (0..3).map(|n| body(&spares, n)).collect();
        drop(bodies);
        assert_eq!(kept(&spares), (3, 3 * SIZE));
        // One that is far too large for what is wanted is not taken.
        let small = spares.take(SIZE / 3);
        assert!(small.capacity() < SIZE / 2);
        drop(spares.lend(small));
        assert_eq!(
            kept(&spares).0,
            1,
            "the others make room for what comes now"
        );
        drop(spares.lend(spares.take(4 * SIZE)));
        drop(spares.lend(spares.take(100)));
        assert_eq!(
            kept(&spares).0,
            1,
            "neither what is too large nor what is too small"
        );
    }

    #[test]
    fn nothing_is_kept_while_no_connection_is_at_work() {
        let spares = Arc::new(Spares::new(3 * SIZE));
        let (one, other) = (spares.at_work(), spares.at_work());
        let late = body(&spares, 1);
        drop(body(&spares, 2));
        drop(one);
        assert_eq!(kept(&spares).0, 1);
        drop(other);
        assert_eq!(kept(&spares).0, 0);
        drop(late);
        assert_eq!(kept(&spares).0, 0);
    }

    #[test]
    fn a_body_outlives_its_engine() {
        let spares = Arc::new(Spares::new(SIZE));
        let body = body(&spares, 4);
        drop(spares);
        assert!(body.iter().all(|byte| *byte == 4));
    }
}
