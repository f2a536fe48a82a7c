//! The protocols that responses come over, and which of them are accepted.

use std::fmt;

use crate::error::{Error, Part};

/// A protocol that responses come over.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.0, as some servers answer an HTTP/1.1 request (RFC 9112 §2.3). Not to be asked for.
    Http10,
    /// HTTP/1.1 (RFC 9112).
    Http11,
    /// HTTP/2 (RFC 9113).
    Http2,
}

/// The protocols to offer to a server, the preferred one first.
///
/// ```
/// use gannet::{Protocol, Protocols};
///
/// assert_eq!(Protocols::default().to_string(), "h2, http/1.1");
/// assert_eq!(Protocols::new(&[Protocol::Http11])?, Protocols::HTTP11);
/// # Ok::<(), gannet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Protocols {
    first: Protocol,
    second: Option<Protocol>,
}

impl Protocol {
    /// Its name in ALPN (RFC 7301 §6; RFC 9113 §3.2).
    #[must_use]
    pub fn alpn(self) -> &'static str {
        match self {
            Self::Http10 => "http/1.0",
            Self::Http11 => "http/1.1",
            Self::Http2 => "h2",
        }
    }

    /// Whether requests share a connection.
    pub(crate) fn is_multiplexed(self) -> bool {
        self == Self::Http2
    }
}

impl Protocols {
    /// HTTP/2 if the server can, HTTP/1.1 otherwise.
    pub const ANY: Self = Self {
        first: Protocol::Http2,
        second: Some(Protocol::Http11),
    };
    /// HTTP/2 and nothing else; over `http`, with prior knowledge (RFC 9113 §3.3).
    pub const HTTP2: Self = Self {
        first: Protocol::Http2,
        second: None,
    };
    /// HTTP/1.1 and nothing else.
    pub const HTTP11: Self = Self {
        first: Protocol::Http11,
        second: None,
    };

    /// These, the preferred one first; repetitions do not count.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] for none at all, and for HTTP/1.0.
    pub fn new(protocols: &[Protocol]) -> Result<Self, Error> {
        let Some(&first) = protocols.first() else {
            return Err(Error::bad(Part::Protocol, "none is accepted"));
        };
        if protocols.contains(&Protocol::Http10) {
            return Err(Error::bad(Part::Protocol, "HTTP/1.0 cannot be asked for"));
        }
        let second = protocols.iter().copied().find(|p| *p != first);
        Ok(Self { first, second })
    }

    /// The preferred one.
    #[must_use]
    pub fn first(self) -> Protocol {
        self.first
    }

    /// In order of preference.
    pub fn iter(self) -> impl Iterator<Item = Protocol> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    /// Whether `protocol` is among them.
    #[must_use]
    pub fn accept(self, protocol: Protocol) -> bool {
        self.iter().any(|p| p == protocol)
    }
}

impl Default for Protocols {
    fn default() -> Self {
        Self::ANY
    }
}

/// As in ALPN, separated by commas.
impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.first.alpn())?;
        match self.second {
            Some(second) => write!(f, ", {}", second.alpn()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_and_repetition_does_not() {
        use Protocol::{Http2, Http10, Http11};
        let of = |list: &[_]| {
            Protocols::new(list)
                .map(|p| p.iter().collect::<Vec<_>>())
                .ok()
        };
        assert_eq!(of(&[Http11, Http2, Http11]), Some(vec![Http11, Http2]));
        assert_eq!(of(&[Http2, Http2]), Some(vec![Http2]));
        assert_eq!((of(&[]), of(&[Http2, Http10])), (None, None));
    }
}
