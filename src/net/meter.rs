//! A socket that is watched: what passes, and whether anything can leave.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::now;
use crate::message::vitals::{Vitals, bump};

/// Notes bytes and blockage in the [`Vitals`] of its connection. It stands below TLS, which takes
/// in a good deal before it lets a blocked socket be felt.
#[derive(Debug)]
pub(crate) struct Meter<T> {
    inner: T,
    vitals: Rc<Vitals>,
}

impl<T> Meter<T> {
    pub(crate) fn new(inner: T, vitals: Rc<Vitals>) -> Self {
        Self { inner, vitals }
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        let blocked = &self.vitals.blocked;
        match written {
            Poll::Pending if blocked.get().is_none() => blocked.set(Some(now())),
            Poll::Pending => {}
            Poll::Ready(written) => {
                let written = *written.as_ref().unwrap_or(&0);
                if blocked.take().is_some() && written > 0 {
                    self.vitals.moved.set(Some(now()));
                }
                bump(&self.vitals.sent, written as u64);
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Meter<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        bump(&self.vitals.received, (buf.filled().len() - before) as u64);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Meter<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn blockage_is_noted_while_it_lasts() {
        let (near, mut far) = tokio::io::duplex(4);
        let vitals = Rc::new(Vitals::default());
        let mut near = Meter::new(near, Rc::clone(&vitals));
        assert_eq!(near.write(b"abcd").await.expect("room for four"), 4);
        assert!(vitals.blocked.get().is_none());
        let mut more = std::pin::pin!(near.write(b"e"));
        assert!(futures::poll!(more.as_mut()).is_pending());
        let since = vitals.blocked.get().expect("blocked");
        assert!(futures::poll!(more.as_mut()).is_pending());
        assert_eq!(vitals.blocked.get(), Some(since), "since the first time");
        far.read_exact(&mut [0; 4]).await.expect("four came");
        more.await.expect("room again");
        assert!(vitals.blocked.get().is_none() && vitals.moved.get() >= Some(since));
        assert_eq!(vitals.sent.get(), 5);
        far.write_all(b"xyz").await.expect("open");
        near.read_exact(&mut [0; 3]).await.expect("three came");
        assert_eq!(vitals.received.get(), 3);
    }
}
