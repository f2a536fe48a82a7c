//! A request's body on its way out.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;

use crate::error::Error;
use crate::message::vitals::{Vitals, bump};
use crate::session::{Uploaded, Waits};
use crate::upload::Source;

/// Sent per turn, so that one upload does not book the connection's whole window.
const STEP: usize = 64 << 10;

/// A request's body on its way out.
pub(super) struct Upload {
    stream: SendStream<Bytes>,
    source: Source,
    /// Taken from the source, and not sent.
    piece: Bytes,
    sent: u64,
    vitals: Rc<Vitals>,
    waits: Waits,
    is_blocked: bool,
    /// Granted by the server after it had been blocked.
    granted: Option<usize>,
}

impl Upload {
    /// One that `waits_for_word` is held back until it may go ahead.
    pub(super) fn new(
        stream: SendStream<Bytes>,
        source: Source,
        vitals: Rc<Vitals>,
        waits_for_word: bool,
    ) -> Self {
        Self {
            stream,
            source,
            piece: Bytes::new(),
            sent: 0,
            vitals,
            waits: match waits_for_word {
                true => Waits::Word,
                false => Waits::Source,
            },
            is_blocked: false,
            granted: None,
        }
    }

    pub(super) fn progress(&self) -> Uploaded {
        Uploaded {
            bytes: self.sent,
            waits: self.waits,
        }
    }

    pub(super) fn go_ahead(&mut self) {
        if self.waits == Waits::Word {
            self.waits = Waits::Source;
        }
    }

    pub(super) fn granted(&mut self) -> Option<usize> {
        self.granted.take()
    }

    /// Ready when all is sent, or no more can be. Fails only if its source does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.waits == Waits::Word {
            return Poll::Pending;
        }
        loop {
            if self.piece.is_empty() {
                // Not before something can be sent: what is not taken can be sent elsewhere yet. Later it is
                // asked first, for its end can be told without any room.
                if self.sent == 0 && ready!(self.poll_room(1, cx)) == 0 {
                    return Poll::Ready(Ok(()));
                }
                match ready!(self.source.poll_piece(cx))? {
                    Some(piece) => self.piece = piece,
                    None => {
                        self.end();
                        return Poll::Ready(Ok(()));
                    }
                }
            }
            let room = ready!(self.poll_room(self.piece.len().min(STEP), cx));
            if std::mem::take(&mut self.is_blocked) {
                self.granted = Some(room);
            }
            let piece = self.piece.split_to(room.min(self.piece.len()));
            let is_last =
                self.piece.is_empty() && self.source.is_done() && !self.source.has_trailers();
            self.sent += piece.len() as u64;
            bump(&self.vitals.uploaded, 1 + (piece.len() as u64 >> 10));
            if piece.is_empty() || self.stream.send_data(piece, is_last).is_err() || is_last {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// How much may be sent, once anything may; 0 if nothing ever will.
    fn poll_room(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<usize> {
        self.stream.reserve_capacity(wanted);
        self.waits = Waits::Server;
        let mut room = self.stream.capacity();
        if room == 0 {
            let granted = self.stream.poll_capacity(cx);
            // Before the first byte it is the stream's own opening that is waited for.
            self.is_blocked |= granted.is_pending() && self.sent > 0;
            room = match ready!(granted) {
                Some(Ok(room)) => room,
                Some(Err(_)) | None => 0,
            };
        }
        self.waits = Waits::Source;
        Poll::Ready(room)
    }

    /// Its last piece did not know that it was.
    fn end(&mut self) {
        // If it fails the stream is over, of which the receiving side knows more.
        let _ = match self.source.trailers() {
            Some(trailers) => self.stream.send_trailers(trailers),
            None => self.stream.send_data(Bytes::new(), true),
        };
    }
}
