//! The ledger of sockets: one for a whole engine, shared by the Pools of all its arbiters.
//!
//! [`Cap`] decides; this gives its verdicts to the Pools, across threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::WeakRecipient;

use crate::message::{Displace, Granted, How, Permit, TellIdle};
use crate::origin::Origin;
use crate::policy::cap::{Acquire, Cap, Room};
use crate::policy::eviction::{Entry, Eviction};

/// Which Pool of the engine.
pub(crate) type Shard = usize;

/// The books.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    /// Whether places are few, as it was when the books were closed last.
    is_tight: AtomicBool,
}

#[derive(Debug)]
struct Books {
    cap: Cap<Wish>,
    /// The Pool of each open socket.
    owners: HashMap<u64, Shard>,
    /// How to reach each Pool; replaced when a Pool is.
    pools: HashMap<Shard, Reach>,
}

/// A Pool waits for a place for one origin.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Wish {
    shard: Shard,
    origin: Origin,
}

/// How to reach a Pool.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) granted: WeakRecipient<Granted>,
    pub(crate) displace: WeakRecipient<Displace>,
    pub(crate) tell: WeakRecipient<TellIdle>,
}

impl Ledger {
    /// At most `max` sockets in all.
    pub(crate) fn new(max: usize, eviction: Box<dyn Eviction>) -> Self {
        Self {
            books: Mutex::new(Books {
                cap: Cap::new(max, eviction),
                owners: HashMap::new(),
                pools: HashMap::new(),
            }),
            is_tight: AtomicBool::new(false),
        }
    }

    /// A Pool takes its seat.
    pub(crate) fn seat(&self, shard: Shard, reach: Reach) {
        self.books().pools.insert(shard, reach);
    }

    /// Whether places are few: then it is to hear at once of each connection that is idle. Otherwise that
    /// can wait until somebody wants a place.
    pub(crate) fn is_tight(&self) -> bool {
        self.is_tight.load(Ordering::Relaxed)
    }

    /// After each opening and end of a socket. Where places have just become few, what was left untold
    /// until now is to be told.
    fn note(&self, books: &Books) {
        let is_tight = books.cap.is_tight();
        if self.is_tight.swap(is_tight, Ordering::Relaxed) || !is_tight {
            return;
        }
        let pools = books
            .pools
            .values()
            .filter_map(|reach| reach.tell.upgrade());
        pools.for_each(|pool| pool.do_send(TellIdle));
    }

    /// A place for one more socket, now or later by [`Granted`].
    pub(crate) fn acquire(self: &Arc<Self>, shard: Shard, origin: &Origin) -> Option<Permit> {
        let origin = origin.clone();
        let mut books = self.books();
        let acquired = books.cap.acquire(Wish { shard, origin });
        self.note(&books);
        match acquired {
            Acquire::Granted(serial) => {
                books.owners.insert(serial, shard);
                drop(books);
                Some(self.permit(serial))
            }
            Acquire::Wait { room } => {
                books.displace(room);
                None
            }
        }
    }

    /// A place for a further socket of an origin that has some, if one is free.
    pub(crate) fn spare(self: &Arc<Self>, shard: Shard) -> Option<Permit> {
        let mut books = self.books();
        let serial = books.cap.spare()?;
        self.note(&books);
        books.owners.insert(serial, shard);
        drop(books);
        Some(self.permit(serial))
    }

    /// The Pool no longer wants what it waited for.
    pub(crate) fn give_up(&self, shard: Shard, origin: &Origin) {
        let origin = origin.clone();
        self.books().cap.give_up(&Wish { shard, origin });
    }

    /// An idle connection is about to be used. `false`: it was chosen to go, [`Displace`] is on its
    /// way.
    pub(crate) fn busy(&self, serial: u64) -> bool {
        self.books().cap.busy(serial)
    }

    /// The last stream of a connection has ended.
    pub(crate) fn idle(&self, entry: Entry) {
        let mut books = self.books();
        let room = books.cap.idle(entry);
        books.displace(room);
    }

    /// The turn of a connection that was to yield is over. `true`: its place is still wanted, and
    /// it must take no more streams.
    pub(crate) fn yields(&self, serial: u64) -> bool {
        self.books().cap.yields(serial)
    }

    /// Sockets that are not gone, and how many origins wait for one.
    pub(crate) fn count(&self) -> (usize, usize) {
        let books = self.books();
        (books.cap.sockets(), books.cap.waiting())
    }

    /// A connection takes no more streams.
    pub(crate) fn closing(&self, serial: u64) {
        self.books().cap.closing(serial);
    }

    fn permit(self: &Arc<Self>, serial: u64) -> Permit {
        let ledger = Arc::clone(self);
        Permit::new(serial, move || ledger.closed(serial))
    }

    /// A Pool is gone, or wants nothing more.
    pub(crate) fn leave(&self, shard: Shard) {
        self.books().cap.give_up_all(|wish| wish.shard == shard);
    }

    /// A socket is gone: its place goes to the first who waits and can be reached.
    fn closed(self: &Arc<Self>, mut serial: u64) {
        loop {
            let mut books = self.books();
            books.owners.remove(&serial);
            let next = books.cap.closed(serial);
            self.note(&books);
            let Some((Wish { shard, origin }, next)) = next else {
                return;
            };
            books.owners.insert(next, shard);
            let reach = books.pools.get(&shard).cloned();
            // Unlocked first: a permit that dies in a mailbox comes back here.
            drop(books);
            let pool = reach.and_then(|reach| reach.granted.upgrade());
            if let Some(pool) = pool.filter(actix::Recipient::connected) {
                let permit = self.permit(next);
                return pool.do_send(Granted { origin, permit });
            }
            // In a loop, not by way of a dropped permit: thousands may wait for a dead Pool.
            serial = next;
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Our own steps do not panic half-way; an eviction policy has promised not to.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Tells the owner of a chosen connection. Never upgrades to the last address of an actor:
    /// dropping that under the lock only wakes its task.
    fn displace(&self, room: Option<Room>) {
        let (connection, how) = match room {
            Some(Room::Evict(serial)) => (serial, How::Evict),
            Some(Room::Yield(serial)) => (serial, How::Yield),
            None => return,
        };
        let owner = self.owners.get(&connection).and_then(|s| self.pools.get(s));
        if let Some(pool) = owner.and_then(|reach| reach.displace.upgrade()) {
            pool.do_send(Displace { connection, how });
        }
    }
}
