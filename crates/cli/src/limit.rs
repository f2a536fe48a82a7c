//! At most so many fetches of one origin in flight at once.
//!
//! [`Limited`] wraps the input of a run. It passes items on in their order, except that it holds
//! back those whose origin is at its limit, and passes them on when an earlier one of that origin
//! is finished. It holds back a bounded number: when that many wait, it reads no further, even if
//! the next item were of another origin. Input that is sorted by origin is therefore fetched more
//! slowly than the same lines shuffled.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;

/// What an item counts against: dropping it makes room for the next item of its origin.
#[derive(Debug)]
pub(crate) struct Permit<O: Eq + Hash> {
    /// `None` for an item that is not limited.
    place: Option<(O, Arc<Mutex<Counts<O>>>)>,
}

/// How many permits are out, and who is to be woken when one comes back.
#[derive(Debug)]
struct Counts<O> {
    most: usize,
    out: HashMap<O, usize>,
    /// Origins that have got room since the last look, each as often as it did.
    freed: VecDeque<O>,
    /// Whether anything is held back; `freed` need not be kept otherwise.
    holding: bool,
    waker: Option<Waker>,
}

/// The stream. `S` yields items with the origin they count against, if any.
pub(crate) struct Limited<S, O: Eq + Hash, T> {
    /// `None` once it has ended.
    input: Option<Pin<Box<S>>>,
    held: HashMap<O, VecDeque<T>>,
    holding: usize,
    hold_at_most: usize,
    counts: Arc<Mutex<Counts<O>>>,
}

impl<O: Clone + Eq + Hash> Counts<O> {
    fn take(&mut self, origin: &O) -> bool {
        match self.out.get_mut(origin) {
            Some(out) if *out >= self.most => return false,
            Some(out) => *out += 1,
            None => {
                self.out.insert(origin.clone(), 1);
            }
        }
        true
    }
}

