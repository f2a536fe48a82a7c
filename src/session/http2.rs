//! HTTP/2 sessions, by the h2 crate.

mod exchange;
mod upload;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Uri, uri};

pub(crate) use crate::session::http2::exchange::Exchange;

use crate::config::Config;
use crate::error::{Error, Part};
use crate::net::io::Io;
use crate::net::last_word::LastWord;
use crate::net::linger::Linger;
use crate::origin::Target;
use crate::request::Request;
use crate::session::fields::{announce, is_callers, waits_for_word};
use crate::session::http2::exchange::Incoming;
use crate::session::http2::upload::Upload;
use crate::session::known::{Known, error_of};
use crate::session::preface::Preface;
use crate::session::tap::Tap;
use crate::session::{self, Opened, Step};
use crate::upload::Source;

/// Streams that this side may reset before the connection should be replaced. Late frames of such
/// streams count against the connection in the h2 crate, and kill it in the end; so it is told to
/// remember more of them than there will be, for long.
pub(crate) const RESETS_TOLERATED: u64 = 10_000;
const RESETS_REMEMBERED: usize = 12_000;
const RESET_MEMORY: Duration = Duration::from_secs(30);
const FAULTY_STREAMS_TOLERATED: usize = 100_000;
/// Small DATA frames are legal; the h2 crate's own guess of too many is far too low.
const DATA_FRAME_BUDGET: usize = 64 << 20;

/// The way onto a session. Clones lead to the same one; it closes once all are dropped and no
/// stream is open.
#[derive(Clone)]
pub(crate) struct Session {
    h2: SendRequest<Bytes>,
    known: Rc<Known>,
}

/// Moves the bytes of a session, and notices what the server does to it.
pub(crate) struct Driver {
    h2: Connection<Tap<Preface<LastWord<Linger<Io>>>>, Bytes>,
    known: Rc<Known>,
    /// Asked after each turn whether new streams may open; `None` once they may not.
    probe: Option<SendRequest<Bytes>>,
    room: usize,
}

/// Starts a session. Nothing is written before the driver is polled, and the server's preface is not
/// awaited; until it has come, `initial_streams` may be opened.
pub(super) async fn open(
    io: Linger<Io>,
    config: &Config,
    initial_streams: usize,
    known: Rc<Known>,
) -> Result<Opened, Error> {
    let io = Tap::new(Preface::new(LastWord::new(io)), Rc::clone(&known.sight));
    let mut builder = h2::client::Builder::new();
    if let Some(pushes) = &config.bodies.pushes {
        builder.max_concurrent_streams(pushes.at_once);
    }
    builder
        .enable_push(config.bodies.pushes.is_some())
        .initial_max_send_streams(initial_streams)
        .initial_window_size(config.stream_window.min(i32::MAX as u32))
        .initial_connection_window_size(config.connection_window.min(i32::MAX as u32))
        // The limit itself is too much to the h2 crate.
        .max_header_list_size(config.max_head.saturating_add(1))
        .max_concurrent_reset_streams(RESETS_REMEMBERED)
        .reset_stream_duration(RESET_MEMORY)
        .max_local_error_reset_streams(Some(FAULTY_STREAMS_TOLERATED))
        .data_frame_budget(DATA_FRAME_BUDGET);
    let (h2, mut connection) = builder
        .handshake(io)
        .await
        .map_err(|e| error_of(e, false))?;
    let pinger = Some(Pinger(connection.ping_pong()));
    let driver = Driver {
        room: connection.max_concurrent_send_streams(),
        h2: connection,
        known: Rc::clone(&known),
        probe: Some(h2.clone()),
    };
    let session = Session {
        h2,
        known: Rc::clone(&known),
    };
    Ok(Opened {
        session: session::Session::Http2(session),
        driver: session::Driver::Http2(Box::new(driver)),
        pinger,
        known,
    })
}

/// Sends PINGs, one at a time.
pub(crate) struct Pinger(Option<PingPong>);

