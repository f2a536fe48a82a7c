//! A server of frames: says exactly what a test tells it to, right or wrong (RFC 9113).
//!
//! ```text
//! let host = Host::bind().await;
//! let mut peer = host.accept().await;      // reads the preface, says nothing
//! peer.settings(&[(MAX_STREAMS, 3)]).await;
//! let stream = peer.expect_request().await;
//! peer.respond(stream, b"ok").await;
//! ```
//!
//! It keeps books of what it saw and said. Every `expect` reads until the books have it, and
//! panics when that takes too long. What it writes to a client that is gone is lost in silence.

mod books;
mod frames;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use gannet::config::PriorKnowledge;
use gannet::{Config, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) use books::Books;
pub(crate) use frames::{field, frame, head};

use super::script::Line;

/// Frame types (RFC 9113 §6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// Flags.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Settings.
pub(crate) const MAX_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW: u16 = 4;

/// Error codes.
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;

/// `:status 200` as HPACK has it in its static table.
pub(crate) const OK: &[u8] = &[0x88];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Far beyond what any step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);
const FRAME: usize = 16_384;

/// A listening socket.
pub(crate) struct Host {
    listener: TcpListener,
    port: u16,
}

/// One connection.
pub(crate) struct Peer {
    tcp: TcpStream,
    arrived: BytesMut,
    /// Acknowledges the client's SETTINGS and PINGs as they come; off while it is to say nothing.
    pub(crate) is_polite: bool,
    pub(crate) books: Books,
    /// Requests that no `expect_request` has returned yet.
    fresh: VecDeque<u32>,
    pub(crate) window: i64,
    pub(crate) stream_window: i64,
}

/// A config for servers that speak cleartext HTTP/2.
pub(crate) fn plain() -> Config {
    let mut config = Config::default();
    config.prior_knowledge = PriorKnowledge::All;
    config
}

impl Host {
    pub(crate) async fn bind() -> Self {
        Self::bind_to(0).await
    }

    pub(crate) async fn bind_to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        Self { listener, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn get(&self) -> Request {
        Request::get(self.url())
    }

    pub(crate) fn post(&self, body: impl Into<bytes::Bytes>) -> Request {
        Request::post(self.url(), body)
    }

    /// The next connection, its preface read and nothing said.
    pub(crate) async fn accept(&self) -> Peer {
        let waiting = timeout(PATIENCE, self.accept_at_leisure()).await;
        waiting.expect("no connection came")
    }

    /// The same without a limit to the wait.
    pub(crate) async fn accept_at_leisure(&self) -> Peer {
        let (tcp, _) = self.listener.accept().await.expect("a connection");
        tcp.set_nodelay(true).expect("a socket");
        let mut peer = Peer {
            tcp,
            arrived: BytesMut::new(),
            is_polite: true,
            books: Books::default(),
            fresh: VecDeque::new(),
            window: 65_535,
            stream_window: 65_535,
        };
        while peer.arrived.len() < PREFACE.len() && peer.read().await {}
        assert!(peer.arrived.starts_with(PREFACE), "{:?}", peer.arrived);
        peer.arrived.advance(PREFACE.len());
        peer
    }

    /// The next connection, which is to speak HTTP/1.1.
    pub(crate) async fn accept_http1(&self) -> Line {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let (tcp, _) = accepted.expect("no connection came").expect("a socket");
        Line::new(tcp)
    }

    /// The next connection, SETTINGS exchanged.
    pub(crate) async fn welcome(&self, settings: &[(u16, u32)]) -> Peer {
        let mut peer = self.accept().await;
        peer.settings(settings).await;
        peer.expect("an ACK", |books| books.acks == 1).await;
        peer
    }
}

/// What it says.
impl Peer {
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.tcp.write_all(bytes).await;
    }

