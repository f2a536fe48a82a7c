//! The front door: takes fetches in, and is the only one that repeats them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, AsyncContext, Context, Handler};
use slog::Logger;

use crate::clock::{self, now};
use crate::config::Config;
use crate::error::{Error, Part};
use crate::log;
use crate::message::attempt::{Attempt, Caller};
use crate::message::gate::Gate;
use crate::message::{Ended, Failed, Fetch, Submit, Supervisor};
use crate::policy::retry::{Verdict, judge};
use crate::pool::Routes;
use crate::request::Request;
use crate::response::Response;

/// Takes [`Fetch`] messages and answers each with a [`Response`] or an [`Error`].
///
/// Made by `Engine::agent`. It runs on the caller's arbiter; there may be as many as wanted. It
/// keeps its engine running for as long as an address of it is held.
pub struct Agent {
    with: Rc<With>,
}

/// What an Agent is made with.
#[derive(Clone)]
pub(crate) struct With {
    pub(crate) config: Arc<Config>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) log: Logger,
    /// Told of the end, if anyone is to be.
    pub(crate) supervisor: Option<Supervisor>,
    /// Kept for as long as the Agent lives.
    pub(crate) keep: Option<Arc<dyn Send + Sync>>,
}

impl Agent {
    pub(crate) fn new(with: With) -> Self {
        Self {
            with: Rc::new(with),
        }
    }
}

impl With {
    /// Takes a fetch in and sends it on its way, or answers what is wrong with it.
    fn accept(
        &self,
        request: Arc<Request>,
        caller: Caller,
        accepted: Instant,
        ctx: &Context<Agent>,
    ) {
        let refused = match self.gate.enter() {
            None => (caller, Error::Closed { sent: false }),
            Some(pass) => match Attempt::new(request, caller, accepted, &self.config, pass) {
                Ok(attempt) => return self.set_out(attempt, ctx),
                Err(refused) => refused,
            },
        };
        if let (Some(caller), error) = refused {
            let _ = caller.send(Err(error));
        }
    }

    fn set_out(&self, mut attempt: Attempt, ctx: &Context<Agent>) {
        let origin = attempt.origin();
        if !origin.is_secure() && !self.config.prior_knowledge.covers(origin) {
            let reason = "http is spoken only to origins configured for HTTP/2 prior knowledge";
            return attempt.answer(Err(Error::bad(Part::Scheme, reason)));
        }
        let Some(pool) = self.routes.pool_of(origin) else {
            return attempt.answer(Err(Error::Closed { sent: false }));
        };
        attempt.set_out(ctx.address().recipient(), now(), &self.config);
        pool.do_send(attempt);
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(supervisor) = self.with.supervisor.as_ref().and_then(|s| s.upgrade()) {
            supervisor.do_send(Ended::Agent);
        }
    }
}

impl Handler<Fetch> for Agent {
    type Result = Answer;

    fn handle(&mut self, Fetch(request): Fetch, _: &mut Self::Context) -> Answer {
        Answer {
            request,
            with: Rc::clone(&self.with),
        }
    }
}

/// An answer to come. The fetch sets out with the asker's own channel, so that whoever has the
/// response answers without a detour.
pub struct Answer {
    request: Request,
    with: Rc<With>,
}

impl MessageResponse<Agent, Fetch> for Answer {
    fn handle(
        self,
        ctx: &mut Context<Agent>,
        asker: Option<OneshotSender<Result<Response, Error>>>,
    ) {
        self.with.accept(Arc::new(self.request), asker, now(), ctx);
    }
}

impl Handler<Submit> for Agent {
    type Result = ();

    fn handle(&mut self, submit: Submit, ctx: &mut Self::Context) {
        self.with
            .accept(submit.request, submit.caller, submit.accepted, ctx);
    }
}

impl Handler<Failed> for Agent {
    type Result = ();

    fn handle(&mut self, Failed { mut attempt, error }: Failed, ctx: &mut Self::Context) {
        let config = &self.with.config;
        let now = now();
        let tries = attempt.count(&error, now, config);
        let due = attempt.watch().due();
        let method = attempt.request().method();
        match judge(
            method,
            &error,
            tries,
            config.max_attempts,
            config.max_refusals,
        ) {
            Verdict::GiveUp => attempt.answer(Err(error)),
            // No time is left for the pause, so none is for the attempt after it.
            Verdict::Again { after } if due.is_some_and(|due| now + after >= due) => {
                attempt.answer(Err(error));
            }
            Verdict::Again { after } => {
                log::retrying(&self.with.log, attempt.origin(), attempt.number(), &error);
                attempt.doubt(error);
                // Cancelled with the Agent, the attempt is dropped, which answers it.
                ctx.run_later(after, |this, ctx| {
                    match attempt.watch().overdue(clock::now()) {
                        Some(late) => attempt.answer(Err(late)),
                        None if this.with.gate.is_over() => {
                            attempt.answer(Err(Error::Closed { sent: false }));
                        }
                        None => this.with.set_out(attempt, ctx),
                    }
                });
            }
        }
    }
}

#[cfg(feature = "fault-injection")]
mod fault {
    use super::*;
    use crate::message::{Drill, Victim};

    impl Handler<Drill> for Agent {
        type Result = ();

        fn handle(&mut self, drill: Drill, ctx: &mut Self::Context) {
            if drill.victim == Victim::Agent {
                return drill.fault.strike(ctx);
            }
            if let Some(pool) = self.with.routes.pool_of(&drill.origin) {
                pool.do_send(drill);
            }
        }
    }
}
