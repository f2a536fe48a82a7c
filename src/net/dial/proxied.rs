//! The way to an origin as far as a proxy is on it.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::connect::Leg;
use crate::net::dial::Dialer;
use crate::net::io::Io;
use crate::net::meter::Meter;
use crate::net::proxy::connect;
use crate::net::proxy::shared::{Known, Seat, Session};
use crate::net::proxy::socks::{self, Place};
use crate::origin::{Protocol, Protocols, Proxy, ProxyScheme};
use crate::policy::way::Way;
use crate::response::DialTimes;

impl Dialer {
    /// Opens a pipe that ends at the origin, or at the proxy that forwards to it.
    pub(super) async fn open(
        &self,
        way: &Way,
        local: Option<IpAddr>,
        vitals: Rc<Vitals>,
        times: &mut DialTimes,
    ) -> Result<(Io, Leg), Error> {
        if let Way::Tunnel { proxy, host, port } = way
            && proxy.scheme() == ProxyScheme::Https
        {
            let place = (&**host, *port);
            // Boxed, as all that only some dials do: every dial would have to have room for it.
            return Box::pin(self.open_shared(proxy, local, place, vitals, times)).await;
        }
        let (tcp, leg) = self.reach(way.first_hop(), local, times).await?;
        let io = Io::Tcp(Meter::new(tcp, vitals));
        let io = match way {
            Way::Direct { .. } => io,
            Way::Forward(proxy) => Box::pin(self.greet(proxy, Protocols::HTTP11, io)).await?.0,
            Way::Tunnel { proxy, host, port } => {
                Box::pin(self.pass(proxy, host, *port, io)).await?
            }
        };
        Ok((io, leg))
    }

    /// Has the proxy that `io` leads to connect to a place.
    async fn pass(&self, proxy: &Proxy, host: &str, port: u16, mut io: Io) -> Result<Io, Error> {
        let place = match proxy.scheme() {
            ProxyScheme::Http | ProxyScheme::Https => {
                let ahead = connect::connect(&mut io, proxy, host, port).await?;
                return Ok(io.after(ahead));
            }
            ProxyScheme::Socks5 => {
                let found = self.names.resolve(host, port).await?;
                let addresses = self.connector.allowed(host, &found.addresses, None)?;
                // One try only: of the families, the one that every proxy can reach.
                let is_ipv4 = |address: &&IpAddr| address.is_ipv4();
                let chosen = addresses.iter().find(is_ipv4).or_else(|| addresses.first());
                let chosen = *chosen.ok_or(Error::Internal { sent: false })?;
                Place::Address((chosen, port).into())
            }
            ProxyScheme::Socks5h => Place::unresolved(host, port),
        };
        socks::connect(&mut io, proxy, place).await?;
        Ok(io)
    }

    /// A tunnel through a proxy that TLS is spoken with: on the connection that there is, if the
    /// proxy speaks HTTP/2.
    async fn open_shared(
        &self,
        proxy: &Proxy,
        local: Option<IpAddr>,
        (host, port): (&str, u16),
        vitals: Rc<Vitals>,
        times: &mut DialTimes,
    ) -> Result<(Io, Leg), Error> {
        let slot = self.shared.slot(proxy, local);
        let hop = (proxy.host(), proxy.port());
        // Who waits here waits for the one that is opening the connection for all.
        let mut known = slot.lock().await;
        if matches!(*known, Known::Http11) {
            drop(known);
            let (tcp, leg) = self.reach(hop, local, times).await?;
            let io = Io::Tcp(Meter::new(tcp, vitals));
            let (io, _) = self.greet(proxy, Protocols::HTTP11, io).await?;
            return Ok((self.pass(proxy, host, port, io).await?, leg));
        }
        let seat = match known.seat() {
            Some(seat) => seat,
            None => {
                let (tcp, leg) = self.reach(hop, local, times).await?;
                // What all share is noted nowhere; each tunnel is.
                let io = Io::Tcp(Meter::new(tcp, Rc::default()));
                let (io, protocol) = self.greet(proxy, Protocols::ANY, io).await?;
                if protocol != Protocol::Http2 {
                    *known = Known::Http11;
                    drop(known);
                    let io = Io::Inner(Box::new(Meter::new(io, vitals)));
                    return Ok((self.pass(proxy, host, port, io).await?, leg));
                }
                let session = Session::start(io, leg, &self.config).await?;
                *known = Known::Http2(Arc::downgrade(&session));
                Seat::of(session)
            }
        };
        drop(known);
        let leg = seat.leg();
        let tunnel = seat.connect(proxy, host, port).await?;
        Ok((Io::Inner(Box::new(Meter::new(tunnel, vitals))), leg))
    }

    /// TLS with the proxy itself, if it is to be spoken.
    async fn greet(
        &self,
        proxy: &Proxy,
        offered: Protocols,
        io: Io,
    ) -> Result<(Io, Protocol), Error> {
        if proxy.scheme() != ProxyScheme::Https {
            return Ok((io, Protocol::Http11));
        }
        let shaken = self.shake_hands(proxy.host(), offered, io).await;
        let (io, _, protocol) = shaken.map_err(of_proxy)?;
        Ok((io, protocol))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ProxyRules};
    use crate::request::Request;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_proxy_that_forwards_is_told_nothing_before_the_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("bound");
        let proxy = Proxy::parse(&format!("http://user:secret@{place}")).expect("a proxy");
        let config = Config {
            proxy: ProxyRules::all(proxy),
            ..Config::default()
        };
        let request = Request::get("http://no-such-name.test/");
        let origin = config.origin_of(&request).expect("a good request");
        let dialer = Dialer::new(Arc::new(config));
        let dialed = dialer
            .dial(&origin, Protocols::HTTP11, Rc::default())
            .await
            .expect("open");
        assert!(dialed.peer.tls.is_none());
        let forwarded = dialed
            .line
            .forwarded
            .as_ref()
            .expect("it is for the proxy to forward");
        assert_eq!(dialed.line.protocol, Protocol::Http11);
        assert_eq!(dialed.peer.address, place);
        assert_eq!(dialed.peer.proxy, Some(format!("http://{place}")));
        let value = forwarded.authorization.as_ref().expect("credentials");
        assert!(value.is_sensitive() && value == "Basic dXNlcjpzZWNyZXQ=");
        let (mut tcp, _) = listener.accept().await.expect("it has connected");
        drop(dialed);
        assert_eq!(tcp.read(&mut [0]).await.expect("the end"), 0);
    }
}
