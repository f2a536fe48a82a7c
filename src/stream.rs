//! One exchange at a time on one session.

mod decoding;
mod desk;
mod ended;
mod gathered;
mod limits;
mod listener;
mod patience;
mod receiving;
mod shift;
mod sink;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, WeakRecipient};

pub(crate) use crate::stream::desk::Desk;
pub(crate) use crate::stream::listener::guarded;

use crate::body::ByteBudget;
use crate::config::Config;
use crate::error::{Error, Phase};
use crate::message::attempt::Attempt;
use crate::message::pushed::Pushed;
use crate::message::tray::Hatch;
use crate::message::{Close, Finish, StreamDone};
use crate::response::Peer;
use crate::session::{Exchange, Session};
use crate::stream::ended::Ended;
use crate::stream::shift::Shift;
use crate::view::Tally;

/// Assembles the response to a request that was sent, sending its body, and answers; and then another,
/// until nobody has one.
pub(crate) struct Stream {
    desk: Rc<Desk>,
    /// `None`: of what is pushed, which has no slot on the connection.
    owner: Option<Hatch<StreamDone>>,
    /// Names to the owner the fetch that it has to be told the end of.
    number: Option<u64>,
}

/// What a stream needs to do its work.
pub(crate) struct Work {
    pub(crate) attempt: Attempt,
    pub(crate) common: Rc<Common>,
    /// Whether an earlier stream used the connection.
    pub(crate) reused: bool,
    /// The request, sent; or a response that was not asked for.
    pub(crate) exchange: Exchange,
    /// When it was sent.
    pub(crate) sent: Instant,
}

/// What the streams of a connection have in common.
pub(crate) struct Common {
    pub(crate) session: Session,
    pub(crate) config: Arc<Config>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) bytes: Arc<ByteBudget>,
    pub(crate) peer: Arc<Peer>,
    /// Number of the connection.
    pub(crate) connection: u64,
    /// Keeps what the server pushes, where it may.
    pub(crate) keeper: Option<WeakRecipient<Pushed>>,
}

impl Stream {
    /// Begins with what is on the desk.
    pub(crate) fn new(desk: Rc<Desk>, owner: Hatch<StreamDone>) -> Self {
        Self {
            desk,
            owner: Some(owner),
            number: None,
        }
    }

    /// Of a response that the server pushes.
    fn pushed(work: Work) -> Self {
        let desk = Desk::default();
        desk.put(0, work);
        Self {
            desk: Rc::new(desk),
            owner: None,
            number: None,
        }
    }

    fn end(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        // The slot first: whoever hears the answer may send the next fetch at once.
        self.announce(finish_of(ended.error()), true);
        ended.tell();
        if self.owner.is_none() {
            ctx.stop();
        }
    }

    /// Tells the connection, once for each fetch, that the slot is free.
    fn announce(&mut self, finish: Finish, goes_on: bool) {
        if let (Some(number), Some(owner)) = (self.number.take(), &self.owner) {
            owner.put(StreamDone {
                number,
                finish,
                goes_on,
            });
        }
    }
}

impl Actor for Stream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Shift::default());
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // What it was given at the last moment goes home when it is dropped.
        let left = self.desk.take();
        self.number = left.as_ref().map(|(number, _)| *number).or(self.number);
        self.announce(Finish::Plain, false);
    }
}

/// What the connection should know of how a fetch ended.
pub(crate) fn finish_of(error: Option<&Error>) -> Finish {
    match error {
        None => Finish::Answered,
        Some(Error::Timeout { phase, .. }) if *phase != Phase::Consumer => Finish::TimedOut,
        Some(Error::Reset { code, by_server }) if *by_server => Finish::Reset(*code),
        Some(_) => Finish::Plain,
    }
}

impl Handler<Close> for Stream {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Work {
    /// Sends the request of an attempt.
    ///
    /// # Errors
    ///
    /// Nothing was sent; gives the attempt back.
    pub(crate) fn send(
        mut attempt: Attempt,
        common: &Rc<Common>,
        reused: bool,
        sent: Instant,
    ) -> Result<Self, (Attempt, Error)> {
        // A session that has a stream waiting to be opened takes no other.
        let mut session = common.session.clone();
        match session.send(attempt.request(), attempt.target()) {
            Ok(exchange) => {
                attempt.mark_sent(common.connection);
                Ok(Self {
                    attempt,
                    common: Rc::clone(common),
                    reused,
                    exchange,
                    sent,
                })
            }
            Err(error) => Err((attempt, error)),
        }
    }
}

#[cfg(feature = "fault-injection")]
mod fault {
    use super::*;
    use crate::message::Drill;

    impl Handler<Drill> for Stream {
        type Result = ();

        fn handle(&mut self, drill: Drill, ctx: &mut Self::Context) {
            drill.fault.strike(ctx);
        }
    }
}
