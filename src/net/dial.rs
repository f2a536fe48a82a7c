//! From an origin to a byte pipe.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::dns::resolve;
use crate::net::linger::Linger;
use crate::net::meter::Meter;
use crate::net::race::{Try, first_of};
use crate::net::tls::Tls;
use crate::origin::{Origin, Protocol, Protocols};
use crate::policy::memory::Memory;
use crate::policy::race::{Family, family, interleaved};
use crate::response::{DialTimes, Passed, Peer, TlsFacts};

/// Opens byte pipes to origins; one for a whole engine.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: Arc<Config>,
    tls: Tls,
    /// Which family was good last, of names that have addresses of both.
    families: Families,
}

/// An open byte pipe, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) io: Linger<Io>,
    pub(crate) peer: Peer,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// Whether an HTTP proxy is at the other end, which wants absolute targets (RFC 9112 §3.2.2).
    pub(crate) absolute: bool,
    pub(crate) started: Instant,
}

/// A byte pipe.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(Meter<TcpStream>),
    Tls(Box<TlsStream<Meter<TcpStream>>>),
}

impl Dialer {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let tls = Tls::new(config.tls.clone());
        let families = Mutex::new(Memory::new(config.max_origins));
        Self {
            config,
            tls,
            families,
        }
    }

    /// Connects to `origin`, offering `protocols`; what passes on the socket is noted in `vitals`.
    /// The caller bounds the wait.
    pub(crate) async fn dial(
        &self,
        origin: &Origin,
        protocols: Protocols,
        vitals: Rc<Vitals>,
    ) -> Result<Dialed, Error> {
        let started = now();
        let mut times = DialTimes::default();
        let (host, port) = self.config.place_of(origin);
        let addresses = resolve(&self.config, &host, port).await?;
        let resolved = now();
        times.resolve = resolved - started;
        let reached = self.connect(origin, &host, &addresses).await?;
        let local = reached.tcp.local_addr().ok();
        let connected = now();
        times.tcp = connected - resolved;
        let (io, tls, protocol) = self
            .secure(origin, protocols, Meter::new(reached.tcp, vitals))
            .await?;
        times.tls = now() - connected;
        let peer = Peer {
            address: reached.address,
            local,
            passed: reached.passed,
            tls,
            dial: times,
        };
        Ok(Dialed {
            io: Linger::new(io),
            peer,
            protocol,
            absolute: false,
            started,
        })
    }

    async fn secure(
        &self,
        origin: &Origin,
        offered: Protocols,
        tcp: Meter<TcpStream>,
    ) -> Result<(Io, Option<TlsFacts>, Protocol), Error> {
        if !origin.is_secure() {
            return Ok((Io::Tcp(tcp), None, offered.first()));
        }
        let shaking = self.tls.shake_hands(origin.host(), offered, tcp);
        let (stream, facts, protocol) = shaking.await?;
        Ok((Io::Tls(Box::new(stream)), Some(facts), protocol))
    }

    /// Connects to whichever of the addresses of `host` answers first.
    async fn connect(
        &self,
        origin: &Origin,
        host: &str,
        found: &[SocketAddr],
    ) -> Result<Reached, Error> {
        let port = found.first().map_or(0, SocketAddr::port);
        let local = origin.egress().local_address.or(self.config.local_address);
        let addresses = self.allowed(host, found, local)?;
        let last_good = recall(&self.families, host);
        let order = interleaved(&addresses, last_good);
        let order = order.into_iter().map(|ip| (ip, port).into()).collect();
        let (won, tries) = first_of(order, |to| self.connect_to(to, local)).await;
        let Some((tcp, address)) = won else {
            // The first was the best hope.
            let first = tries.into_iter().find_map(|tried| {
                let (_, source) = tried.failed?;
                let (peer, source) = (tried.address, Arc::new(source));
                Some(Error::Connect { peer, source })
            });
            return Err(first.unwrap_or(Error::Internal { sent: false }));
        };
        let good = family(address.ip());
        if addresses.iter().any(|ip| family(*ip) != good) {
            remember(&self.families, host, good);
        }
        let passed = passed(tries, address);
        Ok(Reached {
            tcp,
            address,
            passed,
        })
    }

    /// The addresses that may be tried, of those that were found.
    fn allowed(
        &self,
        host: &str,
        found: &[SocketAddr],
        local: Option<IpAddr>,
    ) -> Result<Vec<IpAddr>, Error> {
        let found = found.iter().map(SocketAddr::ip);
        let (allowed, forbidden): (Vec<_>, Vec<_>) =
            found.partition(|ip| self.config.address_policy.allows(*ip));
        if let (true, Some(address)) = (allowed.is_empty(), forbidden.first()) {
            return Err(Error::Blocked {
                host: host.to_owned(),
                address: *address,
            });
        }
        let Some(local) = local else {
            return Ok(allowed);
        };
        let alike = allowed
            .into_iter()
            .filter(|ip| family(*ip) == family(local));
        let alike: Vec<_> = alike.collect();
        if alike.is_empty() {
            let reason = format!("no address of the family of {local}, to connect from there");
            let source = Arc::new(io::Error::new(io::ErrorKind::AddrNotAvailable, reason));
            let host = host.to_owned();
            return Err(Error::Resolve { host, source });
        }
        Ok(alike)
    }

    async fn connect_to(&self, to: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(name) = &self.config.interface {
            bind_to_device(&socket, name)?;
        }
        if let Some(local) = local {
            socket.bind((local, 0).into())?;
        }
        self.tune(socket.connect(to).await?)
    }

    fn tune(&self, tcp: TcpStream) -> io::Result<TcpStream> {
        // Requests are small and written whole: Nagle's delay would only hold them back.
        tcp.set_nodelay(true)?;
        let socket = SockRef::from(&tcp);
        // Probes are a help, not a need: a system that will not have them is no reason to fail.
        if let Some(idle) = self.config.tcp_keepalive {
            // Systems count in whole seconds.
            let idle = idle.max(Duration::from_secs(1));
            let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle));
        }
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        let _ = socket.set_tcp_user_timeout(self.config.tcp_user_timeout);
        Ok(tcp)
    }
}

/// A connected socket.
struct Reached {
    tcp: TcpStream,
    address: SocketAddr,
    passed: Vec<Passed>,
}

/// The account of the addresses that did not win.
fn passed(tries: Vec<Try<io::Error>>, winner: SocketAddr) -> Vec<Passed> {
    let others = tries.into_iter().filter(|tried| tried.address != winner);
    let told = others.map(|tried| {
        let (until, failure) = match tried.failed {
            Some((at, error)) => (at, Some(Arc::new(error))),
            None => (now(), None),
        };
        Passed {
            address: tried.address,
            took: until.saturating_duration_since(tried.began),
            failure,
        }
    });
    told.collect()
}

type Families = Mutex<Memory<Box<str>, Option<Family>>>;

fn recall(families: &Families, host: &str) -> Option<Family> {
    let families = families.lock().unwrap_or_else(PoisonError::into_inner);
    families.get(&Box::from(host)).copied().flatten()
}

fn remember(families: &Families, host: &str, good: Family) {
    let mut families = families.lock().unwrap_or_else(PoisonError::into_inner);
    *families.entry(&Box::from(host)) = Some(good);
}

#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
fn bind_to_device(socket: &TcpSocket, name: &str) -> io::Result<()> {
    SockRef::from(socket).bind_device(Some(name.as_bytes()))
}

#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
fn bind_to_device(_: &TcpSocket, name: &str) -> io::Result<()> {
    let reason = format!("this system does not bind sockets to an interface such as {name}");
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