impl Pinger {
    /// Sends one; ready when it has been answered, or `false` when it will not be.
    pub(crate) async fn ping(&mut self) -> bool {
        let Some(pings) = &mut self.0 else {
            return false;
        };
        pings.send_ping(Ping::opaque()).is_ok() && poll_fn(|cx| pings.poll_pong(cx)).await.is_ok()
    }
}

impl Driver {
    /// How many streams may be open at once, as far as is known now.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Lets go of the session, so that it closes with its last stream.
    pub(super) fn close(&mut self) {
        self.probe = None;
    }

    pub(super) fn grant(&mut self, window: u32) {
        self.h2.set_target_window_size(window.min(i32::MAX as u32));
    }

    pub(super) fn grant_streams(&mut self, window: u32) -> bool {
        let window = window.min(i32::MAX as u32);
        self.h2.set_initial_window_size(window).is_ok()
    }

    /// Moves bytes until there is something to tell. Not to be polled after [`Step::Ended`].
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Poll::Ready(result) = self.h2.poll_unpin(cx) {
            self.known.ended(result);
            return Poll::Ready(Step::Ended);
        }
        if let Some(probe) = &mut self.probe
            && matches!(probe.poll_ready(cx), Poll::Ready(Err(_)))
        {
            self.probe = None;
            return Poll::Ready(Step::Draining);
        }
        let room = self.h2.max_concurrent_send_streams();
        if room != self.room {
            self.room = room;
            return Poll::Ready(Step::Room(room));
        }
        Poll::Pending
    }
}

impl Session {
    /// Sends the head of a request; the [`Exchange`] sends the rest.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(super) fn send(&mut self, request: &Request, target: &Target) -> Result<Exchange, Error> {
        let source = (!request.payload().is_empty()).then(|| request.payload().source());
        let head = head_of(request, target, source.as_ref(), self.known.decodes)?;
        let (mut response, stream) = self
            .h2
            .send_request(head, source.is_none())
            .map_err(|e| error_of(e, false))?;
        Ok(Exchange {
            stream: response.stream_id().as_u32(),
            promises: self.known.takes_pushes.then(|| response.push_promises()),
            known: Rc::clone(&self.known),
            is_over: false,
            upload: source.map(|source| {
                let vitals = Rc::clone(&self.known.vitals);
                let is_patient = waits_for_word(request);
                Box::new(Upload::new(stream, source, vitals, is_patient))
            }),
            uploaded: 0,
            granted: None,
            incoming: Incoming::Head(response),
            unsure: self.known.sight.unsure(),
            unread: 0,
        })
    }
}

fn head_of(
    request: &Request,
    target: &Target,
    source: Option<&Source>,
    decodes: bool,
) -> Result<http::Request<()>, Error> {
    let uri = match request.header_map().get(header::HOST) {
        Some(host) => with_authority(target.uri(), host.as_bytes())?,
        None => target.uri().clone(),
    };
    let mut headers = sendable(request.header_map());
    let length = source.map_or(Some(0), Source::left);
    announce(request, length, decodes, &mut headers);
    let mut head = http::Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = uri;
    *head.headers_mut() = headers;
    Ok(head)
}

/// The headers without those that HTTP/2 forbids, without `Host`, which `:authority` replaces, and
/// without `Content-Length`, which only the body itself can tell rightly.
fn sendable(headers: &HeaderMap) -> HeaderMap {
    let is_kept = |name: &HeaderName, value: &HeaderValue| {
        is_callers(name) && (name != header::TE || value == "trailers")
    };
    if headers.iter().all(|(name, value)| is_kept(name, value)) {
        return headers.clone();
    }
    // Copied one by one: removing from a header map disturbs the order of the rest.
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter().filter(|(name, value)| is_kept(name, value)) {
        kept.append(name, value.clone());
    }
    kept
}

/// `host` has been checked with the request.
fn with_authority(uri: &Uri, host: &[u8]) -> Result<Uri, Error> {
    let bad = || Error::bad(Part::HeaderValue, "Host is no host and port");
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(uri::Authority::try_from(host).map_err(|_| bad())?);
    Uri::from_parts(parts).map_err(|_| bad())
}
