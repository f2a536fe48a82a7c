//! Watches the frames a server sends, on their way to the h2 crate, which tells too little of them.

mod orphans;
mod scan;
mod sight;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use scan::{HEAD, Scan};
pub(crate) use sight::Sight;

/// Taken out in one turn at most, so that a flood of nothing does not hold the thread.
const TAKEN_OUT_MAX: usize = 64 << 10;

/// Hands on what a server sends so that each header block comes by itself, without the empty DATA
/// frames that end nothing; what is written passes unseen.
///
/// The h2 crate decodes all it has before it reads again. So when it fails, what it was handed
/// last is what it failed at.
#[derive(Debug)]
pub(crate) struct Tap<T> {
    inner: T,
    sight: Rc<Sight>,
    scan: Scan,
    /// Read, but not scanned: what lies behind a cut, or an incomplete head.
    leftover: BytesMut,
    /// The server has closed its side.
    ended: bool,
}

impl<T> Tap<T> {
    pub(crate) fn new(inner: T, sight: Rc<Sight>) -> Self {
        Self {
            inner,
            scan: Scan::new(Rc::clone(&sight.given_up)),
            sight,
            leftover: BytesMut::new(),
            ended: false,
        }
    }

    /// Hands on a piece of the leftover, if it has one. Returns how much was taken out.
    fn serve(&mut self, buf: &mut ReadBuf<'_>) -> usize {
        let mut piece = self.scan.feed(&mut self.leftover, buf.remaining());
        self.leftover.advance(piece.skip);
        if self.ended && piece.pass == 0 {
            // Not even the head of a frame: the reader is to see where it broke off.
            piece.pass = self.leftover.len().min(buf.remaining());
        }
        buf.put_slice(&self.leftover[..piece.pass]);
        self.leftover.advance(piece.pass);
        self.note(piece.block);
        piece.skip
    }

    fn note(&self, suspect: Option<u32>) {
        self.sight.tally.set(self.scan.tally());
        self.sight.unsure.set(self.scan.unsure());
        self.sight.suspect.set(suspect);
    }
}

