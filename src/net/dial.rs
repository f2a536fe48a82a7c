//! From an origin to a byte pipe.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::dns::Names;
use crate::net::linger::Linger;
use crate::net::meter::Meter;
use crate::net::tls::Tls;
use crate::origin::{Origin, Protocol};
use crate::response::{DialTimes, Peer, TlsFacts};

/// Opens byte pipes to origins; one for a whole engine.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: Arc<Config>,
    names: Names,
    tls: Tls,
}

/// An open byte pipe, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) io: Linger<Io>,
    pub(crate) peer: Peer,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
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
        let tls = Tls::new(config.trust.clone());
        let names = Names::new(Arc::clone(&config));
        Self { config, names, tls }
    }

    /// Connects to `origin`; what passes on the socket is noted in `vitals`. The caller bounds the
    /// wait.
    pub(crate) async fn dial(&self, origin: &Origin, vitals: Rc<Vitals>) -> Result<Dialed, Error> {
        let started = now();
        let mut times = DialTimes::default();
        let (host, port) = self.config.place_of(origin);
        let found = self.names.resolve(&host, port).await?;
        let resolved = now();
        times.cached = found.cached;
        times.resolve = resolved - started;
        let (tcp, address) = self.connect(&found.addresses).await?;
        let connected = now();
        times.tcp = connected - resolved;
        let (io, tls, protocol) = self.secure(origin, Meter::new(tcp, vitals)).await?;
        times.tls = now() - connected;
        let peer = Peer {
            address,
            tls,
            dial: times,
        };
        Ok(Dialed {
            io: Linger::new(io),
            peer,
            protocol,
            started,
        })
    }

    async fn secure(
        &self,
        origin: &Origin,
        tcp: Meter<TcpStream>,
    ) -> Result<(Io, Option<TlsFacts>, Protocol), Error> {
        let offered = self.config.protocols_of(origin);
        if !origin.is_secure() {
            return Ok((Io::Tcp(tcp), None, offered.first()));
        }
        let shaking = self.tls.shake_hands(origin.host(), offered, tcp);
        let (stream, facts, protocol) = shaking.await?;
        Ok((Io::Tls(Box::new(stream)), Some(facts), protocol))
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
