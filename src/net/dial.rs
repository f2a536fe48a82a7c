//! From an origin to a byte pipe.

mod proxied;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use tokio::net::TcpStream;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::connect::{Connector, Leg};
use crate::net::dns::Names;
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
    connector: Connector,
    names: Names,
    tls: Tls,
    /// Connections to proxies.
    shared: Shared,
}

/// An open byte pipe, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) line: Line,
    pub(crate) peer: Peer,
    pub(crate) started: Instant,
}

/// What a session is spoken on.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) io: Linger<Io>,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// If requests are for a proxy to forward.
    pub(crate) forwarded: Option<Forwarded>,
}

/// How a proxy wants requests that it is to forward: with their whole URL (RFC 9112 §3.2.2).
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// What each says as `Proxy-Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

impl Dialer {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self {
            names: Names::new(Arc::clone(&config)),
            connector: Connector::new(Arc::clone(&config)),
            tls: Tls::new(config.tls.clone()),
            shared: Shared::default(),
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
        let local = origin.egress().local_address;
        let (io, leg) = self.open(&way, local, vitals, &mut dial).await?;
        let ready = now();
        dial.proxy = (ready - started).saturating_sub(dial.resolve + dial.tcp);
        let (io, tls, protocol) = self.secure(origin, protocols, io).await?;
        dial.tls = now() - ready;
        let forwarded = match &way {
            Way::Forward(proxy) => Some(Forwarded {
                authorization: authorization(proxy),
            }),
            Way::Direct { .. } | Way::Tunnel { .. } => None,
        };
        let peer = Peer {
            address: leg.address,
            local: leg.local,
            passed: leg.passed,
            proxy: way.proxy().map(Proxy::to_string),
            tls,
            dial,
        };
        let line = Line {
            io: Linger::new(io),
            protocol,
            forwarded,
        };
        Ok(Dialed {
            line,
            peer,
            started,
        })
    }

    /// Opens a socket to an origin, or a proxy: the only place that does.
    async fn reach(
        &self,
        (host, port): (&str, u16),
        local: Option<IpAddr>,
        times: &mut DialTimes,
    ) -> Result<(TcpStream, Leg), Error> {
        let started = now();
        let found = self.names.resolve(host, port).await?;
        let resolved = now();
        times.cached = found.cached;
        times.resolve = resolved - started;
        let addresses = &found.addresses;
        let connected = self.connector.connect(host, addresses, local).await?;
        times.tcp = now() - resolved;
        Ok(connected)
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
        // Of origins only: a proxy is who it is.
        let name = self.config.tls.server_name.as_deref();
        let name = name.unwrap_or_else(|| origin.host());
        let (io, facts, protocol) = self.shake_hands(name, offered, io).await?;
        Ok((io, Some(facts), protocol))
    }

    async fn shake_hands(
        &self,
        name: &str,
        offered: Protocols,
        io: Io,
    ) -> Result<(Io, TlsFacts, Protocol), Error> {
        match io {
            Io::Tcp(tcp) => {
                let shaking = self.tls.shake_hands(name, offered, tcp);
                let (stream, facts, protocol) = shaking.await?;
                Ok((Io::Tls(stream), facts, protocol))
            }
            io => {
                let shaking = self.tls.shake_hands(name, offered, io);
                let (stream, facts, protocol) = shaking.await?;
                Ok((Io::Inner(stream), facts, protocol))
            }
        }
    }
}
