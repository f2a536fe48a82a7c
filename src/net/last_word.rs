//! A broken pipe that is read to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Keeps a write's error back until all that the peer had sent is read, which ends with an error or
/// the end of the stream: a socket that cannot be written to any more is closed on the other side.
///
/// A server that will not go on says why (GOAWAY) and closes; what this side writes then fails, and
/// whoever gave up at that would never read the reason, which waits in the socket.
#[derive(Debug)]
pub(crate) struct LastWord<T> {
    inner: T,
    /// Of the first write that failed.
    broken: Option<io::Error>,
    is_broken: bool,
}

impl<T> LastWord<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            broken: None,
            is_broken: false,
        }
    }

    /// The reader is woken, for it is the one that tells.
    fn keep(
        &mut self,
        written: Poll<io::Result<usize>>,
        claimed: usize,
        cx: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Err(error)) => {
                self.broken = Some(error);
                self.is_broken = true;
                cx.waker().wake_by_ref();
                Poll::Ready(Ok(claimed))
            }
            written => written,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for LastWord<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        // Pending says little: the reactor may not have heard yet of what the writer has felt.
        let is_end = matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == before;
        match self.broken.take_if(|_| is_end) {
            Some(error) => Poll::Ready(Err(error)),
            None => read,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for LastWord<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_broken {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.keep(written, buf.len(), cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|buf| buf.len()).sum();
        if self.is_broken {
            return Poll::Ready(Ok(all));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.keep(written, all, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_broken {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.keep(flushed.map_ok(|()| 0), 0, cx).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_the_peer_had_said_is_read_before_the_break_is_told() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = LastWord::new(near);
        far.write_all(b"because").await.expect("open");
        drop(far);
        near.write_all(b"more").await.expect("kept back");
        near.write_all(b"and more").await.expect("kept back");
        near.flush().await.expect("kept back");
        let mut reason = [0; 7];
        near.read_exact(&mut reason).await.expect("the reason");
        assert_eq!(&reason, b"because");
    }

    #[tokio::test]
    async fn a_break_is_told_when_nothing_is_left_to_read() {
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        let mut near = LastWord::new(near);
        near.write_all(b"more").await.expect("kept back");
        let error = near.read(&mut [0; 8]).await.expect_err("told");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
