//! Connections to be: whether an origin is dialled, and what comes of it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{AsyncContext, Context};

use crate::clock::now;
use crate::connection::{Connection, Setup};
use crate::error::Error;
use crate::log;
use crate::message::tray::Post;
use crate::message::vitals::Vitals;
use crate::message::{ConnectionId, Permit};
use crate::origin::Origin;
use crate::policy::breaker::{After, Leave, class_of};
use crate::policy::eviction::Entry;
use crate::policy::slots::Slots;
use crate::policy::wear::{Life, expiry};
use crate::pool::Pool;
use crate::pool::agenda::Errand;
use crate::pool::record::breaker_limits;
use crate::pool::seat::{Held, Seat};
use crate::pool::site::Site;
use crate::session::RESETS_TOLERATED;
use crate::view::{Change, Reason};

impl Pool {
    /// Dials `origin`, now or when it may be.
    pub(super) fn dial(&mut self, origin: &Origin, now: Instant, ctx: &mut Context<Self>) {
        let record = self.memory.get(origin);
        let rests = record.and_then(|record| record.rests_until);
        if let Some(until) = rests.filter(|until| now < *until) {
            return self.serve_at(origin, until, ctx);
        }
        match record.map_or(Leave::Dial, |record| record.breaker.ask(now)) {
            Leave::Wait(at) => return self.serve_at(origin, at, ctx),
            Leave::Refuse { until } => return self.refuse(origin, until, now, ctx),
            Leave::Dial => {}
        }
        let has_some = |site: &Site| site.steady() > 0 || site.coming() > 0;
        let has_some = self.sites.get(origin).is_some_and(has_some);
        if has_some {
            return self.dial_further(origin, now, ctx);
        }
        // Who is idle goes before who is at work.
        self.tell_idle();
        match self.with.ledger.acquire(self.with.shard, origin) {
            Some(permit) => self.open(origin, permit, ctx),
            None => {
                if let Some(site) = self.sites.get_mut(origin) {
                    site.is_wished = true;
                }
            }
        }
    }

    /// For a further connection nobody else's is displaced, least of all the origin's own.
    fn dial_further(&mut self, origin: &Origin, now: Instant, ctx: &mut Context<Self>) {
        match self.with.ledger.spare(self.with.shard) {
            Some(permit) => self.open(origin, permit, ctx),
            None => {
                let wait = self.with.config.spread_after.max(BETWEEN_DIALS);
                if let Some(later) = now.checked_add(wait) {
                    self.serve_at(origin, later, ctx);
                }
            }
        }
    }

    /// The breaker is open: answers who waits, unless there is still a connection to hope for.
    fn refuse(&mut self, origin: &Origin, until: Instant, now: Instant, ctx: &mut Context<Self>) {
        let has_hope = self.sites.get(origin).is_none_or(|s| !s.seats.is_empty());
        if has_hope {
            return self.serve_at(origin, until, ctx);
        }
        let failure = self
            .memory
            .get(origin)
            .and_then(|record| record.failure.clone());
        let cause = failure.unwrap_or_else(|| Arc::new(Error::Internal { sent: false }));
        let retry_in = until.saturating_duration_since(now);
        self.answer_all(origin, &Error::CircuitOpen { cause, retry_in });
    }

    /// Answers everyone who waits for `origin`.
    pub(super) fn answer_all(&mut self, origin: &Origin, error: &Error) {
        let Some(site) = self.sites.get_mut(origin) else {
            return;
        };
        let waiting = site.waiting.take_all();
        self.pending -= waiting.len();
        for attempt in waiting {
            attempt.finish(Err(error.clone()));
        }
    }

    pub(super) fn open(&mut self, origin: &Origin, permit: Permit, ctx: &mut Context<Self>) {
        let (serial, now) = (permit.serial(), now());
        let config = Arc::clone(&self.with.config);
        let record = self.memory.entry(origin);
        let vitals = Rc::<Vitals>::default();
        let slots = Slots::new(record.ceiling(&config, now), 0);
        let is_paced = record.pace.ceiling(now).is_some();
        let may_push = config.bodies.pushes.is_some();
        let setup = Setup {
            id: ConnectionId {
                origin: origin.clone(),
                serial,
            },
            permit: Some(permit),
            initial_streams: record.initial_streams(&config),
            protocols: record.protocols(origin, &config, now),
            config,
            dialer: Arc::clone(&self.with.dialer),
            log: log::of_actor(&self.with.log, "connection"),
            tally: Arc::clone(&self.with.tally),
            bytes: Arc::clone(&self.with.bytes),
            owner: ctx.address().downgrade().recipient(),
            freed: self.freed.hatch(),
            keeper: may_push.then(|| ctx.address().downgrade().recipient()),
            vitals: Rc::clone(&vitals),
        };
        let post = Post::start(|tray| Connection::new(setup, tray));
        self.with.tally.dial();
        self.publish(origin, serial, || Change::Dialing);
        let held = Held {
            origin: origin.clone(),
            address: post.address.clone(),
            vitals: Rc::clone(&vitals),
            since: now,
            streams: 0,
            requests: 0,
            leaves: None,
            owes_number: false,
            is_proven: false,
            errands: Vec::new(),
        };
        self.connections.insert(serial, held);
        let site = self.sites.entry(origin.clone()).or_default();
        site.is_wished = false;
        site.was_settled = false;
        // Most have one connection for as long as they are known.
        site.seats.reserve_exact(1);
        site.seats.push(Seat {
            entry: Entry::new(serial, now),
            post,
            vitals,
            slots,
            life: Life {
                max_requests: None,
                max_resets: RESETS_TOLERATED,
                expires: None,
            },
            is_open: false,
            suspect_since: None,
            is_paced,
            retires: None,
            idle_since: None,
            is_offered: false,
            is_looked_after: false,
            turn: None,
        });
    }

