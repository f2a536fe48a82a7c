//! A way into an actor for what comes by the hundred: between two looks of the actor it costs one
//! message, however much is put in. A message for each would cost two allocations, and where threads
//! are crossed a wakeup.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use actix::{Actor, Addr, Context, Handler, Message, Recipient};

/// What is kept for the next batch.
const SPARE: usize = 64;

/// There is something on your tray.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Knock;

/// What has been put in for an actor, which owns it: what lies on it is dropped with the actor, as
/// what is in its mailbox.
#[derive(Debug)]
pub(crate) struct Tray<T> {
    items: Arc<Mutex<Vec<T>>>,
    spare: Vec<T>,
}

/// Where something can be put on a [`Tray`].
///
/// It overtakes messages that were sent after the latest look of the actor, and none that it would not
/// have overtaken as a message overtakes what was sent earlier.
#[derive(Clone, Debug)]
pub(crate) struct Hatch<T> {
    items: Weak<Mutex<Vec<T>>>,
    bell: Recipient<Knock>,
}

impl<T> Default for Tray<T> {
    fn default() -> Self {
        Self {
            items: Arc::default(),
            spare: Vec::new(),
        }
    }
}

impl<T> Tray<T> {
    /// The way in. `bell` is the owner's.
    pub(crate) fn hatch(&self, bell: Recipient<Knock>) -> Hatch<T> {
        let items = Arc::downgrade(&self.items);
        Hatch { items, bell }
    }

    /// All that has been put in, in order.
    pub(crate) fn take(&mut self) -> Vec<T> {
        let spare = mem::take(&mut self.spare);
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *items, spare)
    }

    /// Takes back what a batch lay in.
    pub(crate) fn keep(&mut self, mut batch: Vec<T>) {
        batch.clear();
        if batch.capacity() <= SPARE {
            self.spare = batch;
        }
    }

    /// Lets go of memory that is not in use.
    pub(crate) fn shrink(&mut self) {
        self.spare = Vec::new();
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.shrink_to_fit();
    }
}

/// An actor with a tray.
#[derive(Debug)]
pub(crate) struct Post<A: Actor, T> {
    pub(crate) address: Addr<A>,
    pub(crate) hatch: Hatch<T>,
}

impl<A, T> Post<A, T>
where
    A: Actor<Context = Context<A>> + Handler<Knock>,
{
    /// Starts the actor that is made with a tray.
    pub(crate) fn start(make: impl FnOnce(Tray<T>) -> A) -> Self {
        let tray = Tray::default();
        let items = Arc::downgrade(&tray.items);
        let address = make(tray).start();
        let bell = address.clone().recipient();
        let hatch = Hatch { items, bell };
        Self { address, hatch }
    }
}

impl<T> Hatch<T> {
    /// Puts something in; it is dropped if the actor is gone.
    pub(crate) fn put(&self, item: T) {
        let Some(items) = self.items.upgrade() else {
            return;
        };
        let is_first = {
            let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
            items.push(item);
            items.len() == 1
        };
        // Whoever takes the first takes those after it.
        if is_first {
            self.bell.do_send(Knock);
        }
    }
}
