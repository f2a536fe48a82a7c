//! The front door: takes fetches in, and is the only one that repeats them.

mod home;
mod inside;

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use slog::Logger;

pub(crate) use crate::agent::home::Home;
pub(crate) use crate::agent::inside::Inside;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::log;
use crate::message::attempt::{Attempt, Outcome};
use crate::message::caller::Caller;
use crate::message::tray::{Attend, Attending, Tray};
use crate::message::{
    CloseIdle, CloseOrigin, Drain, Ended, Failed, Fetch, Open, Submit, Supervisor, TakeSnapshot,
    Tidy,
};
use crate::origin::Origin;
use crate::policy::redirect;
use crate::policy::retry::{Bounds, Verdict, judge, judge_status};
use crate::request::Request;
use crate::response::Response;
use crate::view::Snapshot;

/// Takes [`Fetch`] messages and answers each with a [`Response`] or an [`Error`].
///
/// Made by `Engine::agent`. It runs on the caller's arbiter; there may be as many as wanted. It
/// keeps its engine running for as long as an address of it is held.
pub struct Agent {
    with: Rc<With>,
    tray: Tray<Submit>,
}

/// What an Agent is made with.
#[derive(Clone)]
pub(crate) struct With {
    pub(crate) config: Arc<Config>,
    pub(crate) inside: Arc<Inside>,
    pub(crate) log: Logger,
    /// Told of the end, if anyone is to be.
    pub(crate) supervisor: Option<Supervisor>,
    /// Kept for as long as the Agent lives.
    pub(crate) keep: Option<Arc<dyn Send + Sync>>,
    pub(crate) home: Home,
}

impl Agent {
    pub(crate) fn new(with: With, tray: Tray<Submit>) -> Self {
        Self {
            with: Rc::new(with),
            tray,
        }
    }
}

impl With {
    /// Takes a fetch in and sends it on its way, or answers what is wrong with it.
    fn accept(
        &self,
        request: (Arc<Request>, Result<Origin, Error>),
        caller: Caller,
        (accepted, now): (Instant, Instant),
        ctx: &Context<Agent>,
    ) {
        let refused = match self.inside.gate.enter() {
            None => (caller, Error::Closed { sent: false }),
            Some(pass) => match Attempt::new(request, caller, accepted, &self.config, pass) {
                Ok(attempt) => return self.set_out(attempt, now, ctx),
                Err(refused) => refused,
            },
        };
        let (caller, error) = refused;
        caller.answer(Err(error.into()));
    }

    fn set_out(&self, mut attempt: Attempt, now: Instant, ctx: &Context<Agent>) {
        let origin = attempt.origin();
        let Some(pool) = self.inside.routes.pool_of(origin) else {
            return attempt.answer(Err(Error::Closed { sent: false }));
        };
        attempt.set_out(self.home.of(ctx), now, &self.config);
        pool.hatch.put(attempt);
    }
}

impl With {
    /// Sends a fetch out again, if there is time.
    fn go_on(&self, attempt: Attempt, ctx: &Context<Agent>) {
        let now = now();
        match attempt.watch().overdue(now) {
            Some(late) => attempt.answer(Err(late)),
            None if self.inside.gate.is_over() => {
                attempt.answer(Err(Error::Closed { sent: false }));
            }
            None => self.set_out(attempt, now, ctx),
        }
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        Attending::while_addressed(ctx);
    }

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

impl Handler<Open> for Agent {
    type Result = Answer;

    fn handle(&mut self, Open(request): Open, _: &mut Self::Context) -> Answer {
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

impl<M> MessageResponse<Agent, M> for Answer
where
    M: Message,
    Caller: From<Option<OneshotSender<M::Result>>>,
{
    fn handle(self, ctx: &mut Context<Agent>, asker: Option<OneshotSender<M::Result>>) {
        let caller = Caller::from(asker);
        let origin = self.with.config.origin_of(&self.request);
        let request = (Arc::new(self.request), origin);
        let now = now();
        self.with.accept(request, caller, (now, now), ctx);
    }
}

impl Attend for Agent {
    fn attend(&mut self, waker: Option<&Waker>, ctx: &mut Context<Self>) {
        let mut batch = self.tray.take(waker);
        if batch.is_empty() {
            return;
        }
        let now = now();
        for submit in batch.drain(..) {
            let request = (submit.request, submit.origin);
            let times = (submit.accepted, now);
            self.with.accept(request, submit.caller, times, ctx);
        }
        self.tray.keep(batch);
    }
}

impl Handler<TakeSnapshot> for Agent {
    type Result = ResponseFuture<Snapshot>;

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) -> Self::Result {
        let inside = Arc::clone(&self.with.inside);
        Box::pin(async move { inside.snapshot().await })
    }
}

impl Handler<CloseIdle> for Agent {
    type Result = ();

