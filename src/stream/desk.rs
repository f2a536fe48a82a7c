//! Where a stream finds what to do.

use std::cell::Cell;
use std::task::Waker;

use crate::stream::Work;

/// Shared by a stream and its connection.
#[derive(Default)]
pub(crate) struct Desk {
    work: Cell<Option<(u64, Work)>>,
    /// The stream's, once it has looked in vain.
    waker: Cell<Option<Waker>>,
}

impl Desk {
    /// `number` names the fetch to the stream's owner.
    pub(crate) fn put(&self, number: u64, work: Work) {
        self.work.set(Some((number, work)));
        if let Some(waker) = self.waker.take() {
            waker.wake_by_ref();
            self.waker.set(Some(waker));
        }
    }

    pub(super) fn take(&self) -> Option<(u64, Work)> {
        self.work.take()
    }

    /// Wakes this one when there is something.
    pub(super) fn heed(&self, waker: &Waker) {
        let known = self.waker.take().filter(|known| known.will_wake(waker));
        self.waker.set(Some(known.unwrap_or_else(|| waker.clone())));
    }
}
