//! A server of HTTP/1.1 that says exactly the bytes a test tells it to, right or wrong (RFC 9112).
//!
//! ```text
//! let host = Host::bind().await;
//! let mut line = host.accept().await;
//! let asked = line.request().await;
//! line.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use gannet::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Far beyond what any step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A response of two bytes.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A listening socket.
pub(crate) struct Host {
    listener: TcpListener,
    port: u16,
}

/// One connection.
pub(crate) struct Line {
    tcp: TcpStream,
    arrived: BytesMut,
}

/// What came of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Method, target and version.
    pub(crate) line: String,
    /// Fields in their order.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What a server does with the connection after what it has said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// Waits for the next request.
    Keep,
    /// Ends it.
    Close,
    /// Ends it with a reset.
    Break,
    /// Says nothing more, and reads nothing.
    Hang,
}

/// What a running server has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Asked {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

impl Seen {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Most connections open at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Host {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        Self { listener, port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        Request::get(self.url(path))
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> Line {
        let (tcp, _) = timeout(PATIENCE, self.listener.accept())
            .await
            .expect("no connection came")
            .expect("a connection");
        Line::new(tcp)
    }

    /// Whether a connection waits to be accepted, or comes while `time` passes.
    pub(crate) async fn is_called_within(&self, time: Duration) -> bool {
        timeout(time, self.listener.accept()).await.is_ok()
    }

    /// Answers for ever: `answer` is asked with the number of the connection, that of the request
    /// on it, both from 1, and the request.
    pub(crate) fn serve<F>(self, answer: F) -> (Seen, String)
    where
        F: Fn(usize, usize, &Asked) -> (Vec<u8>, Then) + Send + Sync + 'static,
    {
        let (seen, answer, url) = (Seen::default(), Arc::new(answer), self.url(""));
        let books = seen.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = self.listener.accept().await {
                let number = books.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let open = books.open.fetch_add(1, Ordering::SeqCst) + 1;
                books.most.fetch_max(open, Ordering::SeqCst);
                let (books, answer) = (books.clone(), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut line = Line::new(tcp);
                    let then = line.answer_all(number, &books, &*answer).await;
                    // Its own end counts, not when it sees the other's.
                    books.open.fetch_sub(1, Ordering::SeqCst);
                    match then {
                        Then::Break => line.cut(),
                        _ => line.finish().await,
                    }
                });
            }
        });
        (seen, url)
    }
}

impl Line {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).expect("a socket");
        let arrived = BytesMut::new();
        Self { tcp, arrived }
    }

    /// Until the client leaves, or an answer is the last.
    async fn answer_all<F>(&mut self, number: usize, seen: &Seen, answer: &F) -> Then
    where
        F: Fn(usize, usize, &Asked) -> (Vec<u8>, Then),
    {
        for request in 1.. {
            let Some(asked) = self.next().await else {
                break;
            };
            seen.requests.fetch_add(1, Ordering::SeqCst);
            let (bytes, then) = answer(number, request, &asked);
            self.say(bytes).await;
            match then {
                Then::Keep => {}
                Then::Hang => {
                    let _ = self.is_closed_within(PATIENCE).await;
                    break;
                }
                then => return then,
            }
        }
        Then::Close
    }

    /// Answers everything until the client leaves.
    pub(crate) async fn agree(mut self) {
        while self.next().await.is_some() {
            self.say(OK).await;
        }
    }

    /// Waits until something has come.
    pub(crate) async fn stir(&mut self) {
        let read = timeout(PATIENCE, self.read()).await;
        read.expect("nothing came")
            .expect("closed before a request");
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.tcp.write_all(bytes.as_ref()).await;
    }

    /// Ends this side, and waits for the other's end.
    pub(crate) async fn finish(&mut self) {
        let _ = self.tcp.shutdown().await;
        let _ = self.is_closed_within(PATIENCE).await;
    }

    /// Ends it with a reset.
    pub(crate) fn cut(self) {
        let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Asked {
        let next = timeout(PATIENCE, self.next()).await;
        next.expect("no request came")
            .expect("closed before a request")
    }

    /// The next head, and nothing of what follows it.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.arrived.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.arrived.split_to(end + 4);
                return String::from_utf8_lossy(&head).to_ascii_lowercase();
            }
            self.stir().await;
        }
    }

    /// The next `count` bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.arrived.len() < count {
            self.stir().await;
        }
        self.arrived.split_to(count).to_vec()
    }

    /// All that comes until the client ends its side.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while timeout(PATIENCE, self.read())
            .await
            .expect("it is still open")
            .is_some()
        {}
        self.arrived.split().to_vec()
    }

    /// Whether nothing has come that was not asked for.
    pub(crate) fn is_silent(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Whether the client ends its side while `time` passes. What it says until then is dropped.
    pub(crate) async fn is_closed_within(&mut self, time: Duration) -> bool {
        let mut scratch = [0; 4096];
        let end = async { while let Ok(1..) = self.tcp.read(&mut scratch).await {} };
        timeout(time, end).await.is_ok()
    }

    pub(crate) async fn expect_close(&mut self) {
        assert!(self.is_closed_within(PATIENCE).await, "it is still open");
    }

    /// The next request; `None` at the end.
    async fn next(&mut self) -> Option<Asked> {
        let end = loop {
            match self.arrived.windows(4).position(|w| w == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.read().await?,
            }
        };
        let head = self.arrived.split_to(end);
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let mut asked = Asked {
            line: lines.next().unwrap_or_default().to_owned(),
            ..Asked::default()
        };
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a field");
            asked.fields.push((name.to_owned(), value.to_owned()));
        }
        let length = asked
            .field("content-length")
            .map_or(0, |n| n.parse().expect("a number"));
        while self.arrived.len() < length {
            self.read().await?;
        }
        asked.body = self.arrived.split_to(length).to_vec();
        Some(asked)
    }

    async fn read(&mut self) -> Option<()> {
        let read = self.tcp.read_buf(&mut self.arrived).await;
        matches!(read, Ok(1..)).then_some(())
    }
}