impl<T: AsyncRead + Unpin> Tap<T> {
    /// Reads, and hands on a piece of it, if it has one. Returns how much was taken out.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.leftover.is_empty() {
            return self.poll_head(cx).map_ok(|()| 0);
        }
        let start = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if read.is_pending() {
            // A session at rest holds no memory here.
            self.leftover = BytesMut::new();
        }
        ready!(read).inspect_err(|e| self.sight.broken(e))?;
        let read = &mut buf.filled_mut()[start..];
        self.ended = read.is_empty();
        let piece = self.scan.feed(read, read.len());
        let end = piece.skip + piece.pass;
        self.leftover.extend_from_slice(&read[end..]);
        if piece.skip > 0 {
            read.copy_within(piece.skip..end, 0);
        }
        buf.set_filled(start + piece.pass);
        self.note(piece.block);
        Poll::Ready(Ok(piece.skip))
    }

    /// Reads towards the rest of the frame's head that the leftover is the beginning of.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut rest = [0; HEAD];
        let mut rest = ReadBuf::new(&mut rest[self.leftover.len()..]);
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut rest);
        ready!(read).inspect_err(|e| self.sight.broken(e))?;
        self.ended = rest.filled().is_empty();
        self.leftover.extend_from_slice(rest.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.sight.suspect.set(None);
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.sight.given_up.take_news() {
            // The h2 crate ends the session at a promise along with a stream that it has yet to reset.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let start = buf.filled().len();
        let mut taken_out = 0;
        while taken_out < TAKEN_OUT_MAX {
            if !self.leftover.is_empty() {
                taken_out += self.serve(buf);
            }
            // Nothing filled means the end to the reader, so it must be the end.
            if buf.filled().len() == start && !self.ended {
                taken_out += ready!(self.poll_more(cx, buf))?;
            } else {
                return Poll::Ready(Ok(()));
            }
            if buf.filled().len() > start {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
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
    use super::scan::tests::{Model, frame, script};
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Wake, Waker};
    use tokio::io::{AsyncWriteExt, DuplexStream};

    /// Yields each chunk for itself, with nothing to read after every one.
    struct Chunks {
        chunks: VecDeque<Vec<u8>>,
        is_dry: bool,
    }

    impl AsyncRead for Chunks {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.is_dry = !self.is_dry;
            if self.is_dry {
                return Poll::Pending;
            }
            if let Some(mut chunk) = self.chunks.pop_front() {
                let n = chunk.len().min(buf.remaining());
                buf.put_slice(&chunk[..n]);
                if n < chunk.len() {
                    self.chunks.push_front(chunk.split_off(n));
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn all_but_the_empty_frames_comes_through_with_each_block_by_itself(
            bytes in script(),
            chunks in prop::collection::vec(1usize..80, 1..20),
            rooms in prop::collection::vec(1usize..80, 1..20),
        ) {
            let model = Model::of(&bytes);
            let mut left = &bytes[..];
            let chunks = chunks.iter().cycle().map_while(|&n| {
                let (chunk, behind) = left.split_at(n.min(left.len()));
                left = behind;
                (!chunk.is_empty()).then(|| chunk.to_vec())
            });
            let chunks = Chunks { chunks: chunks.collect(), is_dry: false };
            let sight = Rc::new(Sight::default());
            let mut tap = Tap::new(chunks, Rc::clone(&sight));
            let mut cx = Context::from_waker(Waker::noop());
            let mut out = Vec::<u8>::new();
            for &room in rooms.iter().cycle() {
                let mut room = vec![0xaa; room + 3];
                let mut buf = ReadBuf::new(&mut room);
                buf.put_slice(b"old");
                let Poll::Ready(read) = Pin::new(&mut tap).poll_read(&mut cx, &mut buf) else {
                    prop_assert_eq!(sight.suspect(), None);
                    prop_assert_eq!(buf.filled(), b"old");
                    continue;
                };
                read.expect("nothing fails");
                prop_assert_eq!(&buf.filled()[..3], b"old");
                let start = out.len();
                out.extend(&buf.filled()[3..]);
                if out.len() == start {
                    break;
                }
                prop_assert_eq!(sight.suspect(), model.block_at(&(start..out.len())));
            }
            prop_assert_eq!(&out, &model.out);
            prop_assert_eq!(sight.tally.get(), model.tally);
        }
    }

    /// Yields the same for ever.
    struct Endless(Vec<u8>);

    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            buf.put_slice(&self.0);
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicU64);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_flood_of_nothing_gives_the_thread_back() {
        let sight = Rc::new(Sight::default());
        let mut tap = Tap::new(Endless(frame(0, 0, 1, b"").repeat(400)), Rc::clone(&sight));
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut room = [0; 4096];
        let mut buf = ReadBuf::new(&mut room);
        for turn in 1..4 {
            assert!(Pin::new(&mut tap).poll_read(&mut cx, &mut buf).is_pending());
            assert_eq!(wakes.0.load(Ordering::Relaxed), turn);
            assert!(sight.empty_data() * 9 <= turn * (68 << 10));
        }
    }

    const HEAD_OF_200: &[u8] = &[0x88];
    /// An upper-case name, never indexed: malformed (RFC 9113 §8.2.1).
    const MALFORMED: &[u8] = b"\x88\x10\x03Foo\x01x";

    fn response(stream: u32, head: &[u8], is_split: bool) -> Vec<u8> {
        let head = if is_split {
            let parts = [
                frame(1, 0, stream, &head[..1]),
                frame(9, 4, stream, &head[1..]),
            ];
            parts.concat()
        } else {
            frame(1, 4, stream, head)
        };
        [head, frame(0, 1, stream, b"body")].concat()
    }

    struct Meeting {
        client: h2::client::Connection<Tap<DuplexStream>, bytes::Bytes>,
        requests: Vec<h2::client::ResponseFuture>,
        sight: Rc<Sight>,
        /// Kept open: the script ends with its last frame, not with the session.
        _far: DuplexStream,
    }

    /// A session with the requests 1, 3 and 5 under way, to which the server says all of `script`.
    async fn session(script: &[u8]) -> Meeting {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let sight = Rc::new(Sight::default());
        let tap = Tap::new(near, Rc::clone(&sight));
        let (mut sender, mut client) = h2::client::handshake(tap).await.expect("it only writes");
        let requests = (0..3).map(|_| {
            let request = http::Request::get("https://a.example/")
                .body(())
                .expect("valid");
            sender.send_request(request, true).expect("room for it").0
        });
        let requests = requests.collect();
        assert!(futures::poll!(&mut client).is_pending());
        let settings = frame(4, 0, 0, b"");
        far.write_all(&[&settings, script].concat())
            .await
            .expect("it fits");
        Meeting {
            client,
            requests,
            sight,
            _far: far,
        }
    }

    #[tokio::test]
    async fn the_culprit_of_a_failed_session_is_named() {
        for is_split in [false, true] {
            let script = [
                response(1, HEAD_OF_200, false),
                response(3, MALFORMED, is_split),
                response(5, HEAD_OF_200, false),
            ];
            let it = session(&script.concat()).await;
            let error = it.client.await.expect_err("the head of 3 is malformed");
            assert!(error.is_library() && error.is_go_away());
            assert_eq!(error.reason(), Some(h2::Reason::PROTOCOL_ERROR));
            assert_eq!(it.sight.suspect(), Some(3));
        }
    }

    #[tokio::test]
    async fn an_accepted_head_is_no_suspect() {
        let script = [response(1, HEAD_OF_200, true), frame(1, 4, 3, HEAD_OF_200)].concat();
        let mut it = session(&script).await;
        assert!(futures::poll!(&mut it.client).is_pending());
        assert_eq!(it.sight.suspect(), None);
    }

    #[tokio::test]
    async fn hundreds_of_empty_frames_do_not_end_a_session() {
        let empty = frame(0, 0, 1, b"").repeat(300);
        let script = [frame(1, 4, 1, HEAD_OF_200), empty, frame(0, 1, 1, b"body")].concat();
        let mut it = session(&script).await;
        assert!(futures::poll!(&mut it.client).is_pending());
        let mut body = it.requests.remove(0).await.expect("a head").into_body();
        assert_eq!(body.data().await.expect("data").expect("sound"), "body");
        assert!(body.data().await.is_none());
        let seen = (it.sight.empty_data(), it.sight.content());
        assert_eq!(seen, (300, 1));
    }
}
