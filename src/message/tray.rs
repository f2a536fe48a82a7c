//! A way into an actor for what comes by the hundred: what is put in wakes the actor, which looks. A
//! message for each would cost two allocations and a place in its mailbox, and where threads are crossed
//! a wakeup each.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context as Turn, Poll, Waker};
use std::{fmt, mem};

use actix::fut::ActorFuture;
use actix::{Actor, Addr, AsyncContext, Context};

/// What is kept for the next batch.
const SPARE: usize = 64;
/// What is kept where there is nothing to do.
const FEW: usize = 4;

/// What has been put in for an actor, which owns it: what lies on it is dropped with the actor, as
/// what is in its mailbox.
pub(crate) struct Tray<T> {
    shared: Arc<Shared<T>>,
    spare: Vec<T>,
}

/// Where something can be put on a [`Tray`]. Keeps no actor alive.
///
/// An actor looks at its trays whenever it has a turn, after its mailbox: a handler that must not overtake
/// what was put in before its message was sent looks first, by [`Attend::attend`].
pub(crate) struct Hatch<T>(Weak<Shared<T>>);

struct Shared<T>(Mutex<Lying<T>>);

struct Lying<T> {
    items: Vec<T>,
    /// The owner's, if it has looked since it was last woken.
    owner: Option<Waker>,
}

impl<T> Shared<T> {
    /// Nothing that is done under the lock panics half-way.
    fn lock(&self) -> MutexGuard<'_, Lying<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Tray<T> {
    fn default() -> Self {
        let (items, owner) = (Vec::new(), None);
        Self {
            shared: Arc::new(Shared(Mutex::new(Lying { items, owner }))),
            spare: Vec::new(),
        }
    }
}

impl<T> fmt::Debug for Tray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tray").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Hatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hatch").finish_non_exhaustive()
    }
}

impl<T> Clone for Hatch<T> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<T> Tray<T> {
    /// The way in.
    pub(crate) fn hatch(&self) -> Hatch<T> {
        Hatch(Arc::downgrade(&self.shared))
    }

    /// All that has been put in, in order. `owner` is woken when there is more, if it is given.
    pub(crate) fn take(&mut self, owner: Option<&Waker>) -> Vec<T> {
        let mut lying = self.shared.lock();
        if let Some(owner) = owner
            && !lying.owner.as_ref().is_some_and(|o| o.will_wake(owner))
        {
            lying.owner = Some(owner.clone());
        }
        if lying.items.is_empty() {
            return Vec::new();
        }
        mem::replace(&mut lying.items, mem::take(&mut self.spare))
    }

    /// Takes back what a batch lay in.
    pub(crate) fn keep(&mut self, mut batch: Vec<T>) {
        batch.clear();
        if batch.capacity() > self.spare.capacity() && batch.capacity() <= SPARE {
            self.spare = batch;
        }
    }

    /// Lets go of memory that many have needed: for a few at a time it is kept, or each would have to
    /// get it again.
    pub(crate) fn shrink(&mut self) {
        if self.spare.capacity() > FEW {
            self.spare = Vec::new();
        }
        let mut lying = self.shared.lock();
        if lying.items.capacity() > FEW {
            lying.items.shrink_to_fit();
        }
    }
}

impl<T> Hatch<T> {
    /// Puts something in; it is dropped if the actor is gone.
    pub(crate) fn put(&self, item: T) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        let owner = {
            let mut lying = shared.lock();
            lying.items.push(item);
            lying.owner.take()
        };
        // If there is none, the owner has been woken and has not looked yet.
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

/// An actor with trays.
pub(crate) trait Attend: Actor<Context = Context<Self>> {
    /// Sees to all that lies on its trays, and is woken when there is more, if it is told how.
    fn attend(&mut self, waker: Option<&Waker>, ctx: &mut Context<Self>);
}

/// Has an actor see to its trays, before all else that it has spawned.
pub(crate) struct Attending {
    outlives_addresses: bool,
}

impl Attending {
    /// For as long as somebody has an address of the actor; it ends with the last.
    pub(crate) fn while_addressed<A: Attend>(ctx: &mut Context<A>) {
        ctx.spawn(Self {
            outlives_addresses: false,
        });
    }

