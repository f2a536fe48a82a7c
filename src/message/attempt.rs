//! The baton of a fetch: the request, and the right to answer it once.

mod answer;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix::Recipient;
use http::StatusCode;

use crate::body::OpenResponse;
use crate::config::Config;
use crate::error::{Error, Phase};
use crate::message::Failed;
use crate::message::caller::Caller;
use crate::message::gate::Pass;
use crate::origin::{Origin, Target};
use crate::policy::deadline::Watch;
use crate::policy::redirect::is_redirect;
use crate::policy::retry::Tries;
use crate::request::{Redirects, Request};
use crate::response::{Hop, Receipt, Response, Retry, RetryReason};

/// One fetch on its way; whoever holds it must answer it or pass it on.
///
/// Dropping it unanswered is an answer too: the fetch goes back to its Agent as
/// [`Error::Internal`], and if the Agent is gone as well, to the caller as [`Error::Closed`]. So
/// a fetch in the mailbox of an actor that panics or stops is still answered, exactly once.
pub(crate) struct Attempt {
    /// `None` only after the answer.
    fetch: Option<Box<Inner>>,
    /// Where a failure goes; `None` while the Agent itself holds the baton.
    home: Option<Arc<Recipient<Failed>>>,
}

struct Inner {
    request: Arc<Request>,
    target: Target,
    origin: Origin,
    caller: Caller,
    watch: Watch,
    /// The attempts before this one.
    retries: Vec<Retry>,
    /// The redirects followed so far.
    hops: Vec<Hop>,
    /// Whether what was done before the latest of them may be done again.
    is_repeatable: bool,
    /// The connection of this one, once the request may have left on it.
    sent: Option<u64>,
    tries: Tries,
    /// A connection that is not to be tried again.
    shuns: Option<u64>,
    /// Of an earlier attempt that the server may have acted on.
    doubt: Option<Error>,
    /// How far the attempt got that failed on its stream.
    account: Option<Box<Receipt>>,
    /// Of an earlier attempt that might have come to something better.
    kept: Option<Box<Response>>,
    /// Dropped last, so that a shutdown which waits for the gate waits for the answer.
    pass: Pass,
}

/// What an attempt came to that its Agent must judge.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is no response.
    Error(Error),
    /// There is one, of a status that may be worth another attempt.
    Status(Box<Response>),
}

impl From<Outcome> for Result<Box<Response>, Error> {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Error(error) => Err(error),
            Outcome::Status(response) => Ok(response),
        }
    }
}

impl Attempt {
    /// Takes a fetch in: the request, and the origin that the config makes of it.
    ///
    /// # Errors
    ///
    /// Gives the caller back, with the fault of the request.
    pub(crate) fn new(
        (request, origin): (Arc<Request>, Result<Origin, Error>),
        caller: Caller,
        accepted: Instant,
        config: &Config,
        pass: Pass,
    ) -> Result<Self, (Caller, Error)> {
        let (target, origin) = match (request.check(), origin) {
            (Ok(target), Ok(origin)) => (target.clone(), origin),
            (Err(error), _) | (_, Err(error)) => return Err((caller, error)),
        };
        let deadline = request.overrides().deadline.unwrap_or(config.deadline);
        let watch = Watch::new(accepted, deadline, config.acquire_timeout);
        Ok(Self {
            fetch: Some(Box::new(Inner {
                request,
                target,
                origin,
                caller,
                watch,
                retries: Vec::new(),
                hops: Vec::new(),
                is_repeatable: true,
                sent: None,
                tries: Tries::default(),
                shuns: None,
                doubt: None,
                account: None,
                kept: None,
                pass,
            })),
            home: None,
        })
    }

    /// For what the server promises along with this one. It is not repeated, and nobody waits for
    /// it to leave the engine.
    pub(crate) fn beside(
        &self,
        request: Request,
        caller: Caller,
        now: Instant,
        config: &Config,
    ) -> Result<Self, Error> {
        let pass = self.inner().pass.beside();
        let origin = config.origin_of(&request);
        let attempt = Self::new((Arc::new(request), origin), caller, now, config, pass);
        attempt.map_err(|(_, error)| error)
    }

    /// Sets out for the next attempt, to be returned to `home` if it fails.
    pub(crate) fn set_out(&mut self, home: Arc<Recipient<Failed>>, now: Instant, config: &Config) {
        let fetch = self.inner_mut();
        (fetch.sent, fetch.account) = (None, None);
        fetch.watch.enter(Phase::Queue, now, config.acquire_timeout);
        self.home = Some(home);
    }

    /// An attempt is over; whatever wait follows starts now.
    pub(crate) fn count(&mut self, outcome: &Outcome, now: Instant, config: &Config) -> Tries {
        let fetch = self.inner_mut();
        fetch.watch.enter(Phase::Queue, now, config.acquire_timeout);
        match outcome {
            Outcome::Error(error) => fetch.tries.count(error),
            Outcome::Status(response) => fetch.tries.count_status(response.status),
        }
        fetch.tries
    }

    /// Another attempt will follow this one, which came to `outcome`.
    pub(crate) fn record(&mut self, outcome: &Outcome, now: Instant) {
        let fetch = self.inner_mut();
        fetch.retries.push(Retry {
            at: now.saturating_duration_since(fetch.watch.accepted()),
            connection: fetch.sent,
            reason: match outcome {
                Outcome::Error(error) => RetryReason::Error(error.clone()),
                Outcome::Status(response) => RetryReason::Status(response.status),
            },
        });
    }

    /// Keeps in mind an error after which the server may have acted on the request. From then on
    /// no answer may claim that it did not.
    pub(crate) fn doubt(&mut self, error: Error) {
        if !error.is_unprocessed() {
            self.inner_mut().doubt = Some(error);
        }
    }

