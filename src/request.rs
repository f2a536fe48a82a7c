//! What to fetch.

mod debug;
mod overrides;
mod priority;

use std::net::IpAddr;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, uri::Authority};

pub(crate) use crate::request::overrides::Overrides;
use crate::request::overrides::Own;
pub use crate::request::overrides::{MinRate, OnDataLoss, OnTooLarge, Redirects};
pub(crate) use crate::request::priority::{PRIORITY, Priority};

use crate::error::{Error, Part};
use crate::event::Events;
use crate::origin::{Egress, Origin, Protocols, Proxy, Target};
use crate::request::priority::urgency_of;
use crate::upload::Upload;

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
#[derive(Clone)]
pub struct Request {
    method: Method,
    target: Result<Target, Error>,
    headers: HeaderMap,
    body: Upload,
    overrides: Own,
    events: Events,
    egress: Egress,
    names_proxy: bool,
    retry_statuses: Option<Vec<StatusCode>>,
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
            body: Upload::default(),
            overrides: Own::default(),
            events: Events::NONE,
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
    pub fn post<U>(url: U, body: impl Into<Upload>) -> Self
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

    /// Sets the body: bytes, or an [`Upload`] of a stream, a reader or a file. `Content-Length` is
    /// sent with it, where it is known.
    #[must_use]
    pub fn body(mut self, body: impl Into<Upload>) -> Self {
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

    /// Longest wait for the server to take more of the body. Default: the engine's
    /// `bodies.upload_timeout`.
    #[must_use]
    pub fn upload_timeout(mut self, limit: Duration) -> Self {
        self.overrides.upload_timeout = Some(limit);
        self
    }

    /// Asks the server before the body is sent (`Expect: 100-continue`, RFC 9110 §10.1.1), which is
    /// kept back until it agrees, or has not answered for so long: many servers do not know of it.
    #[must_use]
    pub fn expect_continue(mut self, patience: Duration) -> Self {
        self.overrides.expects_continue = Some(patience);
        self
    }

    /// Largest response body, in bytes. Default: the engine's `max_body`.
    #[must_use]
    pub fn max_body(mut self, limit: u64) -> Self {
        self.overrides.max_body = Some(limit);
        self
    }

    /// What becomes of a response body that is larger. Default: the engine's `bodies.on_too_large`.
    #[must_use]
    pub fn on_too_large(mut self, choice: OnTooLarge) -> Self {
        self.overrides.on_too_large = Some(choice);
        self
    }

    /// What becomes of a response body that is cut off. Default: the engine's `bodies.on_data_loss`.
    #[must_use]
    pub fn on_data_loss(mut self, choice: OnDataLoss) -> Self {
        self.overrides.on_data_loss = Some(choice);
        self
    }

    /// The least that the server must send of a body. Default: the engine's `bodies.min_rate`.
    #[must_use]
    pub fn min_rate(mut self, least: MinRate) -> Self {
        self.overrides.min_rate = Some(least);
        self
    }

    /// Whether the body is decoded. Default: the engine's `bodies.decode`.
    #[must_use]
    pub fn decode(mut self, decodes: bool) -> Self {
        self.overrides.decodes = Some(decodes);
        self
    }

    /// How urgent it is (RFC 9218): from 0, the most urgent, to 7, more counts as 7; and whether a
    /// part of the response is of use by itself. The server is told in the field `Priority`, and the
    /// more urgent leave the engine's queue for their origin first; after ten of them one of the
    /// others does. Default: 3, and not; unless the request has a `Priority` of its own.
    #[must_use]
    pub fn priority(mut self, urgency: u8, incremental: bool) -> Self {
        self.overrides.priority = Some(Priority::new(urgency, incremental));
        self
    }

    /// Who hears of the events of the fetch.
    #[must_use]
    pub fn events(mut self, events: impl Into<Events>) -> Self {
        self.events = events.into();
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
    pub fn payload(&self) -> &Upload {
        &self.body
    }

    /// Who hears of its events.
    #[must_use]
    pub fn listener(&self) -> &Events {
        &self.events
    }

    /// From 0, the most urgent, to 7.
    pub(crate) fn urgency(&self) -> u8 {
        let set = self.overrides.priority;
        set.map_or_else(|| urgency_of(&self.headers), |priority| priority.urgency)
    }

    pub(crate) fn overrides(&self) -> &Overrides {
        &self.overrides
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
            false => Upload::default(),
        };
        Self {
            method,
            target: Ok(to),
            headers,
            body,
            overrides: self.overrides.clone(),
            events: self.events.clone(),
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
mod tests;
