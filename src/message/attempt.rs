//! The baton of a fetch: the request, and the right to answer it once.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix::{Message, Recipient};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::error::{Error, Phase};
use crate::message::Failed;
use crate::message::gate::Pass;
use crate::origin::{Origin, Target};
use crate::policy::deadline::Watch;
use crate::policy::limit::Allowance;
use crate::policy::retry::Tries;
use crate::request::Request;
use crate::response::Response;

/// One fetch on its way; whoever holds it must answer it or pass it on.
///
/// Dropping it unanswered is an answer too: the fetch goes back to its Agent as
/// [`Error::Internal`], and if the Agent is gone as well, to the caller as [`Error::Closed`]. So
/// a fetch in the mailbox of an actor that panics or stops is still answered, exactly once.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Attempt {
    /// `None` only after the answer.
    fetch: Option<Box<Inner>>,
    /// Where a failure goes; `None` while the Agent itself holds the baton.
    home: Option<Recipient<Failed>>,
}

struct Inner {
    request: Arc<Request>,
    target: Target,
    caller: Caller,
    watch: Watch,
    attempts: u32,
    sent: bool,
    tries: Tries,
    /// Of an earlier attempt that the server may have acted on.
    doubt: Option<Error>,
    /// Dropped last, so that a shutdown which waits for the gate waits for the answer.
    pass: Pass,
}

/// Where the answer goes; `None` if nobody wants it.
pub(crate) type Caller = Option<oneshot::Sender<Result<Response, Error>>>;

impl Attempt {
    /// Takes a fetch in.
    ///
    /// # Errors
    ///
    /// Gives the caller back, with the fault of the request.
    pub(crate) fn new(
        request: Arc<Request>,
        caller: Caller,
        accepted: Instant,
        config: &Config,
        pass: Pass,
    ) -> Result<Self, (Caller, Error)> {
        let target = match request.check() {
            Ok(target) => target.clone(),
            Err(error) => return Err((caller, error)),
        };
        let deadline = request.overrides().deadline.unwrap_or(config.deadline);
        let watch = Watch::new(accepted, deadline, config.acquire_timeout);
        Ok(Self {
            fetch: Some(Box::new(Inner {
                request,
                target,
                caller,
                watch,
                attempts: 0,
                sent: false,
                tries: Tries::default(),
                doubt: None,
                pass,
            })),
            home: None,
        })
    }

    /// Sets out for the next attempt, to be returned to `home` if it fails.
    pub(crate) fn set_out(&mut self, home: Recipient<Failed>, now: Instant, config: &Config) {
        let fetch = self.inner_mut();
        fetch.attempts += 1;
        fetch.sent = false;
        fetch.watch.enter(Phase::Queue, now, config.acquire_timeout);
        self.home = Some(home);
    }

    /// An attempt is over; whatever wait follows starts now.
    pub(crate) fn count(&mut self, error: &Error, now: Instant, config: &Config) -> Tries {
        let fetch = self.inner_mut();
        fetch.watch.enter(Phase::Queue, now, config.acquire_timeout);
        fetch.tries.count(error);
        fetch.tries
    }

    /// Keeps in mind an error after which the server may have acted on the request. From then on
    /// no answer may claim that it did not.
    pub(crate) fn doubt(&mut self, error: Error) {
        if !error.is_unprocessed() {
            self.inner_mut().doubt = Some(error);
        }
    }

    pub(crate) fn request(&self) -> &Request {
        &self.inner().request
    }

    pub(crate) fn target(&self) -> &Target {
        &self.inner().target
    }

    pub(crate) fn origin(&self) -> &Origin {
        self.target().origin()
    }

    /// The attempt's number, from 1.
    pub(crate) fn number(&self) -> u32 {
        self.inner().attempts
    }

    pub(crate) fn watch(&self) -> Watch {
        self.inner().watch
    }

    /// From here on the request may have reached the server.
    pub(crate) fn mark_sent(&mut self) {
        self.inner_mut().sent = true;
    }

    /// How much body this fetch may bring.
    pub(crate) fn allowance(&self, config: &Config) -> Allowance {
        let overrides = self.request().overrides();
        Allowance::new(overrides.max_body.unwrap_or(config.max_body))
    }

    /// Whether the caller has stopped waiting.
    pub(crate) fn is_cancelled(&self) -> bool {
        let caller = &self.inner().caller;
        caller.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    /// Ready when the caller stops waiting.
    pub(crate) fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.inner_mut().caller {
            Some(caller) => caller.poll_closed(cx),
            None => Poll::Pending,
        }
    }

    /// Answers the caller. A caller that is gone does not mind.
    pub(crate) fn answer(mut self, outcome: Result<Response, Error>) {
        self.deliver(outcome);
    }

    /// Ends this attempt: a response goes to the caller, an error to the Agent, which may try
    /// again.
    pub(crate) fn finish(mut self, outcome: Result<Response, Error>) {
        match outcome {
            Ok(response) => self.deliver(Ok(response)),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        let Some(fetch) = &self.fetch else { return };
        if self.is_cancelled() {
            self.fetch = None;
            return;
        }
        // Not by way of the Agent, which may be on a thread that nobody runs any more.
        if fetch.pass.is_over() {
            let sent = fetch.sent;
            return self.deliver(Err(Error::Closed { sent }));
        }
        let Some(home) = self.home.take() else {
            return self.deliver(Err(error));
        };
        // The baton that travels home has no home: dropped in the mailbox of a dead Agent, it
        // answers the caller.
        let attempt = Self {
            fetch: self.fetch.take(),
            home: None,
        };
        home.do_send(Failed { attempt, error });
    }

    fn deliver(&mut self, outcome: Result<Response, Error>) {
        // The rest of the fetch, its pass through the gate included, is dropped after the answer.
        if let Some(mut fetch) = self.fetch.take()
            && let Some(caller) = fetch.caller.take()
        {
            let outcome = outcome.map_err(|error| match fetch.doubt.take() {
                Some(doubt) if error.is_unprocessed() => doubt,
                _ => error,
            });
            let _ = caller.send(outcome);
        }
    }

    fn inner(&self) -> &Inner {
        self.fetch.as_ref().expect("answering consumes the attempt")
    }

    fn inner_mut(&mut self) -> &mut Inner {
        self.fetch.as_mut().expect("answering consumes the attempt")
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(fetch) = &self.fetch else { return };
        let sent = fetch.sent;
        match self.home {
            Some(_) => self.fail(Error::Internal { sent }),
            None => self.deliver(Err(Error::Closed { sent })),
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.fetch.as_ref().map(|fetch| fetch.target.origin());
        f.debug_struct("Attempt").field("origin", &origin).finish()
    }
}
