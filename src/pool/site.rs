//! What a Pool keeps of one origin.

use std::time::{Duration, Instant};

use crate::error::{Error, Phase};
use crate::message::attempt::Attempt;
use crate::origin::Protocol;
use crate::policy::choice::of_two;
use crate::policy::lanes::Lanes;
use crate::pool::seat::Seat;
use crate::view::Reason;

/// Most PINGs are answered within this.
const PING_GRACE: Duration = Duration::from_millis(100);

/// One origin: who waits, and the connections that serve it.
#[derive(Default)]
pub(crate) struct Site {
    pub(crate) waiting: Lanes<Attempt>,
    pub(crate) seats: Vec<Seat>,
    /// It waits for a place among the open sockets.
    pub(crate) is_wished: bool,
    /// Fetches that are with a connection, draining ones included.
    pub(crate) on_wire: usize,
    /// Connections that have left their seat and are not gone yet.
    pub(crate) going: usize,
    /// Since when someone has always been waiting for a stream.
    pub(crate) saturated_since: Option<Instant>,
    /// Whether there were just the connections that there should be when that was asked last, and there
    /// still are.
    pub(crate) was_settled: bool,
    /// Where connections sit that have come free, the last one last. It may have been used since.
    freed: Vec<usize>,
    /// When the agenda will next see to it.
    pub(crate) errand: Option<Instant>,
}

/// What there is to do after a fetch was given to a connection.
pub(crate) struct Given {
    pub(crate) serial: u64,
    /// Why it takes no more of them, if it does not.
    pub(crate) spent: Option<Reason>,
    /// Whether it has had as many as it may before others have their turn.
    pub(crate) is_turn_over: bool,
    /// Whether it is to be replaced.
    pub(crate) retires: bool,
}

