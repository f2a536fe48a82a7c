//! What of a caller's headers may go out, whatever the protocol.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::decode::ACCEPT_ENCODING;
use crate::request::{PRIORITY, Priority, Request};

/// Headers that are about one hop (RFC 9110 §7.6.1), or for a proxy alone. HTTP/2 takes them for malformed (RFC 9113
/// §8.2.2); in HTTP/1.1 they are the session's own business.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Whether a session leaves `name` to the caller. `Host` it writes itself, in its own place, and
/// only the body can tell its length rightly.
pub(super) fn is_callers(name: &HeaderName) -> bool {
    !HOP_BY_HOP.contains(name) && name != header::HOST && name != header::CONTENT_LENGTH
}

/// Adds the length of the body, unless there is none and none is expected (RFC 9110 §8.6), and what
/// is asked of the server for its sake.
pub(super) fn announce(
    request: &Request,
    length: Option<u64>,
    decodes: bool,
    headers: &mut HeaderMap<HeaderValue>,
) {
    let expects_body = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH
    );
    if let Some(length) = length.filter(|length| expects_body || *length > 0) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let decodes = request.overrides().decodes.unwrap_or(decodes);
    // A part of an encoded body is of no use.
    let asked = [header::ACCEPT_ENCODING, header::RANGE];
    if decodes && !asked.iter().any(|name| headers.contains_key(name)) {
        let known = HeaderValue::from_static(ACCEPT_ENCODING);
        headers.insert(header::ACCEPT_ENCODING, known);
    }
    if let Some(priority) = request.overrides().priority.and_then(Priority::field)
        && !headers.contains_key(PRIORITY)
    {
        headers.insert(PRIORITY, priority);
    }
    if waits_for_word(request) {
        headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    }
    if let Some(trailers) = request.payload().trailers_sent() {
        let names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
            headers.insert(header::TRAILER, names);
        }
    }
}

/// Whether the body is kept back until the server agrees to it.
pub(super) fn waits_for_word(request: &Request) -> bool {
    request.overrides().expects_continue.is_some() && !request.payload().is_empty()
}

/// Whether a response can have content (RFC 9110 §6.4.1).
pub(crate) fn may_have_body(method: &Method, status: StatusCode) -> bool {
    *method != Method::HEAD
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}
