//! Response bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior};

use crate::books::Stream;
use crate::content::Content;

/// Any body of an answer, before it is counted.
pub(crate) type Payload = UnsyncBoxBody<Bytes, Infallible>;

type Polled = Poll<Option<Result<Frame<Bytes>, Infallible>>>;

/// No bytes at all.
pub(crate) fn empty() -> Payload {
    Empty::new().boxed_unsync()
}

/// These bytes.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Payload {
    Full::new(bytes.into()).boxed_unsync()
}

/// Derived content, made while it is sent.
pub(crate) struct Derived(pub(crate) Content);

impl Body for Derived {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.remaining())
    }
}

/// One byte at a time, with a pause before each but the first.
pub(crate) struct Drip {
    rest: Bytes,
    pace: Option<Interval>,
}

impl Drip {
    pub(crate) fn new(bytes: Bytes, pause: Duration) -> Self {
        // An interval of nothing is not allowed.
        let pace = (!pause.is_zero()).then(|| {
            let mut pace = tokio::time::interval(pause);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        Self { rest: bytes, pace }
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(pace) = &mut self.pace {
            ready!(pace.poll_tick(context));
        }
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(1)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        // The length of anything in memory fits 64 bits.
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// A body that never has anything, nor ends.
pub(crate) struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        Poll::Pending
    }
}

/// Bytes and then trailers.
///
/// It does not tell its length, as HTTP/1.1 has no trailers after a body of known length.
pub(crate) struct Trailing {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Trailing {
    pub(crate) fn new(data: Bytes, trailers: HeaderMap) -> Self {
        Self {
            data: Some(data),
            trailers: Some(trailers),
        }
    }
}

impl Body for Trailing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none()
    }
}

/// A body that is entered in the books.
pub(crate) struct Counted {
    payload: Payload,
    stream: Stream,
}

impl Counted {
    pub(crate) fn new(payload: Payload, mut stream: Stream) -> Self {
        // A body that is at its end already is not asked for a piece.
        if payload.is_end_stream() {
            stream.sent(0, true);
        }
        Self { payload, stream }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let polled = ready!(Pin::new(&mut self.payload).poll_frame(context));
        let data = polled.as_ref().and_then(|frame| match frame {
            Ok(frame) => frame.data_ref(),
            Err(never) => match *never {},
        });
        let bytes = data.map_or(0, Bytes::len) as u64;
        // Entered before the piece is on its way, so that a client that has it can rely on it.
        let last = polled.is_none() || self.payload.is_end_stream();
        self.stream.sent(bytes, last);
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
