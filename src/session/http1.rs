//! HTTP/1.1 sessions, by hyper: one exchange at a time.

mod head;
mod tap;

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::bump;
use crate::net::dial::Io;
use crate::net::last_word::LastWord;
use crate::net::linger::Linger;
use crate::origin::{Protocol, Target};
use crate::request::Request;
use crate::session::http1::head::{Framing, framing, head_of};
use crate::session::http1::tap::{Heads, Tap};
use crate::session::known::{Known, disconnected};
use crate::session::{self, Head, Opened, Step};
use crate::view::Reason;

/// Fields of one head, and of one trailer section.
const MOST_FIELDS: usize = 256;
/// The least that hyper takes for the limit of its buffer, and enough for bodies.
const LEAST_BUFFER: usize = 64 << 10;

type Pipe = TokioIo<Tap<LastWord<Linger<Io>>>>;
type Sender = Rc<RefCell<SendRequest<Full<Bytes>>>>;

/// The way onto a session.
#[derive(Clone)]
pub(crate) struct Session {
    sender: Sender,
    shared: Rc<Shared>,
}

/// Moves the bytes of a session.
pub(crate) struct Driver {
    /// Until it is over.
    hyper: Option<Connection<Pipe, Full<Bytes>>>,
    /// Until the session is let go of.
    sender: Option<Sender>,
    shared: Rc<Shared>,
    /// Whether it has been told that no exchange can begin.
    is_draining: bool,
}

/// What all that work on one session know.
struct Shared {
    known: Rc<Known>,
    heads: Rc<RefCell<Heads>>,
    /// Whether an absolute target is asked for.
    is_absolute: bool,
    /// Requests so far.
    requests: Cell<u32>,
    /// Whether an exchange has begun and is not dropped yet.
    is_busy: Cell<bool>,
    /// Whether one was dropped before its end, or failed.
    is_abandoned: Cell<bool>,
    /// The driver's.
    waker: RefCell<Option<Waker>>,
}

/// Starts a session.
pub(super) async fn open(
    io: Linger<Io>,
    config: &Config,
    is_absolute: bool,
    known: Rc<Known>,
) -> Result<Opened, Error> {
    let max_head = usize::try_from(config.max_head).unwrap_or(usize::MAX);
    let heads = Rc::new(RefCell::new(Heads::new(max_head)));
    let io = Tap::new(LastWord::new(io), Rc::clone(&heads));
    let mut builder = Builder::new();
    builder
        .max_headers(MOST_FIELDS)
        .max_buf_size(max_head.max(LEAST_BUFFER));
    let (sender, hyper) = builder
        .handshake(TokioIo::new(io))
        .await
        .map_err(|e| broken(&e))?;
    let shared = Rc::new(Shared {
        known: Rc::clone(&known),
        heads,
        is_absolute,
        requests: Cell::new(0),
        is_busy: Cell::new(false),
        is_abandoned: Cell::new(false),
        waker: RefCell::new(None),
    });
    let sender = Rc::new(RefCell::new(sender));
    let driver = Driver {
        hyper: Some(hyper),
        sender: Some(Rc::clone(&sender)),
        shared: Rc::clone(&shared),
        is_draining: false,
    };
    Ok(Opened {
        session: session::Session::Http1(Session { sender, shared }),
        driver: session::Driver::Http1(Box::new(driver)),
        pinger: None,
        known,
    })
}

impl Shared {
    /// Whether nothing that was said or left unsaid forbids another exchange.
    fn can_go_on(&self, sender: &Sender) -> bool {
        let is_fresh = self.requests.get() == 0;
        let sender = sender.borrow();
        !self.is_abandoned.get() && !sender.is_closed() && (is_fresh || sender.is_ready())
    }

    /// The session ends of the server's own accord, as far as is known.
    fn part(&self) {
        if self.known.vitals.answered.get() {
            self.known.part(Reason::NotKept);
        }
    }
}

impl Session {
    /// Whether another exchange may begin after the one before.
    ///
    /// hyper has seen to the end of that one before its last piece was handed out: by then it is
    /// ready, or it never will be.
    pub(super) fn can_go_on(&self) -> bool {
        let can = self.shared.can_go_on(&self.sender);
        if !can {
            self.shared.part();
        }
        can
    }

    /// Sends a request.
    pub(super) fn send(&mut self, request: &Request, target: &Target) -> Result<Exchange, Error> {
        let head = head_of(request, target, self.shared.is_absolute)?;
        let shared = Rc::clone(&self.shared);
        if shared.is_busy.get() || !shared.can_go_on(&self.sender) {
            return Err(unsent("the connection takes no more requests"));
        }
        shared.heads.borrow_mut().expect();
        shared.is_busy.set(true);
        shared.requests.set(shared.requests.get().saturating_add(1));
        let sending = self.sender.borrow_mut().send_request(head);
        Ok(Exchange {
            number: shared.requests.get(),
            shared,
            method: request.method().clone(),
            incoming: Coming::Head(Box::pin(sending)),
            framing: Framing::Nothing,
            got: 0,
            trailers: None,
        })
    }
}

