//! A request is out; its response comes in.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Turn, Poll};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::body::{Body, End, OpenResponse};
use crate::error::Error;
use crate::event::Flow;
use crate::policy::limit::{Allowance, Take};
use crate::request::OnDataLoss;
use crate::response::{Cut, Receipt, Response};
use crate::session::{Coming, Exchange, Head, may_have_body};
use crate::stream::Work;
use crate::stream::ended::Ended;
use crate::stream::limits::{Limits, allowance};
use crate::stream::listener::Listener;
use crate::stream::patience::Patience;
use crate::stream::sink::{Room, Sink};

/// A request is out; its response comes in.
pub(super) struct Receiving {
    work: Work,
    exchange: Exchange,
    limits: Limits,
    patience: Patience,
    listener: Listener,
    allowance: Option<Allowance>,
    account: Receipt,
}

impl Receiving {
    pub(super) fn new(mut work: Work, exchange: Exchange) -> Self {
        work.attempt.mark_sent(work.connection);
        let limits = Limits::of(&work.attempt, &work.config);
        let patience = Patience::new(work.attempt.watch(), limits);
        let queued = patience.since_accepted();
        work.tally.request(work.reused, queued);
        let stream = exchange.stream();
        Self {
            listener: Listener::new(&work.config, &work.attempt, work.connection, stream),
            account: Receipt {
                queued,
                sent: Some(queued),
                connection: Some(work.connection),
                stream: Some(stream),
                reused: work.reused,
                attempts: work.attempt.number(),
                retries: work.attempt.retries(),
                hops: work.attempt.hops(),
                peer: Some(Arc::clone(&work.peer)),
                ..Receipt::default()
            },
            work,
            exchange,
            limits,
            patience,
            allowance: None,
        }
    }

    pub(super) async fn run(mut self) -> Ended {
        let head = match self.head().await {
            Ok(head) => head,
            Err(error) => return self.answered(Err(error), true),
        };
        let is_final = !self
            .work
            .attempt
            .is_for_the_agent(head.status, &self.work.config);
        if is_final && self.work.attempt.is_wanted_at_head() {
            return self.pipe(head).await;
        }
        let outcome = self.gather(head).await;
        self.answered(outcome, is_final)
    }

