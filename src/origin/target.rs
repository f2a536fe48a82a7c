//! A URL, checked and taken apart.

#[cfg(test)]
mod table;

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;
use url::{Host, Url};

use crate::error::{Error, Part};
use crate::origin::Origin;

/// Longest host name, without a trailing dot (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;
/// Longest label of a host name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

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

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Target {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for Target {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl TryFrom<Url> for Target {
    type Error = Error;

    fn try_from(url: Url) -> Result<Self, Error> {
        Self::try_from(&url)
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
