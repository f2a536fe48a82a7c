//! How an attempt is answered, once and for all.

use http::StatusCode;

use crate::body::End;
use crate::clock::now;
use crate::error::Error;
use crate::message::Failed;
use crate::message::attempt::{self, Attempt, Inner};
use crate::message::caller::Caller;
use crate::origin::Protocol;
use crate::response::{Failure, Receipt, Response};
use crate::view::Outcome;

impl Attempt {
    /// Answers the caller. A caller that is gone does not mind.
    pub(crate) fn answer(mut self, outcome: Result<Box<Response>, Error>) {
        self.deliver(outcome);
    }

    /// Ends this attempt: a response goes to the caller, an error to the Agent, which may try
    /// again.
    pub(crate) fn finish(mut self, outcome: Result<Box<Response>, Error>) {
        match outcome {
            Ok(response) => self.deliver(Ok(response)),
            Err(error) => self.fail(attempt::Outcome::Error(error)),
        }
    }

    /// Ends this attempt with a response that its Agent is to judge first.
    pub(crate) fn refer(mut self, response: Box<Response>) {
        self.fail(attempt::Outcome::Status(response));
    }

    fn fail(&mut self, outcome: attempt::Outcome) {
        let Some(fetch) = &self.fetch else { return };
        if self.is_cancelled() {
            fetch.count(Outcome::failed(fetch.request.method(), "cancelled"), None);
            self.fetch = None;
            return;
        }
        let home = self.home.take();
        match (outcome, home) {
            // Not by way of the Agent, which may be on a thread that nobody runs any more.
            (attempt::Outcome::Error(_), _) if fetch.pass.is_over() => {
                let sent = fetch.sent.is_some();
                self.deliver(Err(Error::Closed { sent }));
            }
            (attempt::Outcome::Status(response), _) if fetch.pass.is_over() => {
                self.deliver(Ok(response))
            }
            // The baton that travels home has no home: dropped in the mailbox of a dead Agent, it
            // answers the caller.
            (outcome, Some(home)) => {
                let fetch = self.fetch.take();
                let attempt = Self { fetch, home: None };
                home.do_send(Failed { attempt, outcome });
            }
            (attempt::Outcome::Error(error), None) => self.deliver(Err(error)),
            (attempt::Outcome::Status(response), None) => self.deliver(Ok(response)),
        }
    }

    fn deliver(&mut self, outcome: Result<Box<Response>, Error>) {
        // The rest of the fetch, its pass through the gate included, is dropped after the answer.
        if let Some(mut fetch) = self.fetch.take() {
            let outcome = match (outcome, fetch.kept.take(), fetch.doubt.take()) {
                (Err(_), Some(kept), _) => Ok(kept),
                (Err(error), None, Some(doubt)) if error.is_unprocessed() => Err(doubt),
                (Err(error), None, None) if error.is_unprocessed() => Err(fetch.after_hops(error)),
                (outcome, ..) => outcome,
            };
            let outcome = outcome.map_err(|error| fetch.failure(error));
            fetch.count_answer(&outcome);
            let caller = std::mem::replace(&mut fetch.caller, Caller::Nobody);
            caller.answer(outcome);
        }
    }
}

impl Attempt {
    /// Counts the end of a body whose head the caller had before, and who may have left since.
    pub(crate) fn count_body(&self, head: (StatusCode, Protocol), end: &End, is_left: bool) {
        let Some(fetch) = &self.fetch else { return };
        let method = fetch.request.method();
        let outcome = match &end.error {
            None => Outcome::answered(method, head.0, head.1),
            Some(_) if is_left => Outcome::failed(method, "cancelled"),
            Some(error) => Outcome::failed(method, error.kind()),
        };
        fetch.count(outcome, Some(&end.receipt));
    }
}

impl Inner {
    fn count(&self, outcome: Outcome, receipt: Option<&Receipt>) {
        match receipt {
            Some(receipt) => self.pass.count(outcome, receipt),
            None => {
                let done = now().saturating_duration_since(self.watch.accepted());
                self.pass.count(
                    outcome,
                    &Receipt {
                        done,
                        ..Receipt::default()
                    },
                );
            }
        }
    }

    fn count_answer(&self, answer: &Result<Box<Response>, Failure>) {
        let method = self.request.method();
        match answer {
            // That is counted at its end; and what nobody asked for is no fetch.
            _ if matches!(self.caller, Caller::Given | Caller::Pool(_)) => {}
            Ok(response) => {
                let outcome = Outcome::answered(method, response.status, response.protocol);
                self.count(outcome, Some(&response.receipt));
            }
            Err(failure) => {
                let outcome = Outcome::failed(method, failure.kind());
                self.count(outcome, Some(&failure.receipt));
            }
        }
    }

    fn failure(&mut self, error: Error) -> Failure {
        let passed = now().saturating_duration_since(self.watch.accepted());
        let receipt = match self.account.take() {
            Some(account) => *account,
            // It has not come to a stream, or not back from it.
            None => Receipt {
                queued: passed,
                connection: self.sent,
                attempts: u32::try_from(self.retries.len())
                    .map_or(u32::MAX, |n| n.saturating_add(1)),
                retries: std::mem::take(&mut self.retries),
                hops: std::mem::take(&mut self.hops),
                ..Receipt::default()
            },
        };
        Failure::new(
            error,
            Receipt {
                done: passed,
                ..receipt
            },
        )
    }

    /// An error before the latest request was acted on, told so that nobody takes the whole fetch for
    /// not acted on.
    fn after_hops(&self, error: Error) -> Error {
        match self.hops.last() {
            Some(hop) if !self.is_repeatable => Error::Redirect {
                location: hop.to.to_string(),
                reason: error.to_string().into(),
            },
            _ => error,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(fetch) = &self.fetch else { return };
        let sent = fetch.sent.is_some();
        match self.home {
            Some(_) => self.fail(attempt::Outcome::Error(Error::Internal { sent })),
            None => self.deliver(Err(Error::Closed { sent })),
        }
    }
}