    /// The final head; interim ones are told of on the way.
    async fn head(&mut self) -> Result<Head, Error> {
        let mut interims = 0;
        loop {
            match self.wait(|this, cx| this.exchange.poll_head(cx)).await? {
                Coming::Interim(status, headers) => {
                    interims += 1;
                    if interims > self.work.config.max_informational {
                        return Err(broken("interim responses and no end of them"));
                    }
                    if status == StatusCode::CONTINUE {
                        self.exchange.go_ahead();
                    }
                    let attempt = &self.work.attempt;
                    self.listener.informational(attempt, status, &headers)?;
                }
                Coming::Head(head) => {
                    self.account.first_byte = Some(self.patience.since_accepted());
                    self.account.head_bytes = head.raw.as_ref().map(|raw| raw.len() as u64);
                    if head.headers.len() > self.work.config.max_fields {
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
        let mut sink = Sink::gather(announced, &self.work.bytes);
        let trailers = self.body(&head, announced, &mut sink).await?;
        let Sink::Gather { body, .. } = sink else {
            return Err(Error::Internal { sent: true });
        };
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: body.finish(),
            raw_body: None,
            trailers,
            protocol: head.protocol,
            partial: self.exchange.is_partial(),
            raw_head: head.raw,
            receipt: Receipt::default(),
        })
    }

    /// Hands the head out, and then the body as it comes.
    async fn pipe(mut self, head: Head) -> Ended {
        let announced = match self.on_head(&head, true) {
            Ok(announced) => announced,
            Err(error) => return self.answered(Err(error), true),
        };
        if !self.limits.has_deadline {
            self.patience.watch.lift_deadline();
        }
        let most = usize::try_from(self.work.config.stream_window).unwrap_or(usize::MAX);
        let (inlet, body) = Body::open(most, &self.work.bytes);
        let response = OpenResponse {
            status: head.status,
            headers: head.headers.clone(),
            protocol: head.protocol,
            raw_head: head.raw.clone(),
            receipt: self.account.clone(),
            body,
        };
        let mut sink = Sink::Pipe(inlet);
        let mut end = match self.work.attempt.open(response) {
            true => self.body(&head, announced, &mut sink).await,
            // The caller has left at the last moment.
            false => Err(Error::Closed { sent: true }),
        };
        end = self.told(end);
        self.settle();
        let Sink::Pipe(inlet) = sink else {
            return self.answered(Err(Error::Internal { sent: true }), true);
        };
        let (trailers, error) = match end {
            Ok(trailers) => (trailers, None),
            Err(error) => (None, Some(error)),
        };
        Ended::Piped {
            attempt: self.work.attempt,
            inlet,
            end: End {
                trailers,
                receipt: self.account,
                error,
            },
        }
    }

    /// The length announced, if what is announced may come.
    fn on_head(&mut self, head: &Head, is_piped: bool) -> Result<Option<u64>, Error> {
        let attempt = &self.work.attempt;
        if self
            .listener
            .response(attempt, head.status, &head.headers)?
            == Flow::Stop
        {
            self.account.cut = Some(Cut::Stopped);
            return Ok(None);
        }
        let may_have_body = may_have_body(attempt.request().method(), head.status);
        let announced = content_length(&head.headers).filter(|_| may_have_body);
        let mut allowance = allowance(attempt, &self.work.config, is_piped);
        allowance.announce(announced.unwrap_or(0))?;
        if let Some(size) = allowance.warning(announced.unwrap_or(0)) {
            self.listener.large(attempt, size)?;
        }
        self.allowance = Some(allowance);
        Ok(announced)
    }

    /// The body and what follows it. What is lost of it may be no error.
    async fn body(
        &mut self,
        head: &Head,
        announced: Option<u64>,
        sink: &mut Sink,
    ) -> Result<Option<HeaderMap>, Error> {
        let Some(mut allowance) = self.allowance else {
            return Ok(None);
        };
        self.patience.on_head();
        let may_have_body = may_have_body(self.work.attempt.request().method(), head.status);
        let mut ended = Ok(None);
        while self.account.cut.is_none() {
            ended = match self.wait(|this, cx| this.poll_data(sink, cx)).await {
                Ok(Some(piece)) if may_have_body => {
                    self.take(piece, &mut allowance, sink)?;
                    continue;
                }
                Ok(Some(piece)) => {
                    self.exchange.release(piece.len());
                    continue;
                }
                Ok(None) => self.trailers().await,
                // Where the connection breaks while a request's body is on its way, the h2 crate
                // forgets that the response had ended.
                Err(error) => match !may_have_body || announced == Some(allowance.taken()) {
                    true if is_break(&error) => Ok(None),
                    _ => self.lost(error),
                },
            };
            break;
        }
        ended
    }

    /// Takes a piece in, and notes whether it is the last that is wanted.
    fn take(
        &mut self,
        mut piece: Bytes,
        allowance: &mut Allowance,
        sink: &mut Sink,
    ) -> Result<(), Error> {
        let attempt = &self.work.attempt;
        let length = piece.len();
        self.account.wire_bytes += length as u64;
        self.patience.on_piece(length);
        if let Take::Last(part) = allowance.take(length)? {
            piece.truncate(part);
            self.account.cut = Some(Cut::TooLarge);
        }
        if let Some(size) = allowance.warning(0) {
            self.listener.large(attempt, size)?;
        }
        if self.listener.data(attempt, &piece)? == Flow::Stop {
            self.account.cut = self.account.cut.or(Some(Cut::Stopped));
        }
        self.account.body_bytes += piece.len() as u64;
        let at_once = sink.push(piece);
        self.exchange.release(at_once);
        Ok(())
    }

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, Error> {
        let trailers = match self.wait(|this, cx| this.exchange.poll_trailers(cx)).await {
            Ok(trailers) => trailers,
            Err(error) => return self.lost(error),
        };
        if let Some(trailers) = &trailers {
            if trailers.len() > self.work.config.max_fields {
                return Err(broken("there are too many trailers"));
            }
            self.listener.trailers(&self.work.attempt, trailers)?;
        }
        Ok(trailers)
    }

    /// The body ended before its end, for which the request may have a use.
    fn lost(&mut self, error: Error) -> Result<Option<HeaderMap>, Error> {
        let is_loss = is_break(&error)
            || matches!(
                error,
                Error::Truncated { .. } | Error::Reset { .. } | Error::Unresponsive { .. }
            );
        match self.limits.on_data_loss {
            OnDataLoss::Keep if is_loss => {
                self.account.cut = Some(Cut::DataLoss);
                Ok(None)
            }
            _ => Err(error),
        }
    }

    fn answered(mut self, outcome: Result<Response, Error>, is_final: bool) -> Ended {
        let mut outcome = self.told(outcome);
        self.settle();
        if let Ok(response) = &mut outcome {
            response.receipt = self.account;
        }
        // The exchange is dropped before the slot is told to be free.
        Ended::Answered {
            attempt: self.work.attempt,
            outcome,
            is_final,
        }
    }

    /// The last event.
    fn told<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        let attempt = &self.work.attempt;
        let told = self.listener.over(attempt, outcome.as_ref().err());
        told.and(outcome)
    }

    fn settle(&mut self) {
        self.account.done = self.patience.since_accepted();
        self.account.sent_bytes = self.exchange.uploaded().bytes;
    }

    /// The next piece, as soon as there is room for it.
    fn poll_data(
        &mut self,
        sink: &mut Sink,
        cx: &mut Turn<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        let Room::Is {
            open,
            unread,
            taken,
        } = sink.poll_room(cx)
        else {
            return Poll::Ready(Err(Error::Closed { sent: true }));
        };
        if taken > 0 {
            self.exchange.release(taken);
        }
        self.patience.heed_consumer(unread > 0, taken > 0);
        match open {
            true => self.exchange.poll_data(cx),
            false => Poll::Pending,
        }
    }

    /// Waits for one step of the exchange, until the caller leaves or the time is up.
    async fn wait<T>(
        &mut self,
        mut step: impl FnMut(&mut Self, &mut Turn<'_>) -> Poll<Result<T, Error>>,
    ) -> Result<T, Error> {
        poll_fn(|cx| {
            let polled = step(self, cx);
            if let Some(bytes) = self.exchange.granted() {
                self.listener.window(&self.work.attempt, bytes)?;
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

/// Whether what ended was the connection, not the stream on it.
fn is_break(error: &Error) -> bool {
    matches!(error, Error::Disconnected { .. } | Error::GoAway { .. })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

fn broken(detail: &'static str) -> Error {
    Error::Protocol {
        detail: detail.into(),
    }
}
