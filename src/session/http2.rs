//! HTTP/2 sessions, by the h2 crate.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, RecvStream, SendStream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Uri, uri};

use crate::config::Config;
use crate::error::{Error, Part};
use crate::message::vitals::bump;
use crate::net::io::Io;
use crate::net::last_word::LastWord;
use crate::net::linger::Linger;
use crate::origin::{Protocol, Target};
use crate::request::Request;
use crate::session::fields::{announce, is_callers};
use crate::session::known::{Known, error_of};
use crate::session::tap::Tap;
use crate::session::{self, Head, Opened, Step};

/// Streams that this side may reset before the connection should be replaced. Late frames of such
/// streams count against the connection in the h2 crate, and kill it in the end; so it is told to
/// remember more of them than there will be, for long.
pub(crate) const RESETS_TOLERATED: u64 = 10_000;
const RESETS_REMEMBERED: usize = 12_000;
const RESET_MEMORY: Duration = Duration::from_secs(30);
const FAULTY_STREAMS_TOLERATED: usize = 100_000;
/// Small DATA frames are legal; the h2 crate's own guess of too many is far too low.
const DATA_FRAME_BUDGET: usize = 64 << 20;
/// Sent per turn, so that one upload does not book the connection's whole window.
const UPLOAD_STEP: usize = 64 << 10;

/// The way onto a session. Clones lead to the same one; it closes once all are dropped and no
/// stream is open.
#[derive(Clone)]
pub(crate) struct Session {
    h2: SendRequest<Bytes>,
    known: Rc<Known>,
}

/// Moves the bytes of a session, and notices what the server does to it.
pub(crate) struct Driver {
    h2: Connection<Tap<LastWord<Linger<Io>>>, Bytes>,
    known: Rc<Known>,
    /// Asked after each turn whether new streams may open; `None` once they may not.
    probe: Option<SendRequest<Bytes>>,
    room: usize,
}

/// Starts a session. The preface is written when this returns, the server's not awaited; until it
/// has come, `initial_streams` may be opened.
pub(super) async fn open(
    io: Linger<Io>,
    config: &Config,
    initial_streams: usize,
    known: Rc<Known>,
) -> Result<Opened, Error> {
    let io = Tap::new(LastWord::new(io), Rc::clone(&known.sight));
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(initial_streams)
        .initial_window_size(config.stream_window.min(i32::MAX as u32))
        .initial_connection_window_size(config.connection_window.min(i32::MAX as u32))
        .max_header_list_size(config.max_head)
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
        let head = head_of(request, target)?;
        let body = request.payload().clone();
        let (response, stream) = self
            .h2
            .send_request(head, body.is_empty())
            .map_err(|e| error_of(e, false))?;
        Ok(Exchange {
            stream: response.stream_id().as_u32(),
            known: Rc::clone(&self.known),
            is_over: false,
            upload: (!body.is_empty()).then_some(Upload { stream, body }),
            incoming: Incoming::Head(response),
        })
    }
}

/// One request and its response. Dropping it before the end resets the stream with CANCEL.
pub(crate) struct Exchange {
    stream: u32,
    known: Rc<Known>,
    /// Whether nothing is left to reset.
    is_over: bool,
    upload: Option<Upload>,
    incoming: Incoming,
}

struct Upload {
    stream: SendStream<Bytes>,
    body: Bytes,
}

enum Incoming {
    Head(ResponseFuture),
    Body(RecvStream),
}

impl Exchange {
    /// The identifier of its stream.
    pub(super) fn stream(&self) -> u32 {
        self.stream
    }

    /// The head of the response, sending the request's body meanwhile.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Error>> {
        self.poll_upload(cx);
        let Incoming::Head(response) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        let response = ready!(response.poll_unpin(cx)).map_err(|e| self.failed(e))?;
        let (head, body) = response.into_parts();
        self.incoming = Incoming::Body(body);
        Poll::Ready(Ok(Head {
            status: head.status,
            headers: head.headers,
            protocol: Protocol::Http2,
            raw: None,
        }))
    }

    /// The next piece of the body, `None` at its end. What is handed out is no longer held
    /// against the flow-control windows.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        self.poll_upload(cx);
        let Incoming::Body(body) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        let Some(piece) = ready!(body.poll_data(cx)) else {
            return Poll::Ready(Ok(None));
        };
        let released = piece.and_then(|piece| {
            body.flow_control().release_capacity(piece.len())?;
            Ok(Some(piece))
        });
        Poll::Ready(released.map_err(|e| self.failed(e)))
    }

    /// The trailers, after the body.
    pub(super) fn poll_trailers(
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

    fn failed(&mut self, error: h2::Error) -> Error {
        let error = self.known.explain(self.stream, error);
        // A fault of the stream is answered with a reset, which counts as any other.
        self.is_over = !matches!(error, Error::Reset { by_server, .. } if !by_server);
        self.upload = None;
        error
    }

    /// Sends as much of the body as the windows allow. A fault ends the sending only: the
    /// receiving side learns of it as well, or has a response that makes the rest needless.
    fn poll_upload(&mut self, cx: &mut Context<'_>) {
        while let Some(Upload { stream, body }) = &mut self.upload {
            stream.reserve_capacity(body.len().min(UPLOAD_STEP));
            let capacity = match stream.poll_capacity(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(capacity))) => capacity,
                Poll::Ready(Some(Err(_)) | None) => 0,
            };
            let piece = body.split_to(capacity.min(body.len()));
            let is_last = body.is_empty();
            if piece.is_empty() || stream.send_data(piece, is_last).is_err() || is_last {
                self.upload = None;
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // An upload that the answer came before is cut off, too.
        if !self.is_over || self.upload.is_some() {
            bump(&self.known.vitals.resets, 1);
        }
    }
}

fn out_of_turn() -> Error {
    Error::Internal { sent: true }
}

fn head_of(request: &Request, target: &Target) -> Result<http::Request<()>, Error> {
    let uri = match request.header_map().get(header::HOST) {
        Some(host) => with_authority(target.uri(), host.as_bytes())?,
        None => target.uri().clone(),
    };
    let mut headers = sendable(request.header_map());
    announce(request, &mut headers);
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