    /// Until the actor stops, by its own doing.
    pub(crate) fn always<A: Attend>(ctx: &mut Context<A>) {
        ctx.spawn(Self {
            outlives_addresses: true,
        });
    }
}

impl<A: Attend> ActorFuture<A> for Attending {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut Context<A>,
        cx: &mut Turn<'_>,
    ) -> Poll<()> {
        let is_over = !self.outlives_addresses && !ctx.connected();
        actor.attend(Some(cx.waker()), ctx);
        match is_over {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// An actor with a tray.
#[derive(Debug)]
pub(crate) struct Post<A: Actor, T> {
    pub(crate) address: Addr<A>,
    pub(crate) hatch: Hatch<T>,
}

impl<A: Attend, T> Post<A, T> {
    /// Starts the actor that is made with a tray.
    pub(crate) fn start(make: impl FnOnce(Tray<T>) -> A) -> Self {
        let tray = Tray::default();
        let hatch = tray.hatch();
        let address = make(tray).start();
        Self { address, hatch }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use actix::{ActorContext, Handler, Message};

    use super::*;

    /// Tells of each batch that it finds.
    struct Reader {
        tray: Tray<Item>,
        batches: Sender<Vec<u32>>,
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

    /// Attend to what lies there, and stop if told to.
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Look {
        and_stop: bool,
    }

    impl Actor for Reader {
        type Context = Context<Self>;

        fn started(&mut self, ctx: &mut Self::Context) {
            Attending::while_addressed(ctx);
        }
    }

    impl Attend for Reader {
        fn attend(&mut self, waker: Option<&Waker>, _: &mut Context<Self>) {
            let mut batch = self.tray.take(waker);
            if !batch.is_empty() {
                let numbers = batch.drain(..).map(|item| item.number).collect();
                let _ = self.batches.send(numbers);
            }
            self.tray.keep(batch);
        }
    }

    impl Handler<Look> for Reader {
        type Result = ();

        fn handle(&mut self, Look { and_stop }: Look, ctx: &mut Self::Context) {
            match and_stop {
                true => ctx.stop(),
                false => self.attend(None, ctx),
            }
        }
    }

    type Started = (Post<Reader, Item>, Receiver<Vec<u32>>);

    fn start() -> Started {
        let (batches, seen) = channel();
        (Post::start(|tray| Reader { tray, batches }), seen)
    }

    async fn next(seen: &Receiver<Vec<u32>>) -> Vec<u32> {
        loop {
            if let Ok(batch) = seen.try_recv() {
                return batch;
            }
            actix_rt::task::yield_now().await;
        }
    }

    #[test]
    fn all_that_lies_there_at_a_look_is_one_batch() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            for round in 0..3 {
                let numbers = round * 100..round * 100 + 100;
                numbers.clone().for_each(|n| post.hatch.put(Item::new(n)));
                assert!(next(&seen).await.into_iter().eq(numbers));
                assert!(seen.try_recv().is_err());
            }
        });
    }

    #[test]
    fn a_handler_may_look_first_and_what_comes_then_is_seen_as_well() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            for round in 0..3 {
                post.hatch.put(Item::new(round));
                post.address.do_send(Look { and_stop: false });
                assert_eq!(next(&seen).await, [round]);
                post.hatch.put(Item::new(100 + round));
                assert_eq!(next(&seen).await, [100 + round]);
            }
        });
    }

    #[test]
    fn nothing_is_lost_or_out_of_order_across_threads() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            let Post { address, hatch } = post;
            let writer = thread::spawn(move || (0..10_000).for_each(|n| hatch.put(Item::new(n))));
            let mut all = Vec::new();
            while all.len() < 10_000 {
                all.extend(next(&seen).await);
            }
            writer.join().expect("no panic");
            assert!(all.into_iter().eq(0..10_000));
            drop(address);
        });
    }

    #[test]
    fn what_was_put_in_before_the_last_address_went_is_seen() {
        actix_rt::System::new().block_on(async {
            let (post, seen) = start();
            post.hatch.put(Item::new(7));
            drop(post);
            assert_eq!(next(&seen).await, [7]);
            // The actor has ended, and its end of the channel with it.
            while seen.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                actix_rt::task::yield_now().await;
            }
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
            // Handled before it looks.
            post.address.do_send(Look { and_stop: true });
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
