//! One face over a session with a server: a [`Session`] to send requests on, a [`Driver`] that
//! moves its bytes, an [`Exchange`] per request. HTTP/2 and HTTP/1.1 stand behind it.

mod fields;
mod http1;
mod http2;
mod known;
mod preface;
mod tap;

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

pub(crate) use fields::may_have_body;
pub(crate) use http2::{Pinger, RESETS_TOLERATED};
pub(crate) use known::Known;

use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::dial::Line;
use crate::origin::{Protocol, Target};
use crate::request::Request;

/// The way onto a session. Clones lead to the same one; it closes once all are dropped and no
/// exchange is open.
#[derive(Clone)]
pub(crate) enum Session {
    Http1(http1::Session),
    Http2(http2::Session),
}

/// Moves the bytes of a session, and notices what the server does to it.
pub(crate) enum Driver {
    Http1(Box<http1::Driver>),
    Http2(Box<http2::Driver>),
}

/// One request and its response. Dropping it before the end tells the server that the rest is not
/// wanted: HTTP/2 resets the stream, HTTP/1.1 has nothing for it but to close.
pub(crate) enum Exchange {
    Http1(Box<http1::Exchange>),
    Http2(http2::Exchange),
}

/// What a [`Driver`] noticed.
#[derive(Debug)]
pub(crate) enum Step {
    /// The server allows so many exchanges at once.
    Room(usize),
    /// No new exchange can begin: GOAWAY, a fault, or a server that does not keep the connection.
    Draining,
    /// The session is over, its socket closed.
    Ended,
}

/// A session that has started.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) driver: Driver,
    /// HTTP/1.1 has no PING.
    pub(crate) pinger: Option<Pinger>,
    pub(crate) known: Rc<Known>,
}

/// What comes before the body of a response.
pub(crate) enum Coming {
    /// An interim response (1xx).
    Interim(StatusCode, HeaderMap),
    Head(Head),
}

/// A response that the server promises to a request that was not made.
pub(crate) struct Promise {
    /// The request.
    pub(crate) head: http::Request<()>,
    /// Dropping it refuses the promise.
    pub(crate) exchange: Exchange,
}

/// How far the sending of a request's body has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Uploaded {
    /// Bytes of it handed on so far.
    pub(crate) bytes: u64,
    pub(crate) waits: Waits,
}

/// What the sending of a request's body waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Waits {
    /// Nothing: it is over, or cut off.
    Done,
    /// The server, to take more.
    Server,
    /// Its source, to yield more.
    Source,
    /// The word to begin.
    Word,
}

/// The head of a response.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) protocol: Protocol,
    /// As it came, from HTTP/1.x.
    pub(crate) raw: Option<Bytes>,
}

/// Starts a session of the protocol agreed on. Of HTTP/2 nothing is written before the driver is polled,
/// and the server's preface is not awaited; until it has come, `initial_streams` may be opened.
pub(crate) async fn open(
    line: Line,
    config: &Config,
    initial_streams: usize,
    vitals: Rc<Vitals>,
) -> Result<Opened, Error> {
    let known = Rc::new(Known::new(vitals, &config.bodies));
    match line.protocol {
        Protocol::Http2 => http2::open(line.io, config, initial_streams, known).await,
        Protocol::Http10 | Protocol::Http11 => {
            http1::open(line.io, config, line.forwarded, known).await
        }
    }
}

impl Session {
    /// The protocol spoken.
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Http1(_) => Protocol::Http11,
            Self::Http2(_) => Protocol::Http2,
        }
    }

    /// Whether another exchange may begin once those at work are over.
    pub(crate) fn can_go_on(&self) -> bool {
        match self {
            Self::Http1(session) => session.can_go_on(),
            // Its driver tells of that.
            Self::Http2(_) => true,
        }
    }

    /// Sends the head of a request; the [`Exchange`] sends the rest.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(crate) fn send(&mut self, request: &Request, target: &Target) -> Result<Exchange, Error> {
        match self {
            Self::Http1(session) => {
                let exchange = session.send(request, target)?;
                Ok(Exchange::Http1(Box::new(exchange)))
            }
            Self::Http2(session) => session.send(request, target).map(Exchange::Http2),
        }
    }
}