    /// A connection has opened: from now on it may be used, and will grow old.
    pub(super) fn on_opened(&mut self, id: &ConnectionId, ctx: &mut Context<Self>) {
        let (config, now) = (Arc::clone(&self.with.config), now());
        let record = self.memory.entry(&id.origin);
        let learnt = record.habit.limit(now);
        let Some(seat) = self
            .sites
            .get_mut(&id.origin)
            .and_then(|s| s.seat(id.serial))
        else {
            return;
        };
        seat.is_open = true;
        seat.entry.opened = now;
        seat.entry.handshake = seat.vitals.handshake.get();
        record.protocol = seat.vitals.protocol.get();
        if let Some(protocol) = record.protocol {
            record.dialect.spoke(protocol, now);
        }
        let is_unwanted = seat.is_multiplexed() && record.goes_http1(&id.origin, &config, now);
        record.round_trip = Some(seat.vitals.round_trip.get());
        seat.life.max_requests = learnt.into_iter().chain(config.max_requests).min();
        let age = config
            .max_age
            .and_then(|age| expiry(now, age, fastrand::f64()));
        seat.life.expires = age;
        if let Some(at) = age {
            self.note_for(
                id.serial,
                at,
                Errand::Age(id.origin.clone(), id.serial),
                ctx,
            );
        }
        self.publish(&id.origin, id.serial, || Change::Connected);
        if is_unwanted {
            // It was on its way when the server asked for another.
            self.leave(&id.origin, id.serial, Reason::Http1Required);
        }
    }

    /// The server has asked for HTTP/1.1 in answer to a fetch.
    pub(super) fn demand_http1(&mut self, origin: &Origin) {
        self.memory.entry(origin).dialect.require_http1(now());
        let seats = self.sites.get(origin).map_or(&[][..], |site| &site.seats);
        let unwanted = seats.iter().filter(|s| s.is_open && s.is_multiplexed());
        for serial in unwanted.map(Seat::serial).collect::<Vec<_>>() {
            self.leave(origin, serial, Reason::Http1Required);
        }
    }

    /// A connection could not be opened, or ended before it had answered anything. Who waits goes on
    /// waiting if the next dial may succeed, or if there is another connection to hope for.
    pub(super) fn on_dial_failed(&mut self, id: &ConnectionId, error: Error) {
        let (limits, now) = (breaker_limits(&self.with.config), now());
        let record = self.memory.entry(&id.origin);
        let after = record
            .breaker
            .failed(class_of(&error), now, limits, fastrand::f64());
        record.failure = Some(Arc::new(error.clone()));
        if matches!(after, After::Redial(_)) {
            return;
        }
        let is_alone = match self.sites.get(&id.origin) {
            Some(site) => site.seats.is_empty(),
            None => return,
        };
        let error = of_waiting(error);
        if is_alone {
            return self.answer_all(&id.origin, &error);
        }
        // Others serve on meanwhile; whatever wants one more can wait a moment.
        record.rests_until = record.rests_until.max(now.checked_add(BETWEEN_DIALS));
        // Who wants another one than there is has nothing to hope for.
        let lost = self
            .sites
            .get_mut(&id.origin)
            .map(|s| s.waiting.cull(|a| a.shuns().is_some()));
        for attempt in lost.unwrap_or_default() {
            self.pending -= 1;
            attempt.finish(Err(error.clone()));
        }
    }

    /// A connection has had its first answer: the origin is there.
    pub(super) fn on_proven(&mut self, origin: &Origin) {
        let record = self.memory.entry(origin);
        record.breaker.succeeded(now());
        record.failure = None;
    }

    /// A connection's actor has ended unexpectedly; the next is not to follow too soon.
    pub(super) fn on_crashed(&mut self, origin: &Origin) {
        self.memory.entry(origin).crashed(now());
    }

    /// Until just now there was a server; one that restarts is given time.
    pub(super) fn learn(&mut self, held: &Held) {
        let now = now();
        let heard = held.vitals.heard.get().filter(|_| held.is_proven);
        if heard.is_some_and(|heard| now.saturating_duration_since(heard) < RECENT) {
            self.memory.entry(&held.origin).breaker.succeeded(now);
        }
    }

    /// The server has ended a connection that had more to do, after so many requests.
    pub(super) fn learn_habit(&mut self, origin: &Origin, processed: u64) {
        self.memory.entry(origin).habit.ended(processed, now());
    }
}

/// The error of a connection, as it is for those who were never sent on it.
fn of_waiting(error: Error) -> Error {
    match error {
        Error::Disconnected { source, .. } => Error::Disconnected {
            source,
            sent: false,
        },
        Error::GoAway {
            code, by_server, ..
        } => Error::GoAway {
            code,
            unprocessed: true,
            by_server,
        },
        error => error,
    }
}

/// Between dials of an origin that nothing else paces.
const BETWEEN_DIALS: Duration = Duration::from_millis(100);

/// How lately a server must have been heard of to count as there.
const RECENT: Duration = Duration::from_secs(60);
