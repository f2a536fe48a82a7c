//! The flags that say how servers are reached, spelled as in curl.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use gannet::config::{AddressPolicy, Families, NoProxy, PriorKnowledge, ProxyRules, Resolver};
use gannet::request::Redirects;
use gannet::{Config, Error, Protocols, Proxy};

use crate::exit::{Exit, Failure};

/// How servers are reached, as far as flags say.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Connecting")]
pub(crate) struct Reach {
    /// Speak HTTP/1.1 and nothing else
    #[arg(long = "http1.1", conflicts_with_all = ["http2", "http2_prior_knowledge"])]
    http1_1: bool,
    /// Speak HTTP/2 and nothing else, to http URLs in cleartext [default: HTTP/2 where an https
    /// server can]
    #[arg(long)]
    http2: bool,
    /// Speak HTTP/2 in cleartext to http URLs, and either protocol to https URLs
    #[arg(long)]
    http2_prior_knowledge: bool,
    /// Ask these DNS servers for names, instead of the system's
    #[arg(long, value_name = "ADDR[:PORT][,ADDR]", value_delimiter = ',', value_parser = server)]
    dns_servers: Vec<SocketAddr>,
    /// Use IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 addresses only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Connect from this address, or through the interface of this name
    #[arg(long, value_name = "ADDRESS|NAME")]
    interface: Option<String>,
    /// Connect to public addresses only, whatever names and redirects say
    #[arg(long)]
    public_only: bool,
    /// Go through this proxy: http://, https://, socks5:// (names resolved here) or socks5h://
    #[arg(short = 'x', long, value_name = "[SCHEME://]HOST[:PORT]", value_parser = proxy, help_heading = "Proxies")]
    proxy: Option<Proxy>,
    /// User and password for the proxy
    #[arg(
        short = 'U',
        long,
        value_name = "USER:PASSWORD",
        requires = "proxy",
        help_heading = "Proxies"
    )]
    proxy_user: Option<String>,
    /// Go to these hosts without a proxy: names with all below them, addresses, networks, or *
    #[arg(long, value_name = "HOST[,HOST]", help_heading = "Proxies")]
    noproxy: Option<String>,
    /// Go through the proxies that http_proxy, https_proxy, all_proxy and no_proxy name
    #[arg(long, conflicts_with = "proxy", help_heading = "Proxies")]
    proxy_env: bool,
    /// Follow redirects; credentials go along only within one scheme, host and port
    #[arg(short = 'L', long, help_heading = "Redirects")]
    location: bool,
    /// Most redirects of one URL
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        help_heading = "Redirects"
    )]
    max_redirs: usize,
    /// Let a redirect lead from https to http
    #[arg(long, requires = "location", help_heading = "Redirects")]
    location_downgrade: bool,
}

impl Reach {
    /// Whether nothing but HTTP/1.1 will be spoken to URLs of this kind.
    pub(crate) fn is_http1(&self, is_secure: bool) -> bool {
        self.http1_1 || !(is_secure || self.http2 || self.http2_prior_knowledge)
    }

    /// Sets what flags were given for.
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), Failure> {
        if self.http1_1 {
            config.accepted_protocols = Protocols::HTTP11;
        }
        if self.http2 {
            config.accepted_protocols = Protocols::HTTP2;
        }
        if self.http2_prior_knowledge {
            config.prior_knowledge = PriorKnowledge::All;
        }
        if !self.dns_servers.is_empty() {
            config.resolver = Resolver::Servers(self.dns_servers.clone());
        }
        if self.ipv4 {
            config.families = Families::Ipv4;
        }
        if self.ipv6 {
            config.families = Families::Ipv6;
        }
        if let Some(interface) = &self.interface {
            match interface.parse() {
                Ok(address) => config.local_address = Some(address),
                Err(_) => config.interface = Some(interface.clone()),
            }
        }
        if self.public_only {
            config.address_policy = AddressPolicy::public_only();
        }
        if self.location {
            config.redirects = Redirects::at_most(self.max_redirs);
            config.redirects.allow_downgrade = self.location_downgrade;
        }
        config.proxy = self.proxies().map_err(|error| usage(&error))?;
        Ok(())
    }

    fn proxies(&self) -> Result<ProxyRules, Error> {
        let mut rules = match (&self.proxy, &self.proxy_user) {
            (Some(proxy), Some(pair)) => {
                let (user, password) = pair.split_once(':').unwrap_or((pair, ""));
                ProxyRules::all(proxy.clone().with_credentials(user, password)?)
            }
            (Some(proxy), None) => ProxyRules::all(proxy.clone()),
            (None, _) if self.proxy_env => ProxyRules::from_env()?,
            (None, _) => ProxyRules::none(),
        };
        if let Some(hosts) = &self.noproxy {
            rules = rules.except(NoProxy::parse(hosts));
        }
        Ok(rules)
    }
}

