//! What servers have pushed, and who gets it.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler};
use http::HeaderMap;

use crate::body::{ByteBudget, Share};
use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::attempt::Attempt;
use crate::message::pushed::{Promised, PushKey, PushNews, Pushed};
use crate::policy::promise::{answers, is_worth_keeping};
use crate::policy::shelf::Shelf;
use crate::pool::Pool;
use crate::response::Response;

/// What is reckoned for each response beside its bytes.
const OVERHEAD: u64 = 1 << 10;

/// What servers have pushed, and who waits for it.
pub(super) type Pushes = Shelf<PushKey, Kept, Attempt>;

/// A response that nobody has asked for yet.
pub(super) struct Kept {
    promised: HeaderMap,
    response: Box<Response>,
    /// Of the byte budget.
    _share: Share,
}

pub(super) fn empty(config: &Config) -> Pushes {
    let pushes = config.bodies.pushes;
    let most = pushes.map_or(0, |pushes| pushes.kept);
    let keep_for = pushes.map_or(Duration::ZERO, |pushes| pushes.keep_for);
    Shelf::new(most, keep_for)
}

impl Handler<Pushed> for Pool {
    type Result = ();

    fn handle(&mut self, Pushed { promise, news }: Pushed, ctx: &mut Self::Context) {
        let id = id_of(&promise);
        match news {
            PushNews::Coming if self.is_closing => {}
            PushNews::Coming => self.pushes.promise(promise.key.clone(), id),
            PushNews::Here(response) if is_worth_keeping(&response) => {
                self.keep(&promise, response, ctx);
            }
            PushNews::Here(_) | PushNews::Lost => {
                if let Some(Some(attempt)) = self.pushes.lose(&promise.key, id) {
                    self.receive(attempt, now(), ctx);
                }
            }
        }
    }
}

impl Pool {
    /// Answers a fetch with what was pushed, or has it wait for that. Given back: neither.
    pub(super) fn try_pushes(
        &mut self,
        attempt: Attempt,
        ctx: &mut Context<Self>,
    ) -> Option<Attempt> {
        if self.pushes.is_empty() {
            return Some(attempt);
        }
        let request = attempt.request();
        let key = PushKey::new(attempt.origin(), request.method(), attempt.target());
        let fits = |kept: &Kept| answers(&kept.promised, &kept.response, request);
        if let Some(kept) = self.pushes.take(&key, fits, now()) {
            self.hand_out(attempt, kept.response);
            return None;
        }
        let due = attempt.watch().due();
        let attempt = self.pushes.wait(&key, attempt);
        if attempt.is_none() {
            self.arm_sweep(due, ctx);
        }
        attempt
    }

    fn keep(&mut self, promise: &Promised, response: Box<Response>, ctx: &mut Context<Self>) {
        // Who has left is not to be handed what others may have a use for.
        self.sweep_pushes();
        let (kept, size) = kept(promise, response, &self.with.bytes);
        let arrived = self
            .pushes
            .arrive(&promise.key, id_of(promise), (kept, size), now());
        match arrived {
            Some((attempt, kept)) => {
                match answers(&kept.promised, &kept.response, attempt.request()) {
                    true => self.hand_out(attempt, kept.response),
                    false => self.receive(attempt, now(), ctx),
                }
            }
            None => {
                let keep_for = self.with.config.bodies.pushes.map(|pushes| pushes.keep_for);
                ctx.run_later(keep_for.unwrap_or_default(), |pool, _| {
                    pool.pushes.expire(now());
                });
            }
        }
    }

    fn hand_out(&self, attempt: Attempt, mut response: Box<Response>) {
        self.with.tally.push_used();
        let passed = now().saturating_duration_since(attempt.watch().accepted());
        let receipt = &mut response.receipt;
        (receipt.queued, receipt.done, receipt.pushed) = (passed, passed, true);
        (receipt.sent, receipt.first_byte) = (None, Some(passed));
        (receipt.attempts, receipt.retries) = (attempt.number(), attempt.retries());
        receipt.hops = attempt.hops();
        match attempt.is_for_the_agent(response.status, &self.with.config) {
            true => attempt.refer(response),
            false => attempt.finish(Ok(response)),
        }
    }

    /// Whoever waits for what was pushed is told that the engine closes.
    pub(super) fn close_pushes(&mut self) {
        for attempt in self.pushes.cull(|_| true) {
            attempt.finish(Err(Error::Closed { sent: false }));
        }
        self.pushes = empty(&self.with.config);
    }

    /// Answers who has waited too long, and forgets who has left.
    pub(super) fn sweep_pushes(&mut self) {
        let now = now();
        let is_over =
            |attempt: &Attempt| attempt.is_cancelled() || attempt.watch().overdue(now).is_some();
        for attempt in self.pushes.cull(is_over) {
            if let Some(error) = attempt.watch().overdue(now) {
                attempt.finish(Err(error));
            }
        }
    }
}

fn kept(
    promise: &Promised,
    response: Box<Response>,
    budget: &std::sync::Arc<ByteBudget>,
) -> (Kept, u64) {
    let bytes = response.body.len() + response.raw_body.as_ref().map_or(0, |raw| raw.len());
    let mut share = Share::new(budget);
    share.take(bytes);
    let fields = response.headers.iter().chain(&promise.headers);
    let fields: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let kept = Kept {
        promised: promise.headers.clone(),
        response,
        _share: share,
    };
    // Bodies that were asked for come first.
    let size = match budget.held() > budget.limit() / 2 {
        true => u64::MAX,
        false => OVERHEAD + (bytes + fields) as u64,
    };
    (kept, size)
}

/// Connections of one engine do not share their numbers; 2^32 of them would have to come and go
/// while one promise is on its way.
fn id_of(promise: &Promised) -> u64 {
    let (connection, stream) = promise.on;
    connection << 32 | u64::from(stream)
}
