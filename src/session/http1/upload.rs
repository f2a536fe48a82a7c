//! A request's body on its way out, pulled by hyper.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::error::Error;
use crate::request::Request;
use crate::session::fields::waits_for_word;
use crate::session::{Uploaded, Waits};
use crate::upload::Source;

/// A request's body on its way out. Clones are the same one. `None`: there is nothing to send.
#[derive(Clone)]
pub(super) struct Upload(Option<Rc<Inner>>);

struct Inner {
    /// `None` once it is over.
    source: RefCell<Option<Source>>,
    sent: Cell<u64>,
    waits: Cell<Waits>,
    fault: RefCell<Option<Error>>,
    /// hyper's, while it waits for the word.
    waker: RefCell<Option<Waker>>,
}

impl Upload {
    pub(super) fn new(request: &Request) -> Self {
        if request.payload().is_empty() {
            return Self(None);
        }
        let waits = match waits_for_word(request) {
            true => Waits::Word,
            false => Waits::Source,
        };
        Self(Some(Rc::new(Inner {
            source: RefCell::new(Some(request.payload().source())),
            sent: Cell::new(0),
            waits: Cell::new(waits),
            fault: RefCell::new(None),
            waker: RefCell::new(None),
        })))
    }

    /// The length to announce, where it is known and nothing follows the body.
    pub(super) fn length(&self) -> Option<u64> {
        let Some(inner) = &self.0 else { return Some(0) };
        match &*inner.source.borrow() {
            None => Some(0),
            Some(source) if source.has_trailers() => None,
            Some(source) => source.left(),
        }
    }

    pub(super) fn progress(&self) -> Uploaded {
        let inner = self.0.as_ref();
        Uploaded {
            bytes: inner.map_or(0, |inner| inner.sent.get()),
            waits: inner.map_or(Waits::Done, |inner| inner.waits.get()),
        }
    }

    /// Why it could not be read.
    pub(super) fn fault(&self) -> Option<Error> {
        self.0.as_ref()?.fault.borrow().clone()
    }

    pub(super) fn go_ahead(&self) {
        let Some(inner) = &self.0 else { return };
        if inner.waits.get() == Waits::Word {
            inner.waits.set(Waits::Source);
            if let Some(waker) = inner.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

impl Inner {
    fn end(&self, source: &mut Option<Source>) -> Option<Frame<Bytes>> {
        self.waits.set(Waits::Done);
        let trailers = source.take().and_then(|mut source| source.trailers());
        trailers.map(Frame::trailers)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(inner) = &self.0 else {
            return Poll::Ready(None);
        };
        if inner.waits.get() == Waits::Word {
            *inner.waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut slot = inner.source.borrow_mut();
        let Some(source) = &mut *slot else {
            return Poll::Ready(None);
        };
        inner.waits.set(Waits::Source);
        match ready!(source.poll_piece(cx)) {
            Ok(Some(piece)) => {
                inner.sent.set(source.sent());
                // Until it is asked for more, what it has is on its way.
                inner.waits.set(Waits::Server);
                let is_all = source.is_done() || source.left() == Some(0);
                if is_all && !source.has_trailers() {
                    inner.end(&mut slot);
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Ok(None) => Poll::Ready(inner.end(&mut slot).map(Ok)),
            Err(error) => {
                *inner.fault.borrow_mut() = Some(error.clone());
                inner.end(&mut slot);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let inner = self.0.as_ref();
        inner.is_none_or(|inner| inner.source.borrow().is_none())
    }

    fn size_hint(&self) -> SizeHint {
        self.length()
            .map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
