//! What a server promises along with a response (RFC 9113 §8.4).

use std::rc::Rc;
use std::task::{Context as Turn, Poll};

use actix::Actor;

use crate::clock::now;
use crate::error::Error;
use crate::message::caller::Caller;
use crate::message::pushed::{Awaited, Promised, PushKey};
use crate::origin::Target;
use crate::policy::promise::{Facts, may_be_taken};
use crate::session::Promise;
use crate::stream::receiving::Receiving;
use crate::stream::{Stream, Work};

impl Receiving {
    /// Takes what is promised, or refuses it. To be called before the response goes on: a promise
    /// comes before its end.
    pub(super) fn heed_promises(&mut self, cx: &mut Turn<'_>) -> Result<(), Error> {
        while let Poll::Ready(promise) = self.work.exchange.poll_promise(cx) {
            self.work.common.tally.promise();
            if let Some(target) = self.wanted(&promise)? {
                self.take_promise(promise, target);
            }
        }
        Ok(())
    }

    /// Where a promise that is wanted leads.
    fn wanted(&self, promise: &Promise) -> Result<Option<Target>, Error> {
        let (attempt, head) = (&self.work.attempt, &promise.head);
        let (Some(pushes), Ok(target)) = (
            &self.work.common.config.bodies.pushes,
            Target::parse(&head.uri().to_string()),
        ) else {
            return Ok(None);
        };
        let facts = Facts {
            method: head.method(),
            is_own: target.origin().is_same_place(attempt.origin()),
            taken: self.pushes,
            most: pushes.per_response,
        };
        let is_wanted =
            may_be_taken(facts) && self.listener.promise(&self.work, &target, head.headers())?;
        Ok(is_wanted.then_some(target))
    }

    /// Starts a Stream for what was promised: a fetch like any other, but that the Pool is its caller.
    fn take_promise(&mut self, promise: Promise, target: Target) {
        let Some(pool) = &self.work.common.keeper else {
            return;
        };
        let attempt = &self.work.attempt;
        let (head, ()) = promise.head.into_parts();
        let promised = Promised {
            key: PushKey::new(attempt.origin(), &head.method, &target),
            headers: head.headers.clone(),
            on: (self.work.common.connection, promise.exchange.stream()),
        };
        let kept = self.work.common.config.bodies.pushes.map_or(0, |p| p.kept);
        let request = attempt
            .request()
            .moved(target, head.method, head.headers, false)
            .max_body(kept.min(self.work.common.config.max_body));
        let caller = Caller::Pool(Awaited::new(promised, pool));
        let sent = now();
        if let Ok(mut attempt) = attempt.beside(request, caller, sent, &self.work.common.config) {
            attempt.mark_sent(self.work.common.connection);
            self.pushes += 1;
            self.work.common.tally.push();
            let work = Work {
                attempt,
                common: Rc::clone(&self.work.common),
                reused: true,
                exchange: promise.exchange,
                sent,
            };
            Stream::pushed(work).start();
        }
    }
}
