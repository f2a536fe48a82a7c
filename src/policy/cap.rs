//! The cap on open sockets, over all origins and arbiters.
//!
//! ```text
//!            acquire                 closed (to the head of the queue)
//!  waiting ──────────▶ open: busy ◀──▶ idle ──▶ closing ──▶ gone
//!                             └──▶ yielding ───────▲
//! ```
//!
//! Who waits is served in turn: an idle socket is closed for the head of the queue, and where none
//! is idle, the busy one that has been open longest is asked to yield. Its owner lets it have a
//! bounded turn more, closes it, and queues anew behind the others: a deficit round robin of origins.

mod line;
mod tight;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::policy::cap::line::Line;
use crate::policy::eviction::{Entry, Eviction};

/// Counts sockets, queues who waits for one, and asks the eviction policy when one must go.
///
/// `W` names who waits; the same name waits once.
#[derive(Debug)]
pub(crate) struct Cap<W> {
    max: usize,
    last: u64,
    sockets: HashMap<u64, Socket>,
    /// The busy ones, longest open first, for numbers rise.
    busy: BTreeSet<u64>,
    /// Idle until it was decided, so about to be gone.
    closing: usize,
    /// With streams that may take their time.
    draining: usize,
    yielding: usize,
    waiting: Line<W>,
    eviction: Box<dyn Eviction>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Socket {
    Busy,
    /// Busy, and asked to make room.
    Yielding,
    Idle,
    Closing,
    Draining,
}

/// How room is to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    /// Close this idle socket.
    Evict(u64),
    /// Let this busy socket have its turn, then ask [`Cap::yields`].
    Yield(u64),
}

/// The answer to a wish for a socket.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Acquire {
    /// Open it, under this number.
    Granted(u64),
    /// Wait for [`Cap::closed`] to name you; first see to `room`, if any.
    Wait { room: Option<Room> },
}

impl<W: Clone + Eq + Hash> Cap<W> {
    /// At most `max` sockets; 0 counts as 1, or nothing could ever be fetched.
    pub(crate) fn new(max: usize, eviction: Box<dyn Eviction>) -> Self {
        Self {
            max: max.max(1),
            last: 0,
            sockets: HashMap::new(),
            busy: BTreeSet::new(),
            closing: 0,
            draining: 0,
            yielding: 0,
            waiting: Line::new(),
            eviction,
        }
    }

    /// `who` wants to open a socket.
    pub(crate) fn acquire(&mut self, who: W) -> Acquire {
        if let Some(socket) = self.spare() {
            return Acquire::Granted(socket);
        }
        self.waiting.join(who);
        Acquire::Wait {
            room: self.make_room(),
        }
    }

    /// A socket more for one who has others, and can wait: only if a place is free.
    pub(crate) fn spare(&mut self) -> Option<u64> {
        (self.waiting.is_empty() && self.sockets.len() < self.max).then(|| self.open())
    }

    /// `who` no longer waits. A socket already closing for it goes to the next in line.
    pub(crate) fn give_up(&mut self, who: &W) {
        self.waiting.leave(who);
    }

    /// All that `is_gone` picks no longer wait.
    pub(crate) fn give_up_all(&mut self, is_gone: impl Fn(&W) -> bool) {
        self.waiting.leave_all(is_gone);
    }

    /// A stream opens on an idle socket. `false`: it was chosen for closing meanwhile, and must
    /// not be used.
    pub(crate) fn busy(&mut self, socket: u64) -> bool {
        match self.sockets.get(&socket) {
            Some(Socket::Idle) => {
                self.enter(socket, Socket::Busy);
                self.eviction.busy(socket);
                true
            }
            Some(Socket::Busy | Socket::Yielding) => true,
            Some(Socket::Closing | Socket::Draining) | None => false,
        }
    }

    /// The last stream of a socket ended. Says which socket is to make room, perhaps this one, if
    /// others wait for it.
    pub(crate) fn idle(&mut self, entry: Entry) -> Option<Room> {
        let socket = entry.connection;
        if let Some(Socket::Busy | Socket::Yielding) = self.sockets.get(&socket) {
            self.enter(socket, Socket::Idle);
            self.eviction.idle(entry);
        }
        self.make_room()
    }

