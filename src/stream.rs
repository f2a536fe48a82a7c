//! One request on one session.

mod body;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Turn, Poll};
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WeakRecipient, WrapFuture,
};
use http::{HeaderMap, header};
use tokio::time::Sleep;

use crate::clock::now;
use crate::config::Config;
use crate::error::{Error, Phase};
use crate::message::attempt::Attempt;
use crate::message::{Close, Finish, StreamDone};
use crate::policy::deadline::Watch;
use crate::response::{Peer, Receipt, Response};
use crate::session::{Exchange, Head, Session, may_have_body};
use crate::stream::body::Body;
use crate::view::Tally;

/// Sends one request, assembles its response, answers, stops.
pub(crate) struct Stream {
    number: u64,
    /// Until started.
    work: Option<Work>,
    /// Until told that the stream is done.
    owner: Option<WeakRecipient<StreamDone>>,
}

/// What a stream needs to do its work.
pub(crate) struct Work {
    pub(crate) attempt: Attempt,
    pub(crate) session: Session,
    pub(crate) config: Arc<Config>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) peer: Arc<Peer>,
    /// Number of the connection.
    pub(crate) connection: u64,
    /// Whether an earlier stream used the connection.
    pub(crate) reused: bool,
}

impl Stream {
    /// `number` names the stream to its `owner`.
    pub(crate) fn new(number: u64, work: Work, owner: WeakRecipient<StreamDone>) -> Self {
        Self {
            number,
            work: Some(work),
            owner: Some(owner),
        }
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
        let Some(work) = self.work.take() else { return };
        ctx.spawn(
            work.run()
                .into_actor(self)
                .map(|(attempt, outcome, is_final), this, ctx| {
                    // The slot first: whoever hears the answer may send the next fetch at once.
                    this.announce(finish_of(&outcome));
                    match outcome {
                        Ok(response) if !is_final => attempt.refer(response),
                        outcome => attempt.finish(outcome),
                    }
                    ctx.stop();
                }),
        );
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.announce(Finish::Plain);
    }
}

/// What the connection should know of how a fetch ended.
fn finish_of(outcome: &Result<Response, Error>) -> Finish {
    match outcome {
        Ok(_) => Finish::Answered,
        Err(Error::Timeout { .. }) => Finish::TimedOut,
        Err(Error::Reset { code, by_server }) if *by_server => Finish::Reset(*code),
        _ => Finish::Plain,
    }
}

impl Handler<Close> for Stream {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Work {
    /// Says as well whether the outcome is one that need not be judged.
    async fn run(mut self) -> (Attempt, Result<Response, Error>, bool) {
        let sending = self
            .session
            .send(self.attempt.request(), self.attempt.target());
        let exchange = match sending {
            Ok(exchange) => exchange,
            Err(error) => return (self.attempt, Err(error), true),
        };
        self.attempt.mark_sent(self.connection);
        let queued = now().saturating_duration_since(self.attempt.watch().accepted());
        self.tally.request(self.reused, queued);
        let overrides = self.attempt.request().overrides();
        let mut receiving = Receiving {
            queued,
            watch: self.attempt.watch(),
            head_timeout: overrides.head_timeout.unwrap_or(self.config.head_timeout),
            body_timeout: overrides.body_timeout.unwrap_or(self.config.body_timeout),
            alarm: None,
            exchange,
            work: self,
        };
        let outcome = receiving.receive().await;
        let Self {
            attempt, config, ..
        } = receiving.work;
        let is_final = match &outcome {
            Ok(response) => !attempt.is_for_the_agent(response.status, &config),
            Err(_) => true,
        };
        (attempt, outcome, is_final)
    }
}

/// A request is out; its response comes in.
struct Receiving {
    work: Work,
    exchange: Exchange,
    watch: Watch,
    queued: Duration,
    head_timeout: Duration,
    body_timeout: Duration,
    /// Armed at the first wait.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Receiving {
    async fn receive(&mut self) -> Result<Response, Error> {
        self.watch.enter(Phase::Head, now(), self.head_timeout);
        let Head {
            status,
            headers,
            protocol,
            raw,
        } = self.wait(Exchange::poll_head).await?;
        let first_byte = now().saturating_duration_since(self.watch.accepted());
        self.watch.enter(Phase::Body, now(), self.body_timeout);
        let mut allowance = self.work.attempt.allowance(&self.work.config);
        let may_have_body = may_have_body(self.work.attempt.request().method(), status);
        let announced = content_length(&headers).filter(|_| may_have_body);
        allowance.announce(announced.unwrap_or(0))?;
        let mut body = Body::new(announced);
        let trailers = loop {
            let piece = match self.wait(Exchange::poll_data).await {
                Ok(Some(piece)) => piece,
                Ok(None) => break self.wait(Exchange::poll_trailers).await?,
                // Where the connection breaks while a request's body is on its way, the h2 crate
                // forgets that the response had ended.
                Err(error) => {
                    let is_whole = !may_have_body || announced == Some(allowance.taken());
                    match is_whole && is_break(&error) {
                        true => break None,
                        false => return Err(error),
                    }
                }
            };
            allowance.take(piece.len())?;
            if !piece.is_empty() {
                self.watch.enter(Phase::Body, now(), self.body_timeout);
            }
            if may_have_body {
                body.push(piece);
            }
        };
        Ok(Response {
            status,
            headers,
            body: body.finish(),
            trailers,
            protocol,
            partial: self.exchange.is_partial(),
            raw_head: raw,
            receipt: self.receipt(first_byte, allowance.taken()),
        })
    }

    fn receipt(&self, first_byte: Duration, wire_bytes: u64) -> Receipt {
        Receipt {
            queued: self.queued,
            first_byte,
            done: now().saturating_duration_since(self.watch.accepted()),
            connection: self.work.connection,
            stream: self.exchange.stream(),
            reused: self.work.reused,
            attempts: self.work.attempt.number(),
            retries: self.work.attempt.retries(),
            hops: self.work.attempt.hops(),
            wire_bytes,
            peer: Arc::clone(&self.work.peer),
        }
    }

    /// Waits for one step of the exchange, until the caller leaves or the time is up.
    async fn wait<T>(
        &mut self,
        step: impl Fn(&mut Exchange, &mut Turn<'_>) -> Poll<Result<T, Error>>,
    ) -> Result<T, Error> {
        poll_fn(|cx| match step(&mut self.exchange, cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_end_of_patience(cx).map(Err),
        })
        .await
    }

    fn poll_end_of_patience(&mut self, cx: &mut Turn<'_>) -> Poll<Error> {
        if self.work.attempt.poll_cancelled(cx).is_ready() {
            // Nobody will read this; dropping the exchange tells the server (CANCEL).
            return Poll::Ready(Error::Closed { sent: true });
        }
        let Some(due) = self.watch.due() else {
            return Poll::Pending;
        };
        let due = due.into();
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        // Progress moves `due` later; the alarm is moved only when it rings, not for each piece.
        if due < alarm.deadline() {
            alarm.as_mut().reset(due);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if let Some(error) = self.watch.overdue(now()) {
                return Poll::Ready(error);
            }
            alarm.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// Whether what ended was the connection, not the stream on it.
fn is_break(error: &Error) -> bool {
    matches!(error, Error::Disconnected { .. } | Error::GoAway { .. })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
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
