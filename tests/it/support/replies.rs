//! A server of bytes: answers each HTTP/1.1 request with exactly what a test has put down for its
//! path, right or wrong, and keeps count of connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is said to one request, and what then becomes of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) after: After,
}

/// What a server does when it has said what it had to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// Waits for the next request.
    Listen,
    /// Ends its side in order.
    Close,
    /// Breaks the connection.
    Reset,
    /// Says the same again and again, until nobody listens.
    Repeat,
}

/// The number of the connection that each path was last asked for on, and of all connections.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    of: HashMap<String, usize>,
}

/// Listens until dropped.
pub(crate) struct Replies {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Replies {
    /// Answers `/name` with the reply of that name, and anything else with `fine`.
    pub(crate) async fn start(replies: HashMap<String, Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (replies, seen) = (Arc::new(replies), Arc::<Mutex<Seen>>::default());
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let number = note(&noted, |seen| {
                    seen.connections += 1;
                    seen.connections
                });
                tokio::spawn(serve(tcp, number, Arc::clone(&replies), Arc::clone(&noted)));
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        note(&self.seen, |seen| seen.connections)
    }

    /// The connection that `path` was last asked for on.
    pub(crate) fn connection_of(&self, path: &str) -> Option<usize> {
        note(&self.seen, |seen| seen.of.get(path).copied())
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note<T>(seen: &Mutex<Seen>, with: impl FnOnce(&mut Seen) -> T) -> T {
    with(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn serve(
    mut tcp: TcpStream,
    number: usize,
    replies: Arc<HashMap<String, Reply>>,
    seen: Arc<Mutex<Seen>>,
) {
    let fine = Reply {
        bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine".to_vec(),
        after: After::Listen,
    };
    while let Some(path) = next_path(&mut tcp).await {
        let reply = replies.get(&path).unwrap_or(&fine);
        note(&seen, |seen| seen.of.insert(path, number));
        // Whoever does not listen any more has heard enough.
        if tcp.write_all(&reply.bytes).await.is_err() {
            return;
        }
        match reply.after {
            After::Listen => {}
            After::Close => {
                let _ = tcp.shutdown().await;
                // Its own end, whenever it comes.
                while matches!(tcp.read(&mut [0; 1024]).await, Ok(1..)) {}
                return;
            }
            After::Reset => {
                let _ = tcp.set_zero_linger();
                return;
            }
            After::Repeat => while tcp.write_all(&reply.bytes).await.is_ok() {},
        }
    }
}

/// The path of the next request, without its slash. Requests of these tests have no body.
async fn next_path(tcp: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1)?;
    Some(path.trim_start_matches('/').to_owned())
}
