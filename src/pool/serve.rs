//! Bringing those who wait and the connections together.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context};

use crate::clock::now;
use crate::connection::{Connection, Setup};
use crate::message::attempt::Attempt;
use crate::message::{ConnectionId, Permit};
use crate::origin::Origin;
use crate::pool::Pool;
use crate::pool::site::{Link, Seat};

impl Pool {
    /// Takes a fetch in; it goes out at once if it can.
    pub(super) fn take(&mut self, attempt: Attempt, ctx: &mut Context<Self>) {
        let (origin, due) = (attempt.origin().clone(), attempt.watch().due());
        let before = self.pending;
        let site = self.sites.entry(origin.clone()).or_default();
        site.waiting.push_back(attempt);
        self.pending += 1;
        self.serve(&origin, ctx);
        if self.pending > before {
            self.arm_sweep(due, ctx);
        }
    }

    /// Does what can be done for who waits for `origin`: gives out slots, or sees to a connection.
    pub(super) fn serve(&mut self, origin: &Origin, ctx: &mut Context<Self>) {
        loop {
            let Some(site) = self.sites.get_mut(origin) else {
                return;
            };
            if site.waiting.is_empty() {
                return self.rest(origin);
            }
            match site.link {
                Link::Open(..) if site.link.has_room() => self.give_head(origin),
                // A server may allow no streams at all; others may need the place meanwhile.
                Link::Open(..) => return self.offer(origin),
                Link::Dialing(_) | Link::Wished => return,
                Link::Absent => match self.with.ledger.acquire(self.with.shard, origin) {
                    Some(permit) => return self.open(origin, permit, ctx),
                    None => {
                        site.link = Link::Wished;
                        return;
                    }
                },
            }
        }
    }

    /// Hands the head of the queue to the site's connection, which has room.
    fn give_head(&mut self, origin: &Origin) {
        let Some(site) = self.sites.get_mut(origin) else {
            return;
        };
        let Link::Open(seat, slots) = &mut site.link else {
            return;
        };
        // Chosen for eviction in this very moment: the connection goes, the queue stays.
        if seat.is_idle && !self.with.ledger.busy(seat.serial) {
            site.link = Link::Absent;
            return;
        }
        // Stopped, its `Closed` still on the way: fetches sent to it would come back as errors.
        if !seat.address.connected() {
            site.link = Link::Absent;
            return;
        }
        seat.is_idle = false;
        while slots.has_room() {
            let Some(attempt) = site.waiting.pop_front() else {
                return;
            };
            self.pending -= 1;
            if attempt.is_cancelled() {
                continue;
            }
            if let Some(error) = attempt.watch().overdue(now()) {
                attempt.finish(Err(error));
                continue;
            }
            slots.take();
            seat.used = seat.used.max(attempt.watch().accepted());
            seat.address.do_send(attempt);
        }
    }

    /// Nobody waits for `origin`: what it has, others may need.
    pub(super) fn rest(&mut self, origin: &Origin) {
        self.offer(origin);
        let Some(site) = self.sites.get_mut(origin) else {
            return;
        };
        if matches!(site.link, Link::Wished) {
            self.with.ledger.give_up(self.with.shard, origin);
            site.link = Link::Absent;
        }
        if site.is_forgettable() {
            self.sites.remove(origin);
        }
    }

    /// Lets the ledger have the connection of `origin`, if no stream is open on it.
    fn offer(&mut self, origin: &Origin) {
        if let Some(site) = self.sites.get_mut(origin)
            && let Link::Open(seat, slots) = &mut site.link
            && slots.is_idle()
            && !seat.is_idle
        {
            seat.is_idle = true;
            self.with.ledger.idle(seat.serial, seat.used);
        }
    }

    pub(super) fn open(&mut self, origin: &Origin, permit: Permit, ctx: &mut Context<Self>) {
        let serial = permit.serial();
        let address = Connection::new(Setup {
            id: ConnectionId {
                origin: origin.clone(),
                serial,
            },
            permit,
            config: Arc::clone(&self.with.config),
            dialer: Arc::clone(&self.with.dialer),
            log: self.with.log.clone(),
            owner: ctx.address().downgrade().recipient(),
        })
        .start();
        self.connections
            .insert(serial, (origin.clone(), address.clone()));
        if let Some(site) = self.sites.get_mut(origin) {
            site.link = Link::Dialing(Seat {
                serial,
                address,
                used: now(),
                is_idle: false,
            });
        }
    }
}
