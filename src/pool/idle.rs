//! Connections on which no stream is open, and when the ledger of sockets hears of them.
//!
//! While there are places enough nobody wants theirs. A connection with one request at a time is idle between
//! any two; to tell the ledger each time, and to take it back, costs more than all else that a Pool does. So
//! it is told a little later, of those that are idle still; and at once when places become few, or a place
//! is wanted here.

use std::time::Duration;

use actix::{Context, Handler};

use crate::clock::now;
use crate::message::TellIdle;
use crate::origin::Origin;
use crate::policy::eviction::Entry;
use crate::pool::Pool;
use crate::pool::agenda::Errand;
use crate::pool::seat::Seat;
use crate::pool::site::Site;

/// How much later.
const LATER: Duration = Duration::from_millis(100);

/// Those of which the ledger has not been told.
#[derive(Default)]
pub(super) struct Untold {
    serials: Vec<u64>,
    /// Whether the agenda has an errand to tell of them.
    is_noted: bool,
}

impl Handler<TellIdle> for Pool {
    type Result = ();

    fn handle(&mut self, _: TellIdle, _: &mut Self::Context) {
        self.tell_idle();
    }
}

impl Pool {
    /// Lets the ledger have the connections of `origin` on which no stream is open.
    pub(super) fn offer(&mut self, origin: &Origin, ctx: &mut Context<Self>) {
        let places = self.sites.get(origin).map_or(0, |site| site.seats.len());
        (0..places).for_each(|place| self.offer_one(origin, place, ctx));
    }

    /// The same for one of them, if no stream is open on it.
    pub(super) fn offer_one(&mut self, origin: &Origin, place: usize, ctx: &mut Context<Self>) {
        let site = self.sites.get_mut(origin);
        let Some(seat) = site.and_then(|site| site.seats.get_mut(place)) else {
            return;
        };
        if !seat.is_open || !seat.slots.is_idle() || seat.idle_since.is_some() {
            return;
        }
        let (now, config) = (now(), &self.with.config);
        seat.idle_since = Some(now);
        let due = config.idle_timeout.and_then(|t| now.checked_add(t));
        let due = due.filter(|_| !seat.is_looked_after);
        seat.is_looked_after |= due.is_some();
        let serial = seat.serial();
        if self.with.ledger.is_tight() {
            seat.tell(|entry| self.with.ledger.idle(entry));
        } else if !seat.is_untold {
            seat.is_untold = true;
            self.untold.serials.push(serial);
            if !std::mem::replace(&mut self.untold.is_noted, true)
                && let Some(later) = now.checked_add(LATER)
            {
                self.note(later, Errand::Tell, ctx);
            }
        }
        if let Some(due) = due {
            self.note_for(serial, due, Errand::Idle(origin.clone(), serial), ctx);
        }
    }

    /// The time has come to tell.
    pub(super) fn tell_later(&mut self) {
        self.untold.is_noted = false;
        self.tell_idle();
    }

    /// Tells the ledger of those that it has not been told of and that are idle still.
    pub(super) fn tell_idle(&mut self) {
        for serial in std::mem::take(&mut self.untold.serials) {
            let Some(held) = self.connections.get(&serial) else {
                continue;
            };
            let site = self.sites.get_mut(&held.origin);
            if let Some(seat) = site.and_then(|site| site.seat(serial)) {
                seat.is_untold = false;
                if seat.idle_since.is_some() {
                    seat.tell(|entry| self.with.ledger.idle(entry));
                }
            }
        }
    }
}

impl Seat {
    fn tell(&mut self, ledger: impl FnOnce(Entry)) {
        if !std::mem::replace(&mut self.is_offered, true) {
            ledger(self.entry);
        }
    }
}

impl Site {
    /// Whether nothing need be seen to but who is idle.
    pub(super) fn is_calm(&self) -> bool {
        self.was_settled && !self.is_wished && self.waiting.is_empty()
    }
}
