//! Where to connect, whatever a URL and the resolver say.

use std::net::{IpAddr, SocketAddr};

use crate::config::Config;
use crate::origin::Origin;

/// Fixed addresses of one host and port, as curl's `--resolve`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FixedAddresses {
    /// Host, lower case; `*` stands for every host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Addresses, tried in order.
    pub addresses: Vec<IpAddr>,
}

/// Another place to connect to for one host and port, as curl's `--connect-to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectTo {
    /// Host of the URL, lower case; `None` stands for every host.
    pub host: Option<String>,
    /// Port of the URL; `None` stands for every port.
    pub port: Option<u16>,
    /// Host to connect to instead; `None` keeps the URL's.
    pub to_host: Option<String>,
    /// Port to connect to instead; `None` keeps the URL's.
    pub to_port: Option<u16>,
}

impl Config {
    /// Where to connect for `origin`: host and port after `connect_to`.
    pub(crate) fn place_of(&self, origin: &Origin) -> (String, u16) {
        let (host, port) = (origin.host(), origin.port());
        let rule = self.connect_to.iter().find(|rule| {
            rule.host.as_deref().is_none_or(|h| h == host) && rule.port.is_none_or(|p| p == port)
        });
        let to_host = rule.and_then(|r| r.to_host.as_deref()).unwrap_or(host);
        let to_port = rule.and_then(|r| r.to_port).unwrap_or(port);
        (to_host.to_owned(), to_port)
    }

    /// The fixed addresses of a host and port, if there are any.
    pub(crate) fn fixed_addresses(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let rule = self
            .fixed_addresses
            .iter()
            .find(|rule| (rule.host == host || rule.host == "*") && rule.port == port)?;
        Some(rule.addresses.iter().map(|ip| (*ip, port).into()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::origin::Target;

    fn origin(url: &str) -> Origin {
        Target::parse(url).expect("a URL").origin().clone()
    }

    #[test]
    fn connect_to_moves_what_it_matches_and_keeps_the_rest() {
        let mut config = Config::default();
        config.connect_to.push(ConnectTo {
            host: Some("a.test".into()),
            port: None,
            to_host: Some("127.0.0.1".into()),
            to_port: Some(8443),
        });
        let place = |url| config.place_of(&origin(url));
        assert_eq!(place("https://a.test/"), ("127.0.0.1".into(), 8443));
        assert_eq!(place("https://b.test/"), ("b.test".into(), 443));
    }

    #[test]
    fn a_fixed_address_needs_host_and_port_to_match() {
        let mut config = Config::default();
        config.fixed_addresses.push(FixedAddresses {
            host: "*".into(),
            port: 443,
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
        });
        assert!(config.fixed_addresses("a.test", 443).is_some());
        assert!(config.fixed_addresses("a.test", 80).is_none());
    }
}
