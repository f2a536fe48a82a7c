//! The connections of all origins of one arbiter, and who waits for them.
//!
//! A Pool never waits for a connection and never asks it anything: connections tell, and the Pool
//! keeps the count of free slots itself. So one wedged connection delays no other origin.

mod agenda;
mod dial;
mod events;
mod idle;
mod inspect;
mod ledger;
mod pushes;
mod record;
mod routes;
mod seat;
mod serve;
mod site;
mod sweep;

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, SpawnHandle};
use foldhash::HashMap;
use slog::Logger;
use tokio::sync::broadcast;

pub(crate) use crate::pool::ledger::{Ledger, Shard};
pub(crate) use crate::pool::routes::Routes;

use crate::body::ByteBudget;
use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::attempt::Attempt;
use crate::message::tray::{Attend, Attending, Tray};
use crate::message::{Close, ConnectionId, Displace, Ended, Granted, How, Supervisor};
use crate::net::Dialer;
use crate::origin::Origin;
use crate::policy::admission::{Admit, Facts, admit};
use crate::policy::memory::Memory;
use crate::pool::agenda::Agenda;
use crate::pool::ledger::Reach;
use crate::pool::pushes::Pushes;
use crate::pool::record::Record;
use crate::pool::seat::{Held, Seat};
use crate::pool::site::Site;
use crate::view::{Change, Counters, Lifecycle, Reason, Tally};

/// Routes each attempt to the connection of its origin.
pub(crate) struct Pool {
    with: With,
    tray: Tray<Attempt>,
    /// Connections on which streams are over.
    freed: Tray<u64>,
    sites: HashMap<Origin, Site>,
    /// Every connection that is not gone yet, by number.
    connections: HashMap<u64, Held>,
    /// What outlives connections.
    memory: Memory<Origin, Record>,
    /// Fetches waiting, over all sites.
    pending: usize,
    pushes: Pushes,
    /// Whether the ledger may not know of all that are idle.
    has_untold: bool,
    agenda: Agenda,
    /// When the queues are next looked through.
    sweep: Option<(Instant, SpawnHandle)>,
    /// When they last were.
    swept: Option<Instant>,
    is_closing: bool,
}

/// What a Pool is made with.
#[derive(Clone)]
pub(crate) struct With {
    pub(crate) shard: Shard,
    pub(crate) config: Arc<Config>,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) log: Logger,
    pub(crate) tally: Arc<Tally>,
    pub(crate) bytes: Arc<ByteBudget>,
    pub(crate) changes: broadcast::Sender<Lifecycle>,
    pub(crate) supervisor: Supervisor,
}

impl Pool {
    pub(crate) fn new(with: With, tray: Tray<Attempt>) -> Self {
        Self {
            memory: Memory::new(with.config.max_origins),
            pushes: pushes::empty(&with.config),
            with,
            tray,
            freed: Tray::default(),
            sites: HashMap::default(),
            connections: HashMap::default(),
            has_untold: false,
            agenda: Agenda::default(),
            pending: 0,
            sweep: None,
            swept: None,
            is_closing: false,
        }
    }

    fn facts(&self, origin: &Origin) -> Facts {
        let site = self.sites.get(origin);
        Facts {
            has_room: site.is_some_and(|s| s.has_room(self.with.config.per_origin_concurrency)),
            waiting: site.map_or(0, |site| site.waiting.len()),
            pending: self.pending,
            max_waiting: self.with.config.max_pending_per_origin,
            max_pending: self.with.config.max_pending,
        }
    }

    /// Why its connections go with it.
    fn end(&self) -> Reason {
        match self.is_closing {
            true => Reason::Shutdown,
            false => Reason::Crashed,
        }
    }

    /// Counts a connection that is gone.
    fn account(&self, held: &Held, reason: Reason) {
        let mut counters = Counters::default();
        held.add_to(&mut counters);
        self.with.tally.closed(reason, &counters);
    }

    fn seat(&mut self, id: &ConnectionId) -> Option<&mut Seat> {
        self.sites.get_mut(&id.origin)?.seat(id.serial)
    }
}

impl Actor for Pool {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        Attending::while_addressed(ctx);
        let this = ctx.address().downgrade();
        let reach = Reach {
            granted: this.clone().recipient(),
            displace: this.clone().recipient(),
            tell: this.recipient(),
        };
        self.with.ledger.seat(self.with.shard, reach);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.with.ledger.leave(self.with.shard);
        let held: Vec<_> = self.connections.drain().collect();
        let (now, reason) = (false, self.end());
        for (serial, held) in &held {
            held.address.do_send(Close { now, reason });
            // Nobody will hear of their end.
            self.account(held, reason);
            self.publish(&held.origin, *serial, || Change::Closed(reason));
        }
        let orphans = held.into_iter().map(|(_, held)| held.address.recipient());
        let orphans = orphans.collect();
        if let Some(supervisor) = self.with.supervisor.upgrade() {
            supervisor.do_send(Ended::Pool { orphans });
        }
    }
}