    fn handle(&mut self, _: CloseIdle, _: &mut Self::Context) {
        self.with.inside.tidy(&Tidy::Idle);
    }
}

impl Handler<CloseOrigin> for Agent {
    type Result = ();

    fn handle(&mut self, CloseOrigin(origin): CloseOrigin, _: &mut Self::Context) {
        self.with.inside.tidy(&Tidy::Origin(origin));
    }
}

impl Handler<Drain> for Agent {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.with.inside.tidy(&Tidy::All);
    }
}

impl Handler<Failed> for Agent {
    type Result = ();

    fn handle(&mut self, failed: Failed, ctx: &mut Self::Context) {
        let Failed {
            mut attempt,
            outcome,
        } = failed;
        let now = now();
        if let Outcome::Status(response) = &outcome
            && attempt.may_redirect(response.status, &self.with.config)
        {
            match self.with.redirect(&attempt, response) {
                redirect::Verdict::Follow(request) => {
                    let config = &self.with.config;
                    return match attempt.follow(*request, response, now, config) {
                        Ok(()) => self.with.go_on(attempt, ctx),
                        Err(error) => attempt.answer(Err(error)),
                    };
                }
                redirect::Verdict::Refuse(error) => return attempt.answer(Err(error)),
                redirect::Verdict::Stay
                    if !attempt.is_worth_another(response.status, &self.with.config) =>
                {
                    return attempt.answer(outcome.into());
                }
                redirect::Verdict::Stay => {}
            }
        }
        let verdict = self.with.verdict(&mut attempt, &outcome, now);
        let due = attempt.watch().due();
        match verdict {
            // No time may be left for the pause; then none is for the attempt after it.
            Verdict::Again {
                after, elsewhere, ..
            } if due.is_none_or(|due| now.checked_add(after).is_some_and(|at| at < due)) => {
                self.again(attempt, outcome, (after, elsewhere), ctx);
            }
            _ => attempt.answer(outcome.into()),
        }
    }
}

impl With {
    /// Where a response leads.
    fn redirect(&self, attempt: &Attempt, response: &Response) -> redirect::Verdict {
        redirect::follow(
            (attempt.request(), attempt.target()),
            (response.status, &response.headers),
            attempt.hops().len(),
            attempt.redirects(&self.config),
        )
    }

    /// Whether the fetch goes out again, which the budget may forbid.
    fn verdict(&self, attempt: &mut Attempt, outcome: &Outcome, now: Instant) -> Verdict {
        let config = &self.config;
        let tries = attempt.count(outcome, now, config);
        let request = attempt.request();
        let most = request.overrides().max_attempts;
        let bounds = Bounds {
            max_attempts: most.unwrap_or(config.max_attempts),
            max_refusals: config.max_refusals,
            is_whole: request.payload().is_whole(),
            accepts_http1: config.accepts_http1(attempt.origin()),
            jitter: fastrand::f64(),
        };
        let verdict = match outcome {
            Outcome::Error(error) => judge(request.method(), error, tries, bounds),
            Outcome::Status(response) => {
                let (status, headers) = (response.status, &response.headers);
                judge_status(request.method(), status, headers, tries, bounds)
            }
        };
        match verdict {
            Verdict::Again { is_charged, .. } if is_charged && !self.inside.allows_retry(now) => {
                self.inside.tally.retry_refused();
                Verdict::GiveUp
            }
            verdict => verdict,
        }
    }
}

impl Agent {
    fn again(
        &self,
        mut attempt: Attempt,
        outcome: Outcome,
        (after, elsewhere): (Duration, bool),
        ctx: &mut Context<Self>,
    ) {
        attempt.record(&outcome, now());
        if elsewhere {
            attempt.shun();
        }
        let kind = match &outcome {
            Outcome::Error(error) => error.kind(),
            Outcome::Status(_) if elsewhere => "misdirected",
            Outcome::Status(_) => "status",
        };
        self.with.inside.tally.retry(kind);
        log::retrying(&self.with.log, attempt.origin(), attempt.number() - 1, kind);
        match outcome {
            Outcome::Error(error) => attempt.doubt(error),
            // The server has answered: from here on nothing may claim that it has not.
            Outcome::Status(response) => attempt.keep(response),
        }
        // Cancelled with the Agent, the attempt is dropped, which answers it.
        ctx.run_later(after, |this, ctx| this.with.go_on(attempt, ctx));
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
            if let Some(pool) = self.with.inside.routes.pool_of(&drill.origin) {
                pool.address.do_send(drill);
            }
        }
    }
}
