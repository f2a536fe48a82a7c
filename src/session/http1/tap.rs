//! What is read of the server, on its way to hyper.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::tls::late_refusal;
use crate::session::http1::heads::Heads;

/// Watches an inner stream.
#[derive(Debug)]
pub(super) struct Tap<T> {
    inner: T,
    heads: Rc<RefCell<Heads>>,
    /// What the reader is to see in place of what came, and had no room for.
    owed: Vec<u8>,
}

impl<T> Tap<T> {
    pub(super) fn new(inner: T, heads: Rc<RefCell<Heads>>) -> Self {
        Self {
            inner,
            heads,
            owed: Vec::new(),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        loop {
            if !this.owed.is_empty() {
                let part = this.owed.len().min(buf.remaining());
                buf.put_slice(&this.owed[..part]);
                this.owed.drain(..part);
                return Poll::Ready(Ok(()));
            }
            let read = Pin::new(&mut this.inner).poll_read(cx, buf);
            let mut heads = this.heads.borrow_mut();
            if let Poll::Ready(Err(error)) = &read
                && let Some(refusal) = late_refusal(error)
            {
                heads.refuse(refusal);
            }
            match heads.take_in(&buf.filled()[before..]) {
                Ok(None) => return read,
                Ok(Some(shown)) => this.owed = shown,
                Err(()) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            // To hand on nothing would be to say that this is the end.
            buf.set_filled(before);
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tap<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::http1::heads::SHOWN;

    #[tokio::test]
    async fn a_reader_with_little_room_gets_all_that_it_is_to_see() {
        let heads = Rc::new(RefCell::new(expecting()));
        let lines = "X: y\r\n".repeat(200);
        let wire = format!("HTTP/1.1 200 OK\r\n{lines}Connection: close\r\n\r\nbody");
        let mut tap = Tap::new(wire.as_bytes(), heads);
        let (mut seen, mut room) = (Vec::new(), [0; 7]);
        loop {
            let count = tokio::io::AsyncReadExt::read(&mut tap, &mut room)
                .await
                .expect("faultless");
            seen.extend_from_slice(&room[..count]);
            if count == 0 {
                break;
            }
        }
        let lines = "X: y\r\n".repeat(SHOWN - 1);
        let shown = format!("HTTP/1.1 200 OK\r\n{lines}Connection: close\r\n\r\nbody");
        assert_eq!(String::from_utf8(seen).expect("text"), shown);
    }

    fn expecting() -> Heads {
        let mut heads = Heads::new(10_000, 16, 256);
        heads.expect();
        heads
    }
}
