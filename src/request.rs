//! What to fetch.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, uri::Authority};

use crate::error::{Error, Part};
use crate::origin::{Egress, Origin, Protocols, Proxy, Target};

/// Most header values of one request; servers refuse far fewer, and header maps have a limit too.
const MAX_HEADERS: usize = 8_192;

/// One request, body included.
///
/// Built without ever failing: the first fault is kept, shown by [`check`](Self::check), and
/// answered as [`Error::BadRequest`] before any socket opens.
///
/// ```
/// use gannet::Request;
/// use std::time::Duration;
///
/// let request = Request::get("https://example.com/feed")
///     .header("accept", "application/atom+xml")
///     .deadline(Duration::from_secs(10));
/// assert!(request.check().is_ok());
/// assert!(Request::get("/feed").check().is_err());
/// assert!(Request::get("http://a/").header("x", "1\r\ny: 2").check().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    target: Result<Target, Error>,
    headers: HeaderMap,
    body: Bytes,
    overrides: Overrides,
    egress: Egress,
    names_proxy: bool,
    retry_statuses: Option<Vec<StatusCode>>,
}

/// Whether redirects are followed, and how far (RFC 9110 §15.4).
///
/// `Authorization`, `Cookie`, `Proxy-Authorization` and `Host` go along only while scheme, host and
/// port stay the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Redirects {
    /// Redirects of one fetch, at most; 0: the response is handed out as it is.
    pub limit: usize,
    /// Whether one may lead from `https` to `http`.
    pub allow_downgrade: bool,
}

/// What one request sets apart from the engine's `Config`; `None` keeps the engine's value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Overrides {
    pub(crate) deadline: Option<Duration>,
    pub(crate) head_timeout: Option<Duration>,
    pub(crate) body_timeout: Option<Duration>,
    pub(crate) max_body: Option<u64>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) redirects: Option<Redirects>,
}

impl Redirects {
    /// None is followed: for callers that follow themselves.
    pub const NONE: Self = Self::at_most(0);

    /// So many are followed, none from `https` to `http`.
    #[must_use]
    pub const fn at_most(limit: usize) -> Self {
        Self {
            limit,
            allow_downgrade: false,
        }
    }
}

impl Request {
    /// A request of `url`: text, a [`url::Url`], or a [`Target`] parsed before.
    pub fn new<U>(method: Method, url: U) -> Self
    where
        U: TryInto<Target>,
        U::Error: Into<Error>,
    {
        Self {
            method,
            target: url.try_into().map_err(Into::into),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            overrides: Overrides::default(),
            egress: Egress::default(),
            names_proxy: false,
            retry_statuses: None,
        }
    }

    /// A `GET` of `url`.
    pub fn get<U>(url: U) -> Self
    where
        U: TryInto<Target>,
        U::Error: Into<Error>,
    {
        Self::new(Method::GET, url)
    }

    /// A `POST` of `body` to `url`.
    pub fn post<U>(url: U, body: impl Into<Bytes>) -> Self
    where
        U: TryInto<Target>,
        U::Error: Into<Error>,
    {
        Self::new(Method::POST, url).body(body)
    }

