//! The first words of an HTTP/2 session, said in one breath.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Keeps the preface back until there is more to write, or to flush: the h2 crate writes it by itself,
/// and under TLS that is a record and a system call for 24 bytes, on either side.
#[derive(Debug)]
pub(super) struct Preface<T> {
    inner: T,
    /// What is kept back.
    held: &'static [u8],
    has_begun: bool,
}

impl<T> Preface<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            held: &[],
            has_begun: false,
        }
    }
}

impl<T: AsyncWrite + Unpin> Preface<T> {
    /// Writes what is kept back, and then some of `buf`. How much of `buf` was written.
    fn poll_joined(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            let both = [io::IoSlice::new(self.held), io::IoSlice::new(buf)];
            let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, &both))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_held = written.min(self.held.len());
            self.held = &self.held[of_held..];
            if written > of_held {
                return Poll::Ready(Ok(written - of_held));
            }
        }
        match buf.is_empty() {
            true => Poll::Ready(Ok(0)),
            false => Pin::new(&mut self.inner).poll_write(cx, buf),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Preface<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Preface<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.has_begun, true) && buf == PREFACE {
            self.held = PREFACE;
            return Poll::Ready(Ok(buf.len()));
        }
        match self.held.is_empty() {
            true => Pin::new(&mut self.inner).poll_write(cx, buf),
            false => self.poll_joined(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.held.is_empty() && self.has_begun {
            return Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| &**buf))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_joined(cx, &[]))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_joined(cx, &[]))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn the_preface_goes_with_what_comes_next() {
        for room in [1, 7, 24, 25, 64] {
            let (near, mut far) = tokio::io::duplex(room);
            let mut near = Preface::new(near);
            near.write_all(PREFACE).await.expect("kept back");
            let mut byte = [0];
            assert!(
                futures::poll!(std::pin::pin!(far.read(&mut byte))).is_pending(),
                "nothing was sent"
            );
            let write = async {
                near.write_all(b"settings").await.expect("open");
                near.write_all(b"more").await.expect("open");
                near.shutdown().await.expect("open");
            };
            let mut seen = Vec::new();
            let (_, read) = futures::join!(write, far.read_to_end(&mut seen));
            read.expect("the end");
            assert_eq!(seen, [PREFACE, b"settingsmore"].concat(), "{room}");
        }
    }

    #[tokio::test]
    async fn a_flush_sends_it_alone() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Preface::new(near);
        near.write_all(PREFACE).await.expect("kept back");
        near.flush().await.expect("open");
        let mut seen = [0; 24];
        far.read_exact(&mut seen).await.expect("it was sent");
        assert_eq!(seen, PREFACE);
    }

    #[tokio::test]
    async fn only_what_comes_first_is_kept_back() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Preface::new(near);
        near.write_all(b"x").await.expect("open");
        near.write_all(PREFACE).await.expect("open");
        let mut seen = [0; 25];
        far.read_exact(&mut seen).await.expect("it was sent");
        assert_eq!(seen, *[b"x", PREFACE].concat());
    }
}
