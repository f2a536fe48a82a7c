//! From an origin to a byte pipe.

mod proxied;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::dns::resolve;
use crate::net::io::Io;
use crate::net::linger::Linger;
use crate::net::proxy::authorization;
use crate::net::proxy::shared::Shared;
use crate::net::tls::Tls;
use crate::origin::{Origin, Protocol, Protocols, Proxy};
use crate::policy::way::Way;
use crate::response::{DialTimes, Peer, TlsFacts};

/// Opens byte pipes to origins; one for a whole engine.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: Arc<Config>,
    tls: Tls,
    /// Connections to proxies.
    shared: Shared,
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

impl Dialer {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let tls = Tls::new(config.trust.clone());
        let shared = Shared::default();
        Self {
            config,
            tls,
            shared,
        }
    }

    /// Connects to `origin`; what passes on the socket is noted in `vitals`. The caller bounds the
    /// wait.
    pub(crate) async fn dial(&self, origin: &Origin, vitals: Rc<Vitals>) -> Result<Dialed, Error> {
        let started = now();
        let mut dial = DialTimes::default();
        let way = Way::to(origin, &self.config);
        let (io, address) = self.open(&way, vitals, &mut dial).await?;
        let passed = now();
        dial.proxy = (passed - started).saturating_sub(dial.resolve + dial.tcp);
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
