//! What a request sends: bytes, a stream, a reader or a file.

mod source;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{Stream, stream};
use http::HeaderMap;
use tokio::io::AsyncRead;

pub(crate) use crate::upload::source::Source;

use crate::error::Error;
use crate::upload::source::{Pieces, pieces_of};

/// The body of a request.
///
/// Bytes and files can be sent again; a stream or a reader is used up by the first attempt that
/// takes a piece of it, and what would need it again is then not repeated, nor redirected with it.
///
/// Where the length is known it is announced, and kept to: a source that yields more or less fails
/// the fetch with [`Error::Upload`](crate::Error::Upload). Otherwise HTTP/1.1 sends it chunked.
///
/// ```
/// use futures::stream;
/// use gannet::{Request, Upload};
///
/// let pieces = stream::iter(["one, ", "two"]).map(Ok::<_, std::io::Error>);
/// let request = Request::post("https://example.com/", Upload::stream(pieces).length(8));
/// assert!(request.check().is_ok());
/// # use futures::StreamExt;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Upload {
    content: Content,
    length: Option<u64>,
    trailers: Option<Arc<HeaderMap>>,
}

#[derive(Clone, Default)]
enum Content {
    #[default]
    None,
    Bytes(Bytes),
    File(Arc<PathBuf>),
    /// `None` once taken.
    Once(Arc<Mutex<Option<Pieces>>>),
}

impl Upload {
    /// The pieces of `stream`, in order. Empty ones are passed over.
    pub fn stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::once(pieces_of(stream))
    }

    /// All that `reader` yields until its end.
    pub fn reader<R: AsyncRead + Send + 'static>(reader: R) -> Self {
        Self::once(source::read(reader))
    }

    /// A file, opened anew by each attempt, and sent as far as it reached when that began. What
    /// cannot be read from its beginning again, such as a pipe, is for [`reader`](Self::reader).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            content: Content::File(Arc::new(path.into())),
            ..Self::default()
        }
    }

    /// Announces the length, in bytes.
    #[must_use]
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Trailers (RFC 9110 §6.5) to send behind it. In HTTP/1.1 they ask for a body that is chunked,
    /// so that no length is announced.
    #[must_use]
    pub fn trailers(mut self, trailers: HeaderMap) -> Self {
        self.trailers = Some(Arc::new(trailers)).filter(|trailers| !trailers.is_empty());
        self
    }

    /// The pieces that would be sent, to be sent in another way. Trailers are left out.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        let mut source = self.source();
        stream::poll_fn(move |cx| source.poll_piece(cx).map(Result::transpose))
    }

    /// Whether there is certainly nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_nothing = match &self.content {
            Content::None => true,
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::File(_) | Content::Once(_) => false,
        };
        is_nothing && self.trailers.is_none() && self.length.unwrap_or(0) == 0
    }

    /// Whether it can still be sent from its beginning.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.content {
            Content::None | Content::Bytes(_) | Content::File(_) => true,
            Content::Once(pieces) => pieces
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_some(),
        }
    }

    /// The bytes, if it consists of bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The length to announce, where it is known before anything is read.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.length.or_else(|| match &self.content {
            Content::None => Some(0),
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::File(path) => length_of(path),
            Content::Once(_) => None,
        })
    }

    /// What its trailers are, if it has any.
    pub(crate) fn trailers_sent(&self) -> Option<&HeaderMap> {
        self.trailers.as_deref()
    }

    /// Begins to send it, from its beginning.
    pub(crate) fn source(&self) -> Source {
        let announced = self.announced();
        // A length that the caller has announced is one that the file has to have.
        let most = announced.filter(|_| self.length.is_none());
        let pieces = match &self.content {
            Content::None => source::Content::Bytes(Bytes::new()),
            Content::Bytes(bytes) => source::Content::Bytes(bytes.clone()),
            Content::File(path) => source::Content::Pieces(source::open(Arc::clone(path), most)),
            Content::Once(pieces) => source::Content::Waiting(Arc::clone(pieces)),
        };
        Source::new(pieces, announced, self.trailers.clone())
    }

    fn once(pieces: Pieces) -> Self {
        Self {
            content: Content::Once(Arc::new(Mutex::new(Some(pieces)))),
            ..Self::default()
        }
    }
}

impl<T: Into<Bytes>> From<T> for Upload {
    fn from(bytes: T) -> Self {
        Self {
            content: Content::Bytes(bytes.into()),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Once(_) => f.write_str("Once"),
        }
    }
}

/// A pipe or a device ends where it likes.
fn length_of(path: &Path) -> Option<u64> {
    let file = std::fs::metadata(path).ok()?;
    file.is_file().then_some(file.len())
}

/// Told of a source that was used up before.
fn used_up() -> io::Error {
    io::Error::other("it has been sent before, and cannot be sent again")
}
