//! The connections of all origins of one arbiter, and who waits for them.
//!
//! A Pool never waits for a connection and never asks it anything: connections tell, and the Pool
//! keeps the count of free slots itself. So one wedged connection delays no other origin.

mod ledger;
mod routes;
mod serve;
mod site;
mod sweep;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, SpawnHandle};
use slog::Logger;

pub(crate) use crate::pool::ledger::{Ledger, Shard};
pub(crate) use crate::pool::routes::Routes;

use crate::clock::now;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::Error;
use crate::message::attempt::Attempt;
use crate::message::{
    Close, ConnectionEvent, ConnectionId, Ended, Evict, Granted, News, Supervisor,
};
use crate::net::Dialer;
use crate::origin::Origin;
use crate::policy::admission::{Admit, Facts, admit};
use crate::policy::slots::Slots;
use crate::pool::ledger::Reach;
use crate::pool::site::{Link, Site};

/// Routes each attempt to the connection of its origin.
pub(crate) struct Pool {
    with: With,
    sites: HashMap<Origin, Site>,
    /// Every connection that is not gone yet, by number.
    connections: HashMap<u64, (Origin, Addr<Connection>)>,
    /// Fetches waiting, over all sites.
    pending: usize,
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
    pub(crate) supervisor: Supervisor,
}

impl Pool {
    pub(crate) fn new(with: With) -> Self {
        Self {
            with,
            sites: HashMap::new(),
            connections: HashMap::new(),
            pending: 0,
            sweep: None,
            swept: None,
            is_closing: false,
        }
    }

    fn facts(&self, origin: &Origin) -> Facts {
        let site = self.sites.get(origin);
        Facts {
            has_room: site.is_some_and(|site| site.link.has_room()),
            waiting: site.map_or(0, |site| site.waiting.len()),
            pending: self.pending,
            max_waiting: self.with.config.max_pending_per_origin,
            max_pending: self.with.config.max_pending,
        }
    }

    fn on_room(&mut self, id: &ConnectionId, room: usize, ctx: &mut Context<Self>) {
        let ceiling = self.with.config.max_streams_per_connection;
        let Some(site) = self.sites.get_mut(&id.origin) else {
            return;
        };
        if !site.is_served_by(id.serial) {
            return;
        }
        site.link = match std::mem::take(&mut site.link) {
            Link::Dialing(seat) => Link::Open(seat, Slots::new(ceiling, room)),
            Link::Open(seat, mut slots) => {
                slots.allow(room);
                Link::Open(seat, slots)
            }
            other => other,
        };
        self.serve(&id.origin, ctx);
    }

    fn on_freed(&mut self, id: &ConnectionId, ctx: &mut Context<Self>) {
        let Some(site) = self.sites.get_mut(&id.origin) else {
            return;
        };
        if site.is_served_by(id.serial)
            && let Link::Open(_, slots) = &mut site.link
        {
            slots.free();
            self.serve(&id.origin, ctx);
        }
    }

    /// A connection takes no more streams: who waits needs another.
    fn on_draining(&mut self, id: &ConnectionId, ctx: &mut Context<Self>) {
        self.with.ledger.closing(id.serial);
        self.unlink(id);
        self.serve(&id.origin, ctx);
    }

    fn on_closed(&mut self, id: &ConnectionId, error: Option<Error>, ctx: &mut Context<Self>) {
        self.connections.remove(&id.serial);
        let was_dialing = self.sites.get(&id.origin).is_some_and(|site| {
            site.is_served_by(id.serial) && !matches!(site.link, Link::Open(..))
        });
        self.unlink(id);
        if was_dialing {
            // Without an error it panicked or was stopped: the Agents decide how often to go on.
            let error = error.unwrap_or(Error::Internal { sent: false });
            let waiting = self
                .sites
                .get_mut(&id.origin)
                .map(|site| std::mem::take(&mut site.waiting));
            let waiting = waiting.unwrap_or_default();
            self.pending -= waiting.len();
            for attempt in waiting {
                attempt.finish(Err(error.clone()));
            }
        }
        self.serve(&id.origin, ctx);
        if self.is_closing && self.connections.is_empty() {
            ctx.stop();
        }
    }

