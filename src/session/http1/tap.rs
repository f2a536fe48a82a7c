//! What is read of the server, on its way to hyper: the heads as they came.
//!
//! hyper skips interim responses without a limit, takes as much head as its buffer holds, and keeps
//! neither the order nor the case of names across fields. All this is seen to here.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Error;
use crate::net::tls::late_refusal;

/// The head of the response that is awaited, in the making.
#[derive(Debug)]
pub(super) struct Heads {
    /// Bytes that one response may spend on heads, interim ones included.
    limit: usize,
    /// Interim responses (1xx) before the final one.
    most_interim: usize,
    state: State,
    raw: BytesMut,
    /// Where the current line begins in `raw`.
    line: usize,
    /// Bytes of interim heads before it.
    spent: usize,
    interim: usize,
    fault: Option<Error>,
    refusal: Option<Error>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// No head is awaited; what comes is a body, or hyper's to judge.
    Elsewhere,
    /// A head is coming, or the first byte of it is.
    Head,
}

/// Watches an inner stream.
#[derive(Debug)]
pub(super) struct Tap<T> {
    inner: T,
    heads: Rc<RefCell<Heads>>,
}

impl Heads {
    pub(super) fn new(limit: usize, most_interim: usize) -> Self {
        Self {
            limit,
            most_interim,
            state: State::Elsewhere,
            raw: BytesMut::new(),
            line: 0,
            spent: 0,
            interim: 0,
            fault: None,
            refusal: None,
        }
    }

    /// A request goes out: the next bytes are a head.
    pub(super) fn expect(&mut self) {
        self.state = State::Head;
        self.raw = BytesMut::new();
        (self.line, self.spent, self.interim) = (0, 0, 0);
    }

    /// Whether any byte has come since the last request.
    pub(super) fn has_begun(&self) -> bool {
        self.state == State::Elsewhere || self.spent > 0 || !self.raw.is_empty()
    }

    /// The final head, once it is complete.
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.raw).freeze()
    }

    /// What was wrong with what came.
    pub(super) fn fault(&self) -> Option<&Error> {
        self.fault.as_ref()
    }

    /// What the server has against this side's certificate.
    pub(super) fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref()
    }

    /// Takes in what has just been read.
    fn see(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while self.state == State::Head && !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n');
            let (piece, after) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            if self.spent + self.raw.len() + piece.len() > self.limit {
                return Err(broken(format!("the head exceeds {} bytes", self.limit)));
            }
            // Neither an empty line nor what an earlier response left behind may come before it.
            if self.raw.is_empty() && piece[0] != b'H' {
                return Err(broken("what came is no HTTP response"));
            }
            self.raw.extend_from_slice(piece);
            if end.is_some() {
                self.end_line()?;
            }
            rest = after;
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Error> {
        let line = &self.raw[self.line..];
        let is_empty = line == b"\n" || line == b"\r\n";
        self.line = self.raw.len();
        if !is_empty {
            return Ok(());
        }
        if !is_interim(&self.raw) {
            self.state = State::Elsewhere;
            return Ok(());
        }
        self.interim += 1;
        if self.interim > self.most_interim {
            return Err(broken("interim responses and no end of them"));
        }
        self.spent += self.raw.len();
        self.raw.clear();
        self.line = 0;
        Ok(())
    }
}

/// Whether a head says 1xx; 101 is an end, if not the one that was asked for.
fn is_interim(head: &[u8]) -> bool {
    let status = head.get(9..12).unwrap_or_default();
    status.starts_with(b"1") && status != b"101"
}

fn broken(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::Protocol {
        detail: detail.into(),
    }
}

impl<T> Tap<T> {
    pub(super) fn new(inner: T, heads: Rc<RefCell<Heads>>) -> Self {
        Self { inner, heads }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let mut heads = self.heads.borrow_mut();
        if heads.fault.is_none()
            && let Err(fault) = heads.see(&buf.filled()[before..])
        {
            heads.fault = Some(fault);
        }
        if let Poll::Ready(Err(error)) = &read
            && let Some(refusal) = late_refusal(error)
        {
            heads.refusal = Some(refusal);
        }
        match heads.fault {
            Some(_) => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            None => read,
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
    use proptest::prelude::*;

    const FINAL: &[u8] = b"HTTP/1.1 200 OK\r\nB: 1\r\na: 2\r\n\r\n";

    fn heads(limit: usize) -> Heads {
        let mut heads = Heads::new(limit, 16);
        heads.expect();
        heads
    }

    #[test]
    fn too_many_interim_heads_are_a_fault_and_a_few_are_not() {
        let mut few = heads(10_000);
        for _ in 0..16 {
            few.see(b"HTTP/1.1 103 Early Hints\r\n\r\n").expect("fine");
        }
        assert!(few.see(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_err());
    }

    #[test]
    fn interim_heads_count_against_the_limit() {
        let mut heads = heads(FINAL.len() + 10);
        assert!(heads.see(b"HTTP/1.1 100 C\r\n\r\n").is_ok());
        assert!(heads.see(FINAL).is_err());
    }

    proptest! {
        #[test]
        fn the_final_head_is_kept_however_it_is_cut(cuts in prop::collection::vec(1usize..9, 0..40)) {
            let mut heads = heads(1_000);
            let wire = [b"HTTP/1.1 100 Continue\r\n\r\n", FINAL, b"HTTP/1.1 is the body"].concat();
            let (mut at, mut cuts) = (0, cuts.into_iter());
            while at < wire.len() {
                let to = cuts.next().map_or(wire.len(), |cut| (at + cut).min(wire.len()));
                prop_assert_eq!(heads.has_begun(), at > 0);
                heads.see(&wire[at..to]).expect("faultless");
                at = to;
            }
            prop_assert_eq!(&heads.take()[..], FINAL);
        }
    }
}
