//! From an origin to a byte pipe.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::dns::resolve;
use crate::net::linger::Linger;
use crate::net::meter::Meter;
use crate::net::proxy::socks::{self, Place};
use crate::net::proxy::surplus::Surplus;
use crate::net::proxy::{authorization, connect};
use crate::net::tls::Tls;
use crate::origin::{Origin, Protocol, Protocols, Proxy, ProxyScheme};
use crate::policy::way::Way;
use crate::response::{DialTimes, Peer, TlsFacts};

/// Opens byte pipes to origins; one for a whole engine.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: Arc<Config>,
    tls: Tls,
}

/// An open byte pipe, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) io: Linger<Io>,
    pub(crate) peer: Peer,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// Whether requests name the whole URL, for a proxy to forward (RFC 9112 §3.2.2).
    pub(crate) absolute: bool,
    /// What each such request says as `Proxy-Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) started: Instant,
}

/// A byte pipe.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(Meter<TcpStream>),
    Tls(Box<TlsStream<Meter<TcpStream>>>),
    /// What lies within another pipe.
    Inner(Box<dyn Pipe>),
}

/// Anything that bytes go through.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + fmt::Debug + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Unpin> Pipe for T {}

impl Dialer {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let tls = Tls::new(config.trust.clone());
        Self { config, tls }
    }

    /// Connects to `origin`; what passes on the socket is noted in `vitals`. The caller bounds the
    /// wait.
    pub(crate) async fn dial(&self, origin: &Origin, vitals: Rc<Vitals>) -> Result<Dialed, Error> {
        let started = now();
        let mut dial = DialTimes::default();
        let way = Way::to(origin, &self.config);
        let (host, port) = way.first_hop();
        let (tcp, address) = self.reach(host, port, &mut dial).await?;
        let reached = now();
        let io = self.pass(&way, Io::Tcp(Meter::new(tcp, vitals))).await?;
        let passed = now();
        dial.proxy = passed - reached;
        let (io, tls, protocol) = self.secure(origin, io).await?;
        dial.tls = now() - passed;
        let forwarder = match &way {
            Way::Forward(proxy) => Some(proxy),
            Way::Direct { .. } | Way::Tunnel { .. } => None,
        };
        let peer = Peer {
            address,
            proxy: way.proxy().map(Proxy::to_string),
            tls,
            dial,
        };
        Ok(Dialed {
            io: Linger::new(io),
            peer,
            protocol,
            absolute: forwarder.is_some(),
            authorization: forwarder.and_then(authorization),
            started,
        })
    }

    /// Opens a socket to an origin, or a proxy: the only place that does.
    async fn reach(
        &self,
        host: &str,
        port: u16,
        times: &mut DialTimes,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let started = now();
        let addresses = resolve(&self.config, host, port).await?;
        let resolved = now();
        times.resolve = resolved - started;
        let connected = self.connect(&addresses).await?;
        times.tcp = now() - resolved;
        Ok(connected)
    }

    /// Has the proxy on the way, if there is one, do its part.
    async fn pass(&self, way: &Way, io: Io) -> Result<Io, Error> {
        let (proxy, host, port) = match way {
            Way::Direct { .. } => return Ok(io),
            Way::Forward(proxy) => return self.greet(proxy, io).await,
            Way::Tunnel { proxy, host, port } => (proxy, host, *port),
        };
        let mut io = self.greet(proxy, io).await?;
        let place = match proxy.scheme() {
            ProxyScheme::Http | ProxyScheme::Https => {
                let ahead = connect::connect(&mut io, proxy, host, port).await?;
                return Ok(io.after(ahead));
            }
            ProxyScheme::Socks5 => {
                let addresses = resolve(&self.config, host, port).await?;
                // One try only: of the families, the one that every proxy can reach.
                let is_ipv4 = |address: &&SocketAddr| address.is_ipv4();
                let chosen = addresses.iter().find(is_ipv4).or_else(|| addresses.first());
                Place::Address(*chosen.ok_or(Error::Internal { sent: false })?)
            }
            ProxyScheme::Socks5h => Place::unresolved(host, port),
        };
        socks::connect(&mut io, proxy, place).await?;
        Ok(io)
    }

    /// TLS with the proxy itself, if it is to be spoken.
    async fn greet(&self, proxy: &Proxy, io: Io) -> Result<Io, Error> {
        if proxy.scheme() != ProxyScheme::Https {
            return Ok(io);
        }
        let shaken = self.shake_hands(proxy.host(), Protocols::HTTP11, io).await;
        let (io, ..) = shaken.map_err(of_proxy)?;
        Ok(io)
    }

    async fn secure(
        &self,
        origin: &Origin,
        io: Io,
    ) -> Result<(Io, Option<TlsFacts>, Protocol), Error> {
        let offered = self.config.protocols_of(origin);
        if !origin.is_secure() {
            return Ok((io, None, offered.first()));
        }
        let (io, facts, protocol) = self.shake_hands(origin.host(), offered, io).await?;
        Ok((io, Some(facts), protocol))
    }

    async fn shake_hands(
        &self,
        host: &str,
        offered: Protocols,
        io: Io,
    ) -> Result<(Io, TlsFacts, Protocol), Error> {
        match io {
            Io::Tcp(tcp) => {
                let shaking = self.tls.shake_hands(host, offered, tcp);
                let (stream, facts, protocol) = shaking.await?;
                Ok((Io::Tls(Box::new(stream)), facts, protocol))
            }
            io => {
                let shaking = self.tls.shake_hands(host, offered, io);
                let (stream, facts, protocol) = shaking.await?;
                Ok((Io::Inner(Box::new(stream)), facts, protocol))
            }
        }
    }

    /// Tries the addresses in order; the first that answers is it.
    async fn connect(&self, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Error> {
        let mut failure = None;
        for &peer in addresses {
            let tried = TcpStream::connect(peer)
                .await
                .and_then(|tcp| self.tune(tcp));
            match tried {
                Ok(tcp) => return Ok((tcp, peer)),
                Err(source) => {
                    let source = Arc::new(source);
                    failure = Some(Error::Connect { peer, source });
                }
            }
        }
        Err(failure.unwrap_or(Error::Internal { sent: false }))
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

/// Says that it is the proxy's handshake that failed.
fn of_proxy(error: Error) -> Error {
    match error {
        Error::Tls { fault, source } => {
            let told = format!("with the proxy: {source}");
            let source = Arc::new(io::Error::new(source.kind(), told));
            Error::Tls { fault, source }
        }
        Error::NoCommonProtocol { .. } => Error::Proxy {
            status: None,
            detail: "it speaks no HTTP/1.1".into(),
        },
        error => error,
    }
}

impl Io {
    /// The same pipe, of which this much has been read already.
    fn after(self, ahead: Bytes) -> Self {
        match ahead.is_empty() {
            true => self,
            false => Self::Inner(Box::new(Surplus::new(ahead, self))),
        }
    }
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
            Self::Inner(inner) => Pin::new(inner).poll_read(cx, buf),
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
            Self::Inner(inner) => Pin::new(inner).poll_write(cx, buf),
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
            Self::Inner(inner) => Pin::new(inner).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Inner(inner) => inner.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Self::Inner(inner) => Pin::new(inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Inner(inner) => Pin::new(inner).poll_shutdown(cx),
        }
    }
}
