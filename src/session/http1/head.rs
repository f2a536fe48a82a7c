//! Heads of requests and responses in HTTP/1.1.

use std::cell::Cell;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, Uri, Version, response};

use crate::error::{Error, Part};
use crate::net::dial::Forwarded;
use crate::origin::Target;
use crate::request::Request;
use crate::session::fields::{announce, is_callers, may_have_body};
use crate::session::http1::upload::Upload;

/// How the end of a body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// There is none.
    Nothing,
    Length(u64),
    Chunked,
    /// By the end of the connection.
    Close,
}

/// The request as it goes out: `Host` first (RFC 9110 §7.2), then the caller's headers in their
/// order. `TE` is the session's business, and it does not ask for anything.
pub(super) fn head_of(
    request: &Request,
    target: &Target,
    forwarded: Option<&Forwarded>,
    upload: Upload,
    (decodes, known): (bool, &Cell<Option<HeaderValue>>),
) -> Result<http::Request<Upload>, Error> {
    let uri = target.uri();
    let given = request.header_map();
    let host = match (given.get(header::HOST), uri.authority()) {
        (Some(host), _) => Some(host.clone()),
        (None, Some(authority)) => host_of(authority, known),
        (None, None) => None,
    };
    let host = host.ok_or_else(|| Error::bad(Part::Host, "it cannot be sent"))?;
    let mut headers = HeaderMap::with_capacity(given.len() + 2);
    headers.insert(header::HOST, host);
    for (name, value) in given {
        if is_callers(name) && name != header::TE {
            headers.append(name, value.clone());
        }
    }
    if let Some(authorization) = forwarded.and_then(|f| f.authorization.as_ref()) {
        headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
    }
    announce(request, upload.length(), decodes, &mut headers);
    let mut head = http::Request::new(upload);
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = match uri.path_and_query() {
        Some(path) if forwarded.is_none() => Uri::from(path.clone()),
        _ => uri.clone(),
    };
    *head.headers_mut() = headers;
    Ok(head)
}

/// `Host` for an authority; `known` is the one before, which is the same for most of a session.
fn host_of(authority: &Authority, known: &Cell<Option<HeaderValue>>) -> Option<HeaderValue> {
    let is_same = |host: &HeaderValue| host.as_bytes() == authority.as_str().as_bytes();
    let host = match known.take().filter(is_same) {
        Some(host) => host,
        None => HeaderValue::from_str(authority.as_str()).ok()?,
    };
    known.set(Some(host.clone()));
    Some(host)
}

/// How the body of a response is framed, where that is beyond doubt. What hyper would let pass, one
/// end of a chain of servers reads in one way and the next in another (RFC 9112 §11).
pub(super) fn framing(method: &Method, head: &response::Parts) -> Result<Framing, Error> {
    let broken = |detail: &'static str| Error::Protocol {
        detail: detail.into(),
    };
    if head.status.is_informational() {
        return Err(broken("a protocol was switched to that nobody asked for"));
    }
    // In one pass: to look each up costs more than to go through them all.
    let (mut length, mut is_chunked) = (None, false);
    for (name, value) in &head.headers {
        if name == header::CONTENT_LENGTH {
            length_of(value, &mut length)
                .map_err(|()| broken("Content-Length is no one number"))?;
        } else if name == header::TRANSFER_ENCODING {
            if is_chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(broken("a Transfer-Encoding other than chunked"));
            }
            is_chunked = true;
        }
    }
    if is_chunked && length.is_some() {
        return Err(broken("both Content-Length and Transfer-Encoding"));
    }
    if is_chunked && head.version == Version::HTTP_10 {
        return Err(broken("Transfer-Encoding in HTTP/1.0"));
    }
    if !may_have_body(method, head.status) {
        return Ok(Framing::Nothing);
    }
    Ok(match length {
        Some(length) => Framing::Length(length),
        None if is_chunked => Framing::Chunked,
        None => Framing::Close,
    })
}

