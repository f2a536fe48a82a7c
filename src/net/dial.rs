//! From an origin to a byte pipe.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::connect::{Connector, Reached};
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
    connector: Connector,
    tls: Tls,
}

/// An open byte pipe, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) io: Linger<Io>,
    pub(crate) peer: Peer,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// If requests are for a proxy to forward.
    pub(crate) forwarded: Option<Forwarded>,
    pub(crate) started: Instant,
}

/// How a proxy wants requests that it is to forward: with their whole URL (RFC 9112 §3.2.2).
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// What each says as `Proxy-Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
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
        Self {
            connector: Connector::new(Arc::clone(&config)),
            tls: Tls::new(config.tls.clone()),
            config,
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
        let mut dial = DialTimes::default();
        let way = Way::to(origin, &self.config);
        let (host, port) = way.first_hop();
        let local = origin.egress().local_address;
        let reached = self.reach(host, port, local, &mut dial).await?;
        let local = reached.tcp.local_addr().ok();
        let connected = now();
        let io = Io::Tcp(Meter::new(reached.tcp, vitals));
        let io = self.pass(&way, io).await?;
        let ready = now();
        dial.proxy = ready - connected;
        let (io, tls, protocol) = self.secure(origin, protocols, io).await?;
        dial.tls = now() - ready;
        let forwarded = match &way {
            Way::Forward(proxy) => Some(Forwarded {
                authorization: authorization(proxy),
            }),
            Way::Direct { .. } | Way::Tunnel { .. } => None,
        };
        let peer = Peer {
            address: reached.address,
            local,
            passed: reached.passed,
            proxy: way.proxy().map(Proxy::to_string),
            tls,
            dial,
        };
        Ok(Dialed {
            io: Linger::new(io),
            peer,
            protocol,
            forwarded,
            started,
        })
    }

    /// Opens a socket to an origin, or a proxy: the only place that does.
    async fn reach(
        &self,
        host: &str,
        port: u16,
        local: Option<IpAddr>,
        times: &mut DialTimes,
    ) -> Result<Reached, Error> {
        let started = now();
        let addresses = resolve(&self.config, host, port).await?;
        let resolved = now();
        times.resolve = resolved - started;
        let connected = self.connector.connect(host, &addresses, local).await?;
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
        offered: Protocols,
        io: Io,
    ) -> Result<(Io, Option<TlsFacts>, Protocol), Error> {
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
