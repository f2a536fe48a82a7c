//! Memory of large bodies that are gone, for those to come: pages that are returned to the system and
//! fetched again cost more than all else that is done for such a body.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// A smaller body's memory is the allocator's business.
const WORTH_KEEPING: usize = 32 << 10;

/// What is kept, over all connections of an engine, and only while they are at work.
#[derive(Debug)]
pub(crate) struct Spares {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// Their capacity, and the most that is kept of it.
    bytes: usize,
    most: usize,
    /// Whether anybody has asked for one since all were dropped.
    is_in_use: bool,
}

/// A body's memory, on its way back once nobody has the body any more.
struct Lent {
    buffer: Vec<u8>,
    home: Weak<Spares>,
}

impl Spares {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            kept: Mutex::new(Kept {
                buffers: Vec::new(),
                bytes: 0,
                most,
                is_in_use: false,
            }),
        }
    }

    /// An empty buffer with this much room: one that fits, or a new one.
    pub(crate) fn take(&self, room: usize) -> Vec<u8> {
        if room < WORTH_KEEPING {
            return Vec::with_capacity(room);
        }
        let mut kept = self.lock();
        kept.is_in_use = true;
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= room && buffer.capacity() / 2 <= room;
        match kept.buffers.iter().position(fits) {
            Some(place) => {
                let mut buffer = kept.buffers.swap_remove(place);
                kept.bytes -= buffer.capacity();
                buffer.clear();
                buffer
            }
            None => Vec::with_capacity(room),
        }
    }

    /// Makes a body of a buffer, which comes back when it is dropped.
    pub(crate) fn lend(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        if buffer.capacity() < WORTH_KEEPING {
            return buffer.into();
        }
        let home = Arc::downgrade(self);
        Bytes::from_owner(Lent { buffer, home })
    }

    /// Lets go of all: there is a pause.
    pub(crate) fn clear(&self) {
        let mut kept = self.lock();
        kept.is_in_use = false;
        kept.bytes = 0;
        let buffers = mem::take(&mut kept.buffers);
        drop(kept);
        drop(buffers);
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut kept = self.lock();
        let bytes = kept.bytes + buffer.capacity();
        if kept.is_in_use && bytes <= kept.most {
            kept.bytes = bytes;
            kept.buffers.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Its own steps do not panic half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn memory_comes_back_when_nobody_has_the_body_any_more() {
        let spares = Arc::new(Spares::new(10 * SIZE));
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
    fn no_more_is_kept_than_allowed_and_nothing_in_a_pause() {
        let spares = Arc::new(Spares::new(2 * SIZE));
        let bodies: Vec<_> = (0..5).map(|n| body(&spares, n)).collect();
        let late = body(&spares, 9);
        drop(bodies);
        assert_eq!(spares.lock().bytes, 2 * SIZE);
        // One that is far too large for what is wanted is not taken.
        assert!(spares.take(SIZE / 3).capacity() < SIZE / 2);
        spares.clear();
        drop(late);
        assert!(spares.lock().buffers.is_empty());
        let small = spares.lend(spares.take(100));
        drop(small);
        assert!(spares.lock().buffers.is_empty());
    }

    #[test]
    fn a_body_outlives_its_engine() {
        let spares = Arc::new(Spares::new(SIZE));
        let body = body(&spares, 4);
        drop(spares);
        assert!(body.iter().all(|byte| *byte == 4));
    }
}
