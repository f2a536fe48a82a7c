//! Connections on which no stream is open, and when the ledger of sockets hears of them.
//!
//! While there are places enough nobody wants theirs. A connection with one request at a time is idle between
//! any two; to tell the ledger each time, and to take it back, costs more than all else that a Pool does. So
//! it is told when places become few, of all that are idle then, and from there on at once.

use actix::{Context, Handler};

use crate::clock::now;
use crate::message::TellIdle;
use crate::origin::Origin;
use crate::policy::eviction::Entry;
use crate::pool::Pool;
use crate::pool::agenda::Errand;
use crate::pool::seat::Seat;
use crate::pool::site::Site;

impl Handler<TellIdle> for Pool {
    type Result = ();

    fn handle(&mut self, _: TellIdle, ctx: &mut Self::Context) {
        self.hear(None, ctx);
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
        match self.with.ledger.is_tight() {
            true => seat.tell(|entry| self.with.ledger.idle(entry)),
            // Should they become few just now, what tells of it is not read yet.
            false => self.has_untold = true,
        }
        if let Some(due) = due {
            self.note_for(serial, due, Errand::Idle(origin.clone(), serial), ctx);
        }
    }

    /// Tells the ledger of all that are idle, if it may have use for that.
    pub(super) fn tell_idle(&mut self) {
        if !self.has_untold || !self.with.ledger.is_tight() {
            return;
        }
        self.has_untold = false;
        let seats = self.sites.values_mut().flat_map(|site| &mut site.seats);
        for seat in seats.filter(|seat| seat.idle_since.is_some()) {
            seat.tell(|entry| self.with.ledger.idle(entry));
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
