//! The streams of a connection: those at work, and some that wait for the next fetch.

use std::rc::{Rc, Weak};

use actix::{Actor, Addr, Recipient};
use foldhash::HashMap;

use crate::message::StreamDone;
use crate::message::tray::{Hatch, Knock, Tray};
use crate::stream::{Desk, Stream, Work};

/// At rest at most, at about 2 KiB each: to start one costs a tenth of a fetch.
const AT_REST: usize = 1_000;

/// The streams of a connection.
#[derive(Default)]
pub(super) struct Streams {
    at_work: HashMap<u64, Hand>,
    at_rest: Vec<Hand>,
    /// Where they tell that they are done.
    done: Tray<StreamDone>,
    /// Lent to them. An address made for each would cost more than the message.
    own: Option<Rc<Hatch<StreamDone>>>,
}

struct Hand {
    address: Addr<Stream>,
    /// Gone with the actor, and what lies on it, too.
    desk: Weak<Desk>,
}

impl Streams {
    /// `own` is the connection's.
    pub(super) fn open(&mut self, own: Recipient<Knock>) {
        self.own = Some(Rc::new(self.done.hatch(own)));
    }

    /// Those that have told that they are done.
    pub(super) fn done(&mut self) -> Vec<StreamDone> {
        self.done.take()
    }

    /// Takes back what they lay in.
    pub(super) fn keep(&mut self, batch: Vec<StreamDone>) {
        self.done.keep(batch);
    }

    pub(super) fn len(&self) -> usize {
        self.at_work.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at_work.is_empty()
    }

    /// Those at work.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Addr<Stream>> {
        self.at_work.values().map(|hand| &hand.address)
    }

    /// Has a fetch done under this number.
    pub(super) fn begin(&mut self, number: u64, work: Work) {
        let rested = self.at_rest.pop().and_then(|hand| {
            let desk = hand.desk.upgrade()?;
            Some((hand, desk))
        });
        let hand = match rested {
            Some((hand, desk)) => {
                desk.put(number, work);
                hand
            }
            None => {
                let desk = Rc::new(Desk::default());
                desk.put(number, work);
                let own = self.own.as_ref().map(Rc::downgrade).unwrap_or_default();
                Hand {
                    desk: Rc::downgrade(&desk),
                    address: Stream::new(desk, own).start(),
                }
            }
        };
        self.at_work.insert(number, hand);
    }

    /// One has told that it is done, and whether it can go on.
    pub(super) fn end(&mut self, number: u64, goes_on: bool) {
        let hand = self.at_work.remove(&number);
        if goes_on && self.at_rest.len() < AT_REST {
            self.at_rest.extend(hand);
        }
    }

    /// Whether some are at rest.
    pub(super) fn some_rest(&self) -> bool {
        !self.at_rest.is_empty()
    }

    /// None is at work: lets go of what a connection at work has use for.
    pub(super) fn rest(&mut self) {
        self.at_rest = Vec::new();
        self.at_work = HashMap::default();
        self.done.shrink();
    }

    /// There will be no more fetches.
    pub(super) fn dismiss(&mut self) {
        self.at_rest = Vec::new();
    }
}
