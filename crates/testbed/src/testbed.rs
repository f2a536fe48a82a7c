//! Setting a testbed up, looking at it, and stopping it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use crate::books::{Books, Entry, Ledger};
use crate::certificate::Identity;
use crate::serve::Server;

const BACKLOG: u32 = 4096;
/// How many free ports are tried, when a port has to be free on all addresses.
const PORT_TRIALS: u32 = 50;
/// How long stopping waits for work that cannot be dropped at once.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What a testbed is to be like. Made by [`Testbed::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    addresses: u8,
    port: u16,
    plain: bool,
    alpn: Vec<String>,
    max_concurrent_streams: Option<u32>,
    names: Vec<String>,
    threads: usize,
}

impl Builder {
    /// Listens on this many addresses, from 127.0.0.1 on, all on one port. From 1 (the default)
    /// to 254. More than one needs a system that accepts all of 127.0.0.0/8, as Linux does.
    #[must_use]
    pub fn addresses(mut self, count: u8) -> Self {
        self.addresses = count;
        self
    }

    /// The port. 0, the default, takes one that is free on all the addresses.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Cleartext: HTTP/2 with prior knowledge and HTTP/1.1, on the same port. The default is TLS.
    #[must_use]
    pub fn plain(mut self, plain: bool) -> Self {
        self.plain = plain;
        self
    }

    /// The protocols TLS offers, the preferred one first. The default is `h2` and `http/1.1`. A
    /// connection without a protocol agreed on (the client offered none, or this list is empty)
    /// speaks HTTP/1.1.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = owned(protocols);
        self
    }

    /// How many streams the server allows at once on an HTTP/2 connection. The default is that of
    /// the HTTP library.
    #[must_use]
    pub fn max_concurrent_streams(mut self, streams: impl Into<Option<u32>>) -> Self {
        self.max_concurrent_streams = streams.into();
        self
    }

    /// The DNS names the certificate is good for, besides the addresses. The default is
    /// `localhost` and `*.gannet.test`.
    #[must_use]
    pub fn names(mut self, names: &[&str]) -> Self {
        self.names = owned(names);
        self
    }

    /// On how many threads the server runs. The default is 1.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Starts the server. When this returns, it accepts connections.
    ///
    /// This blocks for as long as it takes to make keys and to listen, some milliseconds, and can
    /// be called within any executor.
    ///
    /// # Errors
    ///
    /// No addresses or more than 254, no threads, names that are no DNS names, a port that is
    /// taken, or a system out of files or threads.
    pub fn start(&self) -> io::Result<Testbed> {
        let invalid = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !(1..=254).contains(&self.addresses) {
            return invalid("a testbed has from 1 to 254 addresses");
        }
        if self.threads == 0 {
            return invalid("a testbed has at least one thread");
        }
        let identity = Identity::new(&self.names, &self.certified())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let tls = match self.plain {
            true => None,
            false => Some(identity.config(&self.alpn).map_err(io::Error::other)?),
        };
        let ledger = Arc::new(Ledger::default());
        let server = Server::new(Arc::clone(&ledger), tls, self.max_concurrent_streams);
        let (running, port) = self.run(Arc::new(server))?;
        Ok(Testbed {
            port,
            plain: self.plain,
            identity,
            ledger,
            running: Mutex::new(Some(running)),
        })
    }

    /// Starts the thread of the server, and waits for its port.
    fn run(&self, server: Arc<Server>) -> io::Result<(Running, u16)> {
        let (tell_port, port) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let builder = self.clone();
        let thread = std::thread::Builder::new()
            .name("gannet-testbed".to_owned())
            .spawn(move || match builder.listen() {
                Ok((runtime, port, listeners)) => {
                    // The builder waits for this, unless its thread is gone.
                    let _ = tell_port.send(Ok(port));
                    serve(runtime, &server, listeners, stopped);
                }
                Err(error) => drop(tell_port.send(Err(error))),
            })?;
        let port = port
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the server thread ended")))?;
        Ok((Running { stop, thread }, port))
    }

    /// Makes the runtime, here because one must not be dropped within another, and the listeners.
    fn listen(&self) -> io::Result<(Runtime, u16, Vec<TcpListener>)> {
        let runtime = if self.threads == 1 {
            runtime::Builder::new_current_thread().enable_all().build()
        } else {
            runtime::Builder::new_multi_thread()
                .worker_threads(self.threads)
                .thread_name("gannet-testbed")
                .enable_all()
                .build()
        }?;
        let (port, listeners) = {
            let _context = runtime.enter();
            self.bind()?
        };
        Ok((runtime, port, listeners))
    }

    fn bind(&self) -> io::Result<(u16, Vec<TcpListener>)> {
        let mut trials = PORT_TRIALS;
        loop {
            let first = listener(Ipv4Addr::LOCALHOST, self.port)?;
            let port = first.local_addr()?.port();
            let others = (2..=self.addresses).map(|i| listener(Ipv4Addr::new(127, 0, 0, i), port));
            let listeners = std::iter::once(Ok(first)).chain(others).collect();
            match listeners {
                Ok(listeners) => return Ok((port, listeners)),
                Err(error) if self.port != 0 || trials == 0 => return Err(error),
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Err(error),
                Err(_) => trials -= 1,
            }
        }
    }

    /// The addresses in the certificate.
    fn certified(&self) -> Vec<IpAddr> {
        let listening = (1..=self.addresses).map(|i| IpAddr::from([127, 0, 0, i]));
        listening.chain([IpAddr::V6(Ipv6Addr::LOCALHOST)]).collect()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            addresses: 1,
            port: 0,
            plain: false,
            alpn: owned(&["h2", "http/1.1"]),
            max_concurrent_streams: None,
            names: owned(&["localhost", "*.gannet.test"]),
            threads: 1,
        }
    }
}

