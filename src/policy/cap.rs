//! The cap on open sockets, over all origins and arbiters.
//!
//! ```text
//!            acquire                 closed (to the head of the queue)
//!  waiting ──────────▶ open: busy ◀──▶ idle ──▶ closing ──▶ gone
//! ```

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Instant;

use crate::policy::eviction::Eviction;

/// Counts sockets, queues who waits for one, and asks the eviction policy when one must go.
///
/// `W` names who waits; the same name waits once.
#[derive(Debug)]
pub(crate) struct Cap<W> {
    max: usize,
    last: u64,
    sockets: HashMap<u64, Socket>,
    closing: usize,
    last_ticket: u64,
    /// Who waits, in order of coming.
    waiting: BTreeMap<u64, W>,
    tickets: HashMap<W, u64>,
    eviction: Box<dyn Eviction>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Socket {
    Busy,
    Idle,
    Closing,
}

/// The answer to a wish for a socket.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Acquire {
    /// Open it, under this number.
    Granted(u64),
    /// Wait for [`Cap::closed`] to name you; first close `evict`, if any.
    Wait { evict: Option<u64> },
}

impl<W: Clone + Eq + Hash> Cap<W> {
    /// At most `max` sockets; 0 counts as 1, or nothing could ever be fetched.
    pub(crate) fn new(max: usize, eviction: Box<dyn Eviction>) -> Self {
        Self {
            max: max.max(1),
            last: 0,
            sockets: HashMap::new(),
            closing: 0,
            last_ticket: 0,
            waiting: BTreeMap::new(),
            tickets: HashMap::new(),
            eviction,
        }
    }

    /// `who` wants to open a socket.
    pub(crate) fn acquire(&mut self, who: W) -> Acquire {
        if self.waiting.is_empty() && self.sockets.len() < self.max {
            return Acquire::Granted(self.open());
        }
        if !self.tickets.contains_key(&who) {
            self.last_ticket += 1;
            self.tickets.insert(who.clone(), self.last_ticket);
            self.waiting.insert(self.last_ticket, who);
        }
        Acquire::Wait {
            evict: self.evict(),
        }
    }

    /// `who` no longer waits. A socket already closing for it goes to the next in line.
    pub(crate) fn give_up(&mut self, who: &W) {
        if let Some(ticket) = self.tickets.remove(who) {
            self.waiting.remove(&ticket);
        }
    }

    /// All that `is_gone` picks no longer wait.
    pub(crate) fn give_up_all(&mut self, is_gone: impl Fn(&W) -> bool) {
        self.waiting.retain(|_, who| !is_gone(who));
        self.tickets.retain(|who, _| !is_gone(who));
    }

    /// A stream opens on an idle socket. `false`: it was chosen for closing meanwhile, and must
    /// not be used.
    pub(crate) fn busy(&mut self, socket: u64) -> bool {
        match self.sockets.get_mut(&socket) {
            Some(state @ (Socket::Idle | Socket::Busy)) => {
                *state = Socket::Busy;
                self.eviction.remove(socket);
                true
            }
            Some(Socket::Closing) | None => false,
        }
    }

    /// The last stream of a socket ended; its last fetch was accepted at `used`. Names a socket to close, perhaps this one, if others
    /// wait for it.
    pub(crate) fn idle(&mut self, socket: u64, used: Instant) -> Option<u64> {
        if let Some(state @ Socket::Busy) = self.sockets.get_mut(&socket) {
            *state = Socket::Idle;
            self.eviction.idle(socket, used);
        }
        self.evict()
    }

    /// A socket will close of itself: it takes no more streams.
    pub(crate) fn closing(&mut self, socket: u64) {
        if let Some(state @ (Socket::Idle | Socket::Busy)) = self.sockets.get_mut(&socket) {
            *state = Socket::Closing;
            self.eviction.remove(socket);
            self.closing += 1;
        }
    }

    /// A socket is gone. Its place goes to the head of the queue, under a new number.
    pub(crate) fn closed(&mut self, socket: u64) -> Option<(W, u64)> {
        match self.sockets.remove(&socket)? {
            Socket::Closing => self.closing -= 1,
            Socket::Idle | Socket::Busy => self.eviction.remove(socket),
        }
        let (_, who) = self.waiting.pop_first()?;
        self.tickets.remove(&who);
        Some((who, self.open()))
    }

    fn open(&mut self) -> u64 {
        self.last += 1;
        self.sockets.insert(self.last, Socket::Busy);
        self.last
    }

