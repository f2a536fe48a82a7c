//! A request is out; its response comes in.

mod body;
mod promises;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Turn, Poll};

use http::{HeaderMap, StatusCode};

use crate::body::{Body, End, Inlet, OpenResponse};
use crate::error::Error;
use crate::origin::Protocol;
use crate::policy::limit::Allowance;
use crate::response::{Receipt, Response};
use crate::session::{Coming, Exchange, Head};
use crate::stream::Work;
use crate::stream::decoding::Decoding;
use crate::stream::ended::Ended;
use crate::stream::limits::Limits;
use crate::stream::listener::Listener;
use crate::stream::patience::Patience;
use crate::stream::shift::Alarm;
use crate::stream::sink::Sink;

/// A request is out; its response comes in.
pub(super) struct Receiving {
    work: Work,
    exchange: Exchange,
    patience: Patience,
    listener: Listener,
    allowance: Option<Allowance>,
    /// In a box, for most have none.
    decoding: Option<Box<Decoding>>,
    account: Receipt,
    /// Promises taken along with it.
    pushes: usize,
}

/// What has come of a response.
#[expect(clippy::large_enum_variant, reason = "it is made where it stays")]
enum Came {
    /// All of it at once, and whether nobody need judge it first.
    Whole(Result<Response, Error>, bool),
    /// The end of what was handed out piece by piece.
    Piped(
        Inlet,
        (StatusCode, Protocol),
        Result<Option<HeaderMap>, Error>,
    ),
}

impl Came {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Whole(outcome, _) => outcome.as_ref().err(),
            Self::Piped(_, _, end) => end.as_ref().err(),
        }
    }

    fn fail(&mut self, error: Error) {
        match self {
            Self::Whole(outcome, _) => *outcome = Err(error),
            Self::Piped(_, _, end) => *end = Err(error),
        }
    }
}

