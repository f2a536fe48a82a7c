//! What a URL says: the [`Origin`] to connect to, which is the pool key, and the [`Target`] to ask
//! it for.

mod convert;
mod egress;
mod protocol;
mod proxy;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use http::Uri;
use http::uri::Authority;
use url::{Host, Url};

pub use crate::origin::egress::Egress;
pub use crate::origin::protocol::{Protocol, Protocols};
pub use crate::origin::proxy::{Proxy, ProxyScheme};

use crate::error::{Error, Part};

/// Longest host name, without a trailing dot (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;
/// Longest label of a host name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

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

/// A checked absolute URL, ready for the wire.
///
/// Parsing follows the WHATWG URL standard, so `.` and `..` segments are resolved and a host is
/// mapped to its ASCII form; the rest of path and query, `;params` and percent-encoding included,
/// goes out as given. The fragment stays here.
///
/// ```
/// use gannet::Target;
///
/// let target = Target::parse("HTTPS://Example.COM/a;v=1/b%2Fc?q=%20#top")?;
/// assert_eq!(target.origin().to_string(), "https://example.com:443");
/// assert_eq!(target.path_and_query(), "/a;v=1/b%2Fc?q=%20");
/// # Ok::<(), gannet::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    origin: Origin,
    uri: Uri,
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

impl Target {
    /// Checks and takes apart an absolute `http` or `https` URL.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] that names the [`Part`] at fault. The message never repeats userinfo.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.contains(|c: char| c.is_ascii_control()) {
            return Err(Error::bad(Part::Url, "it has a control character"));
        }
        let url = Url::parse(text).map_err(|e| match e {
            url::ParseError::RelativeUrlWithoutBase => Error::bad(Part::Url, "it is not absolute"),
            url::ParseError::EmptyHost => Error::bad(Part::Host, "it is empty"),
            url::ParseError::InvalidPort => Error::bad(Part::Port, "it is no number up to 65535"),
            url::ParseError::IdnaError
            | url::ParseError::InvalidIpv4Address
            | url::ParseError::InvalidIpv6Address
            | url::ParseError::InvalidDomainCharacter => Error::bad(Part::Host, e.to_string()),
            other => Error::bad(Part::Url, other.to_string()),
        })?;
        Self::try_from(&url)
    }

    /// Where to connect.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What goes out as `:path`.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |p| p.as_str())
    }

    /// The URL without its fragment.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

impl TryFrom<&Url> for Target {
    type Error = Error;

    fn try_from(url: &Url) -> Result<Self, Error> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => {
                let reason = format!("{other:?} is neither http nor https");
                return Err(Error::bad(Part::Scheme, reason));
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            let reason = "credentials in a URL are never sent; use an Authorization header";
            return Err(Error::bad(Part::UserInfo, reason));
        }
        let host = checked_host(url)?;
        let port = url
            .port_or_known_default()
            .filter(|port| *port != 0)
            .ok_or_else(|| Error::bad(Part::Port, "0 cannot be connected to"))?;
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let authority =
            Authority::try_from(authority).map_err(|e| Error::bad(Part::Host, e.to_string()))?;
        let uri = Uri::builder()
            .scheme(url.scheme())
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|e| Error::bad(Part::Path, e.to_string()))?;
        Ok(Self {
            origin: Origin::new(secure, host, port),
            uri,
        })
    }
}

fn checked_host(url: &Url) -> Result<Box<str>, Error> {
    match url.host() {
        Some(Host::Domain(name)) => {
            let bare = name.strip_suffix('.').unwrap_or(name);
            if bare.len() > MAX_HOST || bare.split('.').any(|label| label.len() > MAX_LABEL) {
                let reason = "names have at most 253 bytes, their labels at most 63";
                return Err(Error::bad(Part::Host, reason));
            }
            if bare.is_empty() || bare.split('.').any(str::is_empty) {
                return Err(Error::bad(Part::Host, "it has an empty label"));
            }
            Ok(name.into())
        }
        Some(Host::Ipv4(address)) => Ok(address.to_string().into()),
        Some(Host::Ipv6(address)) => Ok(address.to_string().into()),
        None => Err(Error::bad(Part::Host, "it is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(text: &str) -> Option<Part> {
        match Target::parse(text) {
            Err(Error::BadRequest { part, .. }) => Some(part),
            _ => None,
        }
    }

    #[test]
    fn bad_urls_name_the_part_at_fault() {
        let long = "a".repeat(64);
        let longer = vec!["a".repeat(63); 5].join(".");
        for (url, expected) in [
            ("/relative", Part::Url),
            ("", Part::Url),
            ("http://a/\r\nb", Part::Url),
            ("ftp://a/", Part::Scheme),
            ("data:text/plain,x", Part::Scheme),
            ("http://", Part::Host),
            ("http://[::1/", Part::Host),
            ("http://a..b/", Part::Host),
            ("http://a b/", Part::Host),
            (&format!("http://{long}/"), Part::Host),
            (&format!("http://{longer}/"), Part::Host),
            ("http://a:0/", Part::Port),
            ("http://a:70000/", Part::Port),
            ("http://user@a/", Part::UserInfo),
            ("http://user:secret@a/", Part::UserInfo),
            (&format!("http://a/{}", "x".repeat(70_000)), Part::Path),
        ] {
            assert_eq!(part(url), Some(expected), "{url:.60}");
        }
    }

    #[test]
    fn credentials_stay_out_of_the_error() {
        let error = Target::parse("http://user:secret@a/").expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn the_key_is_the_same_for_every_spelling() {
        let key = |text| Target::parse(text).expect("a URL").origin().clone();
        assert_eq!(key("http://A.test"), key("http://a.test:80/x"));
        assert_eq!(
            key("https://bücher.test/"),
            key("https://xn--bcher-kva.test:443")
        );
        assert_eq!(key("http://[::0001]/").host(), "::1");
        assert_eq!(key("http://[::1]:8/").to_string(), "http://[::1]:8");
        assert_ne!(key("http://a/"), key("https://a:80/"));
    }

    proptest! {
        #[test]
        fn path_and_query_go_out_as_given(
            path in "(/[a-zA-Z0-9;=,+~!$&()*:@_-]{1,12}(%[0-9A-F]{2}){0,3}){1,4}",
            query in "([a-z0-9=&;/?:@!$()*+,._~-]|%[0-9A-F]{2}){0,20}",
        ) {
            let target = Target::parse(&format!("http://a.test{path}?{query}#part")).expect("a URL");
            prop_assert_eq!(target.path_and_query(), format!("{path}?{query}"));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = Target::parse(&text);
            let _ = Target::parse(&format!("http://{text}"));
        }
    }
}
