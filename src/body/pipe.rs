//! The way of a body from its Stream to whoever reads it, on whatever thread that is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;

use crate::body::budget::{ByteBudget, OpenBody, Share};
use crate::clock::now;
use crate::error::Error;
use crate::response::Receipt;

/// Taken by the reader before the writer is woken for it, or half of all that may be ahead: what is
/// granted to a server byte by byte costs a frame and a wake-up each.
const WORTH_TELLING: usize = 32 << 10;

/// What stands at the end of a body.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) receipt: Receipt,
    /// Why it ends before it is complete.
    pub(crate) error: Option<Error>,
}

#[derive(Debug)]
struct Pipe {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    pieces: VecDeque<Bytes>,
    /// Bytes of them.
    held: usize,
    /// As many may be held.
    most: usize,
    /// Taken by the reader, and not asked for by the writer yet.
    taken: usize,
    /// When the reader took the last piece there was.
    emptied: Option<Instant>,
    share: Option<Share>,
    end: Option<Box<End>>,
    is_left: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Where a body is read. Dropping it tells the writer that the rest is not wanted.
#[derive(Debug)]
pub(super) struct Outlet(Arc<Pipe>);

/// Where a body is put in. Dropping it before its end is an end of its own: [`Error::Closed`].
#[derive(Debug)]
pub(crate) struct Inlet {
    pipe: Arc<Pipe>,
    _open: OpenBody,
}

/// Makes a pipe for `most` bytes at once, which count against `budget`.
pub(super) fn pipe(most: usize, budget: &Arc<ByteBudget>) -> (Inlet, Outlet) {
    let pipe = Arc::new(Pipe {
        inner: Mutex::new(Inner {
            pieces: VecDeque::new(),
            held: 0,
            most: most.max(1),
            taken: 0,
            emptied: None,
            share: Some(Share::new(budget)),
            end: None,
            is_left: false,
            reader: None,
            writer: None,
        }),
    });
    let inlet = Inlet {
        pipe: Arc::clone(&pipe),
        _open: OpenBody::new(budget),
    };
    (inlet, Outlet(pipe))
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inlet {
    /// Bytes put in and not taken yet.
    pub(crate) fn held(&self) -> usize {
        self.pipe.lock().held
    }

    /// What has been taken since the last call.
    pub(crate) fn taken(&self) -> usize {
        std::mem::take(&mut self.pipe.lock().taken)
    }

    /// When the last piece there was had been taken: the writer is not always woken for it.
    pub(crate) fn emptied(&self) -> Option<Instant> {
        self.pipe.lock().emptied
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_left(&self) -> bool {
        self.pipe.lock().is_left
    }

    /// Ready when there is room for more, here and in the budget. Woken, too, when enough has been
    /// taken, and when the reader leaves.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.pipe.lock();
        if !inner
            .writer
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            inner.writer = Some(cx.waker().clone());
        }
        if inner.held >= inner.most {
            return Poll::Pending;
        }
        match &mut inner.share {
            Some(share) => share.poll_room(false, cx),
            None => Poll::Ready(()),
        }
    }

    /// Puts a piece in.
    pub(crate) fn push(&self, piece: Bytes) {
        let mut inner = self.pipe.lock();
        if inner.is_left || piece.is_empty() {
            return;
        }
        inner.held += piece.len();
        if let Some(share) = &mut inner.share {
            share.take(piece.len());
        }
        inner.pieces.push_back(piece);
        let reader = inner.reader.take();
        drop(inner);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Puts the end in.
    pub(crate) fn end(self, end: End) {
        self.finish(end);
    }

    fn finish(&self, end: End) {
        let mut inner = self.pipe.lock();
        if inner.end.is_none() {
            inner.end = Some(Box::new(end));
        }
        let reader = inner.reader.take();
        drop(inner);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.finish(End {
            trailers: None,
            receipt: Receipt::default(),
            error: Some(Error::Closed { sent: true }),
        });
    }
}

impl Outlet {
    /// The next piece, or the end, which comes once.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Box<End>>> {
        let mut inner = self.0.lock();
        let Some(piece) = inner.pieces.pop_front() else {
            if let Some(end) = inner.end.take() {
                return Poll::Ready(Err(end));
            }
            inner.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        inner.held -= piece.len();
        inner.taken += piece.len();
        if inner.held == 0 {
            inner.emptied = Some(now());
        }
        if let Some(share) = &mut inner.share {
            share.give_back(piece.len());
        }
        let is_worth_it = inner.taken >= WORTH_TELLING.min(inner.most.div_ceil(2));
        let writer = if is_worth_it {
            inner.writer.take()
        } else {
            None
        };
        drop(inner);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(piece))
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.is_left = true;
        // What nobody will read is held no longer.
        let (pieces, share) = (std::mem::take(&mut inner.pieces), inner.share.take());
        inner.held = 0;
        let writer = inner.writer.take();
        drop(inner);
        drop((pieces, share));
        writer.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(cut_by: Option<Error>) -> End {
        End {
            trailers: None,
            receipt: Receipt::default(),
            error: cut_by,
        }
    }

    #[test]
    fn pieces_come_in_order_and_then_the_end() {
        let budget = Arc::new(ByteBudget::new(100));
        let (inlet, outlet) = pipe(7, &budget);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(outlet.poll(&mut cx).is_pending());
        inlet.push(Bytes::from_static(b"one"));
        inlet.push(Bytes::new());
        inlet.push(Bytes::from_static(b"two"));
        assert!(inlet.poll_room(&mut cx).is_ready());
        inlet.push(Bytes::from_static(b"!"));
        assert!(inlet.poll_room(&mut cx).is_pending());
        assert_eq!((inlet.held(), budget.held(), budget.open()), (7, 7, 1));
        assert!(matches!(outlet.poll(&mut cx), Poll::Ready(Ok(p)) if p == "one"));
        assert_eq!((inlet.taken(), inlet.taken(), budget.held()), (3, 0, 4));
        inlet.end(ended(None));
        assert_eq!(budget.open(), 0);
        assert!(matches!(outlet.poll(&mut cx), Poll::Ready(Ok(p)) if p == "two"));
        assert!(matches!(outlet.poll(&mut cx), Poll::Ready(Ok(p)) if p == "!"));
        assert!(matches!(outlet.poll(&mut cx), Poll::Ready(Err(end)) if end.error.is_none()));
    }

    #[test]
    fn a_reader_that_leaves_is_noticed_and_nothing_is_held_for_it() {
        let budget = Arc::new(ByteBudget::new(100));
        let (inlet, outlet) = pipe(7, &budget);
        inlet.push(Bytes::from_static(b"piece"));
        drop(outlet);
        assert!(inlet.is_left());
        inlet.push(Bytes::from_static(b"more"));
        assert_eq!((inlet.held(), budget.held()), (0, 0));
    }

    #[test]
    fn a_writer_that_is_gone_is_an_end() {
        let budget = Arc::new(ByteBudget::new(100));
        let (inlet, outlet) = pipe(7, &budget);
        drop(inlet);
        let mut cx = Context::from_waker(Waker::noop());
        let end = outlet.poll(&mut cx);
        assert!(
            matches!(end, Poll::Ready(Err(end)) if matches!(end.error, Some(Error::Closed { sent: true })))
        );
    }
}
