//! A body on its way out, piece by piece.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::Error;
use crate::upload::used_up;

/// Read at once of a reader or a file.
const STEP: usize = 64 << 10;

pub(super) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body on its way out.
pub(crate) struct Source {
    content: Content,
    /// Bytes still owed of those announced.
    owed: Option<u64>,
    trailers: Option<Arc<HeaderMap>>,
    sent: u64,
}

pub(super) enum Content {
    Bytes(Bytes),
    Pieces(Pieces),
    /// Not begun with: until then another attempt may have it.
    Waiting(Arc<Mutex<Option<Pieces>>>),
}

impl Source {
    pub(super) fn new(
        content: Content,
        announced: Option<u64>,
        trailers: Option<Arc<HeaderMap>>,
    ) -> Self {
        Self {
            content,
            owed: announced,
            trailers,
            sent: 0,
        }
    }

    /// Bytes handed out so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes still to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.owed
    }

    /// The trailers, to be sent after the last piece.
    pub(crate) fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().map(Arc::unwrap_or_clone)
    }

    pub(crate) fn has_trailers(&self) -> bool {
        self.trailers.is_some()
    }

    /// Whether the last piece is known to have been handed out.
    pub(crate) fn is_done(&self) -> bool {
        match &self.content {
            Content::Bytes(bytes) => bytes.is_empty() && self.owed.unwrap_or(0) == 0,
            Content::Pieces(_) | Content::Waiting(_) => false,
        }
    }

    /// The next piece, never an empty one; `None` at the end.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        let next = loop {
            break match &mut self.content {
                Content::Bytes(bytes) if bytes.is_empty() => None,
                Content::Bytes(bytes) => Some(bytes.split_to(bytes.len().min(STEP))),
                Content::Pieces(pieces) => match ready!(next(pieces, cx)) {
                    Some(Ok(piece)) if piece.is_empty() => continue,
                    Some(Ok(piece)) => Some(piece),
                    Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                    None => None,
                },
                Content::Waiting(pieces) => {
                    let taken = pieces.lock().unwrap_or_else(PoisonError::into_inner).take();
                    match taken {
                        Some(pieces) => self.content = Content::Pieces(pieces),
                        None => return Poll::Ready(Err(failed(used_up()))),
                    }
                    continue;
                }
            };
        };
        Poll::Ready(self.account(next))
    }

    /// Holds what comes against what was announced.
    fn account(&mut self, next: Option<Bytes>) -> Result<Option<Bytes>, Error> {
        let Some(piece) = next else {
            return match self.owed {
                None | Some(0) => {
                    self.content = Content::Bytes(Bytes::new());
                    Ok(None)
                }
                Some(owed) => Err(failed(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("it ended {owed} bytes before the length announced"),
                ))),
            };
        };
        let length = piece.len() as u64;
        if let Some(owed) = &mut self.owed {
            let Some(left) = owed.checked_sub(length) else {
                let detail = "it is longer than was announced";
                return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, detail)));
            };
            *owed = left;
        }
        self.sent += length;
        Ok(Some(piece))
    }
}

/// A panic in what is not the engine's own code ends one upload, and nothing else.
fn next(pieces: &mut Pieces, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
    // What it may leave behind half-done is never asked again.
    let polled = catch_unwind(AssertUnwindSafe(|| pieces.poll_next_unpin(cx)));
    polled.unwrap_or_else(|_| {
        *pieces = Box::pin(stream::empty());
        Poll::Ready(Some(Err(io::Error::other("its source panicked"))))
    })
}

fn failed(source: io::Error) -> Error {
    Error::Upload {
        source: Arc::new(source),
    }
}

pub(super) fn pieces_of<S, B, E>(stream: S) -> Pieces
where
    S: Stream<Item = Result<B, E>> + Send + 'static,
    B: Into<Bytes>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Box::pin(stream.map(|piece| piece.map(Into::into).map_err(io_error)))
}

/// An `io::Error` stays what it is.
fn io_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    match error.into().downcast() {
        Ok(error) => *error,
        Err(error) => io::Error::other(error),
    }
}

pub(super) fn read(reader: impl AsyncRead + Send + 'static) -> Pieces {
    let reader = Box::pin(reader);
    Box::pin(stream::try_unfold(
        (reader, BytesMut::new()),
        |(mut reader, mut buffer)| async move {
            buffer.reserve(STEP);
            let read = (&mut reader)
                .take(STEP as u64)
                .read_buf(&mut buffer)
                .await?;
            Ok((read > 0).then(|| (buffer.split().freeze(), (reader, buffer))))
        },
    ))
}

/// The first `most` bytes of the file as it is when the first piece is asked for: it may have grown
/// since. Of a size of 0 are also those that the system makes up while they are read.
pub(super) fn open(path: Arc<PathBuf>, most: Option<u64>) -> Pieces {
    let most = most.filter(|most| *most > 0).unwrap_or(u64::MAX);
    let file = async move { Ok(read(tokio::fs::File::open(&*path).await?.take(most))) };
    Box::pin(stream::once(file).flat_map(|opened| match opened {
        Ok(pieces) => pieces,
        Err(error) => Box::pin(stream::once(async { Err(error) })),
    }))
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::upload::Upload;

    fn all(upload: &Upload) -> Result<Vec<u8>, Error> {
        let mut source = upload.source();
        let mut cx = Context::from_waker(Waker::noop());
        let mut whole = Vec::new();
        loop {
            match source.poll_piece(&mut cx) {
                Poll::Ready(Ok(Some(piece))) => {
                    assert!(!piece.is_empty());
                    whole.extend_from_slice(&piece);
                }
                Poll::Ready(Ok(None)) => return Ok(whole),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => panic!("nothing here waits"),
            }
        }
    }

    fn pieces(pieces: &[&'static str]) -> Upload {
        let pieces: Vec<_> = pieces.iter().map(|p| Ok::<_, io::Error>(*p)).collect();
        Upload::stream(stream::iter(pieces))
    }

    #[test]
    fn a_stream_is_sent_once_and_bytes_as_often_as_wanted() {
        let once = pieces(&["one", "", "two"]);
        assert!(once.is_whole() && once.clone().is_whole());
        let unused = once.source();
        drop(unused);
        assert!(once.is_whole(), "nothing was taken");
        assert_eq!(all(&once).expect("whole"), b"onetwo");
        assert!(!once.is_whole());
        assert!(matches!(all(&once), Err(Error::Upload { .. })));
        let bytes = Upload::from("text");
        assert!(all(&bytes).is_ok() && all(&bytes).is_ok());
    }

    #[test]
    fn the_length_announced_is_kept_to() {
        assert!(all(&pieces(&["abc", "de"]).length(5)).is_ok());
        assert!(all(&pieces(&["abc", "de"]).length(4)).is_err());
        assert!(all(&pieces(&["abc", "de"]).length(6)).is_err());
        assert!(all(&Upload::from("abc").length(2)).is_err());
        assert!(all(&Upload::default()).expect("nothing").is_empty());
    }

    #[test]
    fn a_readers_bytes_come_in_order() {
        let long: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        assert_eq!(
            all(&Upload::reader(io::Cursor::new(long.clone()))).expect("read"),
            long
        );
    }

    #[test]
    fn a_source_that_fails_fails_the_upload() {
        let failing = stream::iter([Ok("abc"), Err("gone")]);
        let error = all(&Upload::stream(failing)).expect_err("it fails");
        assert_eq!(
            error.to_string(),
            "the request's body could not be read: gone"
        );
    }
}
