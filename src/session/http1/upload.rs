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

/// A request's body on its way out. Clones are the same one.
#[derive(Clone)]
pub(super) struct Upload(Rc<Inner>);

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
        let source = (!request.payload().is_empty()).then(|| request.payload().source());
        let waits = match &source {
            None => Waits::Done,
            Some(_) if waits_for_word(request) => Waits::Word,
            Some(_) => Waits::Source,
        };
        Self(Rc::new(Inner {
            source: RefCell::new(source),
            sent: Cell::new(0),
            waits: Cell::new(waits),
            fault: RefCell::new(None),
            waker: RefCell::new(None),
        }))
    }

    /// The length to announce, where it is known and nothing follows the body.
    pub(super) fn length(&self) -> Option<u64> {
        match &*self.0.source.borrow() {
            None => Some(0),
            Some(source) if source.has_trailers() => None,
            Some(source) => source.left(),
        }
    }

    pub(super) fn progress(&self) -> Uploaded {
        Uploaded {
            bytes: self.0.sent.get(),
            waits: self.0.waits.get(),
        }
    }

    /// Why it could not be read.
    pub(super) fn fault(&self) -> Option<Error> {
        self.0.fault.borrow().clone()
    }

    pub(super) fn go_ahead(&self) {
        if self.0.waits.get() == Waits::Word {
            self.0.waits.set(Waits::Source);
            if let Some(waker) = self.0.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    fn end(&self, source: &mut Option<Source>) -> Option<Frame<Bytes>> {
        self.0.waits.set(Waits::Done);
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
        let inner = &self.0;
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
                    self.end(&mut slot);
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Ok(None) => Poll::Ready(self.end(&mut slot).map(Ok)),
            Err(error) => {
                *inner.fault.borrow_mut() = Some(error.clone());
                self.end(&mut slot);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.source.borrow().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length()
            .map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
