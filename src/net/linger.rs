//! A close that both sides have seen.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Makes shutting down wait until the peer has closed its side too.
///
/// A socket that is merely dropped still counts at the server for a while, so that a client which
/// opens the next one at once is seen to exceed its cap. What arrives while waiting is discarded.
/// The wait has no end of its own: whoever drives the shutdown bounds it.
#[derive(Debug)]
pub(crate) struct Linger<T> {
    inner: T,
    said_goodbye: bool,
}

impl<T> Linger<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            said_goodbye: false,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Linger<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<T> {
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
        if !self.said_goodbye {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            self.said_goodbye = true;
        }
        // Polled several times until the peer has closed: to clear it each time would be for nothing.
        let mut scratch = [MaybeUninit::uninit(); 4096];
        loop {
            let mut buf = ReadBuf::uninit(&mut scratch);
            // A peer that ends without manners has ended all the same.
            let Ok(()) = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf)) else {
                return Poll::Ready(Ok(()));
            };
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn shutdown_waits_for_the_peers_end_and_discards_what_comes_before() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Linger::new(near);
        let mut shutdown = std::pin::pin!(near.shutdown());
        assert!(futures::poll!(shutdown.as_mut()).is_pending());
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.expect("our end arrives");
        far.write_all(b"late").await.expect("still open");
        assert!(futures::poll!(shutdown.as_mut()).is_pending());
        drop(far);
        shutdown.await.expect("closed");
    }
}