/// A running server. It stops when [told to](Self::stop) or dropped.
pub struct Testbed {
    port: u16,
    plain: bool,
    identity: Identity,
    ledger: Arc<Ledger>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Testbed {
    /// Sets up a new server: by default TLS, on a free port of 127.0.0.1.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The first address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The port it listens on, on all its addresses.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a path (which begins with a slash) at the first address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.url_at(0, path)
    }

    /// The URL of a path at the address with this index, counted from 0.
    #[must_use]
    pub fn url_at(&self, index: usize, path: &str) -> String {
        self.url_of(&format!("127.0.0.{}", index.saturating_add(1)), path)
    }

    /// The URL of a path at the name `site-{index}.gannet.test`, which a client has to resolve to
    /// an address of the server by itself.
    #[must_use]
    pub fn url_named(&self, index: usize, path: &str) -> String {
        self.url_of(&format!("site-{index}.gannet.test"), path)
    }

    fn url_of(&self, host: &str, path: &str) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{host}:{}{path}", self.port)
    }

    /// The certificate of the authority to trust, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.identity.ca_pem
    }

    /// The certificate of the authority to trust, in DER.
    #[must_use]
    pub fn ca_der(&self) -> &[u8] {
        &self.identity.ca_der
    }

    /// The counters as they are now. They can be read after the server has stopped, too.
    #[must_use]
    pub fn books(&self) -> Books {
        self.ledger.books()
    }

    /// Sets the peaks back to what is open now.
    pub fn reset_peaks(&self) {
        self.ledger.reset_peaks();
    }

    /// The last 100,000 openings and closings of connections, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.ledger.journal()
    }

    /// Waits until the books fulfil a condition, and tells whether they did in time.
    ///
    /// This blocks the thread, by the clock of the system. Where the client runs on the same
    /// thread, use [`until`](Self::until).
    #[must_use]
    pub fn wait_until(&self, condition: impl FnMut(&Books) -> bool, timeout: Duration) -> bool {
        self.ledger.wait_until(condition, timeout)
    }

    /// Waits until the books fulfil a condition, without blocking the thread, in any executor.
    pub async fn until(&self, condition: impl FnMut(&Books) -> bool) {
        self.ledger.until(condition).await;
    }

    /// Stops accepting, drops all connections and joins the server's thread. Does nothing if the
    /// server has stopped before. Dropping the testbed does the same.
    ///
    /// Takes milliseconds, and never more than some seconds.
    pub fn stop(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Running { stop, thread }) = running.take() {
            // Neither fails but for a server thread that has panicked, which is stopped then.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Testbed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Testbed")
            .field("address", &self.address())
            .field("plain", &self.plain)
            .field("books", &self.books())
            .finish_non_exhaustive()
    }
}

/// Serves until told to stop, then drops every connection there is.
fn serve(
    runtime: Runtime,
    server: &Arc<Server>,
    listeners: Vec<TcpListener>,
    stopped: oneshot::Receiver<()>,
) {
    for listener in listeners {
        runtime.spawn(Arc::clone(server).accept(listener));
    }
    // An error means that the handle is gone, which is a reason to stop as well.
    let _ = runtime.block_on(stopped);
    runtime.shutdown_timeout(STOP_TIMEOUT);
}

fn listener(ip: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A port used a moment ago can be taken again.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((ip, port)))?;
    socket.listen(BACKLOG)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