    /// Keeps a response that another attempt may better. If that fails, this one is the answer.
    pub(crate) fn keep(&mut self, response: Box<Response>) {
        self.inner_mut().kept = Some(response);
    }

    /// Passes it on from where it lies. What is left there is as good as answered.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            fetch: self.fetch.take(),
            home: self.home.take(),
        }
    }

    pub(crate) fn request(&self) -> &Request {
        &self.inner().request
    }

    pub(crate) fn target(&self) -> &Target {
        &self.inner().target
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.inner().origin
    }

    /// The attempt's number, from 1.
    pub(crate) fn number(&self) -> u32 {
        let before = u32::try_from(self.inner().retries.len());
        before.unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The account of the attempts before this one. Kept, for this one may not be the last.
    pub(crate) fn retries(&self) -> Vec<Retry> {
        // Most have none, and a clone of nothing costs more than a look.
        match &self.inner().retries[..] {
            [] => Vec::new(),
            retries => retries.to_vec(),
        }
    }

    /// Which redirects are followed.
    pub(crate) fn redirects(&self, config: &Config) -> Redirects {
        let overrides = self.request().overrides();
        overrides.redirects.unwrap_or(config.redirects)
    }

    /// The redirects followed so far.
    pub(crate) fn hops(&self) -> Vec<Hop> {
        self.inner().hops.clone()
    }

    /// Follows a redirect: from here on it is `request` that is asked. The deadline stays; what was
    /// tried and feared before is settled, for the server has answered.
    pub(crate) fn follow(
        &mut self,
        request: Request,
        answer: &Response,
        now: Instant,
        config: &Config,
    ) -> Result<(), Error> {
        let (target, origin) = (request.check()?.clone(), config.origin_of(&request)?);
        let fetch = self.inner_mut();
        fetch.hops.push(Hop {
            at: now.saturating_duration_since(fetch.watch.accepted()),
            connection: answer.receipt.connection.unwrap_or_default(),
            status: answer.status,
            to: target.clone(),
        });
        (fetch.target, fetch.origin) = (target, origin);
        fetch.is_repeatable &= fetch.request.method().is_idempotent();
        fetch.request = Arc::new(request);
        fetch.tries = Tries::default();
        (fetch.shuns, fetch.doubt, fetch.kept) = (None, None, None);
        Ok(())
    }

    /// Whether it must have a connection to itself, for it may be what kills connections.
    pub(crate) fn goes_alone(&self) -> bool {
        self.inner().tries.faults > 0
    }

    /// Whether the server has asked for HTTP/1.1 in answer to it.
    pub(crate) fn wants_http1(&self) -> bool {
        self.inner().tries.downgrades > 0
    }

    /// From here on the connection that this attempt was on is not good enough.
    pub(crate) fn shun(&mut self) {
        let fetch = self.inner_mut();
        fetch.shuns = fetch.sent;
    }

    /// The connection that this attempt is not to be put on.
    pub(crate) fn shuns(&self) -> Option<u64> {
        self.inner().shuns
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.inner().watch
    }

    /// Notes how far this attempt got, for it failed.
    pub(crate) fn note(&mut self, account: Receipt) {
        self.inner_mut().account = Some(Box::new(account));
    }

    /// From here on the request may have reached the server.
    pub(crate) fn mark_sent(&mut self, connection: u64) {
        self.inner_mut().sent = Some(connection);
    }

    /// Whether the caller has stopped waiting.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.inner().caller.is_gone()
    }

    /// Ready when the caller stops waiting.
    pub(crate) fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner_mut().caller.poll_gone(cx)
    }

    /// Whether the caller wants the response as soon as there is a head.
    pub(crate) fn is_wanted_at_head(&self) -> bool {
        matches!(self.inner().caller, Caller::AtHead(_))
    }

    /// Whether it is for a response that the server pushes.
    pub(crate) fn is_for_the_pool(&self) -> bool {
        matches!(self.inner().caller, Caller::Pool(_))
    }

    /// Answers with a response whose body is yet to come. From here on nothing is repeated, and
    /// dropping the attempt answers nobody; it is kept for as long as the body is open. Whether somebody
    /// takes it.
    pub(crate) fn open(&mut self, response: OpenResponse) -> bool {
        self.home = None;
        let caller = std::mem::replace(&mut self.inner_mut().caller, Caller::Given);
        caller.open(response)
    }

    /// Whether a response of this status is for the Agent to judge.
    pub(crate) fn is_for_the_agent(&self, status: StatusCode, config: &Config) -> bool {
        self.may_redirect(status, config) || self.is_worth_another(status, config)
    }

    /// Whether a response of this status may lead elsewhere.
    pub(crate) fn may_redirect(&self, status: StatusCode, config: &Config) -> bool {
        is_redirect(status) && self.redirects(config).limit > 0
    }

    /// Whether the request may be repeated after a response of this status.
    pub(crate) fn is_worth_another(&self, status: StatusCode, config: &Config) -> bool {
        let request = self.request();
        let statuses = request.retried_statuses().unwrap_or(&config.retry_statuses);
        status == StatusCode::MISDIRECTED_REQUEST || statuses.contains(&status)
    }

    fn inner(&self) -> &Inner {
        self.fetch.as_ref().expect("answering consumes the attempt")
    }

    fn inner_mut(&mut self) -> &mut Inner {
        self.fetch.as_mut().expect("answering consumes the attempt")
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.fetch.as_ref().map(|fetch| &fetch.origin);
        f.debug_struct("Attempt").field("origin", &origin).finish()
    }
}