impl<O: Eq + Hash> Drop for Permit<O> {
    fn drop(&mut self) {
        let Some((origin, counts)) = self.place.take() else {
            return;
        };
        let mut counts = lock(&counts);
        if let Some(out) = counts.out.get_mut(&origin) {
            *out -= 1;
            if *out == 0 {
                counts.out.remove(&origin);
            }
        }
        if counts.holding {
            counts.freed.push_back(origin);
            let waker = counts.waker.take();
            drop(counts);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

fn lock<O>(counts: &Mutex<Counts<O>>) -> MutexGuard<'_, Counts<O>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S, O, T> Limited<S, O, T>
where
    S: Stream<Item = (Option<O>, T)>,
    O: Clone + Eq + Hash,
{
    /// Lets at most `most` items of one origin pass at once, and holds back at most `hold_at_most`
    /// items of all of them.
    pub(crate) fn new(input: S, most: usize, hold_at_most: usize) -> Self {
        let counts = Counts {
            most: most.max(1),
            out: HashMap::new(),
            freed: VecDeque::new(),
            holding: false,
            waker: None,
        };
        Self {
            input: Some(Box::pin(input)),
            held: HashMap::new(),
            holding: 0,
            hold_at_most: hold_at_most.max(1),
            counts: Arc::new(Mutex::new(counts)),
        }
    }

    /// An item held back whose origin has room now.
    fn next_held(&mut self) -> Option<(Permit<O>, T)> {
        let mut counts = lock(&self.counts);
        while let Some(origin) = counts.freed.pop_front() {
            let Some(waiting) = self.held.get_mut(&origin) else {
                continue;
            };
            if !counts.take(&origin) {
                continue;
            }
            let item = waiting.pop_front();
            if waiting.is_empty() {
                self.held.remove(&origin);
            }
            self.holding -= 1;
            counts.holding = self.holding > 0;
            let place = Some((origin, Arc::clone(&self.counts)));
            // A queue is removed when it gets empty, so that there is an item.
            return item.map(|item| (Permit { place }, item));
        }
        None
    }

    /// Passes an item on, or holds it back.
    fn admit(&mut self, origin: Option<O>, item: T) -> Option<(Permit<O>, T)> {
        let Some(origin) = origin else {
            return Some((Permit { place: None }, item));
        };
        let mut counts = lock(&self.counts);
        // Those held back come first; there is no room for them, or they would have been passed on.
        if counts.take(&origin) {
            let place = Some((origin, Arc::clone(&self.counts)));
            return Some((Permit { place }, item));
        }
        counts.holding = true;
        self.holding += 1;
        self.held.entry(origin).or_default().push_back(item);
        None
    }
}

impl<S, O, T> Stream for Limited<S, O, T>
where
    S: Stream<Item = (Option<O>, T)>,
    O: Clone + Eq + Hash + Unpin,
    T: Unpin,
{
    type Item = (Permit<O>, T);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Kept before the look at what is free, so that what gets free after it is not missed.
        lock(&self.counts).waker = Some(context.waker().clone());
        loop {
            if let Some(passed) = self.next_held() {
                return Poll::Ready(Some(passed));
            }
            if self.holding >= self.hold_at_most {
                return Poll::Pending;
            }
            let Some(input) = &mut self.input else {
                return if self.holding > 0 {
                    Poll::Pending
                } else {
                    Poll::Ready(None)
                };
            };
            match input.as_mut().poll_next(context) {
                Poll::Ready(Some((origin, item))) => {
                    if let Some(passed) = self.admit(origin, item) {
                        return Poll::Ready(Some(passed));
                    }
                }
                Poll::Ready(None) => self.input = None,
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::stream::{self, StreamExt};
    use futures::task::noop_waker;

    use super::*;

    type Passed = (Permit<u32>, (u32, usize));

    fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
        stream.poll_next_unpin(&mut Context::from_waker(&noop_waker()))
    }

    /// splitmix64: as random as these tests need.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    }

    /// Runs a random input through, finishing items in random order, and checks every step.
    fn run(seed: u64) {
        let mut state = seed;
        let mut pick = |n: u64| usize::try_from(random(&mut state) % n).expect("small");
        let (total, origins) = (pick(60), pick(5) as u64 + 1);
        let (most, hold) = (pick(4) + 1, pick(10) + 1);
        let input: Vec<u32> = (0..total).map(|_| pick(origins + 1) as u32).collect();
        let pulled = Cell::new(0);
        // Origin 0 stands for items that are not limited.
        let items = stream::iter(input.iter().copied().enumerate().map(|(i, origin)| {
            pulled.set(pulled.get() + 1);
            ((origin > 0).then_some(origin), (origin, i))
        }));
        let mut limited = Limited::new(items, most, hold);
        let mut open: Vec<Passed> = Vec::new();
        let mut passed: Vec<(u32, usize)> = Vec::new();
        loop {
            match poll(&mut limited) {
                Poll::Ready(Some(item)) => {
                    passed.push(item.1);
                    open.push(item);
                }
                Poll::Ready(None) => break,
                // Only what is in flight can hold anything back.
                Poll::Pending => assert!(!open.is_empty(), "stuck, seed {seed}"),
            }
            for origin in 1..=origins as u32 {
                let in_flight = open.iter().filter(|item| item.1.0 == origin).count();
                assert!(in_flight <= most, "seed {seed}");
            }
            assert!(pulled.get() <= passed.len() + hold, "seed {seed}");
            if !open.is_empty() && pick(2) == 0 {
                open.swap_remove(pick(open.len() as u64));
            }
        }
        drop(open);
        for origin in 0..=origins as u32 {
            let of = |item: &&(u32, usize)| item.0 == origin;
            assert!(passed.iter().filter(of).is_sorted(), "seed {seed}");
        }
        assert_eq!(passed.len(), total, "seed {seed}");
        let counts = lock(&limited.counts);
        assert!(
            counts.out.is_empty() && limited.held.is_empty(),
            "seed {seed}"
        );
    }

    #[test]
    fn everything_passes_in_order_and_within_all_limits() {
        (0..2_000).for_each(run);
    }

    #[test]
    fn other_origins_overtake_the_one_at_its_limit() {
        let items = [(1, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (3, 'e')];
        let mut limited = Limited::new(stream::iter(items.map(|(o, c)| (Some(o), c))), 1, 2);
        let mut next = || match poll(&mut limited) {
            Poll::Ready(Some((permit, name))) => Some((permit, name)),
            _ => None,
        };
        let first = next().expect("a");
        assert_eq!(first.1, 'a');
        assert_eq!(next().map(|(_, name)| name), Some('c'));
        assert!(next().is_none(), "two are held back, and 'e' has to wait");
        drop(first);
        assert_eq!(next().map(|(_, name)| name), Some('b'));
    }

    #[test]
    fn room_wakes_the_stream() {
        let (waker, woken) = futures_test_waker();
        let mut limited = Limited::new(stream::iter([(Some(1), ()), (Some(1), ())]), 1, 5);
        let mut context = Context::from_waker(&waker);
        let Poll::Ready(Some(first)) = limited.poll_next_unpin(&mut context) else {
            panic!("nothing in flight");
        };
        assert!(limited.poll_next_unpin(&mut context).is_pending());
        assert!(!woken.load(std::sync::atomic::Ordering::SeqCst));
        drop(first);
        assert!(woken.load(std::sync::atomic::Ordering::SeqCst));
        assert!(limited.poll_next_unpin(&mut context).is_ready());
    }

    fn futures_test_waker() -> (Waker, Arc<std::sync::atomic::AtomicBool>) {
        struct Flag(Arc<std::sync::atomic::AtomicBool>);
        impl futures::task::ArcWake for Flag {
            fn wake_by_ref(flag: &Arc<Self>) {
                flag.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let woken = Arc::new(std::sync::atomic::AtomicBool::new(false));
        (
            futures::task::waker(Arc::new(Flag(Arc::clone(&woken)))),
            woken,
        )
    }
}