    pub(crate) async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&frame(kind, flags, stream, payload)).await;
    }

    pub(crate) async fn settings(&mut self, settings: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        self.frame(SETTINGS, 0, 0, &payload).await;
    }

    /// A response head; `end` if there is no more.
    pub(crate) async fn head(&mut self, stream: u32, block: &[u8], end: bool) {
        self.books.say(stream, end);
        let flags = END_HEADERS | u8::from(end);
        self.frame(HEADERS, flags, stream, block).await;
    }

    /// A piece of a body, windows or no windows.
    pub(crate) async fn data(&mut self, stream: u32, piece: &[u8], end: bool) {
        let size = i64::try_from(piece.len()).expect("a frame");
        self.window -= size;
        if let Some(stream) = self.books.streams.get_mut(&stream) {
            stream.window -= size;
        }
        self.books.say(stream, end);
        self.frame(DATA, u8::from(end), stream, piece).await;
    }

    /// A whole response.
    pub(crate) async fn respond(&mut self, stream: u32, body: &[u8]) {
        self.head(stream, OK, false).await;
        self.data(stream, body, true).await;
    }

    /// `length` bytes of body, as the client's windows allow. Returns how often it had to wait.
    pub(crate) async fn body(&mut self, stream: u32, length: usize, end: bool) -> usize {
        let (mut left, mut waits) = (length, 0);
        while left > 0 {
            let of_stream = self.books.streams[&stream].window + self.stream_window;
            let room = usize::try_from(self.window.min(of_stream)).unwrap_or(0);
            let size = left.min(room).min(FRAME);
            if size == 0 {
                self.step("a WINDOW_UPDATE").await;
                waits += 1;
                continue;
            }
            left -= size;
            self.data(stream, &vec![b'x'; size], end && left == 0).await;
        }
        waits
    }

    pub(crate) async fn reset(&mut self, stream: u32, code: u32) {
        if let Some(stream) = self.books.streams.get_mut(&stream) {
            stream.is_reset = true;
        }
        self.frame(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    pub(crate) async fn goaway(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.frame(GOAWAY, 0, 0, &payload).await;
    }

    /// Ends its side of the connection.
    pub(crate) async fn close(&mut self) {
        let _ = self.tcp.shutdown().await;
    }

    pub(crate) async fn window_update(&mut self, stream: u32, by: u32) {
        self.frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
            .await;
    }
}

/// What it waits for.
impl Peer {
    /// The next request's stream; its body may still be on the way.
    pub(crate) async fn expect_request(&mut self) -> u32 {
        loop {
            if let Some(stream) = self.fresh() {
                return stream;
            }
            self.step("a request").await;
        }
    }

    /// The next request that has come already.
    pub(crate) fn fresh(&mut self) -> Option<u32> {
        self.fresh.pop_front()
    }

    /// As many requests, complete with their bodies.
    pub(crate) async fn expect_requests(&mut self, count: usize) -> Vec<u32> {
        let mut streams = Vec::new();
        for _ in 0..count {
            let stream = self.expect_request().await;
            let asked = |books: &Books| books.streams[&stream].is_asked;
            self.expect("the request's end", asked).await;
            streams.push(stream);
        }
        streams
    }

    /// The code the client resets `stream` with.
    pub(crate) async fn expect_reset(&mut self, stream: u32) -> u32 {
        let is_it = |(s, _): &&(u32, u32)| *s == stream;
        let came = |books: &Books| books.resets.iter().any(|r| is_it(&r));
        self.expect("a RST_STREAM", came).await;
        let reset = self.books.resets.iter().find(is_it);
        reset.map_or(u32::MAX, |(_, code)| *code)
    }

    /// A round trip: whatever the client had to say has been said.
    pub(crate) async fn ping_pong(&mut self) {
        let before = self.books.pongs;
        self.frame(PING, 0, 0, b"are you?").await;
        self.expect("a pong", |books| books.pongs > before).await;
    }

    pub(crate) async fn expect_close(&mut self) {
        self.expect("the end", |books| books.is_closed).await;
    }

    /// Reads until the books say so.
    pub(crate) async fn expect(&mut self, what: &str, is_so: impl Fn(&Books) -> bool) {
        while !is_so(&self.books) {
            self.step(what).await;
        }
    }

    /// Waits for one frame, or the end.
    async fn step(&mut self, what: &str) {
        assert!(
            !self.books.is_closed,
            "closed before {what}; the books: {:?}",
            self.books
        );
        let Ok(more) = timeout(PATIENCE, self.next()).await else {
            panic!("no {what} came; the books: {:?}", self.books);
        };
        self.books.is_closed = !more;
    }

    /// Reads one frame into the books; `false` at the end.
    pub(crate) async fn next(&mut self) -> bool {
        let size = |bytes: &BytesMut| {
            let length = bytes.get(..3)?;
            Some(9 + u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize)
        };
        while size(&self.arrived).is_none_or(|size| self.arrived.len() < size) {
            if !self.read().await {
                return false;
            }
        }
        let size = size(&self.arrived).expect("just seen");
        let bytes = self.arrived.split_to(size);
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"));
        let (kind, flags, stream) = (bytes[3], bytes[4], word(5));
        match kind {
            SETTINGS if flags & ACK == 0 => self.adopt(&bytes[9..]).await,
            SETTINGS => self.books.acks += 1,
            PING if flags & ACK != 0 => self.books.pongs += 1,
            PING => {
                self.books.pings += 1;
                if self.is_polite {
                    self.frame(PING, ACK, 0, &bytes[9..]).await;
                }
            }
            GOAWAY => self.books.goaways.push(word(13)),
            WINDOW_UPDATE if stream == 0 => self.window += i64::from(word(9)),
            HEADERS => {
                if self.books.open(stream) {
                    self.fresh.push_back(stream);
                }
                self.books.hear(stream, flags);
            }
            DATA => {
                let body = &mut self.books.stream(stream).body;
                body.extend_from_slice(&bytes[9..]);
                self.books.hear(stream, flags);
            }
            RST_STREAM => {
                self.books.resets.push((stream, word(9)));
                self.books.stream(stream).is_reset = true;
            }
            WINDOW_UPDATE => self.books.stream(stream).window += i64::from(word(9)),
            _ => {}
        }
        true
    }

    async fn adopt(&mut self, settings: &[u8]) {
        for pair in settings.chunks_exact(6) {
            let name = u16::from_be_bytes([pair[0], pair[1]]);
            let value = u32::from_be_bytes(pair[2..].try_into().expect("four"));
            self.books.settings.insert(name, value);
            if name == INITIAL_WINDOW {
                self.stream_window = i64::from(value);
            }
        }
        if self.is_polite {
            self.frame(SETTINGS, ACK, 0, &[]).await;
        }
    }

    async fn read(&mut self) -> bool {
        matches!(self.tcp.read_buf(&mut self.arrived).await, Ok(n) if n > 0)
    }
}
