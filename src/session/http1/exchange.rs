//! One request and its response.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};
use http_body::{Body, Frame};
use hyper::body::Incoming;

use crate::error::Error;
use crate::message::vitals::bump;
use crate::origin::Protocol;
use crate::session::http1::fault::{broken, cause, disconnected_by, unsent};
use crate::session::http1::head::{Framing, framing};
use crate::session::http1::interim::Interims;
use crate::session::http1::upload::Upload;
use crate::session::http1::{Sender, Shared};
use crate::session::known::disconnected;
use crate::session::{Coming, Head, Uploaded, Waits};
use crate::view::Reason;

/// One request and its response.
pub(crate) struct Exchange {
    number: u32,
    sender: Sender,
    shared: Rc<Shared>,
    method: Method,
    upload: Upload,
    interims: Interims,
    /// Of them.
    told: usize,
    incoming: Way,
    framing: Framing,
    /// Body bytes so far.
    got: u64,
    trailers: Option<HeaderMap>,
}

/// A response's head on its way.
type Sending = dyn Future<Output = hyper::Result<http::Response<Incoming>>>;

enum Way {
    Head(Pin<Box<Sending>>),
    /// It has come, behind interim ones that are told first.
    Answer(hyper::Result<http::Response<Incoming>>),
    Body(Incoming),
    /// Nothing more.
    Over,
}

impl Exchange {
    /// The request has been handed to hyper as `sending`.
    pub(super) fn new(
        (sender, shared): (Sender, Rc<Shared>),
        method: Method,
        upload: Upload,
        interims: Interims,
        sending: impl Future<Output = hyper::Result<http::Response<Incoming>>> + 'static,
    ) -> Self {
        Self {
            number: shared.requests.get(),
            sender,
            shared,
            method,
            upload,
            interims,
            told: 0,
            incoming: Way::Head(Box::pin(sending)),
            framing: Framing::Nothing,
            got: 0,
            trailers: None,
        }
    }

    pub(in crate::session) fn uploaded(&self) -> Uploaded {
        self.upload.progress()
    }

    pub(in crate::session) fn go_ahead(&self) {
        self.upload.go_ahead();
    }

    /// The number of the request on its connection.
    pub(in crate::session) fn number(&self) -> u32 {
        self.number
    }

    pub(in crate::session) fn is_partial(&self) -> bool {
        self.framing == Framing::Close
    }

