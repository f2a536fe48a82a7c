//! A request is out; its response comes in.

mod body;
mod promises;
mod reply;

use std::sync::Arc;
use std::task::{Context as Turn, Poll, ready};

use http::{HeaderMap, StatusCode};

use crate::body::{Body, End, OpenResponse};
use crate::error::Error;
use crate::response::Receipt;
use crate::session::{Coming, Head};
use crate::stream::Work;
use crate::stream::ended::Ended;
use crate::stream::limits::Limits;
use crate::stream::listener::Listener;
use crate::stream::patience::Patience;
use crate::stream::receiving::reply::Reply;
use crate::stream::shift::Alarm;
use crate::stream::sink::Sink;

/// A request is out; its response comes in.
///
/// ```text
/// head ──▶ body ──▶ trailers ──▶ the end
///  ╰────────┴──────────┴──────────▲   an error; a body that is cut, too
/// ```
///
/// Polled where it lies, as one value: what is awaited in several futures, one inside the other, is
/// moved into each of them.
pub(super) struct Receiving {
    work: Work,
    patience: Patience,
    listener: Listener,
    account: Receipt,
    /// Interim responses so far.
    interims: usize,
    /// Promises taken along with it.
    pushes: usize,
    /// What has come; `None` until the head has.
    reply: Option<Reply>,
}

/// What a response has come to: its trailers, or why it is none.
type Close = Result<Option<HeaderMap>, Error>;

impl Receiving {
    pub(super) fn new(work: Work, alarm: Alarm) -> Self {
        let limits = Limits::of(&work.attempt, &work.common.config);
        let patience = Patience::new(*work.attempt.watch(), limits, alarm, work.sent);
        let queued = patience.since_accepted();
        if !work.attempt.is_for_the_pool() {
            work.common.tally.request(work.reused, queued);
        }
        let stream = work.exchange.stream();
        Self {
            listener: Listener::new(&work, stream),
            account: Receipt {
                queued,
                sent: Some(queued),
                connection: Some(work.common.connection),
                stream: Some(stream),
                reused: work.reused,
                attempts: work.attempt.number(),
                retries: work.attempt.retries(),
                hops: work.attempt.hops(),
                peer: Some(Arc::clone(&work.common.peer)),
                ..Receipt::default()
            },
            work,
            patience,
            interims: 0,
            pushes: 0,
            reply: None,
        }
    }

    /// Ready at the end, with all that is left to do: to tell of it. Not to be polled again then.
    pub(super) fn poll(&mut self, cx: &mut Turn<'_>) -> Poll<Ended> {
        self.patience.begin_turn();
        let close = loop {
            let step = match &self.reply {
                None => ready!(self.poll_head(cx)),
                Some(reply) if reply.is_read => ready!(self.poll_trailers(cx)),
                Some(_) => ready!(self.poll_body(cx)),
            };
            match step {
                Ok(None) => {}
                Ok(Some(close)) => break close,
                Err(error) => break Err(error),
            }
        };
        Poll::Ready(self.end(close))
    }

    /// What may ring for the next one.
    pub(super) fn take_alarm(&mut self) -> Alarm {
        self.patience.alarm.take()
    }

    /// Towards the final head; interim ones are told of on the way.
    fn poll_head(&mut self, cx: &mut Turn<'_>) -> Poll<Result<Option<Close>, Error>> {
        let coming = ready!(self.wait(cx, |this, cx| this.work.exchange.poll_head(cx)))?;
        Poll::Ready(match coming {
            Coming::Interim(status, headers) => self.on_interim(status, &headers).map(|()| None),
            Coming::Head(head) => self.on_head(head),
        })
    }