impl Site {
    pub(crate) fn seat(&mut self, serial: u64) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.serial() == serial)
    }

    /// The connection at `place` has come free.
    pub(crate) fn note_free(&mut self, place: usize) {
        // The others are known to be of no use, or are as good.
        if self.freed.len() >= self.seats.len() {
            self.freed.clear();
        }
        self.freed.push(place);
    }

    /// Where it sits.
    pub(crate) fn place(&self, serial: u64) -> Option<usize> {
        self.seats.iter().position(|seat| seat.serial() == serial)
    }

    /// Takes a connection out.
    pub(crate) fn unseat(&mut self, serial: u64) -> Option<Seat> {
        let place = self.place(serial)?;
        self.going += 1;
        self.was_settled = false;
        Some(self.seats.swap_remove(place))
    }

    /// Lets a fetch wait, among those as urgent. One that comes back goes before those that came
    /// after it, or it might be refused for ever while they are served.
    pub(crate) fn queue(&mut self, attempt: Attempt) {
        let (accepted, is_new) = (attempt.watch().accepted(), attempt.number() == 1);
        let urgency = attempt.request().urgency();
        let goes_before = |other: &Attempt| is_new || other.watch().accepted() <= accepted;
        self.waiting.insert(urgency, attempt, goes_before);
    }

    /// The connection that a fetch without wishes of its own can go to at once, past the queue: the only
    /// one, or, where each has one at a time, the one that came free last.
    pub(crate) fn at_once(&mut self, limit: Option<usize>) -> Option<usize> {
        if !self.waiting.is_empty() || self.is_full(limit) {
            return None;
        }
        let is_fit = |seat: &Seat| {
            // One that is offered may be chosen for eviction in this very moment: the ledger is to be asked.
            let may_go = !seat.is_offered && seat.post.address.connected();
            may_go && seat.is_steady() && seat.has_room()
        };
        if let [only] = &self.seats[..] {
            return is_fit(only).then_some(0);
        }
        let place = *self.freed.last()?;
        self.seats
            .get(place)
            .filter(|seat| seat.is_free() && is_fit(seat))?;
        self.freed.pop()
    }

    /// Gives a fetch to a connection that has room.
    pub(crate) fn give(&mut self, place: usize, attempt: Attempt, now: Instant) -> Given {
        let seat = &mut self.seats[place];
        match attempt.goes_alone() {
            true => seat.slots.take_all(),
            false => seat.slots.take(),
        };
        seat.idle_since = None;
        seat.entry.uses += 1;
        seat.entry.last_use = seat.entry.last_use.max(attempt.watch().accepted());
        let spent = seat.grow_older(now);
        let left = seat.turn.as_mut().map(|left| {
            *left = left.saturating_sub(1);
            *left
        });
        self.on_wire += 1;
        self.was_settled &= seat.is_steady();
        seat.post.hatch.put(attempt);
        Given {
            serial: seat.serial(),
            spent,
            is_turn_over: left == Some(0),
            retires: seat.retires.is_some(),
        }
    }

    /// Whether a fetch could go out at once, if nobody waited.
    pub(crate) fn has_room(&self, limit: Option<usize>) -> bool {
        let has_room = || {
            let freed = self.freed.last().and_then(|place| self.seats.get(*place));
            freed.is_some_and(Seat::has_room) || self.seats.iter().any(Seat::has_room)
        };
        !self.is_full(limit) && has_room()
    }

    /// Whether as many of its fetches are on the wire as may be.
    pub(crate) fn is_full(&self, limit: Option<usize>) -> bool {
        limit.is_some_and(|limit| self.on_wire >= limit)
    }

    /// The connection for the head of the queue: of two at random, the one with fewer streams.
    pub(crate) fn pick(&mut self, draw: impl FnOnce() -> u64) -> Option<usize> {
        let head = self.waiting.front()?;
        let (shuns, alone) = (head.shuns(), head.goes_alone());
        let suits = |seat: &Seat| {
            seat.has_room() && shuns != Some(seat.serial()) && (!alone || seat.slots.is_idle())
        };
        if let [only] = &self.seats[..] {
            return suits(only).then_some(0);
        }
        // None has fewer than none: where each has one at a time there is nothing to choose.
        while let Some(place) = self.freed.pop() {
            let freed = self.seats.get(place);
            if freed.is_some_and(|seat| seat.is_free() && suits(seat)) {
                return Some(place);
            }
        }
        // Those that will go are used while there are no others.
        let fit = |steady| {
            let all = self.seats.iter().enumerate();
            all.filter(move |(_, seat)| seat.is_steady() == steady && suits(seat))
        };
        let steady = fit(true).next().is_some();
        let load = |n| fit(steady).nth(n).map_or(0, |(_, seat)| seat.slots.used());
        let chosen = of_two(fit(steady).count(), load, draw())?;
        fit(steady).nth(chosen).map(|(place, _)| place)
    }

    /// Until when it is sensible to wait for a sign of life of the only connection, rather than dial
    /// another: one slow answer is no reason for a handshake.
    pub(crate) fn hopes_until(&self) -> Option<Instant> {
        let suspect = self.seats.iter().filter_map(|seat| seat.suspect_since);
        let since = suspect.max().filter(|_| self.steady() == 0)?;
        since.checked_add(PING_GRACE)
    }

    /// Connections that count against the origin's limit.
    pub(crate) fn steady(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_steady()).count()
    }

    /// Whether there are just the connections that there should be.
    pub(crate) fn settle(&mut self, limit: impl FnOnce(Option<Protocol>) -> usize) -> bool {
        let first = self.seats.first();
        let protocol = first.and_then(|seat| seat.vitals.protocol.get());
        self.was_settled = !self.is_wished
            && first.is_some()
            && self.seats.len() <= limit(protocol)
            && self.seats.iter().all(Seat::is_steady);
        self.was_settled
    }

    /// Connections that are coming.
    pub(crate) fn coming(&self) -> usize {
        let dialing = self.seats.iter().filter(|seat| !seat.is_open).count();
        dialing + usize::from(self.is_wished)
    }

    /// Whether a connection is being opened.
    pub(crate) fn is_dialing(&self) -> bool {
        self.seats.iter().any(|seat| !seat.is_open)
    }

    /// Whether a connection that goes is in use, and none is there to take its place.
    pub(crate) fn is_outgoing(&self) -> bool {
        let goes = |seat: &Seat| seat.is_open && seat.retires.is_some() && !seat.slots.is_idle();
        self.steady() == 0 && self.seats.iter().any(goes)
    }

    /// Whether moreover none is coming.
    pub(crate) fn needs_replacement(&self) -> bool {
        self.is_outgoing() && self.coming() == 0
    }

    /// Whether the head of the queue needs a connection to itself.
    pub(crate) fn goes_one_by_one(&self) -> bool {
        self.waiting.front().is_some_and(Attempt::goes_alone)
    }

    /// Whether moreover no other has one.
    pub(crate) fn waits_to_be_alone(&self) -> bool {
        self.goes_one_by_one() && !self.seats.iter().any(|seat| seat.slots.is_exclusive())
    }

    /// The error of a waiting fetch that has waited too long, if it has.
    pub(crate) fn overdue(is_dialing: bool, attempt: &Attempt, now: Instant) -> Option<Error> {
        let phase = match is_dialing {
            true => Phase::Connect,
            false => Phase::Queue,
        };
        attempt.watch().named(phase).overdue(now)
    }

    pub(crate) fn is_forgettable(&self) -> bool {
        let is_empty = self.waiting.is_empty() && self.seats.is_empty() && self.going == 0;
        is_empty && !self.is_wished && self.on_wire == 0
    }

    /// Fetches that wait, less those whose connection has just come free and has yet to tell.
    pub(crate) fn in_need(&self) -> usize {
        let freed = self.seats.iter().map(|seat| seat.vitals.freed.get());
        let freed = usize::try_from(freed.sum::<u64>()).unwrap_or(usize::MAX);
        self.waiting.len().saturating_sub(freed)
    }
}
