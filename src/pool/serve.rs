//! Bringing those who wait and the connections together.

use std::time::Instant;

use actix::Context;

use crate::clock::now;
use crate::message::Close;
use crate::message::attempt::Attempt;
use crate::origin::{Origin, Protocol};
use crate::policy::spread::{Another, Facts, another};
use crate::pool::Pool;
use crate::pool::record::Record;
use crate::pool::site::{Given, Site};
use crate::view::{Change, Reason};

impl Pool {
    /// Takes a fetch in; it goes out at once if it can.
    pub(super) fn take(&mut self, attempt: Attempt, ctx: &mut Context<Self>) {
        let (origin, due) = (attempt.origin().clone(), attempt.watch().due());
        if attempt.wants_http1() {
            self.demand_http1(&origin);
        }
        let shuns = attempt.shuns();
        let before = self.pending;
        let site = self.sites.entry(origin.clone()).or_default();
        site.queue(attempt);
        self.pending += 1;
        match shuns {
            // 421: what was not good enough for this one is to be replaced for all.
            Some(serial) => self.retire(&origin, serial, Reason::Misdirected, ctx),
            None => self.serve(&origin, ctx),
        }
        if shuns.is_some() {
            self.serve(&origin, ctx);
        }
        if self.pending > before {
            self.arm_sweep(due, ctx);
        }
    }

    /// Does what can be done for who waits for `origin`: gives out slots, or sees to a connection.
    pub(super) fn serve(&mut self, origin: &Origin, ctx: &mut Context<Self>) {
        let limit = self.with.config.per_origin_concurrency;
        while let Some(site) = self.sites.get_mut(origin) {
            if site.waiting.is_empty() {
                site.saturated_since = None;
                break;
            }
            if site.is_full(limit) {
                break;
            }
            let Some(place) = site.pick(|| fastrand::u64(..)) else {
                self.widen(origin, ctx);
                break;
            };
            self.give_head(origin, place, ctx);
            // Whoever has taken a slot leaves nobody more idle than before.
            if let Some(site) = self.sites.get_mut(origin).filter(|site| site.is_calm()) {
                site.saturated_since = None;
                return;
            }
        }
        self.rest(origin, ctx);
    }

    /// Hands the head of the queue to a connection that has room.
    fn give_head(&mut self, origin: &Origin, place: usize, ctx: &mut Context<Self>) {
        let Some(site) = self.sites.get_mut(origin) else {
            return;
        };
        let seat = &mut site.seats[place];
        let serial = seat.serial();
        // Chosen for eviction in this very moment: the connection goes, the queue stays. Or it has
        // stopped, its `Closed` still on the way: fetches sent to it would come back as errors.
        let is_chosen = std::mem::take(&mut seat.is_offered) && !self.with.ledger.busy(serial);
        if is_chosen || !seat.post.address.connected() {
            site.unseat(serial);
            return;
        }
        // It may come to nothing, and then the ledger is to hear that it is idle.
        seat.idle_since = None;
        let Some(attempt) = site.waiting.pop_front() else {
            return;
        };
        self.pending -= 1;
        if attempt.is_cancelled() {
            site.was_settled = false;
            return;
        }
        let now = now();
        if let Some(error) = attempt.watch().overdue(now) {
            site.was_settled = false;
            return attempt.finish(Err(error));
        }
        let given = site.give(place, attempt, now);
        self.on_given(given, ctx);
    }

    /// Lets a fetch go out past the queue if nobody waits there, and a connection is known to have room: as
    /// it is for nearly every fetch where there are many. Given back if not.
    pub(super) fn give_at_once(
        &mut self,
        attempt: Attempt,
        now: Instant,
        ctx: &mut Context<Self>,
    ) -> Option<Attempt> {
        let limit = self.with.config.per_origin_concurrency;
        // What has been tried before may have wishes of its own.
        if attempt.number() > 1 {
            return Some(attempt);
        }
        let Some(site) = self.sites.get_mut(attempt.origin()) else {
            return Some(attempt);
        };
        let Some(place) = site.at_once(limit) else {
            return Some(attempt);
        };
        let origin = attempt.origin().clone();
        let given = site.give(place, attempt, now);
        let is_settled = given.spent.is_none() && !given.is_turn_over && !given.retires;
        self.on_given(given, ctx);
        if !is_settled {
            self.rest(&origin, ctx);
        }
        None
    }

    /// A connection has been given a fetch.
    fn on_given(&mut self, given: Given, ctx: &mut Context<Self>) {
        let Some(held) = self.connections.get_mut(&given.serial) else {
            return;
        };
        held.streams += 1;
        held.requests += 1;
        if given.spent.is_none() && !given.is_turn_over {
            return;
        }
        let origin = held.origin.clone();
        match given.spent {
            Some(reason) => self.leave(&origin, given.serial, reason),
            None => self.end_turn(&origin, given.serial, ctx),
        }
    }

    /// Nobody can go out now: sees to more connections, if it is time for some.
    fn widen(&mut self, origin: &Origin, ctx: &mut Context<Self>) {
        let coming = |pool: &Self| pool.sites.get(origin).map_or(0, Site::coming);
        loop {
            let before = coming(self);
            self.widen_by_one(origin, ctx);
            if coming(self) <= before {
                return;
            }
        }
    }