    fn on_interim(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Error> {
        self.interims += 1;
        if self.interims > self.work.common.config.heads.max_informational {
            return Err(broken("interim responses and no end of them"));
        }
        if status == StatusCode::CONTINUE {
            self.work.exchange.go_ahead();
        }
        self.listener.informational(&self.work, status, headers)
    }

    fn on_head(&mut self, head: Head) -> Result<Option<Close>, Error> {
        let config = &self.work.common.config;
        self.account.first_byte = Some(self.patience.since_accepted());
        self.account.head_bytes = head.raw.as_ref().map(|raw| raw.len() as u64);
        if head.headers.len() > config.heads.max_fields {
            return Err(broken("the head has too many fields"));
        }
        let is_final = !self.work.attempt.is_for_the_agent(head.status, config);
        let is_piped = is_final && self.work.attempt.is_wanted_at_head();
        let reply = self.expect(head, is_piped, is_final)?;
        let reply = self.reply.insert(reply);
        if is_piped {
            if !self.patience.limits.has_deadline {
                self.patience.watch.lift_deadline();
            }
            let most = usize::try_from(self.work.common.config.stream_window);
            let bytes = &self.work.common.bytes;
            let (inlet, body) = Body::open(most.unwrap_or(usize::MAX), bytes);
            reply.sink = Sink::Pipe(inlet);
            let response = OpenResponse {
                status: reply.head.status,
                headers: reply.head.headers.clone(),
                protocol: reply.head.protocol,
                raw_head: reply.head.raw.clone(),
                receipt: self.account.clone(),
                body,
            };
            if !self.work.attempt.open(response) {
                // The caller has left at the last moment.
                return Err(Error::Closed { sent: true });
            }
        }
        if self.account.cut.is_some() {
            return Ok(Some(Ok(None)));
        }
        self.patience.on_head();
        Ok(None)
    }

    fn end(&mut self, mut close: Close) -> Ended {
        let told = self.listener.over(&self.work, close.as_ref().err());
        if let Err(error) = told {
            close = Err(error);
        }
        self.account.done = self.patience.since_accepted();
        self.account.sent_bytes = self.work.exchange.uploaded().bytes;
        let account = std::mem::take(&mut self.account);
        let mut attempt = self.work.attempt.take();
        let reply = match self.reply.take() {
            Some(Reply {
                sink: Sink::Pipe(inlet),
                head,
                ..
            }) => {
                let (trailers, error) = match close {
                    Ok(trailers) => (trailers, None),
                    Err(error) => (None, Some(error)),
                };
                return Ended::Piped {
                    attempt,
                    inlet,
                    head: (head.status, head.protocol),
                    end: Box::new(End {
                        trailers,
                        receipt: account,
                        error,
                    }),
                };
            }
            reply => reply,
        };
        let is_final = reply.as_ref().is_none_or(|reply| reply.is_final);
        let outcome = match (close, reply) {
            (Ok(trailers), Some(reply)) => {
                let is_partial = self.work.exchange.is_partial();
                Ok(reply.into_response(trailers, is_partial, account))
            }
            (close, _) => {
                attempt.note(account);
                Err(close.err().unwrap_or(Error::Internal { sent: true }))
            }
        };
        Ended::Answered {
            attempt,
            outcome,
            is_final,
        }
    }

    /// Waits for one step of the exchange, until the caller leaves or the time is up.
    fn wait<T>(
        &mut self,
        cx: &mut Turn<'_>,
        step: impl FnOnce(&mut Self, &mut Turn<'_>) -> Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        if self.work.common.keeper.is_some() {
            self.heed_promises(cx)?;
        }
        let polled = step(self, cx);
        if let Some(bytes) = self.work.exchange.granted() {
            self.listener.window(&self.work, bytes)?;
        }
        if self.patience.heed_upload(self.work.exchange.uploaded()) {
            self.account.sent = Some(self.patience.since_accepted());
        }
        match polled {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_end_of_patience(cx).map(Err),
        }
    }

    fn poll_end_of_patience(&mut self, cx: &mut Turn<'_>) -> Poll<Error> {
        if self.work.attempt.poll_cancelled(cx).is_ready() {
            // Nobody will read this; dropping the exchange tells the server (CANCEL).
            return Poll::Ready(Error::Closed { sent: true });
        }
        self.patience.poll_end(&mut self.work.exchange, cx)
    }
}

fn broken(detail: &'static str) -> Error {
    Error::Protocol {
        detail: detail.into(),
    }
}