/// The address of a DNS server, and its port if it is not 53.
fn server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.parse().map(|ip: IpAddr| (ip, 53).into());
    bare.or_else(|_| text.parse())
        .map_err(|_| "that is no address, or [address]:port".to_owned())
}

fn proxy(text: &str) -> Result<Proxy, String> {
    Proxy::parse(text).map_err(|error| error.to_string())
}

fn usage(error: &Error) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        reach: Reach,
    }

    fn config(line: &str) -> Result<Config, clap::Error> {
        let line = Line::try_parse_from(format!("get {line}").split_whitespace())?;
        let mut config = Config::default();
        line.reach.apply(&mut config).expect("flags that fit");
        Ok(config)
    }

    #[test]
    fn protocols_are_chosen_by_flags() {
        let chosen = |line| config(line).map(|c| c.accepted_protocols).ok();
        assert_eq!(chosen(""), Some(Protocols::ANY));
        assert_eq!(chosen("--http1.1"), Some(Protocols::HTTP11));
        assert_eq!(chosen("--http2"), Some(Protocols::HTTP2));
        assert_eq!(chosen("--http2 --http1.1"), None);
        let set = config("--http2-prior-knowledge").expect("known flags");
        assert_eq!(set.prior_knowledge, PriorKnowledge::All);
    }

    #[test]
    fn where_from_and_where_to_is_a_matter_of_flags() {
        let from = |line| config(line).map(|c| (c.local_address, c.interface)).ok();
        let address = Some("::1".parse().expect("an address"));
        assert_eq!(from("--interface ::1"), Some((address, None)));
        assert_eq!(from("--interface eth0"), Some((None, Some("eth0".into()))));
        let inside = [127, 0, 0, 1].into();
        let allows = |line| config(line).map(|c| c.address_policy.allows(inside)).ok();
        assert_eq!(
            (allows(""), allows("--public-only")),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn names_are_asked_of_whom_flags_say() {
        let set = config("--dns-servers 9.9.9.9,[::1]:5353 -4").expect("flags");
        let Resolver::Servers(servers) = set.resolver else {
            panic!("{:?}", set.resolver);
        };
        let told: Vec<_> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["9.9.9.9:53", "[::1]:5353"]);
        assert_eq!(set.families, Families::Ipv4);
        assert!(config("--dns-servers dns.test").is_err() && config("-4 -6").is_err());
    }

    #[test]
    fn proxies_are_named_by_flags_and_nobody_else() {
        let of = |line: &str, url: &str| {
            let origin = url.parse().expect("a URL");
            let config = config(line).ok()?;
            Some(config.proxy.proxy_of(&origin).map(ToString::to_string))
        };
        let via = |proxy: &str| Some(Some(proxy.to_owned()));
        assert_eq!(of("", "http://a.test/"), Some(None));
        assert_eq!(of("-x p:8080", "http://a.test/"), via("http://p:8080"));
        let line = "-x socks5h://p -U user:secret --noproxy b.test";
        assert_eq!(of(line, "https://a.test/"), via("socks5h://p:1080"));
        assert_eq!(of(line, "https://c.b.test/"), Some(None));
        assert_eq!(of("-x ftp://p", "http://a.test/"), None);
        assert_eq!(of("-U a:b", "http://a.test/"), None);
        let shown = config(line).map(|c| format!("{c:?}")).unwrap_or_default();
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn redirects_are_followed_only_when_asked_for() {
        let followed = |line| config(line).map(|c| c.redirects).ok();
        assert_eq!(followed("--max-redirs 3"), Some(Redirects::NONE));
        assert_eq!(followed("-L"), Some(Redirects::at_most(10)));
        assert_eq!(followed("-L --max-redirs 3"), Some(Redirects::at_most(3)));
        let down = followed("-L --location-downgrade").expect("known flags");
        assert!(down.allow_downgrade);
        assert_eq!(followed("--location-downgrade"), None);
    }
}
