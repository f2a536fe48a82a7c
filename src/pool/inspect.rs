//! The view inside, and the tidying that programs ask for.

use actix::{Context, Handler};

use crate::clock::now;
use crate::message::tray::Attend;
use crate::message::{Inspect, Tidy};
use crate::origin::Origin;
use crate::pool::Pool;
use crate::pool::seat::Held;
use crate::pool::site::Site;
use crate::view::{
    Breaker, Change, ConnectionState, ConnectionView, Lifecycle, OriginView, Reason, Snapshot,
};

impl Pool {
    /// Tells who has asked to be told.
    pub(super) fn publish(
        &self,
        origin: &Origin,
        connection: u64,
        change: impl FnOnce() -> Change,
    ) {
        if self.with.changes.receiver_count() > 0 {
            // An error says that the last one has just left.
            let _ = self.with.changes.send(Lifecycle {
                origin: origin.clone(),
                connection,
                change: change(),
            });
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            waiting: self.pending + self.pushes.waiting().count(),
            connections: self.connections.iter().map(|c| self.view(c)).collect(),
            origins: self.sites.iter().map(|s| self.view_origin(s)).collect(),
            origins_remembered: self.memory.len(),
            ..Snapshot::default()
        };
        for held in self.connections.values() {
            held.add_to(&mut snapshot.counters);
        }
        snapshot
    }

    fn view(&self, (&number, held): (&u64, &Held)) -> ConnectionView {
        let (now, vitals) = (now(), &held.vitals);
        let seats = self.sites.get(&held.origin).map(|site| &site.seats[..]);
        let seat = seats
            .unwrap_or_default()
            .iter()
            .find(|seat| seat.serial() == number);
        let state = match seat {
            None => ConnectionState::Draining,
            Some(seat) if !seat.is_open => ConnectionState::Dialing,
            Some(seat) if seat.suspect_since.is_some() => ConnectionState::Suspect,
            Some(seat) if seat.retires.is_some() => ConnectionState::Retiring,
            Some(_) => ConnectionState::Open,
        };
        let heard = vitals.heard.get();
        ConnectionView {
            origin: held.origin.clone(),
            number,
            peer: vitals.peer.get(),
            protocol: vitals.protocol.get(),
            state,
            age: now.saturating_duration_since(held.since),
            streams: held.streams,
            allowed: seat.map_or(0, |seat| seat.slots.allowed()),
            requests: held.requests,
            resets_left: held.resets_left(),
            round_trip: vitals.peer.get().map(|_| vitals.round_trip.get()),
            ping: vitals.ping.get(),
            silent_for: heard.map(|heard| now.saturating_duration_since(heard)),
            window: vitals.window.get(),
            unread: vitals.unread.get(),
            received: vitals.received.get(),
            sent: vitals.sent.get(),
        }
    }

    fn view_origin(&self, (origin, site): (&Origin, &Site)) -> OriginView {
        let (now, record) = (now(), self.memory.get(origin));
        OriginView {
            origin: origin.clone(),
            waiting: site.waiting.len(),
            on_wire: site.on_wire,
            breaker: record.map_or(Breaker::Closed, |record| record.breaker.state(now)),
            failures: record.map_or(0, |record| record.breaker.failures()),
            protocol: record.and_then(|record| record.protocol),
            round_trip: record.and_then(|record| record.round_trip),
            streams: record.and_then(|record| record.streams),
            requests_until_goaway: record.and_then(|record| record.habit.limit(now)),
            needs_http1: record.is_some_and(|record| record.dialect.needs_http1(now)),
        }
    }
}

impl Handler<Inspect> for Pool {
    type Result = ();

    fn handle(&mut self, Inspect { reply }: Inspect, ctx: &mut Context<Self>) {
        // What was sent before is in the picture.
        self.attend(None, ctx);
        // Who asked may have left.
        let _ = reply.send(self.snapshot());
    }
}

impl Handler<Tidy> for Pool {
    type Result = ();

    fn handle(&mut self, tidy: Tidy, ctx: &mut Context<Self>) {
        self.attend(None, ctx);
        let is_meant = |origin: &Origin| match &tidy {
            Tidy::Origin(meant) => origin.is_same_place(meant),
            Tidy::Idle | Tidy::All => true,
        };
        let origins = self.sites.keys().filter(|origin| is_meant(origin));
        for origin in origins.cloned().collect::<Vec<_>>() {
            let Some(site) = self.sites.get(&origin) else {
                continue;
            };
            let open = site.seats.iter().filter(|seat| seat.is_open);
            let chosen = open.filter(|seat| match tidy {
                Tidy::Idle => seat.slots.is_idle(),
                Tidy::Origin(_) | Tidy::All => true,
            });
            let chosen: Vec<_> = chosen.map(|seat| seat.serial()).collect();
            for serial in chosen {
                self.leave(&origin, serial, Reason::Asked);
            }
            self.serve(&origin, ctx);
        }
    }
}