    /// Appends a header; several of one name are all sent, in order.
    ///
    /// `Host` replaces the authority that the URL names. Headers that HTTP/2 forbids
    /// (`Connection` and its kin, RFC 9113 §8.2.2) are not sent, nor is `Proxy-Authorization`,
    /// which is no origin's business: see [`Proxy`].
    #[must_use]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => {
                if self.headers.try_append(name, value).is_err() {
                    self.fail(Part::HeaderName, "there are too many headers");
                }
            }
            (Err(_), _) => self.fail(Part::HeaderName, "it is no token (RFC 9110 §5.1)"),
            (_, Err(_)) => self.fail(Part::HeaderValue, "it has a CR, LF, NUL or control byte"),
        }
        self
    }

    /// Replaces all headers.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the body. `Content-Length` is sent with it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// All the time the fetch may take, queueing and retries included. Default: the engine's
    /// `deadline`.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.overrides.deadline = Some(limit);
        self
    }

    /// Longest wait for the response head. Default: the engine's `head_timeout`.
    #[must_use]
    pub fn head_timeout(mut self, limit: Duration) -> Self {
        self.overrides.head_timeout = Some(limit);
        self
    }

    /// Longest silence within the body. Default: the engine's `body_timeout`.
    #[must_use]
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.overrides.body_timeout = Some(limit);
        self
    }

    /// Largest response body, in bytes. Default: the engine's `max_body`.
    #[must_use]
    pub fn max_body(mut self, limit: u64) -> Self {
        self.overrides.max_body = Some(limit);
        self
    }

    /// Attempts that end without a response, at most; 1 for callers that repeat it themselves.
    /// Default: the engine's `max_attempts`.
    #[must_use]
    pub fn max_attempts(mut self, limit: u32) -> Self {
        self.overrides.max_attempts = Some(limit);
        self
    }

    /// Statuses that are worth another attempt, if the method is idempotent. Default: the engine's
    /// `retry_statuses`.
    #[must_use]
    pub fn retry_statuses(mut self, statuses: impl Into<Vec<StatusCode>>) -> Self {
        self.retry_statuses = Some(statuses.into());
        self
    }

    /// The local address to connect from. Default: the engine's `local_address`.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.egress.local_address = Some(address);
        self
    }

    /// Whether redirects are followed. The deadline holds for all of them together. Default: the
    /// engine's `redirects`.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.overrides.redirects = Some(redirects);
        self
    }

    /// The protocols to offer. Over `http`, [`Protocols::HTTP2`] is prior knowledge (RFC 9113
    /// §3.3). Default: the engine's `accepted_protocols`.
    #[must_use]
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.egress.protocols = Some(protocols);
        self
    }

    /// The proxy to go through; `None`: none at all. Default: the engine's `proxy`.
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.egress.proxy = proxy.into();
        self.names_proxy = true;
        self
    }

    /// The checked URL, or the first fault of the request.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] that names the [`Part`] at fault.
    pub fn check(&self) -> Result<&Target, Error> {
        match &self.target {
            Ok(_) if self.method == Method::CONNECT => Err(Error::bad(
                Part::Method,
                "CONNECT asks for a tunnel, not a response",
            )),
            Ok(_) if self.headers.len() > MAX_HEADERS => {
                Err(Error::bad(Part::HeaderName, "there are too many headers"))
            }
            Ok(target) => self.check_host().map(|()| target),
            Err(error) => Err(error.clone()),
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The headers given; a session adds and leaves out what its protocol asks for.
    #[must_use]
    pub fn header_map(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn overrides(&self) -> Overrides {
        self.overrides
    }

    pub(crate) fn retried_statuses(&self) -> Option<&Vec<StatusCode>> {
        self.retry_statuses.as_ref()
    }

    /// The pool key of its fetch, as far as the request alone decides on it;
    /// [`Config::origin_of`](crate::Config::origin_of) has the rest.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn origin(&self) -> Result<Origin, Error> {
        Ok(self.check()?.origin().by(self.egress.clone()))
    }

    /// The same, asked of another place.
    pub(crate) fn moved(
        &self,
        to: Target,
        method: Method,
        headers: HeaderMap,
        keeps_body: bool,
    ) -> Self {
        let body = match keeps_body {
            true => self.body.clone(),
            false => Bytes::new(),
        };
        Self {
            method,
            target: Ok(to),
            headers,
            body,
            overrides: self.overrides,
            egress: self.egress.clone(),
            names_proxy: self.names_proxy,
            retry_statuses: self.retry_statuses.clone(),
        }
    }

    /// Whether it decides on the proxy itself.
    pub(crate) fn names_proxy(&self) -> bool {
        self.names_proxy
    }

    /// A `Host` of the caller's becomes `:authority`, which has no userinfo (RFC 9113 §8.3.1).
    fn check_host(&self) -> Result<(), Error> {
        let Some(host) = self.headers.get(header::HOST) else {
            return Ok(());
        };
        match Authority::try_from(host.as_bytes()) {
            Ok(host) if !host.as_str().contains('@') => Ok(()),
            _ => Err(Error::bad(Part::HeaderValue, "Host is no host and port")),
        }
    }

    fn fail(&mut self, part: Part, reason: &'static str) {
        if self.target.is_ok() {
            self.target = Err(Error::bad(part, reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_the_one_told() {
        let request = Request::get("http://a/")
            .header("a b", "x")
            .header("ok", "\n");
        let Err(Error::BadRequest { part, .. }) = request.check() else {
            panic!("accepted");
        };
        assert_eq!(part, Part::HeaderName);
    }

    #[test]
    fn headers_keep_their_order_and_duplicates() {
        let request = Request::get("http://a/")
            .header("b", "1")
            .header("a", "2")
            .header("b", "3")
            .header("c", &b"caf\xe9"[..]);
        let sent: Vec<_> = request
            .header_map()
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_bytes()))
            .collect();
        assert_eq!(
            sent,
            [
                ("b", &b"1"[..]),
                ("b", b"3"),
                ("a", b"2"),
                ("c", b"caf\xe9")
            ]
        );
    }

    #[test]
    fn a_host_that_is_none_is_refused_before_any_dial() {
        let with = |host| {
            Request::get("http://a/")
                .header("host", host)
                .check()
                .is_ok()
        };
        assert!(with("b.test") && with("b.test:8080") && with("[::1]:80"));
        assert!(!with("a b") && !with("user:secret@b.test") && !with(""));
    }

    #[test]
    fn no_number_of_headers_makes_it_panic() {
        let many = (0..MAX_HEADERS).fold(Request::get("http://a/"), |r, _| r.header("x", "1"));
        assert!(many.check().is_ok() && many.header("x", "1").check().is_err());
        let many = (0..40_000).fold(Request::get("http://a/"), |r, i| {
            r.header(format!("x-{i}"), "1")
        });
        assert!(many.check().is_err());
    }

    #[test]
    fn a_tunnel_is_refused() {
        assert!(Request::new(Method::CONNECT, "http://a/").check().is_err());
    }
}
