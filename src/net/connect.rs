//! Sockets to hosts: which of their addresses, from which of ours.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::net::race::{Try, first_of};
use crate::policy::memory::Memory;
use crate::policy::race::{Family, family, interleaved};
use crate::response::Passed;

/// Connects sockets; one for a whole engine.
#[derive(Debug)]
pub(crate) struct Connector {
    config: Arc<Config>,
    /// Which family was good last, of names that have addresses of both.
    families: Families,
}

impl Connector {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let families = Mutex::new(Memory::new(config.max_origins));
        Self { config, families }
    }

    /// Connects to whichever of the addresses of `host` answers first.
    pub(crate) async fn connect(
        &self,
        host: &str,
        found: &[SocketAddr],
        local: Option<IpAddr>,
    ) -> Result<(TcpStream, Leg), Error> {
        let port = found.first().map_or(0, SocketAddr::port);
        let local = local.or(self.config.local_address);
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
        let local = tcp.local_addr().ok();
        let leg = Leg {
            address,
            local,
            passed,
        };
        Ok((tcp, leg))
    }

    /// The addresses that may be tried, of those that were found.
    pub(crate) fn allowed(
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

/// The ends of a socket.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) address: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    /// What was tried besides.
    pub(crate) passed: Vec<Passed>,
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
