//! What a server promises along with a response (RFC 9113 §8.4).

use std::task::{Context as Turn, Poll};

use actix::Actor;

use crate::clock::now;
use crate::error::Error;
use crate::message::attempt::Attempt;
use crate::message::caller::Caller;
use crate::message::pushed::{Awaited, Promised, PushKey};
use crate::origin::Target;
use crate::policy::promise::{Facts, may_be_taken};
use crate::session::Promise;
use crate::stream::Stream;
use crate::stream::receiving::Receiving;

impl Receiving {
    /// Takes what is promised, or refuses it. To be called before the response goes on: a promise
    /// comes before its end.
    pub(super) fn heed_promises(&mut self, cx: &mut Turn<'_>) -> Result<(), Error> {
        while let Poll::Ready(promise) = self.exchange.poll_promise(cx) {
            self.work.tally.promise();
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
            &self.work.config.bodies.pushes,
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
        let is_wanted = may_be_taken(facts)
            && self.work.pool.is_some()
            && self.listener.promise(attempt, &target, head.headers())?;
        Ok(is_wanted.then_some(target))
    }

    /// Starts a Stream for what was promised: a fetch like any other, but that the Pool is its caller.
    fn take_promise(&mut self, promise: Promise, target: Target) {
        let Some(pool) = &self.work.pool else { return };
        let attempt = &self.work.attempt;
        let (head, ()) = promise.head.into_parts();
        let promised = Promised {
            key: PushKey::new(attempt.origin(), &head.method, &target),
            headers: head.headers.clone(),
            on: (self.work.connection, promise.exchange.stream()),
        };
        let kept = self.work.config.bodies.pushes.map_or(0, |p| p.kept);
        let request = attempt
            .request()
            .moved(target, head.method, head.headers, false)
            .max_body(kept.min(self.work.config.max_body));
        let caller = Caller::Pool(Awaited::new(promised, pool));
        if let Ok(attempt) = attempt.beside(request, caller, now(), &self.work.config) {
            self.pushes += 1;
            self.work.tally.push();
            Stream::pushed(self.work.beside(attempt, promise.exchange)).start();
        }
    }
}

impl super::Work {
    /// For a response that comes on the same session unasked.
    fn beside(&self, attempt: Attempt, exchange: crate::session::Exchange) -> Self {
        Self {
            attempt,
            session: self.session.clone(),
            config: self.config.clone(),
            tally: self.tally.clone(),
            bytes: self.bytes.clone(),
            peer: self.peer.clone(),
            connection: self.connection,
            reused: true,
            pool: None,
            pushed: Some(exchange),
        }
    }
}
