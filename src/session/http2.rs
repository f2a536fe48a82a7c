//! HTTP/2 sessions, by the h2 crate.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, uri};

use crate::config::Config;
use crate::error::{Error, ErrorCode, Part};
use crate::net::dial::Io;
use crate::net::linger::Linger;
use crate::origin::Target;
use crate::request::Request;
use crate::response::Protocol;

/// Late frames of streams that this side reset count against the connection in the h2 crate, and
/// kill it in the end; so it is told to remember many resets, for long.
const RESETS_REMEMBERED: usize = 4_096;
const RESET_MEMORY: Duration = Duration::from_secs(30);
const FAULTY_STREAMS_TOLERATED: usize = 100_000;
/// Small DATA frames are legal; the h2 crate's own guess of too many is far too low.
const DATA_FRAME_BUDGET: usize = 16 << 20;
/// Sent per turn, so that one upload does not book the connection's whole window.
const UPLOAD_STEP: usize = 64 << 10;

/// Headers that belong to one hop of HTTP/1.1 and are malformed in HTTP/2 (RFC 9113 §8.2.2).
const HOP_BY_HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The way onto a session. Clones lead to the same one; it closes once all are dropped and no
/// stream is open.
#[derive(Clone)]
pub(crate) struct Session {
    h2: SendRequest<Bytes>,
}

/// Moves the bytes of a session, and notices what the server does to it.
pub(crate) struct Driver {
    h2: Connection<Linger<Io>, Bytes>,
    /// Asked after each turn whether new streams may open; `None` once they may not.
    probe: Option<SendRequest<Bytes>>,
    room: usize,
}

/// What a [`Driver`] noticed.
#[derive(Debug)]
pub(crate) enum Step {
    /// The server allows so many streams at once.
    Room(usize),
    /// No new stream can open: GOAWAY, or a fault.
    Draining,
    /// The session is over, its socket closed.
    Ended,
}

/// Starts a session. The preface is written when this returns, the server's not awaited.
pub(crate) async fn open(io: Linger<Io>, config: &Config) -> Result<(Session, Driver), Error> {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(config.initial_streams)
        .initial_window_size(config.stream_window.min(i32::MAX as u32))
        .initial_connection_window_size(config.connection_window.min(i32::MAX as u32))
        .max_header_list_size(config.max_head)
        .max_concurrent_reset_streams(RESETS_REMEMBERED)
        .reset_stream_duration(RESET_MEMORY)
        .max_local_error_reset_streams(Some(FAULTY_STREAMS_TOLERATED))
        .data_frame_budget(DATA_FRAME_BUDGET);
    let (h2, connection) = builder
        .handshake(io)
        .await
        .map_err(|e| error_of(e, false))?;
    let driver = Driver {
        room: connection.max_concurrent_send_streams(),
        h2: connection,
        probe: Some(h2.clone()),
    };
    Ok((Session { h2 }, driver))
}

impl Driver {
    /// How many streams may be open at once, as far as is known now.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Lets go of the session, so that it closes with its last stream.
    pub(crate) fn close(&mut self) {
        self.probe = None;
    }

    /// Moves bytes until there is something to tell. Not to be polled after [`Step::Ended`].
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        // The error is not lost: every stream on the session is told of it.
        if self.h2.poll_unpin(cx).is_ready() {
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
    pub(crate) fn protocol(&self) -> Protocol {
        Protocol::Http2
    }

    /// Sends the head of a request; the [`Exchange`] sends the rest.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(crate) fn send(&mut self, request: &Request, target: &Target) -> Result<Exchange, Error> {
        let head = head_of(request, target)?;
        let body = request.payload().clone();
        let (response, stream) = self
            .h2
            .send_request(head, body.is_empty())
            .map_err(|e| error_of(e, false))?;
        Ok(Exchange {
            stream: response.stream_id().as_u32(),
            upload: (!body.is_empty()).then_some(Upload { stream, body }),
            incoming: Incoming::Head(response),
        })
    }
}

/// One request and its response. Dropping it before the end resets the stream with CANCEL.
pub(crate) struct Exchange {
    stream: u32,
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
    pub(crate) fn stream(&self) -> u32 {
        self.stream
    }

    /// The head of the response, sending the request's body meanwhile.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(StatusCode, HeaderMap), Error>> {
        self.poll_upload(cx);
        let Incoming::Head(response) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        let response = ready!(response.poll_unpin(cx)).map_err(|e| error_of(e, true))?;
        let (head, body) = response.into_parts();
        self.incoming = Incoming::Body(body);
        Poll::Ready(Ok((head.status, head.headers)))
    }

    /// The next piece of the body, `None` at its end. What is handed out is no longer held
    /// against the flow-control windows.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        self.poll_upload(cx);
        let Incoming::Body(body) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        let Some(piece) = ready!(body.poll_data(cx)) else {
            return Poll::Ready(Ok(None));
        };
        let piece = piece.map_err(|e| error_of(e, true))?;
        let released = body.flow_control().release_capacity(piece.len());
        Poll::Ready(
            released
                .map(|()| Some(piece))
                .map_err(|e| error_of(e, true)),
        )
    }

    /// The trailers, after the body.
    pub(crate) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, Error>> {
        let Incoming::Body(body) = &mut self.incoming else {
            return Poll::Ready(Err(out_of_turn()));
        };
        body.poll_trailers(cx).map_err(|e| error_of(e, true))
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

fn out_of_turn() -> Error {
    Error::Internal { sent: true }
}

fn head_of(request: &Request, target: &Target) -> Result<http::Request<()>, Error> {
    let uri = match request.header_map().get(header::HOST) {
        Some(host) => with_authority(target.uri(), host.as_bytes())?,
        None => target.uri().clone(),
    };
    let mut headers = sendable(request.header_map());
    let body = request.payload();
    let expects_body = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH
    );
    if expects_body || !body.is_empty() {
        headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
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
        !HOP_BY_HOP.contains(name)
            && name != header::HOST
            && name != header::CONTENT_LENGTH
            && (name != header::TE || value == "trailers")
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

/// `sent`: whether the request may have left.
fn error_of(error: h2::Error, sent: bool) -> Error {
    let code = error.reason().map(|reason| ErrorCode(reason.into()));
    let by_server = error.is_remote();
    match code {
        // A remote GOAWAY reaches only the streams above its last identifier (RFC 9113 §6.8).
        Some(code) if error.is_go_away() => Error::GoAway {
            code,
            unprocessed: by_server || !sent,
            by_server,
        },
        Some(code) if error.is_reset() => Error::Reset { code, by_server },
        _ if error.is_io() => Error::Disconnected {
            source: Arc::new(
                error
                    .into_io()
                    .unwrap_or_else(|| std::io::ErrorKind::Other.into()),
            ),
            sent,
        },
        _ => Error::Protocol {
            detail: Cow::Owned(error.to_string()),
        },
    }
}
