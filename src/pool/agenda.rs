//! What a Pool has to see to later, in order of time: one alarm for all of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix::{AsyncContext, Context, Handler, Message};
use actix_rt::task::JoinHandle;

use crate::clock::now;
use crate::origin::Origin;
use crate::pool::Pool;
use crate::view::Reason;

/// A dial that is asked to yield is looked at no more often.
const SHORTEST_TURN: Duration = Duration::from_millis(10);

/// Names an entry of the list.
pub(crate) type Key = (Instant, u64);

/// The list. Whether there is still anything to do is found out when the time comes.
#[derive(Default)]
pub(crate) struct Agenda {
    errands: BTreeMap<Key, Errand>,
    noted: u64,
    alarm: Option<Alarm>,
}

/// Rings once, unless dropped before. Not a timer of the Pool's own context, for that would keep a
/// Pool alive that nobody has an address of any more.
struct Alarm {
    at: Instant,
    task: JoinHandle<()>,
}

/// The Pool's own alarm rings.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Ring;

impl Drop for Alarm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Something to see to.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// Fetches of an origin may have somewhere to go.
    Serve(Origin),
    /// A connection may have been idle for long enough.
    Idle(Origin, u64),
    /// A connection is old.
    Age(Origin, u64),
    /// The turn of a connection that others wait for is over.
    Turn(Origin, u64),
}

impl Handler<Ring> for Pool {
    type Result = ();

    fn handle(&mut self, _: Ring, ctx: &mut Self::Context) {
        self.hear(None, ctx);
        self.agenda.alarm = None;
        self.work_off(ctx);
    }
}

impl Pool {
    /// Will do `errand` at `at`.
    fn note(&mut self, at: Instant, errand: Errand, ctx: &mut Context<Self>) -> Key {
        let agenda = &mut self.agenda;
        agenda.noted += 1;
        let key = (at, agenda.noted);
        agenda.errands.insert(key, errand);
        self.arm_agenda(ctx);
        key
    }

    /// The same, until the connection is gone.
    pub(super) fn note_for(
        &mut self,
        serial: u64,
        at: Instant,
        errand: Errand,
        ctx: &mut Context<Self>,
    ) {
        let key = self.note(at, errand, ctx);
        if let Some(held) = self.connections.get_mut(&serial) {
            held.errands
                .retain(|noted| self.agenda.errands.contains_key(noted));
            held.errands.push(key);
        }
    }

    /// A connection is gone: what was to be done for it is not.
    pub(super) fn strike_out(&mut self, errands: &[Key]) {
        for key in errands {
            self.agenda.errands.remove(key);
        }
    }

    /// Will serve `origin` at `at`, if not before.
    pub(super) fn serve_at(&mut self, origin: &Origin, at: Instant, ctx: &mut Context<Self>) {
        if let Some(site) = self.sites.get_mut(origin)
            && site.errand.is_none_or(|noted| at < noted)
        {
            site.errand = Some(at);
            self.note(at, Errand::Serve(origin.clone()), ctx);
        }
    }

    fn arm_agenda(&mut self, ctx: &mut Context<Self>) {
        let Some((&(at, _), _)) = self.agenda.errands.first_key_value() else {
            return;
        };
        if self
            .agenda
            .alarm
            .as_ref()
            .is_some_and(|alarm| alarm.at <= at)
        {
            return;
        }
        let pool = ctx.address().downgrade();
        let task = actix_rt::spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            if let Some(pool) = pool.upgrade() {
                pool.do_send(Ring);
            }
        });
        self.agenda.alarm = Some(Alarm { at, task });
    }

    fn work_off(&mut self, ctx: &mut Context<Self>) {
        let now = now();
        while let Some(first) = self.agenda.errands.first_entry()
            && first.key().0 <= now
        {
            let errand = first.remove();
            self.run_errand(errand, now, ctx);
        }
        self.arm_agenda(ctx);
    }

    fn run_errand(&mut self, errand: Errand, now: Instant, ctx: &mut Context<Self>) {
        match errand {
            Errand::Serve(origin) => {
                // One that was overtaken by an earlier one has nothing left to do.
                let site = self.sites.get_mut(&origin);
                if let Some(site) = site.filter(|site| site.errand.is_some_and(|at| at <= now)) {
                    site.errand = None;
                    self.serve(&origin, ctx);
                }
            }
            Errand::Idle(origin, serial) => self.look_after(&origin, serial, now, ctx),
            Errand::Age(origin, serial) => self.retire(&origin, serial, Reason::MaxAge, ctx),
            Errand::Turn(origin, serial) => self.end_turn(&origin, serial, ctx),
        }
    }

    /// Closes a connection that has been idle for too long, or looks again later.
    fn look_after(&mut self, origin: &Origin, serial: u64, now: Instant, ctx: &mut Context<Self>) {
        let limit = self.with.config.idle_timeout;
        let Some(seat) = self.sites.get_mut(origin).and_then(|s| s.seat(serial)) else {
            return;
        };
        seat.is_looked_after = false;
        let since = seat.idle_since;
        let Some(due) = since.zip(limit).and_then(|(s, limit)| s.checked_add(limit)) else {
            return;
        };
        if now >= due {
            self.leave(origin, serial, Reason::Idle);
            return self.rest(origin, ctx);
        }
        seat.is_looked_after = true;
        self.note_for(serial, due, Errand::Idle(origin.clone(), serial), ctx);
    }

    /// A connection is to go, once another has taken its place or nobody uses it.
    pub(super) fn retire(
        &mut self,
        origin: &Origin,
        serial: u64,
        reason: Reason,
        ctx: &mut Context<Self>,
    ) {
        let seat = self.sites.get_mut(origin).and_then(|s| s.seat(serial));
        if let Some(seat) = seat {
            seat.retires = seat.retires.or(Some(reason));
            self.serve(origin, ctx);
        }
    }

    /// Will end the turn of a connection at `at`.
    pub(super) fn note_turn(
        &mut self,
        origin: &Origin,
        serial: u64,
        at: Option<Instant>,
        ctx: &mut Context<Self>,
    ) {
        if let Some(at) = at {
            self.note_for(serial, at, Errand::Turn(origin.clone(), serial), ctx);
        }
    }

    /// Others have waited long enough for the place of a connection, if any still wait.
    pub(super) fn end_turn(&mut self, origin: &Origin, serial: u64, ctx: &mut Context<Self>) {
        let Some(seat) = self.sites.get_mut(origin).and_then(|s| s.seat(serial)) else {
            return;
        };
        // Cut off again and again, a slow dial would never come to its end.
        if !seat.is_open {
            let turn = self.with.config.turn_time.max(SHORTEST_TURN);
            let later = now().checked_add(turn);
            return self.note_turn(origin, serial, later, ctx);
        }
        // It may have had its turn already, and been let go on.
        if seat.turn.take().is_none() || !self.with.ledger.yields(serial) {
            return;
        }
        self.leave(origin, serial, Reason::Yielded);
        self.serve(origin, ctx);
    }
}
