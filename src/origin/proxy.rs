//! A proxy to go through.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Part};
use crate::origin::Target;

/// Longest user name or password that SOCKS5 has room for (RFC 1929 §2).
const MAX_SOCKS_CREDENTIAL: usize = 255;

/// A proxy: how to speak with it, where it is, and who asks.
///
/// Neither `Debug` nor `Display` shows user name and password. Cloning copies a reference count.
///
/// ```
/// use gannet::origin::Proxy;
///
/// let proxy = Proxy::parse("http://user:secret@proxy.test:3128")?;
/// assert_eq!(proxy.to_string(), "http://proxy.test:3128");
/// assert_eq!(Proxy::parse("proxy.test:3128")?.to_string(), "http://proxy.test:3128");
/// # Ok::<(), gannet::Error>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Proxy {
    parts: Arc<Parts>,
}

#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Parts {
    scheme: ProxyScheme,
    host: Box<str>,
    port: u16,
    credentials: Option<Credentials>,
}

/// Who asks. Deliberately without `Debug`.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Credentials {
    pub(crate) user: Box<[u8]>,
    pub(crate) password: Box<[u8]>,
}

/// How to speak with a proxy.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ProxyScheme {
    /// HTTP/1.1: `CONNECT`, or the absolute form for `http` origins (RFC 9110 §9.3.6, RFC 9112
    /// §3.2.2). Port 80 where none is given; curl's 1080 is SOCKS's.
    Http,
    /// The same over TLS. Port 443 where none is given.
    Https,
    /// SOCKS5 (RFC 1928), names resolved on this side. Port 1080 where none is given.
    Socks5,
    /// SOCKS5, names resolved by the proxy. Port 1080 where none is given.
    Socks5h,
}

impl Proxy {
    /// Parses `[scheme://][user[:password]@]host[:port][/]`, as curl's `--proxy`. Without a scheme
    /// it is `http`; user name and password are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] of [`Part::Proxy`], which repeats nothing of the text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme_of(scheme)?, rest),
            None => (ProxyScheme::Http, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(bad("it has more than host and port"));
        }
        let (userinfo, place) = match rest.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, rest),
        };
        let (host, port) = host_and_port(place)?;
        let parts = Parts {
            scheme,
            host: checked_host(host)?,
            port: port.unwrap_or_else(|| scheme.default_port()),
            credentials: None,
        };
        let proxy = Self {
            parts: Arc::new(parts),
        };
        match userinfo {
            Some(userinfo) => {
                let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
                proxy.by(decoded(user)?, decoded(password)?)
            }
            None => Ok(proxy),
        }
    }

    /// The same proxy, asked by this user. The texts are taken as they are.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] of [`Part::Proxy`] for what cannot be sent: control characters, a
    /// user name with a colon over HTTP (RFC 7617 §2), and over SOCKS5 a user name that is empty,
    /// or more than 255 bytes.
    pub fn with_credentials(self, user: &str, password: &str) -> Result<Self, Error> {
        self.by(user.as_bytes().to_vec(), password.as_bytes().to_vec())
    }

    fn by(self, user: Vec<u8>, password: Vec<u8>) -> Result<Self, Error> {
        let both = || user.iter().chain(&password);
        if both().any(u8::is_ascii_control) {
            return Err(bad("its user name or password has a control character"));
        }
        if self.scheme().is_socks() {
            if user.is_empty() || user.len().max(password.len()) > MAX_SOCKS_CREDENTIAL {
                return Err(bad("SOCKS5 user names and passwords have 1 to 255 bytes"));
            }
        } else if user.contains(&b':') {
            return Err(bad("an HTTP user name cannot have a colon"));
        }
        let mut parts = Arc::unwrap_or_clone(self.parts);
        parts.credentials = Some(Credentials {
            user: user.into(),
            password: password.into(),
        });
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    /// How to speak with it.
    #[must_use]
    pub fn scheme(&self) -> ProxyScheme {
        self.parts.scheme
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

    /// Whether it is asked with user name and password.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.parts.credentials.is_some()
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.parts.credentials.as_ref()
    }
}

impl ProxyScheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    /// Whether it is SOCKS rather than HTTP.
    pub(crate) fn is_socks(self) -> bool {
        matches!(self, Self::Socks5 | Self::Socks5h)
    }
}

fn bad(reason: &'static str) -> Error {
    Error::bad(Part::Proxy, reason)
}

