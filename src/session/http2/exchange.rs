//! One request and its response.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;
use h2::RecvStream;
use h2::client::{PushPromises, PushedResponseFuture, ResponseFuture};
use http::HeaderMap;

use crate::error::Error;
use crate::message::vitals::bump;
use crate::origin::Protocol;
use crate::session::http2::upload::Upload;
use crate::session::known::Known;
use crate::session::{self, Coming, Head, Promise, Uploaded, Waits};

/// One request and its response. Dropping it before the end resets the stream with CANCEL.
pub(crate) struct Exchange {
    pub(super) stream: u32,
    pub(super) known: Rc<Known>,
    /// Whether nothing is left to reset.
    pub(super) is_over: bool,
    /// Until it is over.
    pub(super) upload: Option<Box<Upload>>,
    /// What of the request's body was sent by an upload that is over.
    pub(super) uploaded: u64,
    /// What was granted to it last, if that has not been told.
    pub(super) granted: Option<usize>,
    pub(super) incoming: Incoming,
    /// What the session had seen when the request was sent, of what may be interim responses.
    pub(super) unsure: u64,
    /// Where the server may push.
    pub(super) promises: Option<PushPromises>,
    /// Handed out, and still held against the windows.
    pub(super) unread: usize,
}

pub(super) enum Incoming {
    Head(ResponseFuture),
    Pushed(PushedResponseFuture),
    Body(RecvStream),
}

impl Exchange {
    /// The identifier of its stream.
    pub(in crate::session) fn stream(&self) -> u32 {
        self.stream
    }

    pub(in crate::session) fn uploaded(&self) -> Uploaded {
        match &self.upload {
            Some(upload) => upload.progress(),
            None => Uploaded {
                bytes: self.uploaded,
                waits: Waits::Done,
            },
        }
    }

    pub(in crate::session) fn go_ahead(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.go_ahead();
        }
    }

    pub(in crate::session) fn granted(&mut self) -> Option<usize> {
        let upload = self.upload.as_mut();
        upload.map_or_else(|| self.granted.take(), |upload| upload.granted())
    }

    /// The next promise, which comes before what follows it of the response.
    pub(in crate::session) fn poll_promise(&mut self, cx: &mut Context<'_>) -> Poll<Promise> {
        let Some(promises) = &mut self.promises else {
            return Poll::Pending;
        };
        let Some(Ok(promise)) = ready!(promises.poll_push_promise(cx)) else {
            // What ended them the response tells of.
            self.promises = None;
            return Poll::Pending;
        };
        let (head, response) = promise.into_parts();
        let exchange = Self {
            stream: response.stream_id().as_u32(),
            known: Rc::clone(&self.known),
            is_over: false,
            upload: None,
            uploaded: 0,
            granted: None,
            incoming: Incoming::Pushed(response),
            unsure: 0,
            promises: None,
            unread: 0,
        };
        Poll::Ready(Promise {
            head,
            exchange: session::Exchange::Http2(exchange),
        })
    }

    /// The head of the response, sending the request's body meanwhile.
    pub(in crate::session) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Coming, Error>> {
        self.poll_upload(cx)?;
        let polled = match &mut self.incoming {
            Incoming::Head(response) => {
                // To ask costs as much as to ask for the final one. It fails as that does, which tells
                // better why.
                if self.known.sight.unsure() != self.unsure
                    && let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx)
                {
                    let (head, ()) = interim.into_parts();
                    return Poll::Ready(Ok(Coming::Interim(head.status, head.headers)));
                }
                response.poll_unpin(cx)
            }
            Incoming::Pushed(response) => response.poll_unpin(cx),
            Incoming::Body(_) => return Poll::Ready(Err(out_of_turn())),
        };
        let response = ready!(polled).map_err(|e| self.failed(e))?;
        let (head, body) = response.into_parts();
        self.incoming = Incoming::Body(body);
        Poll::Ready(Ok(Coming::Head(Head {
            status: head.status,
            headers: head.headers,
            protocol: Protocol::Http2,
            raw: None,
        })))
    }

    /// The next piece of the body, `None` at its end.
    pub(in crate::session) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        self.poll_upload(cx)?;
        let Incoming::Body(body) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        let Some(piece) = ready!(body.poll_data(cx)) else {
            return Poll::Ready(Ok(None));
        };
        let piece = piece.map_err(|e| self.failed(e))?;
        self.unread += piece.len();
        bump(&self.known.vitals.unread, piece.len() as u64);
        Poll::Ready(Ok(Some(piece)))
    }

    /// Gives `bytes` back to the windows of stream and connection.
    pub(in crate::session) fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.unread);
        self.forget(bytes);
        if let Incoming::Body(body) = &mut self.incoming {
            // It fails only for more than has come.
            let _ = body.flow_control().release_capacity(bytes);
        }
    }

    /// The trailers, after the body.
    pub(in crate::session) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, Error>> {
        let Incoming::Body(body) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        let trailers = ready!(body.poll_trailers(cx)).map_err(|e| self.failed(e));
        self.is_over = true;
        Poll::Ready(trailers)
    }

    fn forget(&mut self, bytes: usize) {
        self.unread -= bytes;
        let unread = &self.known.vitals.unread;
        unread.set(unread.get().saturating_sub(bytes as u64));
    }

    fn failed(&mut self, error: h2::Error) -> Error {
        let error = self.known.explain(self.stream, error);
        // A fault of the stream is answered with a reset, which counts as any other.
        self.is_over = !matches!(error, Error::Reset { by_server, .. } if !by_server);
        self.end_upload();
        error
    }

    /// Sends as much of the body as the windows allow. Only a fault of its source is an error: the
    /// receiving side learns of the others as well, or has a response that makes the rest needless.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        match upload.poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(result) => {
                if result.is_ok() {
                    self.end_upload();
                }
                result
            }
        }
    }

    fn end_upload(&mut self) {
        self.uploaded = self.uploaded().bytes;
        self.granted = self.upload.as_mut().and_then(|upload| upload.granted());
        self.upload = None;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.forget(self.unread);
        // An upload that the answer came before is cut off, too.
        if !self.is_over || self.upload.is_some() {
            bump(&self.known.vitals.resets, 1);
            if self.known.takes_pushes {
                self.known.sight.give_up(self.stream);
            }
        }
    }
}

fn out_of_turn() -> Error {
    Error::Internal { sent: true }
}
