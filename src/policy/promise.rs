//! Which promised responses are taken (RFC 9113 §8.4), and what they answer.

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode};

use crate::request::Request;
use crate::response::Response;

/// What decides on a promise before anybody is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) method: &'a Method,
    /// Whether the connection is the place for what is promised.
    pub(crate) is_own: bool,
    /// Promises taken so far along with the same response, and how many may be.
    pub(crate) taken: usize,
    pub(crate) most: usize,
}

/// Whether a promise may be taken: of a safe method that is cacheable, from the server's own origin.
pub(crate) fn may_be_taken(facts: Facts<'_>) -> bool {
    let is_safe = matches!(*facts.method, Method::GET | Method::HEAD);
    is_safe && facts.is_own && facts.taken < facts.most
}

/// Whether what was pushed is an answer that can be kept: whole, and not to a condition.
pub(crate) fn is_worth_keeping(response: &Response) -> bool {
    let is_plain = match response.status {
        StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => false,
        status => status.is_success() || status.is_redirection(),
    };
    is_plain && response.receipt.cut.is_none() && !response.partial
}

/// What makes a request another one, whatever the response says.
const TELLING: [HeaderName; 12] = [
    header::HOST,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
];

/// Whether `response`, promised to a request with the headers `promised`, is what `request` would be
/// answered with. Method and URL have been found the same.
pub(crate) fn answers(promised: &HeaderMap, response: &Response, request: &Request) -> bool {
    let asked = request.header_map();
    let own = request.overrides();
    let is_encoded = response.headers.contains_key(header::CONTENT_ENCODING);
    request.payload().is_empty()
        // Its handler would not hear of the response.
        && request.listener().handler().is_none()
        && own.max_body.is_none_or(|most| response.receipt.wire_bytes <= most)
        && (own.decodes.is_none() || !is_encoded)
        && TELLING.iter().all(|name| is_same(promised, asked, name))
        && varies_alike(promised, response, asked)
}

/// Whether all that the response depends on is the same (`Vary`, RFC 9110 §12.5.5).
fn varies_alike(promised: &HeaderMap, response: &Response, asked: &HeaderMap) -> bool {
    let mut names = response
        .headers
        .get_all(header::VARY)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty());
    names.all(|name| match HeaderName::from_bytes(name) {
        // Unless the request names them, the engine does; then it is what came that counts.
        Ok(header::ACCEPT_ENCODING) if !asked.contains_key(header::ACCEPT_ENCODING) => {
            response.receipt.decoded || !response.headers.contains_key(header::CONTENT_ENCODING)
        }
        // Of `*`, nobody knows.
        Ok(name) if name.as_str() != "*" => is_same(promised, asked, &name),
        _ => false,
    })
}

fn is_same(one: &HeaderMap, other: &HeaderMap, name: &HeaderName) -> bool {
    one.get_all(name).iter().eq(other.get_all(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventHandler, Events};
    use crate::response::{Cut, Protocol, Receipt};
    use bytes::Bytes;

    fn response(status: u16, headers: &[(&str, &str)]) -> Response {
        Response {
            status: StatusCode::from_u16(status).expect("valid"),
            headers: map(headers),
            body: Bytes::from_static(b"pushed"),
            raw_body: None,
            trailers: None,
            protocol: Protocol::Http2,
            partial: false,
            raw_head: None,
            receipt: Receipt {
                wire_bytes: 6,
                ..Receipt::default()
            },
        }
    }

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, value.parse().expect("a value"))
        };
        headers.iter().map(pair).collect()
    }

    fn get(headers: &[(&str, &str)]) -> Request {
        Request::get("https://a.example/").headers(map(headers))
    }

    #[test]
    fn a_safe_promise_of_the_servers_own_may_be_taken_while_there_are_few() {
        let may = |method: &Method, is_own, taken| {
            let most = 3;
            may_be_taken(Facts {
                method,
                is_own,
                taken,
                most,
            })
        };
        assert!(may(&Method::GET, true, 2) && may(&Method::HEAD, true, 0));
        assert!(!may(&Method::GET, true, 3));
        assert!(!may(&Method::GET, false, 0));
        for method in [Method::POST, Method::PUT, Method::OPTIONS, Method::DELETE] {
            assert!(!may(&method, true, 0), "{method}");
        }
    }

    #[test]
    fn only_whole_answers_are_kept() {
        for (status, is_kept) in [
            (200, true),
            (204, true),
            (301, true),
            (206, false),
            (304, false),
            (404, false),
            (503, false),
        ] {
            assert_eq!(
                is_worth_keeping(&response(status, &[])),
                is_kept,
                "{status}"
            );
        }
        let mut cut = response(200, &[]);
        cut.receipt.cut = Some(Cut::Stopped);
        assert!(!is_worth_keeping(&cut));
    }

    #[test]
    fn what_the_response_depends_on_must_be_the_same() {
        let promised = map(&[("user-agent", "g"), ("accept-encoding", "gzip")]);
        for (vary, asked, fits) in [
            ("", &[][..], true),
            ("user-agent", &[("user-agent", "g")][..], true),
            ("user-agent", &[], false),
            ("Origin , User-Agent", &[("user-agent", "g")], true),
            ("Origin , User-Agent", &[("user-agent", "h")], false),
            ("origin", &[("origin", "x")], false),
            ("*", &[], false),
            ("not a name", &[], false),
            ("accept-encoding", &[], true),
            ("accept-encoding", &[("accept-encoding", "br")], false),
            ("accept-encoding", &[("accept-encoding", "gzip")], true),
        ] {
            let response = response(200, &[("vary", vary)]);
            let verdict = answers(&promised, &response, &get(asked));
            assert_eq!(verdict, fits, "{vary}: {asked:?}");
        }
        let encoded = &[("vary", "accept-encoding"), ("content-encoding", "gzip")];
        let mut encoded = response(200, encoded);
        assert!(!answers(&promised, &encoded, &get(&[])));
        encoded.receipt.decoded = true;
        assert!(answers(&promised, &encoded, &get(&[])));
    }

    struct Deaf;

    impl EventHandler for Deaf {}

    #[test]
    fn a_request_with_wishes_of_its_own_is_not_answered() {
        let (none, plain) = (HeaderMap::new(), response(200, &[]));
        for name in &TELLING {
            let asked = get(&[(name.as_str(), "x")]);
            assert!(!answers(&none, &plain, &asked), "{name}");
            assert!(answers(&map(&[(name.as_str(), "x")]), &plain, &asked));
            assert!(!answers(&map(&[(name.as_str(), "x")]), &plain, &get(&[])));
        }
        assert!(answers(&none, &plain, &get(&[]).max_body(6)));
        assert!(!answers(&none, &plain, &get(&[]).max_body(5)));
        assert!(!answers(&none, &plain, &get(&[]).body("x")));
        assert!(!answers(&none, &plain, &get(&[]).events(Events::to(Deaf))));
        let encoded = response(200, &[("content-encoding", "gzip")]);
        assert!(!answers(&none, &encoded, &get(&[]).decode(true)));
    }
}