    /// The protocol of an origin: of the connection that it has, or as remembered.
    fn protocol_of(&self, origin: &Origin, now: Instant) -> Option<Protocol> {
        let seats = self.sites.get(origin).map_or(&[][..], |site| &site.seats);
        let spoken = seats.iter().filter(|seat| seat.is_steady());
        let spoken = spoken.filter_map(|seat| seat.vitals.protocol.get()).next();
        spoken.or_else(|| self.memory.get(origin)?.dialect.known(now))
    }

    /// Whether to dial as many as there are fetches waiting. A server that fails is tried by one.
    fn fans_out(&self, origin: &Origin, protocol: Option<Protocol>) -> bool {
        let is_wished = self.sites.get(origin).is_some_and(|site| site.is_wished);
        let has_failed = |record: &Record| record.breaker.failures() > 0;
        protocol.is_some_and(|p| !p.is_multiplexed())
            && !is_wished
            && !self.memory.get(origin).is_some_and(has_failed)
    }

    fn widen_by_one(&mut self, origin: &Origin, ctx: &mut Context<Self>) {
        let now = now();
        let protocol = self.protocol_of(origin, now);
        let is_serial = self.fans_out(origin, protocol);
        let Some(site) = self.sites.get_mut(origin) else {
            return;
        };
        let config = &self.with.config;
        let most = config.per_origin_concurrency.unwrap_or(usize::MAX);
        let since = *site.saturated_since.get_or_insert(now);
        if let Some(until) = site.hopes_until().filter(|until| now < *until) {
            return self.serve_at(origin, until, ctx);
        }
        let steady = site.seats.iter().filter(|seat| seat.is_steady());
        let verdict = another(Facts {
            waiting: site.in_need().min(most.saturating_sub(site.on_wire)),
            open: match site.waits_to_be_alone() {
                // Those at work may take long, and everyone else would wait behind this one.
                true => 0,
                // One request at a time is for the server's sake: there all sockets count.
                false if is_serial => site.steady() + site.going,
                false => site.steady(),
            },
            dialing: site.coming(),
            conn_limit: config.conn_limit_of(protocol),
            saturated_since: Some(since),
            youngest: steady.map(|seat| seat.entry.opened).max(),
            threshold: config.spread_after,
            now,
            is_serial,
        });
        match verdict {
            Another::No => {}
            Another::At(at) => self.serve_at(origin, at, ctx),
            Another::Now => self.dial(origin, now, ctx),
        }
    }

    /// What is not needed here, others may need.
    pub(super) fn rest(&mut self, origin: &Origin, ctx: &mut Context<Self>) {
        let limit = |protocol| self.with.config.conn_limit_of(protocol);
        let site = self.sites.get_mut(origin);
        if site.is_some_and(|site| site.settle(limit)) {
            return self.offer(origin, ctx);
        }
        self.let_go(origin);
        self.offer(origin, ctx);
        let Some(site) = self.sites.get_mut(origin) else {
            return;
        };
        if site.needs_replacement() {
            return self.dial(origin, now(), ctx);
        }
        let is_needless = site.waiting.is_empty() && !site.is_outgoing();
        if site.waiting.is_empty() {
            site.saturated_since = None;
        }
        if site.is_wished && is_needless {
            self.with.ledger.give_up(self.with.shard, origin);
            site.is_wished = false;
        }
        if site.is_forgettable() {
            self.sites.remove(origin);
        }
    }

    /// Lets connections go that are replaced, or that nobody uses and nobody will.
    fn let_go(&mut self, origin: &Origin) {
        let Some(site) = self.sites.get(origin) else {
            return;
        };
        let steady = site.steady();
        let limit = self.protocol_of(origin, now());
        let limit = self.with.config.conn_limit_of(limit);
        let surplus = match site.goes_one_by_one() {
            // Each would need a connection anew.
            true => 0,
            false => steady.saturating_sub(limit),
        };
        if surplus == 0 && site.seats.iter().all(|seat| seat.retires.is_none()) {
            return;
        }
        let is_idle = site.waiting.is_empty();
        let mut go = Vec::new();
        for seat in site.seats.iter().filter(|seat| seat.is_open) {
            if let Some(reason) = seat.retires
                && (steady > 0 || is_idle && seat.slots.is_idle())
            {
                go.push((seat.serial(), reason));
            }
        }
        // The newest first: it was opened for a need that has passed.
        let mut newest: Vec<_> = site.seats.iter().filter(|s| s.is_steady()).collect();
        newest.sort_by_key(|seat| std::cmp::Reverse((seat.slots.is_idle(), seat.serial())));
        let surplus = newest.iter().take(surplus);
        go.extend(surplus.map(|seat| (seat.serial(), Reason::Surplus)));
        for (serial, reason) in go {
            self.leave(origin, serial, reason);
        }
    }

    /// A connection takes no more streams, by our own will.
    pub(super) fn leave(&mut self, origin: &Origin, serial: u64, reason: Reason) {
        if let Some(site) = self.sites.get_mut(origin) {
            site.unseat(serial);
        }
        self.with.ledger.closing(serial);
        let Some(held) = self.connections.get_mut(&serial) else {
            return;
        };
        if held.leaves.is_none() {
            held.leaves = Some(reason);
            held.address.do_send(Close { now: false, reason });
            self.publish(origin, serial, || Change::Draining(reason));
        }
    }
}