impl Attend for Pool {
    fn attend(&mut self, waker: Option<&Waker>, ctx: &mut Context<Self>) {
        // Who comes finds the slots that are free.
        self.hear(waker, ctx);
        let mut batch = self.tray.take(waker);
        if batch.is_empty() {
            return;
        }
        let now = now();
        for attempt in batch.drain(..) {
            self.receive(attempt, now, ctx);
        }
        self.tray.keep(batch);
    }
}

impl Pool {
    /// Hears which streams are over. Every message is handled as it would be had it come after.
    fn hear(&mut self, waker: Option<&Waker>, ctx: &mut Context<Self>) {
        let mut freed = self.freed.take(waker);
        for serial in freed.drain(..) {
            self.on_freed(serial, ctx);
        }
        self.freed.keep(freed);
    }

    /// Takes a fetch in, if there is room for it, or answers it with what was pushed.
    fn receive(&mut self, attempt: Attempt, now: Instant, ctx: &mut Context<Self>) {
        if self.is_closing {
            return attempt.finish(Err(Error::Closed { sent: false }));
        }
        if attempt.is_cancelled() {
            return;
        }
        if let Some(error) = attempt.watch().overdue(now) {
            return attempt.finish(Err(error));
        }
        let Some(attempt) = self.try_pushes(attempt, ctx) else {
            return;
        };
        let Some(attempt) = self.give_at_once(attempt, now, ctx) else {
            return;
        };
        let mut verdict = admit(self.facts(attempt.origin()));
        if matches!(verdict, Admit::Refuse { .. }) && self.sweep_again(ctx) {
            verdict = admit(self.facts(attempt.origin()));
        }
        match verdict {
            Admit::Take => self.take(attempt, ctx),
            Admit::Refuse { limit } => {
                self.with.tally.overloaded();
                attempt.finish(Err(Error::Overloaded { limit }));
            }
        }
    }
}

impl Handler<Granted> for Pool {
    type Result = ();

    fn handle(&mut self, Granted { origin, permit }: Granted, ctx: &mut Self::Context) {
        self.hear(None, ctx);
        let Some(site) = self.sites.get_mut(&origin) else {
            return;
        };
        let was_wished = std::mem::take(&mut site.is_wished);
        if was_wished && (!site.waiting.is_empty() || site.needs_replacement()) {
            return self.open(&origin, permit, ctx);
        }
        // Nobody wants it any more: dropped, it goes to the next in line.
        drop(permit);
        self.rest(&origin, ctx);
    }
}

impl Handler<Displace> for Pool {
    type Result = ();

    fn handle(&mut self, displace: Displace, ctx: &mut Self::Context) {
        self.hear(None, ctx);
        let serial = displace.connection;
        let Some(held) = self.connections.get(&serial) else {
            return;
        };
        let origin = held.origin.clone();
        match displace.how {
            How::Evict => {
                self.leave(&origin, serial, Reason::Evicted);
                self.serve(&origin, ctx);
            }
            How::Yield => {
                let (quantum, time) = (self.with.config.turn_fetches, self.with.config.turn_time);
                if let Some(seat) = self.sites.get_mut(&origin).and_then(|s| s.seat(serial)) {
                    seat.turn = Some(quantum);
                    self.note_turn(&origin, serial, now().checked_add(time), ctx);
                }
            }
        }
    }
}

impl Handler<Close> for Pool {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Self::Context) {
        // Fetches that were sent before still go out.
        self.attend(None, ctx);
        self.is_closing = true;
        self.with.ledger.leave(self.with.shard);
        for (_, mut site) in self.sites.drain() {
            for attempt in site.waiting.take_all() {
                attempt.finish(Err(Error::Closed { sent: false }));
            }
        }
        self.pending = 0;
        self.close_pushes();
        for held in self.connections.values() {
            held.address.do_send(close);
        }
        if self.connections.is_empty() {
            ctx.stop();
        }
    }
}

#[cfg(feature = "fault-injection")]
mod fault {
    use super::*;
    use crate::message::{Drill, Victim};

    impl Handler<Drill> for Pool {
        type Result = ();

        fn handle(&mut self, drill: Drill, ctx: &mut Self::Context) {
            if drill.victim == Victim::Pool {
                return drill.fault.strike(ctx);
            }
            let site = self.sites.get(&drill.origin);
            for seat in site.map_or(&[][..], |site| &site.seats) {
                seat.post.address.do_send(drill.clone());
            }
        }
    }
}
