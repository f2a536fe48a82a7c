//! From a name to addresses: who is asked, and for which.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Turns names into addresses. The engine caches, orders and bounds what it answers, waits no
/// longer than [`dns_timeout`](crate::Config::dns_timeout), and asks once for all who want the same
/// name at once.
///
/// ```
/// use std::{future::ready, io, sync::Arc};
/// use gannet::config::{Answer, Resolve, Resolver, Resolving};
///
/// #[derive(Debug)]
/// struct Here;
///
/// impl Resolve for Here {
///     fn resolve(&self, _host: &str) -> Resolving {
///         let answer = Answer { addresses: vec![[127, 0, 0, 1].into()], ttl: None };
///         Box::pin(ready(Ok(answer)))
///     }
/// }
///
/// let mut config = gannet::Config::default();
/// config.resolver = Resolver::Custom(Arc::new(Here));
/// ```
pub trait Resolve: Send + Sync + std::fmt::Debug {
    /// The addresses of `host`, a name in its ASCII form, lower case; a dot at its end says that it
    /// is complete. Called and polled on a thread that the engine keeps for names, within a tokio
    /// runtime, so it must not block; dropped when the time is over. At most 100 names are asked
    /// for at once.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) says that the name does not exist, or has no
    /// address: that is remembered. Other kinds are not.
    fn resolve(&self, host: &str) -> Resolving;
}

/// An answer on its way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Answer>> + Send>>;

/// What a resolver knows of a name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// The addresses, in any order.
    pub addresses: Vec<IpAddr>,
    /// How long they hold; `None`: the resolver does not say, and they are kept for 10 s.
    pub ttl: Option<Duration>,
}

/// Who is asked for the addresses of names.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Resolver {
    /// The servers and rules of the system's own configuration, read when the engine first needs
    /// a name, and its hosts file. Where it cannot be read, as [`GetAddrInfo`](Self::GetAddrInfo).
    #[default]
    System,
    /// These DNS servers and no others; names are taken as complete. The hosts file counts.
    Servers(Vec<SocketAddr>),
    /// The system's own function, with all that it is set up to ask. Each question takes a thread
    /// while it waits, at most 16 of them at once. Its answers have no lifetime and are kept for
    /// 10 s; it does not tell a name that does not exist from a failure, so neither is kept.
    GetAddrInfo,
    /// This.
    Custom(Arc<dyn Resolve>),
}

/// The families of addresses that are asked for and used.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Families {
    /// Both.
    #[default]
    Both,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

impl Families {
    /// Whether `address` is of one of them.
    #[must_use]
    pub fn include(self, address: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}
