//! Which protocols are offered to whom, and what follows for the number of connections.

use std::collections::HashSet;

use crate::config::Config;
use crate::origin::{Egress, Origin, Protocol, Protocols};

/// Which `http` origins are known to speak HTTP/2 in cleartext.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum PriorKnowledge {
    /// None: they are spoken to in HTTP/1.1.
    #[default]
    None,
    /// These.
    Origins(HashSet<Origin>),
    /// All.
    All,
}

impl PriorKnowledge {
    /// Whether `origin` is known to speak HTTP/2 in cleartext, by whatever way it is reached.
    #[must_use]
    pub fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::None => false,
            Self::Origins(origins) => origins.contains(&origin.by(Egress::default())),
            Self::All => true,
        }
    }
}

impl Config {
    /// What to offer to `origin`; the only one without TLS, where nothing is negotiated.
    pub(crate) fn protocols_of(&self, origin: &Origin) -> Protocols {
        let wanted = origin.egress().protocols;
        let accepted = wanted.unwrap_or(self.accepted_protocols);
        if origin.is_secure() {
            return accepted;
        }
        let is_known = wanted.is_none() && self.prior_knowledge.covers(origin);
        match is_known || !accepted.accept(Protocol::Http11) {
            true => Protocols::HTTP2,
            false => Protocols::HTTP11,
        }
    }

    /// The most connections of an origin that speaks `protocol`.
    pub(crate) fn conn_limit_of(&self, protocol: Option<Protocol>) -> usize {
        match protocol.is_none_or(Protocol::is_multiplexed) {
            true => self.conn_limit,
            false => self.conn_limit_http1,
        }
    }

    /// Whether HTTP/1.1 may be spoken to `origin` if it asks for that.
    pub(crate) fn accepts_http1(&self, origin: &Origin) -> bool {
        let wanted = origin.egress().protocols;
        let accepted = wanted.unwrap_or(self.accepted_protocols);
        accepted.accept(Protocol::Http11)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        url.parse().expect("a URL")
    }

    #[test]
    fn prior_knowledge_is_asked_by_origin() {
        let known = PriorKnowledge::Origins([origin("http://a.test/")].into());
        assert!(known.covers(&origin("http://a.test:80/x")));
        assert!(!known.covers(&origin("http://b.test/")));
    }
}
