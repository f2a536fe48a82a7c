//! A response whose body is handed out piece by piece, as it comes.

mod budget;
mod pipe;
mod spares;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt};
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

pub(crate) use crate::body::budget::{ByteBudget, Share};
use crate::body::pipe::Outlet;
pub(crate) use crate::body::pipe::{End, Inlet};
pub(crate) use crate::body::spares::{AtWork, Spares};

use crate::error::Error;
use crate::origin::Protocol;
use crate::response::{Receipt, Response};

/// A response as [`Engine::open`](crate::Engine::open) hands it out: its head, and its body to come.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenResponse {
    /// Status code.
    pub status: StatusCode,
    /// Headers, as bytes; duplicates kept.
    pub headers: HeaderMap,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// The head as it came, of HTTP/1.x.
    pub raw_head: Option<Bytes>,
    /// How the response was come by, as far as the head.
    pub receipt: Receipt,
    /// The body.
    pub body: Body,
}

/// The body of a response on its way: a [`Stream`] of pieces, and an [`AsyncRead`]. It may be read on
/// any executor.
///
/// A server may send no more than the window of its stream
/// ([`Config::stream_window`](crate::Config::stream_window)) ahead of what is taken here; other
/// responses of its connection go on. All that lies unread in an engine is bounded by
/// [`Bodies::budget`](crate::config::Bodies::budget). Dropping it before its end cancels: the
/// stream is reset with CANCEL at once, and HTTP/1.x closes its connection.
///
/// ```no_run
/// # async fn run(engine: gannet::Engine) -> Result<(), gannet::Error> {
/// use futures::StreamExt;
///
/// let mut response = engine.open(gannet::Request::get("https://example.com/large")).await?;
/// while let Some(piece) = response.body.next().await {
///     println!("{} bytes", piece?.len());
/// }
/// println!("{:?}", response.body.receipt().map(|receipt| receipt.wire_bytes));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Body {
    state: State,
    /// What of the latest piece has not been read.
    rest: Bytes,
}

#[derive(Debug)]
enum State {
    Open(Outlet),
    /// Its error has yet to be told, if it has one.
    Ended(Box<End>),
}

impl Body {
    /// A body to be put in as it comes, at most so many bytes ahead of its reader.
    pub(crate) fn open(most: usize, budget: &Arc<ByteBudget>) -> (Inlet, Self) {
        let (inlet, outlet) = pipe::pipe(most, budget);
        let state = State::Open(outlet);
        let rest = Bytes::new();
        (inlet, Self { state, rest })
    }

    /// A body that is all there.
    fn whole(bytes: Bytes, trailers: Option<HeaderMap>, receipt: Receipt) -> Self {
        let end = End {
            trailers,
            receipt,
            error: None,
        };
        Self {
            state: State::Ended(Box::new(end)),
            rest: bytes,
        }
    }

    /// The trailers, once the end has been read, if there are any.
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.end()?.trailers.as_ref()
    }

    /// How the whole fetch went, once the end has been read.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        Some(&self.end()?.receipt)
    }

    /// Reads to the end.
    ///
    /// # Errors
    ///
    /// What cut it off; and [`Error::TooLarge`] where it is larger than `most` bytes, with the rest
    /// left unread.
    pub async fn gather(&mut self, most: usize) -> Result<Bytes, Error> {
        let mut whole = bytes::BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > most {
                self.rest = piece;
                return Err(Error::TooLarge { limit: most as u64 });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    fn end(&self) -> Option<&End> {
        match &self.state {
            State::Ended(end) if self.rest.is_empty() => Some(end),
            _ => None,
        }
    }

    /// Has something in `rest`, or is at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.rest.is_empty() {
            match &mut self.state {
                State::Open(outlet) => match ready!(outlet.poll(cx)) {
                    Ok(piece) => self.rest = piece,
                    Err(end) => self.state = State::Ended(end),
                },
                State::Ended(end) => {
                    return Poll::Ready(end.error.take().map_or(Ok(()), Err));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.poll_fill(cx))?;
        let piece = std::mem::take(&mut self.rest);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

impl AsyncBufRead for Body {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_fill(cx)).map_err(io::Error::other)?;
        Poll::Ready(Ok(&this.rest))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.rest.advance(amount);
    }
}

impl AsyncRead for Body {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = available.len().min(buf.remaining());
        buf.put_slice(&available[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

/// A response that was gathered, handed out as one that is open.
impl From<Response> for OpenResponse {
    fn from(response: Response) -> Self {
        let Response {
            status,
            headers,
            body,
            trailers,
            protocol,
            raw_head,
            receipt,
            ..
        } = response;
        Self {
            status,
            headers,
            protocol,
            raw_head,
            receipt: receipt.clone(),
            body: Body::whole(body, trailers, receipt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn end(error: Option<Error>) -> End {
        End {
            trailers: None,
            receipt: Receipt::default(),
            error,
        }
    }

    #[tokio::test]
    async fn it_can_be_read_as_bytes_in_any_steps() {
        let (inlet, mut body) = Body::open(100, &Arc::new(ByteBudget::new(100)));
        inlet.push(Bytes::from_static(b"one and "));
        inlet.push(Bytes::from_static(b"two"));
        inlet.end(end(None));
        let mut three = [0; 3];
        body.read_exact(&mut three).await.expect("there");
        assert_eq!(&three, b"one");
        assert!(body.receipt().is_none(), "there is more to read");
        let mut rest = String::new();
        body.read_to_string(&mut rest).await.expect("there");
        assert_eq!(rest, " and two");
        assert!(body.receipt().is_some());
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn an_error_comes_once_after_what_came_before_it() {
        let (inlet, mut body) = Body::open(100, &Arc::new(ByteBudget::new(100)));
        inlet.push(Bytes::from_static(b"piece"));
        inlet.end(end(Some(Error::TooLarge { limit: 5 })));
        assert_eq!(body.next().await.expect("a piece").expect("sound"), "piece");
        assert!(matches!(
            body.next().await,
            Some(Err(Error::TooLarge { limit: 5 }))
        ));
        assert!(body.next().await.is_none());
    }
}
