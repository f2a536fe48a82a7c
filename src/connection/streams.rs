//! The streams of a connection: those at work, and some that wait for the next fetch.

use std::rc::{Rc, Weak};
use std::task::Waker;

use actix::{Actor, Addr};
use foldhash::HashMap;

use crate::message::StreamDone;
use crate::message::tray::Tray;
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
}

struct Hand {
    address: Addr<Stream>,
    /// Gone with the actor, and what lies on it, too.
    desk: Weak<Desk>,
}

impl Streams {
    /// Those that have told that they are done; `waker` is woken when there are more.
    pub(super) fn done(&mut self, waker: Option<&Waker>) -> Vec<StreamDone> {
        self.done.take(waker)
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
                Hand {
                    desk: Rc::downgrade(&desk),
                    address: Stream::new(desk, self.done.hatch()).start(),
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
