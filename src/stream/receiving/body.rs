//! The body of a response, and what follows it.

use std::task::{Context as Turn, Poll};

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::error::Error;
use crate::event::Flow;
use crate::policy::limit::{Allowance, Take};
use crate::request::{OnDataLoss, OnTooLarge};
use crate::response::Cut;
use crate::session::{Exchange, Head, may_have_body};
use crate::stream::decoding::Decoding;
use crate::stream::limits::allowance;
use crate::stream::receiving::{Receiving, broken};
use crate::stream::sink::{Room, Sink};

/// What comes of a body.
enum Came {
    /// A piece off the wire.
    Wire(Bytes),
    /// A piece of what was decoded.
    Decoded(Bytes),
    End,
}

impl Receiving {
    /// The length announced, if what is announced may come.
    pub(super) fn on_head(&mut self, head: &Head, is_piped: bool) -> Result<Option<u64>, Error> {
        let attempt = &self.work.attempt;
        if self
            .listener
            .response(&self.work, head.status, &head.headers)?
            == Flow::Stop
        {
            self.account.cut = Some(Cut::Stopped);
            return Ok(None);
        }
        let may_have_body = may_have_body(attempt.request().method(), head.status);
        let announced = content_length(&head.headers).filter(|_| may_have_body);
        let mut allowance = allowance(attempt, &self.work.common.config, is_piped);
        allowance.announce(announced.unwrap_or(0))?;
        if let Some(size) = allowance.warning(announced.unwrap_or(0)) {
            self.listener.large(&self.work, size)?;
        }
        self.allowance = Some(allowance);
        self.decoding = may_have_body
            .then(|| {
                Decoding::of(
                    attempt,
                    &self.work.common.config,
                    head,
                    is_piped,
                    &self.work.common.bytes,
                )
            })
            .flatten()
            .map(Box::new);
        self.account.decoded = self.decoding.is_some();
        Ok(announced)
    }

    /// The body and what follows it. What is lost of it may be no error.
    pub(super) async fn body(
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
        while self.account.cut.is_none() {
            match self.wait(|this, cx| this.poll_piece(sink, cx)).await {
                Ok(Came::Wire(piece)) if may_have_body => {
                    self.take(piece, &mut allowance, sink)?;
                }
                Ok(Came::Wire(piece)) => self.exchange.release(piece.len()),
                Ok(Came::Decoded(piece)) => {
                    self.hand_out(piece, sink)?;
                }
                Ok(Came::End) => return self.trailers().await,
                // Where the connection breaks while a request's body is on its way, the h2 crate
                // forgets that the response had ended.
                Err(error) => match !may_have_body || announced == Some(allowance.taken()) {
                    true if is_break(&error) => return Ok(None),
                    _ => return self.lost(error),
                },
            }
        }
        self.drain_decoder(sink);
        Ok(None)
    }

    /// The next piece, as soon as there is room for it.
    fn poll_piece(&mut self, sink: &mut Sink, cx: &mut Turn<'_>) -> Poll<Result<Came, Error>> {
        let Room::Is {
            open,
            unread,
            taken,
            emptied,
        } = sink.poll_room(cx)
        else {
            return Poll::Ready(Err(Error::Closed { sent: true }));
        };
        // What was decoded is other bytes than came, and those were released when they came.
        if taken > 0 && self.decoding.is_none() {
            self.exchange.release(taken);
        }
        self.patience.heed_consumer(unread > 0, taken > 0, emptied);
        if !open {
            return Poll::Pending;
        }
        if let Some(decoding) = &mut self.decoding {
            match decoding.next() {
                Ok(Some(piece)) => return Poll::Ready(Ok(Came::Decoded(piece))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match Exchange::poll_data(&mut self.exchange, cx) {
            Poll::Ready(Ok(Some(piece))) => Poll::Ready(Ok(Came::Wire(piece))),
            Poll::Ready(Ok(None)) => {
                let ended = self
                    .decoding
                    .as_mut()
                    .map_or(Ok(()), |decoding| decoding.finish());
                Poll::Ready(ended.map(|()| Came::End))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Takes a piece in, and notes whether it is the last that is wanted.
    fn take(
        &mut self,
        mut piece: Bytes,
        allowance: &mut Allowance,
        sink: &mut Sink,
    ) -> Result<(), Error> {
        let length = piece.len();
        self.account.wire_bytes += length as u64;
        self.patience.on_piece(length);
        if let Take::Last(part) = allowance.take(length)? {
            piece.truncate(part);
            self.account.cut = Some(Cut::TooLarge);
        }
        if let Some(size) = allowance.warning(0) {
            self.listener.large(&self.work, size)?;
        }
        let at_once = match &mut self.decoding {
            Some(decoding) => {
                decoding.push(piece);
                length
            }
            None => self.hand_out(piece, sink)?,
        };
        self.exchange.release(at_once);
        Ok(())
    }

    /// Hands a piece out. Returns how many bytes the server may send for it at once.
    fn hand_out(&mut self, piece: Bytes, sink: &mut Sink) -> Result<usize, Error> {
        if self.listener.data(&self.work, &piece)? == Flow::Stop {
            self.account.cut = self.account.cut.or(Some(Cut::Stopped));
        }
        self.account.body_bytes += piece.len() as u64;
        Ok(sink.push(piece))
    }

    /// Hands out what can still be made of a body that was cut for its size. There may be no room
    /// for it, but never much of it.
    fn drain_decoder(&mut self, sink: &mut Sink) {
        if self.account.cut != Some(Cut::TooLarge) {
            return;
        }
        while let Some(Ok(Some(piece))) = self.decoding.as_mut().map(|decoding| decoding.next()) {
            if self.hand_out(piece, sink).is_err() {
                return;
            }
        }
    }

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, Error> {
        let trailers = match self.wait(|this, cx| this.exchange.poll_trailers(cx)).await {
            Ok(trailers) => trailers,
            Err(error) => return self.lost(error),
        };
        if let Some(trailers) = &trailers {
            if trailers.len() > self.work.common.config.heads.max_fields {
                return Err(broken("there are too many trailers"));
            }
            self.listener.trailers(&self.work, trailers)?;
        }
        Ok(trailers)
    }

    /// The body ended before its end, for which the request may have a use.
    fn lost(&mut self, error: Error) -> Result<Option<HeaderMap>, Error> {
        if matches!(error, Error::TooLarge { .. })
            && self.patience.limits.on_too_large == OnTooLarge::Truncate
        {
            self.account.cut = Some(Cut::TooLarge);
            return Ok(None);
        }
        let is_loss = is_break(&error)
            || matches!(
                error,
                Error::Truncated { .. }
                    | Error::Reset { .. }
                    | Error::Unresponsive { .. }
                    | Error::Decode { .. }
            );
        match self.patience.limits.on_data_loss {
            OnDataLoss::Keep if is_loss => {
                self.account.cut = Some(Cut::DataLoss);
                Ok(None)
            }
            _ => Err(error),
        }
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
