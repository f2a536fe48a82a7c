//! A tunnel within an HTTP/2 session, as a pipe.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::proxy::shared::Seat;

/// Most bytes of one DATA frame, so that one tunnel does not book the session's whole window.
const STEP: usize = 16 << 10;

/// A stream whose DATA frames are bytes of a connection (RFC 9113 §8.5). Dropped before its end, it
/// is reset; the session ends with its last tunnel.
pub(crate) struct Tunnel {
    incoming: RecvStream,
    /// Of the latest frame, not yet read.
    ahead: Bytes,
    outgoing: SendStream<Bytes>,
    has_ended: bool,
    /// Dropped last.
    _seat: Seat,
}

impl Tunnel {
    pub(crate) fn new(incoming: RecvStream, outgoing: SendStream<Bytes>, seat: Seat) -> Self {
        Self {
            incoming,
            ahead: Bytes::new(),
            outgoing,
            has_ended: false,
            _seat: seat,
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = self.incoming.stream_id();
        f.debug_struct("Tunnel").field("stream", &stream).finish()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ahead.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(Ok(piece)) => self.ahead = piece,
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let size = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..size]);
        self.ahead.advance(size);
        // Only what was read makes room for more.
        let released = self.incoming.flow_control().release_capacity(size);
        Poll::Ready(released.map_err(io_error))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let size = buf.len().min(STEP);
        if size == 0 {
            return Poll::Ready(Ok(0));
        }
        self.outgoing.reserve_capacity(size);
        // Capacity that was there before is not told of again.
        while self.outgoing.capacity() == 0 {
            match ready!(self.outgoing.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let size = size.min(self.outgoing.capacity());
        let piece = Bytes::copy_from_slice(&buf[..size]);
        let sent = self.outgoing.send_data(piece, false);
        Poll::Ready(sent.map(|()| size).map_err(io_error))
    }

    /// The session sees to it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_ended {
            return Poll::Ready(Ok(()));
        }
        self.has_ended = true;
        let ended = self.outgoing.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(io_error))
    }
}

fn io_error(error: h2::Error) -> io::Error {
    match error.into_io() {
        Some(error) => error,
        None => io::Error::new(io::ErrorKind::ConnectionReset, "the proxy reset the tunnel"),
    }
}