    /// The turn of a socket that was asked to yield is over. `true`: close it, its place is still
    /// wanted; `false`: nobody waits any more, go on.
    pub(crate) fn yields(&mut self, socket: u64) -> bool {
        if self.sockets.get(&socket) != Some(&Socket::Yielding) {
            return false;
        }
        let is_wanted = self.waiting.len() > self.closing + self.draining;
        self.enter(
            socket,
            match is_wanted {
                true => Socket::Draining,
                false => Socket::Busy,
            },
        );
        is_wanted
    }

    /// A socket will close of itself: it takes no more streams.
    pub(crate) fn closing(&mut self, socket: u64) {
        match self.sockets.get(&socket) {
            Some(Socket::Closing | Socket::Draining) | None => return,
            Some(Socket::Idle) => self.enter(socket, Socket::Closing),
            Some(Socket::Busy | Socket::Yielding) => self.enter(socket, Socket::Draining),
        }
        self.eviction.gone(socket);
    }

    /// A socket is gone. Its place goes to the head of the queue, under a new number.
    pub(crate) fn closed(&mut self, socket: u64) -> Option<(W, u64)> {
        self.leave(socket)?;
        self.eviction.gone(socket);
        let who = self.waiting.next()?;
        Some((who, self.open()))
    }

    /// Sockets that are not gone.
    pub(crate) fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn open(&mut self) -> u64 {
        self.last += 1;
        self.enter(self.last, Socket::Busy);
        self.last
    }

    fn enter(&mut self, socket: u64, state: Socket) {
        self.leave(socket);
        self.sockets.insert(socket, state);
        match state {
            Socket::Busy => {
                self.busy.insert(socket);
            }
            Socket::Yielding => self.yielding += 1,
            Socket::Idle => {}
            Socket::Closing => self.closing += 1,
            Socket::Draining => self.draining += 1,
        }
    }

    fn leave(&mut self, socket: u64) -> Option<Socket> {
        let state = self.sockets.remove(&socket)?;
        match state {
            Socket::Busy => {
                self.busy.remove(&socket);
            }
            Socket::Yielding => self.yielding -= 1,
            Socket::Idle => {}
            Socket::Closing => self.closing -= 1,
            Socket::Draining => self.draining -= 1,
        }
        Some(state)
    }

