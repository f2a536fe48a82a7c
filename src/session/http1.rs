//! HTTP/1.1 sessions, by hyper: one exchange at a time.

mod bell;
mod exchange;
mod fault;
mod head;
mod heads;
mod interim;
mod tap;
mod upload;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

pub(super) use crate::session::http1::exchange::Exchange;

use crate::config::Config;
use crate::error::Error;
use crate::net::dial::Forwarded;
use crate::net::io::Io;
use crate::net::last_word::LastWord;
use crate::net::linger::Linger;
use crate::origin::Target;
use crate::request::Request;
use crate::session::fields::waits_for_word;
use crate::session::http1::bell::Bell;
use crate::session::http1::fault::{broken, cause, disconnected_by, unsent};
use crate::session::http1::head::{fields_of, head_of};
use crate::session::http1::heads::Heads;
use crate::session::http1::interim::Interims;
use crate::session::http1::tap::Tap;
use crate::session::http1::upload::Upload;
use crate::session::known::{Known, disconnected};
use crate::session::{self, Opened, Step};
use crate::view::Reason;

/// The least that hyper takes for the limit of its buffer, and enough for bodies.
const LEAST_BUFFER: usize = 64 << 10;

type Pipe = TokioIo<Tap<LastWord<Linger<Io>>>>;
type Sender = Rc<RefCell<SendRequest<Upload>>>;

/// The way onto a session.
#[derive(Clone)]
pub(crate) struct Session {
    sender: Sender,
    shared: Rc<Shared>,
}

/// Moves the bytes of a session while no exchange is open: one that is does so itself, where its answer
/// is awaited, for to wake somebody else for each step costs more than the step.
pub(crate) struct Driver {
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
    /// Fields of one head.
    max_fields: usize,
    /// Whether someone wants to hear of every interim response.
    tells_interims: bool,
    /// If requests are for a proxy to forward.
    forwarded: Option<Forwarded>,
    /// What the latest request was sent to.
    host: Cell<Option<HeaderValue>>,
    /// Requests so far.
    requests: Cell<u32>,
    /// Whether an exchange has begun and is not dropped yet.
    is_busy: Cell<bool>,
    /// Whether one was dropped before its end, or failed.
    is_abandoned: Cell<bool>,
    /// Until it is over. It goes with the driver, whoever polls it.
    hyper: RefCell<Option<Connection<Pipe, Upload>>>,
    bell: Arc<Bell>,
    /// The bell's.
    waker: Waker,
}

/// Starts a session.
pub(super) async fn open(
    io: Linger<Io>,
    config: &Config,
    forwarded: Option<Forwarded>,
    known: Rc<Known>,
) -> Result<Opened, Error> {
    let max_head = usize::try_from(config.max_head).unwrap_or(usize::MAX);
    let heads = Rc::new(RefCell::new(Heads::new(
        max_head,
        config.heads.max_informational,
        config.heads.max_fields,
    )));
    let io = Tap::new(LastWord::new(io), Rc::clone(&heads));
    let mut builder = Builder::new();
    builder.max_buf_size(max_head.max(LEAST_BUFFER));
    let (sender, hyper) = builder
        .handshake(TokioIo::new(io))
        .await
        .map_err(|e| broken(&e))?;
    let bell = Arc::new(Bell::default());
    let shared = Rc::new(Shared {
        known: Rc::clone(&known),
        heads,
        max_fields: config.heads.max_fields,
        tells_interims: config.events.handler().is_some(),
        forwarded,
        host: Cell::default(),
        requests: Cell::new(0),
        is_busy: Cell::new(false),
        is_abandoned: Cell::new(false),
        hyper: RefCell::new(Some(hyper)),
        waker: Waker::from(Arc::clone(&bell)),
        bell,
    });
    let sender = Rc::new(RefCell::new(sender));
    let driver = Driver {
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

    /// Moves bytes until there are none to move; the bell rings when there may be some again.
    fn turn(&self) {
        let mut hyper = self.hyper.borrow_mut();
        let Some(running) = &mut *hyper else { return };
        let polled = Pin::new(running).poll(&mut Context::from_waker(&self.waker));
        if let Poll::Ready(result) = polled {
            // A request that it has not begun with is let go of, and thereby told.
            *hyper = None;
            drop(hyper);
            self.settle(result);
        }
    }

    /// The same for an exchange, which is woken in place of the driver.
    fn go_on(&self, cx: &Context<'_>) {
        self.bell.heed(cx.waker());
        self.turn();
        if self.known.vitals.blocked.get().is_some() {
            // For how long, it is not for an exchange to watch.
            self.bell.call_driver();
        }
    }

    /// The fields of a head of which hyper has not been shown all.
    fn fields_of(&self, raw: &Bytes) -> Result<HeaderMap, Error> {
        fields_of(raw, self.max_fields)
    }

    fn is_over(&self) -> bool {
        self.hyper.borrow().is_none()
    }

    fn cut_off(&self) {
        let hyper = self.hyper.borrow_mut().take();
        drop(hyper);
    }

    /// hyper has come to an end, for a reason that no exchange was told.
    fn settle(&self, result: hyper::Result<()>) {
        let Err(error) = result else { return };
        let known = &self.known;
        if let Some(refusal) = self.heads.borrow().refusal() {
            known.part(Reason::Broken);
            return known.doom(refusal.clone());
        }
        match cause(&error) {
            _ if self.heads.borrow().fault().is_some() => known.part(Reason::Fault),
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
        let upload = Upload::new(request);
        let forwarded = self.shared.forwarded.as_ref();
        let mut head = head_of(
            request,
            target,
            forwarded,
            upload.clone(),
            (self.shared.known.decodes, &self.shared.host),
        )?;
        let is_awaited = waits_for_word(request) || request.listener().handler().is_some();
        let interims = match is_awaited || self.shared.tells_interims {
            true => Interims::of(&mut head),
            false => Interims::default(),
        };
        let shared = Rc::clone(&self.shared);
        if shared.is_busy.get() || !shared.can_go_on(&self.sender) {
            return Err(unsent("the connection takes no more requests"));
        }
        shared.heads.borrow_mut().expect();
        shared.is_busy.set(true);
        shared.requests.set(shared.requests.get().saturating_add(1));
        // The exchange is polled anyway.
        shared.bell.hush();
        let sending = self.sender.borrow_mut().send_request(head);
        let method = request.method().clone();
        let session = (Rc::clone(&self.sender), shared);
        Ok(Exchange::new(session, method, upload, interims, sending))
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
        let shared = &self.shared;
        shared.bell.attend(cx.waker());
        if shared.is_abandoned.get() {
            // At once and without a word: dropped, the socket is closed.
            shared.cut_off();
        }
        if shared.is_busy.get() {
            return Poll::Pending;
        }
        shared.turn();
        let can_go_on = |sender: &Sender| shared.can_go_on(sender);
        let is_over = shared.is_over();
        let is_useless = is_over || !self.sender.as_ref().is_some_and(can_go_on);
        if is_useless && !self.is_draining {
            self.is_draining = true;
            shared.part();
            return Poll::Ready(Step::Draining);
        }
        if !is_over {
            return Poll::Pending;
        }
        shared.part();
        let closed = "the server closed it";
        let fate = disconnected(io::ErrorKind::ConnectionAborted, closed);
        shared.known.doom(fate);
        Poll::Ready(Step::Ended)
    }
}

impl Drop for Driver {
    /// The socket goes with it. An exchange that is open is to hear of that.
    fn drop(&mut self) {
        self.shared.cut_off();
        self.shared.waker.wake_by_ref();
    }
}
