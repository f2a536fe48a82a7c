//! The way to an origin, as far as it keeps connections apart.

use std::fmt;
use std::net::IpAddr;

use crate::origin::protocol::Protocols;
use crate::origin::proxy::Proxy;

/// How an origin is reached. Two fetches that are to go different ways cannot share a connection,
/// nor what was learnt of the origin on it.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Egress {
    /// The protocols of this fetch; `None`: the engine's.
    pub protocols: Option<Protocols>,
    /// The local address to connect from; `None`: the system's choice.
    pub local_address: Option<IpAddr>,
    /// The proxy to go through, credentials included; `None`: none.
    pub proxy: Option<Proxy>,
}

impl Egress {
    /// Whether it is that of a fetch which asks for nothing particular.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Each particular in brackets; nothing for a plain one.
impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(protocols) = &self.protocols {
            write!(f, " [{protocols}]")?;
        }
        if let Some(address) = &self.local_address {
            write!(f, " [from {address}]")?;
        }
        if let Some(proxy) = &self.proxy {
            write!(f, " [via {proxy}]")?;
        }
        Ok(())
    }
}
