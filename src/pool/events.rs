//! What connections tell their Pool.

use actix::{ActorContext, Context, Handler};

use crate::clock::now;
use crate::error::{Error, ErrorCode};
use crate::message::{ConnectionEvent, ConnectionId, GoAway, News};
use crate::pool::Pool;
use crate::view::{Change, Reason};

/// The stream id of a GOAWAY that only announces another (RFC 9113 §6.8).
const NO_STREAM_YET: u32 = (1 << 31) - 1;

impl Handler<ConnectionEvent> for Pool {
    type Result = ();

    fn handle(&mut self, event: ConnectionEvent, ctx: &mut Self::Context) {
        self.hear(None, ctx);
        let ConnectionEvent { id, over, news } = event;
        self.on_over(id.serial, over, ctx);
        self.on_news(&id, news, ctx);
        if let Some(held) = self.connections.get(&id.serial) {
            let told = &held.vitals.told;
            told.set(told.get().saturating_sub(1));
        }
        self.on_freed(id.serial, ctx);
    }
}

impl Pool {
    fn on_news(&mut self, id: &ConnectionId, news: News, ctx: &mut Context<Self>) {
        match news {
            News::Room(room) => self.on_room(id, room, ctx),
            News::Suspect => self.on_suspicion(id, true, ctx),
            News::Recovered => self.on_suspicion(id, false, ctx),
            News::Calm => self.on_calm(id),
            News::Http1Required => {
                let record = self.memory.entry(&id.origin);
                record.dialect.require_http1(now());
            }
            News::Draining { reason, goaway } => self.on_draining(id, (reason, goaway), ctx),
            News::Closed {
                reason,
                error,
                goaway,
            } => self.on_closed(id, (reason, error, goaway), ctx),
        }
    }

    fn on_room(&mut self, id: &ConnectionId, room: usize, ctx: &mut Context<Self>) {
        let Some(seat) = self.seat(id) else { return };
        seat.slots.allow(room);
        match seat.is_open {
            true => self.memory.entry(&id.origin).streams = Some(room),
            false => self.on_opened(id, ctx),
        }
        self.serve(&id.origin, ctx);
    }

    /// Streams of a connection may be over. If it has told something before, that comes first.
    pub(super) fn on_freed(&mut self, serial: u64, ctx: &mut Context<Self>) {
        let Some(held) = self.connections.get(&serial) else {
            return;
        };
        if held.vitals.told.get() == 0 {
            let over = held.vitals.over.take();
            self.on_over(serial, over, ctx);
        }
    }

    fn on_over(&mut self, serial: u64, over: u64, ctx: &mut Context<Self>) {
        let Some(held) = self.connections.get_mut(&serial).filter(|_| over > 0) else {
            return;
        };
        let origin = held.origin.clone();
        let freed = &held.vitals.freed;
        freed.set(freed.get().saturating_sub(over));
        let over = usize::try_from(over).unwrap_or(usize::MAX);
        held.streams = held.streams.saturating_sub(over);
        let is_first = held.vitals.answered.get() && !held.is_proven;
        held.is_proven |= is_first;
        if is_first {
            self.on_proven(&origin);
        }
        let Some(site) = self.sites.get_mut(&origin) else {
            return;
        };
        site.on_wire = site.on_wire.saturating_sub(over);
        let place = site.place(serial);
        if let Some(seat) = place.and_then(|place| site.seats.get_mut(place)) {
            seat.slots.free(over);
            if seat.is_paced {
                let record = self.memory.entry(&origin);
                let ceiling = record.ceiling(&self.with.config, now());
                seat.slots.limit(ceiling);
                seat.is_paced = ceiling < self.with.config.max_streams_per_connection;
            }
        }
        if let Some(place) = place {
            site.note_free(place);
        }
        match place {
            Some(place) if site.is_calm() => {
                site.saturated_since = None;
                self.offer_one(&origin, place, ctx);
            }
            _ => self.serve(&origin, ctx),
        }
    }

    fn on_suspicion(&mut self, id: &ConnectionId, is_suspect: bool, ctx: &mut Context<Self>) {
        let Some(seat) = self.seat(id) else { return };
        seat.suspect_since = is_suspect.then(now);
        if is_suspect {
            self.with.tally.suspect();
            self.publish(&id.origin, id.serial, || Change::Suspect);
        } else {
            self.publish(&id.origin, id.serial, || Change::Recovered);
        }
        self.serve(&id.origin, ctx);
    }

