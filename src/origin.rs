//! What a URL says: the [`Origin`] to connect to, which is the pool key, and the [`Target`] to ask
//! it for.

mod egress;
mod protocol;
mod target;
mod proxy;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

pub use crate::origin::egress::Egress;
pub use crate::origin::protocol::{Protocol, Protocols};
pub use crate::origin::proxy::{Proxy, ProxyScheme};
pub use crate::origin::target::Target;

use crate::error::Error;

/// Scheme, host, port, and the way there: what two fetches must share to share a connection.
///
/// Cloning copies a reference count. The hash is computed once: a fetch looks its origin up at
/// every step of its way.
#[derive(Clone, Debug)]
pub struct Origin {
    parts: Arc<Parts>,
    hash: u64,
}

#[derive(Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Parts {
    secure: bool,
    host: Box<str>,
    port: u16,
    egress: Egress,
}

impl Origin {
    fn new(secure: bool, host: Box<str>, port: u16) -> Self {
        let egress = Egress::default();
        Self::of(Parts {
            secure,
            host,
            port,
            egress,
        })
    }

    fn of(parts: Parts) -> Self {
        Self {
            hash: BuildHasherDefault::<DefaultHasher>::default().hash_one(&parts),
            parts: Arc::new(parts),
        }
    }

    /// The same origin, reached in this way.
    #[must_use]
    pub fn by(&self, egress: Egress) -> Self {
        if self.parts.egress == egress {
            return self.clone();
        }
        Self::of(Parts {
            secure: self.parts.secure,
            host: self.parts.host.clone(),
            port: self.parts.port,
            egress,
        })
    }

    /// The way there.
    #[must_use]
    pub fn egress(&self) -> &Egress {
        &self.parts.egress
    }

    /// The same for equal origins, in every run.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.hash
    }

    /// Whether scheme, host and port are the same, whatever the way.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        let (a, b) = (&self.parts, &other.parts);
        (a.secure, &a.host, a.port) == (b.secure, &b.host, b.port)
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.parts.secure
    }

    /// The host in its ASCII form, lower case; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.parts.host
    }

    /// The port, the scheme's default filled in.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.parts.port
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.parts, &other.parts) || self.parts == other.parts
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialOrd for Origin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Origin {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            secure,
            host,
            port,
            egress,
        } = &*self.parts;
        let scheme = if *secure { "https" } else { "http" };
        let (open, close) = if host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        write!(f, "{scheme}://{open}{host}{close}:{port}{egress}")
    }
}

/// The origin of any URL in it.
impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Target::parse(text)?.origin().clone())
    }
}