impl Receiving {
    pub(super) fn new(mut work: Work, exchange: Exchange, alarm: Alarm) -> Self {
        let is_asked_for = !work.attempt.is_for_the_pool();
        work.attempt.mark_sent(work.common.connection);
        let limits = Limits::of(&work.attempt, &work.common.config);
        let patience = Patience::new(work.attempt.watch(), limits, alarm);
        let queued = patience.since_accepted();
        if is_asked_for {
            work.common.tally.request(work.reused, queued);
        }
        let stream = exchange.stream();
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
            exchange,
            patience,
            allowance: None,
            decoding: None,
            pushes: 0,
        }
    }

    pub(super) async fn run(mut self: Box<Self>) -> (Ended, Alarm) {
        let came = self.respond().await;
        let alarm = self.patience.alarm.take();
        (self.end(came), alarm)
    }

    async fn respond(&mut self) -> Came {
        let head = match self.head().await {
            Ok(head) => head,
            Err(error) => return Came::Whole(Err(error), true),
        };
        let is_final = !self
            .work
            .attempt
            .is_for_the_agent(head.status, &self.work.common.config);
        if is_final && self.work.attempt.is_wanted_at_head() {
            return self.pipe(head).await;
        }
        Came::Whole(self.gather(head).await, is_final)
    }

    /// The final head; interim ones are told of on the way.
    async fn head(&mut self) -> Result<Head, Error> {
        let mut interims = 0;
        loop {
            match self.wait(|this, cx| this.exchange.poll_head(cx)).await? {
                Coming::Interim(status, headers) => {
                    interims += 1;
                    if interims > self.work.common.config.heads.max_informational {
                        return Err(broken("interim responses and no end of them"));
                    }
                    if status == StatusCode::CONTINUE {
                        self.exchange.go_ahead();
                    }
                    self.listener.informational(&self.work, status, &headers)?;
                }
                Coming::Head(head) => {
                    self.account.first_byte = Some(self.patience.since_accepted());
                    self.account.head_bytes = head.raw.as_ref().map(|raw| raw.len() as u64);
                    if head.headers.len() > self.work.common.config.heads.max_fields {
                        return Err(broken("the head has too many fields"));
                    }
                    return Ok(head);
                }
            }
        }
    }

    /// Gathers the whole response.
    async fn gather(&mut self, head: Head) -> Result<Response, Error> {
        let announced = self.on_head(&head, false)?;
        let mut sink = Sink::gather(announced, &self.work.common.bytes);
        let trailers = self.body(&head, announced, &mut sink).await?;
        let Sink::Gather { body, share } = sink else {
            return Err(Error::Internal { sent: true });
        };
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: body.finish(share.spares()),
            raw_body: self
                .decoding
                .take()
                .and_then(|decoding| decoding.into_raw()),
            trailers,
            protocol: head.protocol,
            partial: self.exchange.is_partial(),
            raw_head: head.raw,
            receipt: Receipt::default(),
        })
    }

    /// Hands the head out, and then the body as it comes.
    async fn pipe(&mut self, head: Head) -> Came {
        let announced = match self.on_head(&head, true) {
            Ok(announced) => announced,
            Err(error) => return Came::Whole(Err(error), true),
        };
        if !self.patience.limits.has_deadline {
            self.patience.watch.lift_deadline();
        }
        let most = usize::try_from(self.work.common.config.stream_window).unwrap_or(usize::MAX);
        let (inlet, body) = Body::open(most, &self.work.common.bytes);
        let response = OpenResponse {
            status: head.status,
            headers: head.headers.clone(),
            protocol: head.protocol,
            raw_head: head.raw.clone(),
            receipt: self.account.clone(),
            body,
        };
        let mut sink = Sink::Pipe(inlet);
        let end = match self.work.attempt.open(response) {
            true => self.body(&head, announced, &mut sink).await,
            // The caller has left at the last moment.
            false => Err(Error::Closed { sent: true }),
        };
        match sink {
            Sink::Pipe(inlet) => Came::Piped(inlet, (head.status, head.protocol), end),
            Sink::Gather { .. } => Came::Whole(Err(Error::Internal { sent: true }), true),
        }
    }

    fn end(mut self: Box<Self>, mut came: Came) -> Ended {
        let told = self.listener.over(&self.work, came.error());
        if let Err(error) = told {
            came.fail(error);
        }
        self.settle();
        // The exchange is dropped before the slot is told to be free.
        let Self {
            mut work, account, ..
        } = *self;
        match came {
            Came::Whole(mut outcome, is_final) => {
                match &mut outcome {
                    Ok(response) => response.receipt = account,
                    Err(_) => work.attempt.note(account),
                }
                Ended::Answered {
                    attempt: work.attempt,
                    outcome,
                    is_final,
                }
            }
            Came::Piped(inlet, head, end) => {
                let (trailers, error) = match end {
                    Ok(trailers) => (trailers, None),
                    Err(error) => (None, Some(error)),
                };
                Ended::Piped {
                    attempt: work.attempt,
                    inlet,
                    head,
                    end: End {
                        trailers,
                        receipt: account,
                        error,
                    },
                }
            }
        }
    }

    fn settle(&mut self) {
        self.account.done = self.patience.since_accepted();
        self.account.sent_bytes = self.exchange.uploaded().bytes;
    }

    /// Waits for one step of the exchange, until the caller leaves or the time is up.
    async fn wait<T>(
        &mut self,
        mut step: impl FnMut(&mut Self, &mut Turn<'_>) -> Poll<Result<T, Error>>,
    ) -> Result<T, Error> {
        poll_fn(|cx| {
            if self.work.common.keeper.is_some() {
                self.heed_promises(cx)?;
            }
            let polled = step(self, cx);
            if let Some(bytes) = self.exchange.granted() {
                self.listener.window(&self.work, bytes)?;
            }
            if self.patience.heed_upload(self.exchange.uploaded()) {
                self.account.sent = Some(self.patience.since_accepted());
            }
            match polled {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => self.poll_end_of_patience(cx).map(Err),
            }
        })
        .await
    }

    fn poll_end_of_patience(&mut self, cx: &mut Turn<'_>) -> Poll<Error> {
        if self.work.attempt.poll_cancelled(cx).is_ready() {
            // Nobody will read this; dropping the exchange tells the server (CANCEL).
            return Poll::Ready(Error::Closed { sent: true });
        }
        self.patience.poll_end(&mut self.exchange, cx)
    }
}

fn broken(detail: &'static str) -> Error {
    Error::Protocol {
        detail: detail.into(),
    }
}