    pub(in crate::session) fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    pub(in crate::session) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Coming, Error>> {
        if let Way::Head(sending) = &mut self.incoming {
            self.shared.go_on(cx);
            let polled = sending
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(answer) = polled {
                self.incoming = Way::Answer(answer);
            }
        }
        if let Some((status, headers)) = self.interims.next(cx) {
            self.told += 1;
            let raw = self.shared.heads.borrow_mut().take_interim(self.told);
            let headers = raw.map_or(Ok(headers), |raw| self.shared.fields_of(&raw));
            let headers = headers.map_err(|e| self.failed(e))?;
            return Poll::Ready(Ok(Coming::Interim(status, headers)));
        }
        let response = match std::mem::replace(&mut self.incoming, Way::Over) {
            Way::Answer(response) => response,
            way @ Way::Head(_) => {
                self.incoming = way;
                return Poll::Pending;
            }
            Way::Body(_) | Way::Over => {
                return Poll::Ready(Err(Error::Internal { sent: true }));
            }
        };
        let response = response.map_err(|e| self.failed_at_head(&e))?;
        let (mut head, body) = response.into_parts();
        let whole = self.shared.heads.borrow_mut().take();
        if whole.is_thinned {
            let fields = self.shared.fields_of(&whole.raw);
            head.headers = fields.map_err(|e| self.failed(e))?;
        }
        if self.shared.forwarded.is_some()
            && head.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            // Only a proxy says so (RFC 9110 §15.5.8), and what it refuses it has not passed on.
            return Poll::Ready(Err(self.failed(Error::Proxy {
                status: Some(head.status),
                detail: "it wants other credentials".into(),
            })));
        }
        self.framing = framing(&self.method, &head).map_err(|e| self.failed(e))?;
        // Whatever becomes of the rest, there is a server.
        self.shared.known.vitals.answered.set(true);
        self.incoming = Way::Body(body);
        Poll::Ready(Ok(Coming::Head(Head {
            status: head.status,
            headers: head.headers,
            protocol: match head.version {
                Version::HTTP_10 => Protocol::Http10,
                _ => Protocol::Http11,
            },
            raw: Some(whole.raw),
        })))
    }

    pub(in crate::session) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let Some(frame) = ready!(self.poll_frame(cx)) else {
                return Poll::Ready(self.end().map(|()| None));
            };
            let frame = frame.map_err(|e| self.failed_at_body(&e))?;
            match frame.into_data() {
                Ok(piece) => {
                    self.got += piece.len() as u64;
                    return Poll::Ready(Ok(Some(piece)));
                }
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
    }

    /// What has come already, and if that is nothing, what comes now.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Way::Body(body) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let mut quiet = Context::from_waker(Waker::noop());
        // What is taken makes room for more, for which hyper would be woken. The session is polled before
        // anything is waited for.
        self.shared.bell.hush();
        let polled = Pin::new(&mut *body).poll_frame(&mut quiet);
        self.shared.bell.sound();
        if polled.is_ready() {
            return polled;
        }
        self.shared.go_on(cx);
        Pin::new(body).poll_frame(&mut quiet)
    }

    /// Has what else there is to do done, while nothing of the response is wanted.
    pub(in crate::session) fn keep_going(&self, cx: &Context<'_>) {
        self.shared.go_on(cx);
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.framing {
            Framing::Length(length) if length != self.got => Err(self.failed(self.truncated())),
            _ => {
                self.incoming = Way::Over;
                Ok(())
            }
        }
    }

    fn truncated(&self) -> Error {
        Error::Truncated {
            got: self.got,
            expected: match self.framing {
                Framing::Length(length) => Some(length),
                _ => None,
            },
        }
    }

    fn failed_at_head(&mut self, error: &hyper::Error) -> Error {
        if error.is_canceled() {
            // hyper looks for what came unasked before it sends anything.
            let is_theirs = error.source().is_some_and(|e| e.is::<hyper::Error>());
            if is_theirs {
                self.shared.known.part(Reason::Fault);
            }
            return self.failed(match is_theirs && self.number == 1 {
                true => broken(error),
                false => unsent("it was closed before the request could be sent"),
            });
        }
        if let Some(error) = self.known_better() {
            return self.failed(error);
        }
        let has_begun = self.shared.heads.borrow().has_begun();
        let is_cut = error.is_incomplete_message()
            || cause(error).is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof);
        self.failed(match cause(error) {
            _ if is_cut && has_begun => self.truncated(),
            Some(source) => disconnected_by(source, true),
            None if error.is_parse() => broken(error),
            None => disconnected(
                io::ErrorKind::UnexpectedEof,
                "it was closed without an answer",
            ),
        })
    }

    fn failed_at_body(&mut self, error: &hyper::Error) -> Error {
        if let Some(error) = self.known_better() {
            return self.failed(error);
        }
        let source = cause(error);
        self.failed(match source.map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => broken(error),
            Some(io::ErrorKind::UnexpectedEof) | None => self.truncated(),
            Some(_) => source.map_or_else(|| self.truncated(), |e| disconnected_by(e, true)),
        })
    }

    /// What hyper has no word for.
    fn known_better(&self) -> Option<Error> {
        if let Some(fault) = self.upload.fault() {
            return Some(fault);
        }
        let heads = self.shared.heads.borrow();
        let dead = self.shared.known.fate.get();
        let dead = dead.filter(|e| matches!(e, Error::Unresponsive { .. }));
        heads.refusal().or_else(|| heads.fault()).or(dead).cloned()
    }

    /// Notes that the session goes with this.
    fn failed(&mut self, error: Error) -> Error {
        self.incoming = Way::Over;
        self.shared.is_abandoned.set(true);
        let known = &self.shared.known;
        match &error {
            Error::Protocol { .. } | Error::Truncated { .. } => known.part(Reason::Fault),
            Error::Disconnected { sent: false, .. } => self.shared.part(),
            _ => {
                known.part(Reason::Broken);
                known.doom(error.clone());
            }
        }
        error
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let shared = &self.shared;
        // An answer that came before all of the request was sent has the rest cut off.
        if !matches!(self.incoming, Way::Over) || self.upload.progress().waits != Waits::Done {
            shared.is_abandoned.set(true);
            shared.known.part(Reason::Abandoned);
            bump(&shared.known.vitals.resets, 1);
        }
        shared.is_busy.set(false);
        bump(&shared.known.vitals.freed, 1);
        // What nobody else will see to.
        let has_rung = shared.bell.leave();
        if has_rung || !shared.can_go_on(&self.sender) {
            shared.bell.call_driver();
        }
    }
}