/// Holds a length that is announced against those before; repeated, it must be the same (RFC 9110 §8.6).
fn length_of(value: &HeaderValue, length: &mut Option<u64>) -> Result<(), ()> {
    for number in value.to_str().map_err(|_| ())?.split(',') {
        let digits = number.trim_matches([' ', '\t']);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse().map_err(|_| ())?;
        if !is_number || length.is_some_and(|length| length != number) {
            return Err(());
        }
        *length = Some(number);
    }
    Ok(())
}

/// The fields of a head of which hyper has not been shown all, read by the same rules.
pub(super) fn fields_of(raw: &Bytes, most: usize) -> Result<HeaderMap, Error> {
    let broken = |detail: String| Error::Protocol {
        detail: detail.into(),
    };
    let mut fields = vec![httparse::EMPTY_HEADER; most];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(raw) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(broken("the head has no end".into())),
        Err(error) => return Err(broken(error.to_string())),
    }
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for field in head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(raw.slice_ref(field.value));
        match (name, value) {
            (Ok(name), Ok(value)) => headers.append(name, value),
            _ => return Err(broken(format!("the field {} is malformed", field.name))),
        };
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_a_path_unless_a_proxy_is_to_read_it() {
        let request = Request::get("http://a.test:81/b?c").header("x", "y");
        let target = request.check().expect("a URL");
        let known = Cell::default();
        let head = head_of(
            &request,
            target,
            None,
            Upload::new(&request),
            (false, &known),
        )
        .expect("a head");
        assert_eq!(head.uri(), "/b?c");
        let fields: Vec<_> = head
            .headers()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(fields, ["host", "x"]);
        let forwarded = Forwarded {
            authorization: None,
        };
        let head = head_of(
            &request,
            target,
            Some(&forwarded),
            Upload::new(&request),
            (false, &known),
        )
        .expect("a head");
        assert_eq!(head.uri(), "http://a.test:81/b?c");
        assert_eq!(head.headers()["host"], "a.test:81");
        let other = Request::get("http://b.test/");
        let target = other.check().expect("a URL");
        let head = head_of(&other, target, None, Upload::new(&other), (false, &known));
        assert_eq!(head.expect("a head").headers()["host"], "b.test");
    }

    fn judged(method: Method, status: u16, fields: &[(&str, &str)]) -> Option<Framing> {
        let mut builder = http::Response::builder().status(status);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        let head = builder.body(()).expect("a head").into_parts().0;
        framing(&method, &head).ok()
    }

    #[test]
    fn the_end_of_a_body_is_told_in_one_way_or_not_at_all() {
        let get = |fields: &[_]| judged(Method::GET, 200, fields);
        let (length, coding) = ("content-length", "transfer-encoding");
        assert_eq!(get(&[]), Some(Framing::Close));
        assert_eq!(get(&[(length, "5")]), Some(Framing::Length(5)));
        assert_eq!(get(&[(length, "5, 5")]), Some(Framing::Length(5)));
        assert_eq!(
            get(&[(length, "5"), (length, "5")]),
            Some(Framing::Length(5))
        );
        assert_eq!(get(&[(coding, "Chunked")]), Some(Framing::Chunked));
        for (name, value) in [
            (length, "5, 6"),
            (length, "+5"),
            (length, "5 5"),
            (length, ""),
            (length, "99999999999999999999"),
            (coding, "gzip, chunked"),
            (coding, "chunked, chunked"),
            (coding, "identity"),
            (coding, ""),
        ] {
            assert_eq!(get(&[(name, value)]), None, "{name}: {value}");
        }
        assert_eq!(get(&[(length, "5"), (length, "6")]), None);
        assert_eq!(get(&[(length, "5"), (coding, "chunked")]), None);
        assert_eq!(get(&[(coding, "chunked"), (coding, "chunked")]), None);
        assert_eq!(judged(Method::GET, 101, &[]), None);
    }

    #[test]
    fn some_responses_have_no_body_whatever_they_say() {
        let five = &[("content-length", "5")];
        assert_eq!(judged(Method::HEAD, 200, five), Some(Framing::Nothing));
        assert_eq!(judged(Method::GET, 204, five), Some(Framing::Nothing));
        assert_eq!(judged(Method::GET, 304, five), Some(Framing::Nothing));
    }
}