impl Driver {
    /// Lets go of the session, so that it closes with the exchange that is open.
    pub(super) fn close(&mut self) {
        self.sender = None;
        self.is_draining = true;
    }

    /// Moves bytes until there is something to tell. The end is not told before an exchange that is
    /// open has been dropped, so that its answer is heard of first.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        *self.shared.waker.borrow_mut() = Some(cx.waker().clone());
        if self.shared.is_abandoned.get() {
            // At once and without a word: dropped with this driver, the socket is closed.
            self.hyper = None;
        }
        if let Some(hyper) = &mut self.hyper
            && let Poll::Ready(result) = Pin::new(hyper).poll(cx)
        {
            // A request that it has not begun with is let go of, and thereby told.
            self.hyper = None;
            self.settle(result);
        }
        if self.shared.is_busy.get() {
            return Poll::Pending;
        }
        let can_go_on = |sender: &Sender| self.shared.can_go_on(sender);
        let is_useless = self.hyper.is_none() || !self.sender.as_ref().is_some_and(can_go_on);
        if is_useless && !self.is_draining {
            self.is_draining = true;
            self.shared.part();
            return Poll::Ready(Step::Draining);
        }
        if self.hyper.is_some() {
            return Poll::Pending;
        }
        self.shared.part();
        let closed = "the server closed it";
        let fate = disconnected(io::ErrorKind::ConnectionAborted, closed);
        self.shared.known.doom(fate);
        Poll::Ready(Step::Ended)
    }

    /// hyper has come to an end, for a reason that no exchange was told.
    fn settle(&self, result: hyper::Result<()>) {
        let Err(error) = result else { return };
        let known = &self.shared.known;
        match cause(&error) {
            _ if self.shared.heads.borrow().fault().is_some() => known.part(Reason::Fault),
            Some(source) => {
                known.part(Reason::Broken);
                known.doom(disconnected_by(source, true));
            }
            // What came was not asked for.
            None if !error.is_incomplete_message() && !error.is_closed() => {
                known.part(Reason::Fault);
                known.doom(broken(&error));
            }
            None => {}
        }
    }
}

/// One request and its response.
pub(crate) struct Exchange {
    number: u32,
    shared: Rc<Shared>,
    method: Method,
    incoming: Coming,
    framing: Framing,
    /// Body bytes so far.
    got: u64,
    trailers: Option<HeaderMap>,
}

type Sending = dyn Future<Output = hyper::Result<http::Response<Incoming>>>;

enum Coming {
    Head(Pin<Box<Sending>>),
    Body(Incoming),
    /// Nothing more.
    Over,
}

impl Exchange {
    /// The number of the request on its connection.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn is_partial(&self) -> bool {
        self.framing == Framing::Close
    }

    pub(super) fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Error>> {
        let Coming::Head(sending) = &mut self.incoming else {
            return Poll::Ready(Err(Error::Internal { sent: true }));
        };
        let response = ready!(sending.as_mut().poll(cx));
        let response = response.map_err(|e| self.failed_at_head(&e))?;
        let (head, body) = response.into_parts();
        self.framing = framing(&self.method, &head).map_err(|e| self.failed(e))?;
        // Whatever becomes of the rest, there is a server.
        self.shared.known.vitals.answered.set(true);
        self.incoming = Coming::Body(body);
        Poll::Ready(Ok(Head {
            status: head.status,
            headers: head.headers,
            protocol: match head.version {
                Version::HTTP_10 => Protocol::Http10,
                _ => Protocol::Http11,
            },
            raw: Some(self.shared.heads.borrow_mut().take()),
        }))
    }

    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let Coming::Body(body) = &mut self.incoming else {
                return Poll::Ready(Ok(None));
            };
            let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else {
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

    fn end(&mut self) -> Result<(), Error> {
        match self.framing {
            Framing::Length(length) if length != self.got => Err(self.failed(self.truncated())),
            _ => {
                self.incoming = Coming::Over;
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
        let heads = self.shared.heads.borrow();
        let dead = self.shared.known.fate.get();
        let dead = dead.filter(|e| matches!(e, Error::Unresponsive { .. }));
        heads.fault().or(dead).cloned()
    }

    /// Notes that the session goes with this.
    fn failed(&mut self, error: Error) -> Error {
        self.incoming = Coming::Over;
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
        if !matches!(self.incoming, Coming::Over) {
            shared.is_abandoned.set(true);
            shared.known.part(Reason::Abandoned);
            bump(&shared.known.vitals.resets, 1);
        }
        shared.is_busy.set(false);
        if let Some(waker) = shared.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// The transport's error below hyper's, if there is one.
fn cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

/// With the innermost word on what was wrong.
fn broken(error: &hyper::Error) -> Error {
    let detail = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Error::Protocol {
        detail: detail.into(),
    }
}

fn disconnected_by(source: &io::Error, sent: bool) -> Error {
    let source = Arc::new(io::Error::new(source.kind(), source.to_string()));
    Error::Disconnected { source, sent }
}

fn unsent(why: &'static str) -> Error {
    Error::Disconnected {
        source: Arc::new(io::Error::new(io::ErrorKind::NotConnected, why)),
        sent: false,
    }
}