    /// Chooses a socket to close if more wait than places are about to come free.
    fn evict(&mut self) -> Option<u64> {
        if self.waiting.len() <= self.closing {
            return None;
        }
        // A policy is anyone's code: its choice is taken only if it is one that was offered.
        for _ in 0..=self.sockets.len() {
            let socket = self.eviction.choose()?;
            if self.sockets.get(&socket) == Some(&Socket::Idle) {
                self.closing(socket);
                return Some(socket);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::eviction::Lru;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::time::Duration;

    fn cap(max: usize) -> Cap<char> {
        Cap::new(max, Box::<Lru>::default())
    }

    #[test]
    fn the_longest_idle_socket_makes_room() {
        let (mut cap, now) = (cap(2), Instant::now());
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.acquire('b'), Acquire::Granted(2));
        assert_eq!(cap.idle(2, now), None);
        assert_eq!(cap.idle(1, now + Duration::from_nanos(1)), None);
        assert_eq!(cap.acquire('c'), Acquire::Wait { evict: Some(2) });
        assert!(!cap.busy(2), "chosen for closing");
        assert!(cap.busy(1));
        assert_eq!(cap.acquire('d'), Acquire::Wait { evict: None });
        assert_eq!(cap.idle(1, now), Some(1), "d waits for it");
        assert_eq!(cap.closed(2), Some(('c', 3)));
        assert_eq!(cap.closed(1), Some(('d', 4)));
    }

    #[test]
    fn who_gave_up_is_passed_over() {
        let mut cap = cap(1);
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.acquire('b'), Acquire::Wait { evict: None });
        assert_eq!(cap.acquire('c'), Acquire::Wait { evict: None });
        cap.give_up(&'b');
        assert_eq!(cap.closed(1), Some(('c', 2)));
    }

    #[test]
    fn a_policy_cannot_close_what_was_not_offered() {
        #[derive(Debug)]
        struct Wild;
        impl Eviction for Wild {
            fn idle(&mut self, _: u64, _: Instant) {}
            fn remove(&mut self, _: u64) {}
            fn choose(&mut self) -> Option<u64> {
                Some(1)
            }
        }
        let mut cap = Cap::new(1, Box::new(Wild));
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.acquire('b'), Acquire::Wait { evict: None }, "1 is busy");
        assert_eq!(cap.idle(1, Instant::now()), Some(1));
    }

    #[test]
    fn who_waits_already_keeps_its_place_and_all_of_a_kind_may_leave() {
        let mut cap = cap(1);
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        for who in ['b', 'c', 'b', 'd'] {
            assert_eq!(cap.acquire(who), Acquire::Wait { evict: None });
        }
        cap.give_up_all(|who| *who == 'c');
        assert_eq!(cap.closed(1), Some(('b', 2)));
        assert_eq!(cap.closed(2), Some(('d', 3)));
        assert_eq!(cap.closed(3), None);
    }

    proptest! {
        /// Against a plain count: the cap holds, closed sockets serve waiters in order, and while
        /// anyone waits an idle socket is closing for them.
        #[test]
        fn the_cap_holds_and_nobody_is_forgotten(
            max in 1usize..5, ops in prop::collection::vec((0u8..6, 0usize..8), 0..300),
        ) {
            let now = Instant::now();
            let mut cap = Cap::new(max, Box::<Lru>::default());
            let (mut open, mut queue, mut next) = (Vec::<u64>::new(), VecDeque::new(), 0u32);
            for (op, pick) in ops {
                let socket = open.get(pick % open.len().max(1)).copied();
                match (op, socket) {
                    (0 | 1, _) => {
                        next += 1;
                        match cap.acquire(next) {
                            Acquire::Granted(s) => { prop_assert!(queue.is_empty()); open.push(s) }
                            Acquire::Wait { .. } => queue.push_back(next),
                        }
                    }
                    (2, Some(s)) => { cap.busy(s); }
                    (3, Some(s)) => { cap.idle(s, now); }
                    (4, Some(s)) => {
                        open.retain(|o| *o != s);
                        let granted = cap.closed(s);
                        prop_assert_eq!(granted.map(|g| g.0), queue.pop_front());
                        open.extend(granted.map(|g| g.1));
                    }
                    (5, _) if !queue.is_empty() => {
                        let who = queue.remove(pick % queue.len()).expect("in range");
                        cap.give_up(&who);
                    }
                    _ => {}
                }
                prop_assert!(open.len() <= max);
                prop_assert_eq!(cap.sockets.len(), open.len());
                let idle = cap.sockets.values().filter(|s| **s == Socket::Idle).count();
                let closing = cap.sockets.values().filter(|s| **s == Socket::Closing).count();
                prop_assert_eq!(closing, cap.closing);
                prop_assert!(queue.is_empty() || idle == 0 || closing >= queue.len());
            }
        }
    }
}