    /// The server wants fewer requests at once.
    fn on_calm(&mut self, id: &ConnectionId) {
        let open = self
            .connections
            .get(&id.serial)
            .map_or(0, |held| held.streams);
        let now = now();
        let record = self.memory.entry(&id.origin);
        record.slow(open, now);
        let ceiling = record.ceiling(&self.with.config, now);
        if let Some(site) = self.sites.get_mut(&id.origin) {
            for seat in &mut site.seats {
                seat.slots.limit(ceiling);
                seat.is_paced = true;
            }
        }
    }

    /// A connection takes no more streams: who waits needs another.
    fn on_draining(
        &mut self,
        id: &ConnectionId,
        (reason, goaway): (Reason, Option<GoAway>),
        ctx: &mut Context<Self>,
    ) {
        self.with.ledger.closing(id.serial);
        let Some(held) = self.connections.get_mut(&id.serial) else {
            return;
        };
        // Otherwise it is we who wanted it, and that has been told.
        if held.leaves.is_none() {
            held.leaves = Some(reason);
            self.learn_at_goodbye(id, goaway);
            self.publish(&id.origin, id.serial, || Change::Draining(reason));
        }
        if let Some(site) = self.sites.get_mut(&id.origin) {
            site.unseat(id.serial);
        }
        self.serve(&id.origin, ctx);
    }

    /// The server has said goodbye: after how many requests, if there was more to do? Learnt at once,
    /// so that the very next connection is spared.
    fn learn_at_goodbye(&mut self, id: &ConnectionId, goaway: Option<GoAway>) {
        let is_awaited = self
            .sites
            .get(&id.origin)
            .is_some_and(|s| !s.waiting.is_empty());
        let Some(held) = self.connections.get_mut(&id.serial) else {
            return;
        };
        let is_cut_short = goaway.is_some() && (held.streams > 0 || is_awaited);
        match goaway.and_then(processed) {
            Some(number) if is_cut_short => self.learn_habit(&id.origin, number),
            _ => held.owes_number = is_cut_short,
        }
    }

    fn on_closed(
        &mut self,
        id: &ConnectionId,
        (reason, error, goaway): (Reason, Option<Error>, Option<GoAway>),
        ctx: &mut Context<Self>,
    ) {
        // The end may come with the goodbye.
        let was_sudden = self
            .connections
            .get(&id.serial)
            .is_some_and(|h| h.leaves.is_none());
        if was_sudden {
            self.learn_at_goodbye(id, goaway);
        }
        let Some(mut held) = self.connections.remove(&id.serial) else {
            return;
        };
        // The answer came with the end, before its stream could tell.
        if held.vitals.answered.get() && !held.is_proven {
            held.is_proven = true;
            self.on_proven(&id.origin);
        }
        self.account(&held, reason);
        if let Some(site) = self.sites.get_mut(&id.origin) {
            site.unseat(id.serial);
            site.going = site.going.saturating_sub(1);
            // Fetches that it never told the end of.
            site.on_wire = site.on_wire.saturating_sub(held.streams);
        }
        if let Some(number) = goaway.and_then(processed).filter(|_| held.owes_number) {
            self.learn_habit(&id.origin, number);
        }
        self.strike_out(&held.errands);
        self.learn(&held);
        match (reason, error) {
            (Reason::DialFailed, Some(error)) => {
                self.on_dial_failed(id, error.clone());
                self.publish(&id.origin, id.serial, || Change::DialFailed(error));
            }
            // It let itself be opened, and was of no use.
            (Reason::Broken | Reason::GoAway, Some(error)) if !held.vitals.answered.get() => {
                self.on_dial_failed(id, error);
            }
            // It spoke before it was asked, and not HTTP.
            (Reason::Fault, Some(error @ Error::Protocol { .. }))
                if !held.vitals.answered.get() =>
            {
                self.on_dial_failed(id, error);
            }
            (Reason::Crashed, _) => self.on_crashed(&id.origin),
            _ => {}
        }
        self.publish(&id.origin, id.serial, || Change::Closed(reason));
        self.serve(&id.origin, ctx);
        if self.is_closing && self.connections.is_empty() {
            ctx.stop();
        }
    }
}

/// How many requests a server has acted on, by an orderly goodbye. Clients' streams have odd ids.
fn processed(goaway: GoAway) -> Option<u64> {
    let is_orderly = ErrorCode(goaway.code) == ErrorCode::NO_ERROR;
    let is_known = goaway.last != NO_STREAM_YET;
    (is_orderly && is_known).then(|| u64::from(goaway.last).div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stream_tells_how_many_requests_were_served() {
        let processed = |last, code| processed(GoAway { last, code });
        assert_eq!(processed(13, 0), Some(7));
        assert_eq!(processed(0, 0), Some(0));
        assert_eq!(processed(NO_STREAM_YET, 0), None, "the number is to come");
        assert_eq!(processed(13, 2), None, "an accident is no habit");
    }
}
