//! By which way an origin is reached.

use crate::config::Config;
use crate::origin::{Origin, Protocol, Proxy};

/// The way to an origin: where to connect to, and what to ask for there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// To the place itself.
    Direct { host: String, port: u16 },
    /// To a proxy that takes whole requests, in absolute form (RFC 9112 §3.2.2).
    Forward(Proxy),
    /// To a proxy that is asked to connect to the place.
    Tunnel {
        proxy: Proxy,
        host: String,
        port: u16,
    },
}

impl Way {
    /// The way that the config and the origin's own key say.
    pub(crate) fn to(origin: &Origin, config: &Config) -> Self {
        let (host, port) = config.place_of(origin);
        let Some(proxy) = origin.egress().proxy.clone() else {
            return Self::Direct { host, port };
        };
        let is_moved = (&*host, port) != (origin.host(), origin.port());
        // A proxy that forwards speaks HTTP/1.1 itself, and connects to where the URL says.
        let is_forwarded = !proxy.scheme().is_socks()
            && !origin.is_secure()
            && !is_moved
            && config.protocols_of(origin).first() != Protocol::Http2;
        match is_forwarded {
            true => Self::Forward(proxy),
            false => Self::Tunnel { proxy, host, port },
        }
    }

    /// Host and port of the socket's other end.
    pub(crate) fn first_hop(&self) -> (&str, u16) {
        match self {
            Self::Direct { host, port } => (host, *port),
            Self::Forward(proxy) | Self::Tunnel { proxy, .. } => (proxy.host(), proxy.port()),
        }
    }

    /// The proxy on it.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        match self {
            Self::Direct { .. } => None,
            Self::Forward(proxy) | Self::Tunnel { proxy, .. } => Some(proxy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConnectTo, PriorKnowledge, ProxyRules};
    use crate::origin::Protocols;
    use crate::request::Request;

    fn way(config: &Config, request: &Request) -> String {
        let origin = config.origin_of(request).expect("a good request");
        let way = Way::to(&origin, config);
        let (hop, port) = way.first_hop();
        match &way {
            Way::Direct { .. } => format!("direct {hop}:{port}"),
            Way::Forward(_) => format!("forward {hop}:{port}"),
            Way::Tunnel { host, port: to, .. } => format!("{hop}:{port} tunnel {host}:{to}"),
        }
    }

    #[test]
    fn only_http_1_to_where_the_url_says_is_forwarded() {
        let mut config = Config::default();
        let plain = || Request::get("http://a.test/");
        assert_eq!(way(&config, &plain()), "direct a.test:80");
        config.proxy = ProxyRules::all(Proxy::parse("p:3128").expect("a proxy"));
        assert_eq!(way(&config, &plain()), "forward p:3128");
        let secure = Request::get("https://a.test/");
        assert_eq!(way(&config, &secure), "p:3128 tunnel a.test:443");
        let http2 = plain().protocols(Protocols::HTTP2);
        assert_eq!(way(&config, &http2), "p:3128 tunnel a.test:80");
        let socks = plain().proxy(Proxy::parse("socks5://s").expect("a proxy"));
        assert_eq!(way(&config, &socks), "s:1080 tunnel a.test:80");
        assert_eq!(way(&config, &plain().proxy(None)), "direct a.test:80");
        config.connect_to.push(ConnectTo {
            host: Some("a.test".into()),
            port: None,
            to_host: Some("b.test".into()),
            to_port: None,
        });
        assert_eq!(way(&config, &plain()), "p:3128 tunnel b.test:80");
        assert_eq!(way(&config, &plain().proxy(None)), "direct b.test:80");
        config.connect_to.clear();
        config.prior_knowledge = PriorKnowledge::All;
        assert_eq!(way(&config, &plain()), "p:3128 tunnel a.test:80");
    }
}