impl Driver {
    /// How many exchanges may be open at once, as far as is known now.
    pub(crate) fn room(&self) -> usize {
        match self {
            Self::Http1(_) => 1,
            Self::Http2(driver) => driver.room(),
        }
    }

    /// Lets go of the session, so that it closes with its last exchange.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Http1(driver) => driver.close(),
            Self::Http2(driver) => driver.close(),
        }
    }

    /// Grants the server so many bytes on the whole connection.
    pub(crate) fn grant(&mut self, window: u32) {
        match self {
            Self::Http1(_) => {}
            Self::Http2(driver) => driver.grant(window),
        }
    }

    /// Grants the server so many bytes on each stream; `false` if it cannot be told yet.
    pub(crate) fn grant_streams(&mut self, window: u32) -> bool {
        match self {
            Self::Http1(_) => true,
            Self::Http2(driver) => driver.grant_streams(window),
        }
    }

    /// Moves bytes until there is something to tell. Not to be polled after [`Step::Ended`].
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        match self {
            Self::Http1(driver) => driver.poll(cx),
            Self::Http2(driver) => driver.poll(cx),
        }
    }
}

impl Exchange {
    /// The identifier of its stream; for HTTP/1.1 the number of the request on its connection.
    pub(crate) fn stream(&self) -> u32 {
        match self {
            Self::Http1(exchange) => exchange.number(),
            Self::Http2(exchange) => exchange.stream(),
        }
    }

    /// How far the sending of the request's body has come.
    pub(crate) fn uploaded(&self) -> Uploaded {
        match self {
            Self::Http1(exchange) => exchange.uploaded(),
            Self::Http2(exchange) => exchange.uploaded(),
        }
    }

    /// Lets a body be sent that waits for the word.
    pub(crate) fn go_ahead(&mut self) {
        match self {
            Self::Http1(exchange) => exchange.go_ahead(),
            Self::Http2(exchange) => exchange.go_ahead(),
        }
    }

    /// What the server has granted to a body that had been blocked, since the last call.
    pub(crate) fn granted(&mut self) -> Option<usize> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(exchange) => exchange.granted(),
        }
    }

    /// What the server promises along with the response; pending, too, where it may not.
    pub(crate) fn poll_promise(&mut self, cx: &mut Context<'_>) -> Poll<Promise> {
        match self {
            Self::Http1(_) => Poll::Pending,
            Self::Http2(exchange) => exchange.poll_promise(cx),
        }
    }

    /// The head of the response, sending the request's body meanwhile.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Coming, Error>> {
        match self {
            Self::Http1(exchange) => exchange.poll_head(cx),
            Self::Http2(exchange) => exchange.poll_head(cx),
        }
    }

    /// The next piece of the body, `None` at its end. It is held against the flow-control windows
    /// until it is [released](Self::release).
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        match self {
            Self::Http1(exchange) => exchange.poll_data(cx),
            Self::Http2(exchange) => exchange.poll_data(cx),
        }
    }

    /// For when nothing of the response is wanted just now: what else there is to do goes on.
    pub(crate) fn keep_going(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Http1(exchange) => exchange.keep_going(cx),
            // Its driver sees to that.
            Self::Http2(_) => {}
        }
    }

    /// Lets the server send as many bytes again.
    pub(crate) fn release(&mut self, bytes: usize) {
        match self {
            // Not reading is all the flow control there is.
            Self::Http1(_) => {}
            Self::Http2(exchange) => exchange.release(bytes),
        }
    }

    /// The trailers, after the body.
    pub(crate) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, Error>> {
        match self {
            Self::Http1(exchange) => Poll::Ready(Ok(exchange.trailers())),
            Self::Http2(exchange) => exchange.poll_trailers(cx),
        }
    }

    /// Whether the end of the body was the end of the connection.
    pub(crate) fn is_partial(&self) -> bool {
        match self {
            Self::Http1(exchange) => exchange.is_partial(),
            Self::Http2(_) => false,
        }
    }
}
