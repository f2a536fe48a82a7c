//! One request on one session.

mod decoding;
mod ended;
mod gathered;
mod limits;
mod listener;
mod patience;
mod receiving;
mod sink;

use std::rc::Weak;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WeakRecipient,
    WrapFuture,
};

pub(crate) use crate::stream::listener::guarded;

use crate::body::ByteBudget;
use crate::config::Config;
use crate::error::{Error, Phase};
use crate::message::attempt::Attempt;
use crate::message::pushed::Pushed;
use crate::message::{Close, Finish, StreamDone};
use crate::response::Peer;
use crate::session::{Exchange, Session};
use crate::stream::ended::Ended;
use crate::stream::receiving::Receiving;
use crate::view::Tally;

/// Sends one request, assembles its response, answers, stops.
pub(crate) struct Stream {
    number: u64,
    /// Until started.
    work: Option<Work>,
    /// Until told that the stream is done.
    owner: Option<Weak<Recipient<StreamDone>>>,
}

/// What a stream needs to do its work.
pub(crate) struct Work {
    pub(crate) attempt: Attempt,
    pub(crate) session: Session,
    pub(crate) config: Arc<Config>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) bytes: Arc<ByteBudget>,
    pub(crate) peer: Arc<Peer>,
    /// Number of the connection.
    pub(crate) connection: u64,
    /// Whether an earlier stream used the connection.
    pub(crate) reused: bool,
    /// Keeps what the server pushes, where it may.
    pub(crate) pool: Option<WeakRecipient<Pushed>>,
    /// The response, where it was not asked for.
    pub(crate) pushed: Option<Exchange>,
}

impl Stream {
    /// `number` names the stream to its `owner`.
    pub(crate) fn new(number: u64, work: Work, owner: Weak<Recipient<StreamDone>>) -> Self {
        Self {
            number,
            work: Some(work),
            owner: Some(owner),
        }
    }

    /// Of a response that the server pushes, which has no slot on the connection.
    fn pushed(work: Work) -> Self {
        Self {
            number: 0,
            work: Some(work),
            owner: None,
        }
    }

    fn end(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        // The slot first: whoever hears the answer may send the next fetch at once.
        self.announce(finish_of(ended.error()));
        ended.tell();
        ctx.stop();
    }

    /// Tells the connection, once, that the slot is free.
    fn announce(&mut self, finish: Finish) {
        if let Some(owner) = self.owner.take().and_then(|owner| owner.upgrade()) {
            let number = self.number;
            owner.do_send(StreamDone { number, finish });
        }
    }
}

impl Actor for Stream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        match work.send() {
            Ok(exchange) => {
                // What is awaited is moved several times before it is at its place: a box is small.
                let receiving = Box::new(Receiving::new(work, exchange)).run();
                let receiving = receiving.into_actor(self);
                ctx.spawn(receiving.map(|ended, this, ctx| this.end(ended, ctx)));
            }
            Err(error) => {
                let ended = Ended::Answered {
                    attempt: work.attempt,
                    outcome: Err(error),
                    is_final: true,
                };
                self.end(ended, ctx);
            }
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.announce(Finish::Plain);
    }
}

/// What the connection should know of how a fetch ended.
fn finish_of(error: Option<&Error>) -> Finish {
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
    fn send(&mut self) -> Result<Exchange, Error> {
        match self.pushed.take() {
            Some(exchange) => Ok(exchange),
            None => self
                .session
                .send(self.attempt.request(), self.attempt.target()),
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
