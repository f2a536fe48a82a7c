//! A connection at work for an origin, as its Pool sees it.

use std::rc::Rc;
use std::time::Instant;

use actix::Addr;

use crate::connection::Connection;
use crate::message::attempt::Attempt;
use crate::message::tray::Post;
use crate::message::vitals::Vitals;
use crate::origin::{Origin, Protocol};
use crate::policy::eviction::Entry;
use crate::policy::slots::Slots;
use crate::policy::wear::{self, Age, Life, Wear};
use crate::pool::agenda::Key;
use crate::session::RESETS_TOLERATED;
use crate::view::{Counters, Reason};

/// A connection that serves an origin. Those that drain have left it.
pub(crate) struct Seat {
    /// Its number and what the ledger is told of it when it is idle.
    pub(crate) entry: Entry,
    pub(crate) post: Post<Connection, Attempt>,
    pub(crate) vitals: Rc<Vitals>,
    pub(crate) slots: Slots,
    pub(crate) life: Life,
    pub(crate) is_open: bool,
    /// Since when no new fetch goes out on it, for it may be dead.
    pub(crate) suspect_since: Option<Instant>,
    /// Whether the server has asked for calm, and has not had enough of it.
    pub(crate) is_paced: bool,
    /// It goes when another has taken its place, or when it is idle.
    pub(crate) retires: Option<Reason>,
    /// Since when no stream has been open on it.
    pub(crate) idle_since: Option<Instant>,
    /// Whether the ledger counts it among the idle.
    pub(crate) is_offered: bool,
    /// Whether the agenda has an errand to look whether it has been idle for too long.
    pub(crate) is_looked_after: bool,
    /// Fetches until others have their turn.
    pub(crate) turn: Option<usize>,
}

/// A connection that is not gone, whether it has a seat or drains.
pub(crate) struct Held {
    pub(crate) origin: Origin,
    pub(crate) address: Addr<Connection>,
    pub(crate) vitals: Rc<Vitals>,
    pub(crate) since: Instant,
    /// Fetches that it has and has not told the end of.
    pub(crate) streams: usize,
    /// Fetches given to it so far.
    pub(crate) requests: u64,
    /// Why it drains, if it does.
    pub(crate) leaves: Option<Reason>,
    /// Whether the server has ended it with more to do, and has yet to say how much it has done.
    pub(crate) owes_number: bool,
    /// Whether it has answered a request.
    pub(crate) is_proven: bool,
    /// What the agenda has noted for it, to be struck out when it is gone.
    pub(crate) errands: Vec<Key>,
}

impl Seat {
    pub(crate) fn serial(&self) -> u64 {
        self.entry.connection
    }

    /// Whether it takes new fetches and is to go on doing so.
    pub(crate) fn is_steady(&self) -> bool {
        self.is_open && self.suspect_since.is_none() && self.retires.is_none()
    }

    /// Whether fetches share it, once that is known.
    pub(crate) fn is_multiplexed(&self) -> bool {
        let protocol = self.vitals.protocol.get();
        protocol.is_some_and(Protocol::is_multiplexed)
    }

    /// Whether it takes one fetch at a time, has none, and is to go on.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_multiplexed() && self.is_steady() && self.slots.is_idle()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.is_open && self.suspect_since.is_none() && self.slots.has_room()
    }

    /// Notes that its time is coming, if it is; names the reason if that time has come.
    pub(crate) fn grow_older(&mut self, now: Instant) -> Option<Reason> {
        let wear = Wear {
            requests: self.entry.uses,
            resets: self.vitals.resets.get(),
        };
        match self.life.age(wear, now) {
            Age::Fit => None,
            Age::Retire(reason) => {
                self.retires = self.retires.or_else(|| Some(reason_of(reason)));
                None
            }
            Age::Spent(reason) => Some(reason_of(reason)),
        }
    }
}

impl Held {
    /// Adds what the connection has counted itself.
    pub(crate) fn add_to(&self, counters: &mut Counters) {
        counters.add_own(&Counters {
            cancelled: self.vitals.resets.get(),
            empty_data: self.vitals.empty_data.get(),
            head_bytes: self.vitals.head_bytes.get(),
            ..Counters::default()
        });
    }

    /// Streams that this side may still reset before another connection takes its place.
    pub(crate) fn resets_left(&self) -> u64 {
        RESETS_TOLERATED.saturating_sub(self.vitals.resets.get())
    }
}

fn reason_of(reason: wear::Reason) -> Reason {
    match reason {
        wear::Reason::Requests => Reason::MaxRequests,
        wear::Reason::Resets => Reason::MaxResets,
        wear::Reason::Old => Reason::MaxAge,
    }
}