    /// Chooses a socket to make room if more wait than places are about to come free. What drains
    /// may take long: it spares another at work, but none that is idle.
    fn make_room(&mut self) -> Option<Room> {
        if self.waiting.len() <= self.closing {
            return None;
        }
        // A policy is anyone's code: its choice is taken only if it is one that was offered.
        for _ in 0..=self.sockets.len() {
            let Some(socket) = self.eviction.choose() else {
                break;
            };
            if self.sockets.get(&socket) == Some(&Socket::Idle) {
                self.closing(socket);
                return Some(Room::Evict(socket));
            }
        }
        if self.waiting.len() <= self.closing + self.draining + self.yielding {
            return None;
        }
        let socket = *self.busy.first()?;
        self.enter(socket, Socket::Yielding);
        Some(Room::Yield(socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::eviction::Lru;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    fn cap(max: usize) -> Cap<char> {
        Cap::new(max, Box::<Lru>::default())
    }

    fn wait(room: Option<Room>) -> Acquire {
        Acquire::Wait { room }
    }

    #[test]
    fn those_open_longest_yield_first_and_only_while_someone_waits() {
        let mut cap = cap(2);
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.acquire('b'), Acquire::Granted(2));
        assert_eq!((cap.sockets(), cap.waiting()), (2, 0));
        assert_eq!(cap.acquire('c'), wait(Some(Room::Yield(1))));
        assert_eq!(cap.acquire('d'), wait(Some(Room::Yield(2))));
        assert_eq!(cap.acquire('e'), wait(None), "all have been asked");
        assert!(cap.busy(1), "it goes on until its turn is over");
        assert!(cap.yields(1) && !cap.yields(1), "it closes once");
        assert!(!cap.busy(1), "and takes no more");
        cap.give_up_all(|who| *who != 'c');
        assert!(!cap.yields(2), "one place is enough for the one who waits");
        assert_eq!(cap.closed(1), Some(('c', 3)));
        assert_eq!(cap.acquire('d'), wait(Some(Room::Yield(2))));
        cap.closing(2);
        cap.closing(2);
        assert!(!cap.yields(2), "it closes of itself");
    }

    #[test]
    fn the_longest_idle_socket_makes_room() {
        let (mut cap, now) = (cap(2), Instant::now());
        assert!(['a', 'b'].map(|who| cap.acquire(who)) == [1, 2].map(Acquire::Granted));
        assert_eq!(cap.idle(Entry::new(2, now)), None);
        assert_eq!(cap.idle(Entry::new(1, now + Duration::from_nanos(1))), None);
        assert_eq!(cap.acquire('c'), wait(Some(Room::Evict(2))));
        assert!(!cap.busy(2), "chosen for closing");
        assert!(cap.busy(1));
        assert_eq!(cap.acquire('d'), wait(Some(Room::Yield(1))));
        let room = cap.idle(Entry::new(1, now));
        assert_eq!(room, Some(Room::Evict(1)), "d waits for it");
        assert_eq!(cap.closed(2), Some(('c', 3)));
        assert_eq!(cap.closed(1), Some(('d', 4)));
    }

    #[test]
    fn an_idle_socket_makes_room_though_another_drains() {
        let (mut cap, now) = (cap(2), Instant::now());
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.acquire('b'), Acquire::Granted(2));
        cap.closing(1);
        assert_eq!(cap.spare(), None);
        assert_eq!(cap.acquire('c'), wait(None), "1 is on its way");
        assert_eq!(cap.idle(Entry::new(2, now)), Some(Room::Evict(2)));
        assert_eq!(cap.closed(2), Some(('c', 3)));
    }

    #[test]
    fn who_gave_up_is_passed_over() {
        let mut cap = cap(1);
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.acquire('b'), wait(Some(Room::Yield(1))));
        assert_eq!(cap.acquire('c'), wait(None));
        cap.give_up(&'b');
        assert_eq!(cap.closed(1), Some(('c', 2)));
    }

    #[test]
    fn a_policy_cannot_close_what_was_not_offered() {
        #[derive(Debug)]
        struct Wild;
        impl Eviction for Wild {
            fn idle(&mut self, _: Entry) {}
            fn busy(&mut self, _: u64) {}
            fn gone(&mut self, _: u64) {}
            fn choose(&mut self) -> Option<u64> {
                Some(1)
            }
        }
        let mut cap = Cap::new(1, Box::new(Wild));
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        assert_eq!(cap.idle(Entry::new(1, Instant::now())), None);
        assert!(cap.busy(1));
        let room = cap.acquire('b');
        assert_eq!(room, wait(Some(Room::Yield(1))), "1 is busy");
        let room = cap.idle(Entry::new(1, Instant::now()));
        assert_eq!(room, Some(Room::Evict(1)));
    }

    #[test]
    fn who_waits_already_keeps_its_place_and_all_of_a_kind_may_leave() {
        let mut cap = cap(1);
        assert_eq!(cap.acquire('a'), Acquire::Granted(1));
        for who in ['b', 'c', 'b', 'd'] {
            assert!(matches!(cap.acquire(who), Acquire::Wait { .. }));
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
            max in 1usize..5, ops in prop::collection::vec((0u8..8, 0usize..8), 0..300),
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
                    (3, Some(s)) => { cap.idle(Entry::new(s, now)); }
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
                    (6, Some(s)) => {
                        let is_closing = cap.yields(s);
                        prop_assert!(!is_closing || !queue.is_empty());
                    }
                    (7, Some(s)) => cap.closing(s),
                    _ => {}
                }
                prop_assert!(open.len() <= max);
                prop_assert_eq!(cap.sockets.len(), open.len());
                let count = |state| cap.sockets.values().filter(|s| **s == state).count();
                let (idle, closing) = (count(Socket::Idle), count(Socket::Closing));
                prop_assert_eq!((closing, count(Socket::Yielding)), (cap.closing, cap.yielding));
                prop_assert_eq!(count(Socket::Draining), cap.draining);
                prop_assert_eq!(count(Socket::Busy), cap.busy.len());
                prop_assert!(queue.is_empty() || idle == 0 || closing >= queue.len());
            }
        }
    }
}
