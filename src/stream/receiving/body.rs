//! The body of a response, and what follows it.

use std::task::{Context as Turn, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::error::Error;
use crate::event::Flow;
use crate::policy::limit::Take;
use crate::request::{OnDataLoss, OnTooLarge};
use crate::response::Cut;
use crate::session::{Exchange, Head, may_have_body};
use crate::stream::decoding::Decoding;
use crate::stream::limits::allowance;
use crate::stream::receiving::reply::Reply;
use crate::stream::receiving::{Close, Receiving, broken};
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
    /// The head tells what is to be expected behind it.
    pub(super) fn expect(
        &mut self,
        head: Head,
        is_piped: bool,
        is_final: bool,
    ) -> Result<Reply, Error> {
        let (attempt, common) = (&self.work.attempt, &self.work.common);
        let flow = self
            .listener
            .response(&self.work, head.status, &head.headers)?;
        let is_stopped = flow == Flow::Stop;
        let may_have_body = !is_stopped && may_have_body(attempt.request().method(), head.status);
        let announced = match may_have_body {
            true => content_length(&head.headers),
            false => None,
        };
        let mut allowance = allowance(attempt, &common.config, is_piped);
        if is_stopped {
            self.account.cut = Some(Cut::Stopped);
        } else {
            allowance.announce(announced.unwrap_or(0))?;
            if let Some(size) = allowance.warning(announced.unwrap_or(0)) {
                self.listener.large(&self.work, size)?;
            }
        }
        let decoding = match may_have_body {
            true => Decoding::of(attempt, &common.config, &head, is_piped, &common.bytes),
            false => None,
        };
        self.account.decoded = decoding.is_some();
        Ok(Reply {
            sink: Sink::gather(announced, &common.bytes),
            head,
            is_final,
            may_have_body,
            announced,
            allowance,
            decoding: decoding.map(Box::new),
            is_read: false,
        })
    }

    /// Towards the end of the body. What is lost of it may be no error.
    pub(super) fn poll_body(&mut self, cx: &mut Turn<'_>) -> Poll<Result<Option<Close>, Error>> {
        let came = ready!(self.wait(cx, Self::poll_piece));
        let Some(reply) = &mut self.reply else {
            return Poll::Ready(Err(Error::Internal { sent: true }));
        };
        match came {
            Ok(Came::Wire(piece)) if reply.may_have_body => self.take(piece)?,
            Ok(Came::Wire(piece)) => self.work.exchange.release(piece.len()),
            Ok(Came::Decoded(piece)) => {
                self.hand_out(piece)?;
            }
            Ok(Came::End) => {
                reply.is_read = true;
                return Poll::Ready(Ok(None));
            }
            // Where the connection breaks while a request's body is on its way, the h2 crate
            // forgets that the response had ended.
            Err(error) => {
                let is_whole = reply.announced == Some(reply.allowance.taken());
                return Poll::Ready(match is_whole || !reply.may_have_body {
                    true if is_break(&error) => Ok(Some(Ok(None))),
                    _ => Ok(Some(self.lost(error))),
                });
            }
        }
        if self.account.cut.is_none() {
            return Poll::Ready(Ok(None));
        }
        self.drain_decoder();
        Poll::Ready(Ok(Some(Ok(None))))
    }

    /// The next piece, as soon as there is room for it.
    fn poll_piece(&mut self, cx: &mut Turn<'_>) -> Poll<Result<Came, Error>> {
        let Some(reply) = &mut self.reply else {
            return Poll::Ready(Err(Error::Internal { sent: true }));
        };
        let Room::Is {
            open,
            unread,
            taken,
            emptied,
        } = reply.sink.poll_room(cx)
        else {
            return Poll::Ready(Err(Error::Closed { sent: true }));
        };
        // What was decoded is other bytes than came, and those were released when they came.
        if taken > 0 && reply.decoding.is_none() {
            self.work.exchange.release(taken);
        }
        self.patience.heed_consumer(unread > 0, taken > 0, emptied);
        if !open {
            self.work.exchange.keep_going(cx);
            return Poll::Pending;
        }
        if let Some(decoding) = &mut reply.decoding
            && let Some(piece) = decoding.next()?
        {
            return Poll::Ready(Ok(Came::Decoded(piece)));
        }
        let piece = ready!(Exchange::poll_data(&mut self.work.exchange, cx))?;
        if let (None, Some(decoding)) = (&piece, &mut reply.decoding) {
            decoding.finish()?;
        }
        Poll::Ready(Ok(piece.map_or(Came::End, Came::Wire)))
    }

    /// Takes a piece in, and notes whether it is the last that is wanted.
    fn take(&mut self, mut piece: Bytes) -> Result<(), Error> {
        let length = piece.len();
        self.account.wire_bytes += length as u64;
        self.patience.on_piece(length);
        let Some(reply) = &mut self.reply else {
            return Ok(());
        };
        if let Take::Last(part) = reply.allowance.take(length)? {
            piece.truncate(part);
            self.account.cut = Some(Cut::TooLarge);
        }
        if let Some(size) = reply.allowance.warning(0) {
            self.listener.large(&self.work, size)?;
        }
        let at_once = match &mut reply.decoding {
            Some(decoding) => {
                decoding.push(piece);
                length
            }
            None => self.hand_out(piece)?,
        };
        self.work.exchange.release(at_once);
        Ok(())
    }

    /// Hands a piece out. Returns how many bytes the server may send for it at once.
    fn hand_out(&mut self, piece: Bytes) -> Result<usize, Error> {
        if self.listener.data(&self.work, &piece)? == Flow::Stop {
            self.account.cut = self.account.cut.or(Some(Cut::Stopped));
        }
        self.account.body_bytes += piece.len() as u64;
        let reply = self.reply.as_mut();
        Ok(reply.map_or(0, |reply| reply.sink.push(piece)))
    }

    /// Hands out what can still be made of a body that was cut for its size. There may be no room
    /// for it, but never much of it.
    fn drain_decoder(&mut self) {
        if self.account.cut != Some(Cut::TooLarge) {
            return;
        }
        while let Some(decoding) = self.reply.as_mut().and_then(|r| r.decoding.as_mut()) {
            let Ok(Some(piece)) = decoding.next() else {
                return;
            };
            if self.hand_out(piece).is_err() {
                return;
            }
        }
    }

    pub(super) fn poll_trailers(
        &mut self,
        cx: &mut Turn<'_>,
    ) -> Poll<Result<Option<Close>, Error>> {
        let trailers = match ready!(self.wait(cx, |this, cx| this.work.exchange.poll_trailers(cx)))
        {
            Ok(trailers) => trailers,
            Err(error) => return Poll::Ready(Ok(Some(self.lost(error)))),
        };
        if let Some(trailers) = &trailers {
            if trailers.len() > self.work.common.config.heads.max_fields {
                return Poll::Ready(Err(broken("there are too many trailers")));
            }
            self.listener.trailers(&self.work, trailers)?;
        }
        Poll::Ready(Ok(Some(Ok(trailers))))
    }

    /// The body ended before its end, for which the request may have a use.
    fn lost(&mut self, error: Error) -> Close {
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
