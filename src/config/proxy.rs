//! Which fetches go through which proxy.

use std::env;

use crate::config::{Config, NoProxy};
use crate::error::Error;
use crate::origin::{Egress, Origin, Proxy};
use crate::request::Request;

/// The proxies of an engine, by the scheme of the URL, and the hosts that need none.
///
/// ```
/// use gannet::config::{NoProxy, ProxyRules};
/// use gannet::origin::Proxy;
///
/// let mut config = gannet::Config::default();
/// let proxy = Proxy::parse("http://proxy.test:3128")?;
/// config.proxy = ProxyRules::all(proxy).except(NoProxy::parse("localhost"));
/// # Ok::<(), gannet::Error>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProxyRules {
    /// For `http` origins; `None`: none.
    pub http: Option<Proxy>,
    /// For `https` origins; `None`: none.
    pub https: Option<Proxy>,
    /// Origins that are reached without.
    pub no_proxy: NoProxy,
}

impl ProxyRules {
    /// No proxy at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This proxy for every origin.
    #[must_use]
    pub fn all(proxy: Proxy) -> Self {
        Self {
            http: Some(proxy.clone()),
            https: Some(proxy),
            no_proxy: NoProxy::default(),
        }
    }

    /// The same, but for these hosts.
    #[must_use]
    pub fn except(mut self, hosts: NoProxy) -> Self {
        self.no_proxy = hosts;
        self
    }

    /// What the environment says, as curl reads it: `http_proxy` (in lower case only, for a CGI
    /// program's `HTTP_PROXY` is a header of its client), `https_proxy` or `HTTPS_PROXY`,
    /// `all_proxy` or `ALL_PROXY` for schemes without, `no_proxy` or `NO_PROXY`. An empty variable
    /// counts as none.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] for a variable that is no proxy.
    pub fn from_env() -> Result<Self, Error> {
        // Text that is not Unicode is no proxy; to take it for none would go around the proxy.
        Self::from_lookup(|name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// The same from elsewhere.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let value = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| lookup(name));
            values.find(|value| !value.is_empty())
        };
        let proxy = |names: &[&str]| {
            let value = value(names).or_else(|| value(&["all_proxy", "ALL_PROXY"]));
            value.as_deref().map(Proxy::parse).transpose()
        };
        Ok(Self {
            http: proxy(&["http_proxy"])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY"])?,
            no_proxy: NoProxy::parse(&value(&["no_proxy", "NO_PROXY"]).unwrap_or_default()),
        })
    }

    /// The proxy to reach `origin` through, if any.
    #[must_use]
    pub fn proxy_of(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.is_secure() {
            true => self.https.as_ref(),
            false => self.http.as_ref(),
        };
        proxy.filter(|_| !self.no_proxy.covers(origin.host(), origin.port()))
    }
}

impl Config {
    /// The pool key of a fetch: where to, and by which way. Whoever asks an engine about an origin
    /// that is reached through a proxy needs this one.
    ///
    /// # Errors
    ///
    /// As [`Request::check`].
    pub fn origin_of(&self, request: &Request) -> Result<Origin, Error> {
        let origin = request.origin()?;
        if request.names_proxy() {
            return Ok(origin);
        }
        match self.proxy.proxy_of(&origin) {
            Some(proxy) => Ok(origin.by(Egress {
                proxy: Some(proxy.clone()),
                ..origin.egress().clone()
            })),
            None => Ok(origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(variables: &[(&str, &str)]) -> Result<ProxyRules, Error> {
        ProxyRules::from_lookup(|name| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy(text: &str) -> Proxy {
        Proxy::parse(text).expect("a proxy")
    }

    fn way(config: &Config, request: &Request) -> Option<String> {
        let origin = config.origin_of(request).expect("a good request");
        origin.egress().proxy.as_ref().map(Proxy::to_string)
    }

    #[test]
    fn the_environment_is_read_as_curl_reads_it() {
        let text = |proxy: Option<Proxy>| proxy.map(|p| p.to_string()).unwrap_or_default();
        for (variables, http, https) in [
            (&[][..], "", ""),
            (&[("HTTP_PROXY", "h:1")], "", ""),
            (&[("http_proxy", "h:1")], "http://h:1", ""),
            (&[("HTTPS_PROXY", "h:1")], "", "http://h:1"),
            (
                &[("https_proxy", "a:1"), ("HTTPS_PROXY", "h:1")],
                "",
                "http://a:1",
            ),
            (
                &[("https_proxy", ""), ("HTTPS_PROXY", "h:1")],
                "",
                "http://h:1",
            ),
            (
                &[("ALL_PROXY", "socks5://h"), ("http_proxy", "p:1")],
                "http://p:1",
                "socks5://h:1080",
            ),
        ] {
            let rules = rules(variables).expect("proxies");
            assert_eq!(
                (text(rules.http), text(rules.https)),
                (http.into(), https.into())
            );
        }
        assert!(rules(&[("all_proxy", "socks4://h")]).is_err());
        let rules = rules(&[("all_proxy", "h:1"), ("no_proxy", "a.test")]).expect("proxies");
        let origin = |url: &str| url.parse::<Origin>().expect("a URL");
        assert_eq!(rules.proxy_of(&origin("http://x.a.test")), None);
        assert!(rules.proxy_of(&origin("http://b.test")).is_some());
    }

    #[test]
    fn the_key_has_the_requests_proxy_else_the_engines() {
        let mut config = Config::default();
        let plain = || Request::get("https://a.test/");
        assert_eq!(way(&config, &plain()), None);
        config.proxy = ProxyRules::all(proxy("h:1")).except(NoProxy::parse("b.test"));
        assert_eq!(way(&config, &plain()).as_deref(), Some("http://h:1"));
        assert_eq!(way(&config, &Request::get("https://b.test/")), None);
        assert_eq!(way(&config, &plain().proxy(None)), None);
        let own = Request::get("https://b.test/").proxy(proxy("socks5h://s"));
        assert_eq!(way(&config, &own).as_deref(), Some("socks5h://s:1080"));
        assert!(config.origin_of(&Request::get("/")).is_err());
    }

    #[test]
    fn credentials_keep_connections_apart_and_show_nowhere() {
        let key = |proxy| {
            let request = Request::get("https://a.test/").proxy(proxy);
            Config::default().origin_of(&request).expect("a good one")
        };
        let one = key(proxy("http://one:secret@h:1"));
        assert_ne!(one, key(proxy("http://two:secret@h:1")));
        assert_eq!(one, key(proxy("http://one:secret@h:1/")));
        assert_eq!(one.to_string(), "https://a.test:443 [via http://h:1]");
        assert!(!format!("{one:?}").contains("secret"));
        let request = Request::get("https://a.test/").proxy(proxy("http://one:secret@h:1"));
        assert!(!format!("{request:?}").contains("secret"));
    }
}