    fn unlink(&mut self, id: &ConnectionId) {
        if let Some(site) = self.sites.get_mut(&id.origin)
            && site.is_served_by(id.serial)
        {
            site.unlink();
        }
    }
}

impl Actor for Pool {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let this = ctx.address().downgrade();
        let reach = Reach {
            granted: this.clone().recipient(),
            evict: this.recipient(),
        };
        self.with.ledger.seat(self.with.shard, reach);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.with.ledger.leave(self.with.shard);
        let connections = self.connections.drain().map(|(_, (_, address))| address);
        let orphans: Vec<_> = connections.map(Addr::recipient).collect();
        for connection in &orphans {
            connection.do_send(Close { now: false });
        }
        if let Some(supervisor) = self.with.supervisor.upgrade() {
            supervisor.do_send(Ended::Pool { orphans });
        }
    }
}

impl Handler<Attempt> for Pool {
    type Result = ();

    fn handle(&mut self, attempt: Attempt, ctx: &mut Self::Context) {
        if self.is_closing {
            return attempt.finish(Err(Error::Closed { sent: false }));
        }
        if attempt.is_cancelled() {
            return;
        }
        if let Some(error) = attempt.watch().overdue(now()) {
            return attempt.finish(Err(error));
        }
        let mut verdict = admit(self.facts(attempt.origin()));
        if matches!(verdict, Admit::Refuse { .. }) && self.sweep_again(ctx) {
            verdict = admit(self.facts(attempt.origin()));
        }
        match verdict {
            Admit::Take => self.take(attempt, ctx),
            Admit::Refuse { limit } => attempt.finish(Err(Error::Overloaded { limit })),
        }
    }
}

impl Handler<ConnectionEvent> for Pool {
    type Result = ();

    fn handle(&mut self, event: ConnectionEvent, ctx: &mut Self::Context) {
        let id = &event.id;
        match event.news {
            News::Room(room) => self.on_room(id, room, ctx),
            News::Freed => self.on_freed(id, ctx),
            News::Draining => self.on_draining(id, ctx),
            News::Closed { error } => self.on_closed(id, error, ctx),
        }
    }
}

impl Handler<Granted> for Pool {
    type Result = ();

    fn handle(&mut self, Granted { origin, permit }: Granted, ctx: &mut Self::Context) {
        let site = self.sites.get(&origin);
        if site.is_some_and(|site| matches!(site.link, Link::Wished)) {
            self.open(&origin, permit, ctx);
        }
        // Otherwise nobody wants it any more: dropped, it goes to the next in line.
    }
}

impl Handler<Evict> for Pool {
    type Result = ();

    fn handle(&mut self, Evict(serial): Evict, ctx: &mut Self::Context) {
        let Some((origin, connection)) = self.connections.get(&serial) else {
            return;
        };
        connection.do_send(Close { now: false });
        let origin = origin.clone();
        let id = ConnectionId { origin, serial };
        self.unlink(&id);
        self.serve(&id.origin, ctx);
    }
}

impl Handler<Close> for Pool {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Self::Context) {
        self.is_closing = true;
        self.with.ledger.leave(self.with.shard);
        for (_, mut site) in self.sites.drain() {
            for attempt in site.waiting.drain(..) {
                attempt.finish(Err(Error::Closed { sent: false }));
            }
        }
        self.pending = 0;
        for (_, connection) in self.connections.values() {
            connection.do_send(close);
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
            let seat = self
                .sites
                .get(&drill.origin)
                .and_then(|site| site.link.seat());
            if let Some(seat) = seat {
                seat.address.do_send(drill);
            }
        }
    }
}