fn scheme_of(text: &str) -> Result<ProxyScheme, Error> {
    match text.to_ascii_lowercase().as_str() {
        "http" => Ok(ProxyScheme::Http),
        "https" => Ok(ProxyScheme::Https),
        "socks5" => Ok(ProxyScheme::Socks5),
        "socks5h" => Ok(ProxyScheme::Socks5h),
        "socks" | "socks4" | "socks4a" => Err(bad("SOCKS4 is not spoken; use socks5 or socks5h")),
        _ => Err(bad("its scheme is none of http, https, socks5, socks5h")),
    }
}

/// The brackets of an IPv6 address stay with the host.
fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Error> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => return Ok((text, None)),
    };
    let is_number = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if port != 0 && is_number => Ok((host, Some(port))),
        _ => Err(bad("its port is no number from 1 to 65535")),
    }
}

fn checked_host(host: &str) -> Result<Box<str>, Error> {
    // A host of a proxy is as good as one of a URL.
    let target = Target::parse(&format!("http://{host}:1/")).map_err(|error| match error {
        Error::BadRequest { reason, .. } => Error::bad(Part::Proxy, reason),
        error => error,
    })?;
    Ok(target.origin().host().into())
}

fn decoded(text: &str) -> Result<Vec<u8>, Error> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let (mut bytes, mut decoded) = (text.bytes(), Vec::with_capacity(text.len()));
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(bad("its credentials have a % without two hex digits"));
        };
        decoded.push(u8::try_from(high * 16 + low).expect("two hex digits are a byte"));
    }
    Ok(decoded)
}

/// As a URL, without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.scheme(), self.host(), self.port());
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Display for ProxyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        })
    }
}

impl FromStr for Proxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spellings_of_curl_are_understood() {
        for (text, expected) in [
            ("proxy.test", "http://proxy.test:80"),
            ("proxy.test:3128", "http://proxy.test:3128"),
            ("user:secret@proxy.test:3128", "http://proxy.test:3128"),
            ("HTTP://Proxy.TEST:3128/", "http://proxy.test:3128"),
            ("https://proxy.test", "https://proxy.test:443"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
            ("socks5h://[::1]:9050", "socks5h://[::1]:9050"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://a%40b:c%3Ad@p.test:1", "http://p.test:1"),
            ("bücher.test:8", "http://xn--bcher-kva.test:8"),
        ] {
            let proxy = Proxy::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(proxy.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_and_not_repeated() {
        let long = format!("socks5://{}:p@h", "secret".repeat(60));
        for text in [
            "",
            "http://",
            "socks4://secret:secret@h:1",
            "ftp://secret:secret@h",
            "http://secret:secret@h:0",
            "http://secret:secret@h:+80",
            "http://secret:secret@h:70000",
            "http://secret:secret@h:80/path",
            "http://secret:sec#ret@h",
            "http://secret:secret%4@h",
            "http://secret:secret%0a@h",
            "http://sec%3aret:p@h",
            "http://secret:secret@a b",
            "http://secret:secret@a..b",
            "socks5://:secret@h",
            "http://secret:secret@h\\evil",
            &long,
        ] {
            let error = Proxy::parse(text).expect_err(text);
            let told = format!("{error} {error:?}");
            assert!(
                matches!(
                    error,
                    Error::BadRequest {
                        part: Part::Proxy,
                        ..
                    }
                ),
                "{told}"
            );
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_part_of_the_key_but_never_shown() {
        let proxy = Proxy::parse("http://us%65r:s%C3%A9cret:@h").expect("a proxy");
        let credentials = proxy.credentials().expect("some");
        assert_eq!(&*credentials.user, b"user");
        assert_eq!(&*credentials.password, "sécret:".as_bytes());
        assert!(!format!("{proxy} {proxy:?}").contains("cret"));
        let plain = Proxy::parse("http://h").expect("a proxy");
        assert_ne!(plain, proxy);
        let again = plain.with_credentials("user", "sécret:").expect("sendable");
        assert_eq!(again, proxy);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_shows_is_understood(text in "\\PC{0,40}") {
            for text in [text.clone(), format!("socks5://u:{text}@h"), format!("https://{text}")] {
                if let Ok(proxy) = Proxy::parse(&text) {
                    let again = Proxy::parse(&proxy.to_string()).expect("its own words");
                    prop_assert_eq!(again.to_string(), proxy.to_string());
                }
            }
        }
    }
}
