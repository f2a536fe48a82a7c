//! What a Pool keeps of one origin.

use std::collections::VecDeque;
use std::time::Instant;

use actix::Addr;

use crate::connection::Connection;
use crate::error::{Error, Phase};
use crate::message::attempt::Attempt;
use crate::policy::slots::Slots;

/// One origin: who waits, and the connection that serves it.
#[derive(Default)]
pub(crate) struct Site {
    pub(crate) waiting: VecDeque<Attempt>,
    pub(crate) link: Link,
}

/// The connection of a site. Those that drain have left it.
#[derive(Default)]
pub(crate) enum Link {
    /// There is none.
    #[default]
    Absent,
    /// It waits for a place among the open sockets.
    Wished,
    /// It is being opened.
    Dialing(Seat),
    /// It is open.
    Open(Seat, Slots),
}

/// A connection at work for a site.
pub(crate) struct Seat {
    pub(crate) serial: u64,
    pub(crate) address: Addr<Connection>,
    /// When the latest of its fetches was accepted.
    pub(crate) used: Instant,
    /// Whether the ledger counts it among the idle.
    pub(crate) is_idle: bool,
}

impl Link {
    pub(crate) fn seat(&self) -> Option<&Seat> {
        match self {
            Self::Dialing(seat) | Self::Open(seat, _) => Some(seat),
            Self::Absent | Self::Wished => None,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        matches!(self, Self::Open(_, slots) if slots.has_room())
    }
}

impl Site {
    pub(crate) fn is_served_by(&self, serial: u64) -> bool {
        self.link.seat().is_some_and(|seat| seat.serial == serial)
    }

    /// The error of a waiting fetch that has waited too long, if it has.
    pub(crate) fn overdue(link: &Link, attempt: &Attempt, now: Instant) -> Option<Error> {
        let phase = match link {
            Link::Dialing(_) => Phase::Connect,
            Link::Absent | Link::Wished | Link::Open(..) => Phase::Queue,
        };
        attempt.watch().named(phase).overdue(now)
    }

    /// Takes its connection out.
    pub(crate) fn unlink(&mut self) -> Option<Seat> {
        match std::mem::take(&mut self.link) {
            Link::Dialing(seat) | Link::Open(seat, _) => Some(seat),
            Link::Absent | Link::Wished => None,
        }
    }

    pub(crate) fn is_forgettable(&self) -> bool {
        self.waiting.is_empty() && matches!(self.link, Link::Absent)
    }

    /// Takes out the waiting fetches that `is_lost` picks.
    pub(crate) fn cull(&mut self, is_lost: impl Fn(&Attempt) -> bool) -> Vec<Attempt> {
        // Nearly always nothing is lost: look before moving anything.
        if !self.waiting.iter().any(&is_lost) {
            return Vec::new();
        }
        let (lost, kept) = self.waiting.drain(..).partition::<Vec<_>, _>(is_lost);
        self.waiting = kept.into();
        lost
    }
}
