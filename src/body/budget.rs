//! The bytes that an engine holds of bodies, over all its connections.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::body::Spares;

/// Bounds the body bytes that have come and are not handed out.
///
/// What has come is always counted, even beyond the limit; then nothing more is read until there is
/// room. Were all of it held by bodies that are being gathered, none could ever be completed: so one
/// of them, the leader, goes on all the same.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    limit: u64,
    held: AtomicU64,
    most: AtomicU64,
    /// Bodies handed out piece by piece.
    open: AtomicUsize,
    has_leader: AtomicBool,
    /// Those who wait for room.
    waiting: Mutex<Vec<Waker>>,
    spares: Arc<Spares>,
}

/// A body's share of the budget; returned when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<ByteBudget>,
    held: u64,
    leads: bool,
}

/// Counts a body that is handed out piece by piece, for as long as it is open.
#[derive(Debug)]
pub(crate) struct OpenBody(Arc<ByteBudget>);

impl ByteBudget {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit: limit.max(1),
            held: AtomicU64::new(0),
            most: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            has_leader: AtomicBool::new(false),
            waiting: Mutex::default(),
            // What is handed out is no longer counted, so this comes on top.
            spares: Arc::new(Spares::new(
                usize::try_from(limit / 2).unwrap_or(usize::MAX),
            )),
        }
    }

    /// Memory of bodies that are gone.
    pub(crate) fn spares(&self) -> &Arc<Spares> {
        &self.spares
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// The most that were ever held.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    /// Bodies handed out piece by piece.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn give_back(&self, bytes: u64) {
        let before = self.held.fetch_sub(bytes, Ordering::AcqRel);
        if before >= self.limit && before - bytes < self.limit {
            self.wake();
        }
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    fn has_room(&self) -> bool {
        self.held.load(Ordering::Acquire) < self.limit
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenBody {
    pub(crate) fn new(budget: &Arc<ByteBudget>) -> Self {
        budget.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(budget))
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    pub(crate) fn new(budget: &Arc<ByteBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            held: 0,
            leads: false,
        }
    }

    /// Memory of bodies that are gone.
    pub(crate) fn spares(&self) -> &Arc<Spares> {
        self.budget.spares()
    }

    /// Counts what has come.
    pub(crate) fn take(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.held += bytes;
        let held = self.budget.held.fetch_add(bytes, Ordering::AcqRel) + bytes;
        if held > self.budget.most.load(Ordering::Relaxed) {
            self.budget.most.fetch_max(held, Ordering::Relaxed);
        }
    }

    /// Counts it no more.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.held);
        self.held -= bytes;
        self.budget.give_back(bytes);
    }

    /// Ready when more may be read. A body that `is_gathered` may come to lead.
    pub(crate) fn poll_room(&mut self, is_gathered: bool, cx: &mut Context<'_>) -> Poll<()> {
        if self.leads || self.budget.has_room() {
            return Poll::Ready(());
        }
        if is_gathered && !self.budget.has_leader.swap(true, Ordering::AcqRel) {
            self.leads = true;
            return Poll::Ready(());
        }
        let mut waiting = self.budget.lock();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        drop(waiting);
        // Room, or the lead, may have come free before the waker was in its place.
        let is_led = !is_gathered || self.budget.has_leader.load(Ordering::Acquire);
        if self.budget.has_room() || !is_led {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
        if self.leads {
            self.budget.has_leader.store(false, Ordering::Release);
            self.budget.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_all_is_taken_one_that_is_gathered_goes_on_and_the_rest_follow() {
        let budget = Arc::new(ByteBudget::new(100));
        let mut cx = Context::from_waker(Waker::noop());
        let (mut one, mut two) = (Share::new(&budget), Share::new(&budget));
        let mut unread = Share::new(&budget);
        unread.take(120);
        assert_eq!((budget.held(), budget.most()), (120, 120));
        assert!(unread.poll_room(false, &mut cx).is_pending());
        assert!(one.poll_room(true, &mut cx).is_ready());
        assert!(two.poll_room(true, &mut cx).is_pending());
        one.take(30);
        drop(one);
        assert!(two.poll_room(true, &mut cx).is_ready());
        drop(two);
        unread.give_back(21);
        assert!(unread.poll_room(false, &mut cx).is_ready());
        drop(unread);
        assert_eq!((budget.held(), budget.most()), (0, 150));
    }

    #[test]
    fn open_bodies_are_counted_while_they_are_open() {
        let budget = Arc::new(ByteBudget::new(1));
        let open = OpenBody::new(&budget);
        assert_eq!(budget.open(), 1);
        drop(open);
        assert_eq!(budget.open(), 0);
    }
}
