//! A way into an actor for what comes by the hundred: between two looks of the actor it costs one
//! message, however much is put in. A message for each would cost two allocations, and where threads
//! are crossed a wakeup.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use actix::{Actor, Addr, Context, Handler, Message, Recipient};

/// What is kept for the next batch.
const SPARE: usize = 64;
/// What is kept where there is nothing to do.
const FEW: usize = 4;

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
/// What is put in may be seen before a message that was sent to the actor earlier, but never after one
/// that was sent later: its knock was in the mailbox by then.
#[derive(Debug)]
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

    /// Lets go of memory that many have needed: for a few at a time it is kept, or each would have to
    /// get it again.
    pub(crate) fn shrink(&mut self) {
        if self.spare.capacity() <= FEW {
            return;
        }
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Tells of each batch that it finds.
    struct Reader {
        tray: Tray<Item>,
        batches: std::sync::mpsc::Sender<Vec<u32>>,
    }

    /// Its token tells whether it is still there.
    struct Item {
        number: u32,
        _token: Option<Arc<()>>,
    }

    impl Item {
        fn new(number: u32) -> Self {
            let _token = None;
            Self { number, _token }
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Stop;

    impl Actor for Reader {
        type Context = Context<Self>;
    }

    impl Handler<Knock> for Reader {
        type Result = ();

        fn handle(&mut self, _: Knock, _: &mut Self::Context) {
            let mut batch = self.tray.take();
            let numbers = batch.drain(..).map(|item| item.number).collect();
            let _ = self.batches.send(numbers);
            self.tray.keep(batch);
        }
    }

    impl Handler<Stop> for Reader {
        type Result = ();

        fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
            actix::ActorContext::stop(ctx);
        }
    }

    type Started = (Post<Reader, Item>, std::sync::mpsc::Receiver<Vec<u32>>);

    fn start() -> Started {
        let (batches, seen) = std::sync::mpsc::channel();
        (Post::start(|tray| Reader { tray, batches }), seen)
    }

    #[test]
    fn all_that_lies_there_at_a_look_costs_one_message() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            for round in 0..3 {
                let numbers = round * 100..round * 100 + 100;
                numbers.clone().for_each(|n| post.hatch.put(Item::new(n)));
                // Behind the knock.
                post.address.send(Knock).await.expect("it is there");
                assert_eq!(seen.try_recv(), Ok(numbers.collect()));
                assert_eq!(seen.try_recv(), Ok(Vec::new()), "there was one knock");
            }
        });
    }

    #[test]
    fn nothing_is_lost_or_out_of_order_across_threads() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            let (address, hatch) = (post.address, post.hatch);
            let writer = thread::spawn(move || (0..10_000).for_each(|n| hatch.put(Item::new(n))));
            let mut all = Vec::new();
            while all.len() < 10_000 {
                address.send(Knock).await.expect("it is there");
                all.extend(seen.try_iter().flatten());
            }
            writer.join().expect("no panic");
            assert!(all.into_iter().eq(0..10_000));
        });
    }

    #[test]
    fn what_lies_there_goes_with_the_actor_and_what_comes_later_at_once() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            let token = Arc::new(());
            let held = |token: &Arc<()>| Item {
                number: 0,
                _token: Some(Arc::clone(token)),
            };
            // The stop is before the knock in the mailbox.
            post.address.do_send(Stop);
            post.hatch.put(held(&token));
            assert_eq!(Arc::strong_count(&token), 2);
            while post.address.connected() || Arc::strong_count(&token) > 1 {
                actix_rt::task::yield_now().await;
            }
            post.hatch.put(held(&token));
            assert_eq!(Arc::strong_count(&token), 1);
            assert!(seen.try_iter().next().is_none());
        });
    }
}
