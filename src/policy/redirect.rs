//! Where a redirect leads, and what of the request goes along (RFC 9110 §15.4).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use url::Url;

use crate::error::Error;
use crate::origin::Target;
use crate::request::{Redirects, Request};

/// What to do about a response.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is what was asked for, or as good as it gets.
    Stay,
    /// Fetch this instead.
    Follow(Box<Request>),
    /// It leads where the fetch may not go.
    Refuse(Error),
}

/// Longest `Location` that is shown in an error.
const SHOWN: usize = 200;

/// What belongs to the body, and goes with it.
const OF_CONTENT: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
];

/// What is for the eyes of one origin only. `Host` names it.
const OF_ORIGIN: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("cookie2"),
    header::PROXY_AUTHORIZATION,
    header::HOST,
];

/// Whether a response of this status tells to go elsewhere. 300 leaves the choice to the user, 304
/// is no redirect, 305 and 306 are history.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Decides about the response to `request`, which is the one after `hops` redirects.
pub(crate) fn follow(
    (request, target): (&Request, &Target),
    (status, headers): (StatusCode, &HeaderMap),
    hops: usize,
    rules: Redirects,
) -> Verdict {
    let Some(location) = headers.get(header::LOCATION) else {
        return Verdict::Stay;
    };
    if rules.limit == 0 || !is_redirect(status) {
        return Verdict::Stay;
    }
    let refuse = |reason: String| {
        Verdict::Refuse(Error::Redirect {
            location: shown(location),
            reason: reason.into(),
        })
    };
    if hops >= rules.limit {
        return refuse(format!("there were {} before it", rules.limit));
    }
    let to = match resolve(target, location) {
        Ok(to) => to,
        Err(reason) => return refuse(reason),
    };
    let (from_secure, to_secure) = (target.origin().is_secure(), to.origin().is_secure());
    if from_secure && !to_secure && !rules.allow_downgrade {
        return refuse("it leaves https for http".to_owned());
    }
    let next = next(request, target, status, to);
    if !next.payload().is_whole() {
        // Its body was a stream, and is used up: the caller may have another.
        return Verdict::Stay;
    }
    Verdict::Follow(Box::new(next))
}

/// `location` as seen from `from`. A fragment is of no use here.
fn resolve(from: &Target, location: &HeaderValue) -> Result<Target, String> {
    let text = std::str::from_utf8(location.as_bytes()).map_err(|_| "it is no UTF-8".to_owned())?;
    let base = Url::parse(&from.to_string()).map_err(|e| e.to_string())?;
    let to = base.join(text).map_err(|e| e.to_string())?;
    Target::try_from(&to).map_err(|e| e.to_string())
}

fn next(request: &Request, from: &Target, status: StatusCode, to: Target) -> Request {
    let method = method_after(status, request.method());
    let keeps_body = method == *request.method();
    let is_same = from.origin().is_same_place(to.origin());
    // What came from https says nothing to http of where it was (RFC 9110 §10.1.3).
    let is_downgrade = from.origin().is_secure() && !to.origin().is_secure();
    let mut headers = HeaderMap::with_capacity(request.header_map().len());
    for (name, value) in request.header_map() {
        let goes = (keeps_body || !OF_CONTENT.contains(name))
            && (is_same || !OF_ORIGIN.contains(name))
            && !(is_downgrade && name == header::REFERER);
        if goes {
            headers.append(name, value.clone());
        }
    }
    request.moved(to, method, headers, keeps_body)
}

/// `303` asks for the result to be fetched; after `301` and `302` every browser has turned POST into
/// GET for so long that the standard allows it (RFC 9110 §15.4.2, §15.4.3).
fn method_after(status: StatusCode, method: &Method) -> Method {
    match status.as_u16() {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 if *method == Method::POST => Method::GET,
        _ => method.clone(),
    }
}

/// Without credentials, and short enough for a line.
fn shown(location: &HeaderValue) -> String {
    // A reader of URLs is deaf to blanks around them and tabs within.
    let text = String::from_utf8_lossy(location.as_bytes());
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, _)) if is_scheme(scheme) => text.split_at(scheme.len() + 1),
        _ => ("", &text[..]),
    };
    // By the URL standard any number of slashes of either kind comes before the authority.
    let path = rest.trim_start_matches(['/', '\\']);
    let (slashes, authority) = rest.split_at(rest.len() - path.len());
    let has_authority = !scheme.is_empty() || slashes.len() > 1;
    let end = authority.find(['/', '\\', '?', '#']);
    let end = end.unwrap_or(authority.len());
    let userinfo = match has_authority {
        true => authority[..end].rfind('@').map_or(0, |at| at + 1),
        false => 0,
    };
    let whole = format!("{scheme}{slashes}{}", &authority[userinfo..]);
    whole.chars().take(SHOWN).collect()
}

fn is_scheme(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn location(text: &str) -> HeaderMap {
        let value = HeaderValue::from_bytes(text.as_bytes()).expect("a value");
        HeaderMap::from_iter([(header::LOCATION, value)])
    }

    fn after(request: &Request, status: u16, to: &str, rules: Redirects) -> Verdict {
        let target = request.check().expect("sound");
        let status = StatusCode::from_u16(status).expect("a status");
        follow((request, target), (status, &location(to)), 0, rules)
    }

    fn followed(request: &Request, status: u16, to: &str) -> Request {
        match after(request, status, to, Redirects::at_most(10)) {
            Verdict::Follow(next) => *next,
            other => panic!("{other:?}"),
        }
    }

    fn refused(from: &str, to: &str) -> String {
        match after(&Request::get(from), 302, to, Redirects::at_most(10)) {
            Verdict::Refuse(error) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn references_are_resolved_against_the_url_that_answered() {
        let from = Request::get("https://a.test/x/y?q");
        for (to, expected) in [
            ("z", "https://a.test/x/z"),
            ("/z", "https://a.test/z"),
            ("?p", "https://a.test/x/y?p"),
            ("//b.test/z", "https://b.test/z"),
            ("https://b.test:8443/#top", "https://b.test:8443/"),
            ("", "https://a.test/x/y?q"),
            ("/\u{e9}", "https://a.test/%C3%A9"),
        ] {
            let next = followed(&from, 302, to);
            assert_eq!(next.check().expect("sound").to_string(), expected, "{to}");
        }
    }

    #[test]
    fn methods_and_bodies_follow_the_standard() {
        for (status, method, expected, keeps_body) in [
            (301, Method::POST, Method::GET, false),
            (302, Method::POST, Method::GET, false),
            (303, Method::POST, Method::GET, false),
            (303, Method::PUT, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, true),
            (301, Method::PUT, Method::PUT, true),
            (307, Method::POST, Method::POST, true),
            (308, Method::POST, Method::POST, true),
        ] {
            let request = Request::new(method, "http://a.test/")
                .header("content-type", "text/plain")
                .header("x", "1")
                .body("text");
            let next = followed(&request, status, "/b");
            assert_eq!(*next.method(), expected, "{status}");
            assert_eq!(next.payload().is_empty(), !keeps_body, "{status}");
            let headers = next.header_map();
            assert_eq!(headers.contains_key("content-type"), keeps_body, "{status}");
            assert!(headers.contains_key("x"));
        }
    }

    #[test]
    fn secrets_stay_with_the_scheme_host_and_port_they_are_for() {
        let request = Request::get("https://a.test/")
            .header("authorization", "secret")
            .header("cookie", "secret")
            .header("proxy-authorization", "secret")
            .header("host", "other.test")
            .header("accept", "*/*");
        for (to, count) in [
            ("/b", 5),
            ("https://a.test:443/b", 5),
            ("https://a.test:8443/b", 1),
            ("https://b.test/b", 1),
            ("https://sub.a.test/", 1),
        ] {
            assert_eq!(
                followed(&request, 307, to).header_map().len(),
                count,
                "{to}"
            );
        }
    }

    #[test]
    fn what_may_not_be_followed_is_refused_with_a_reason() {
        for (from, to, reason) in [
            ("https://a.test/", "http://a.test/", "leaves https"),
            ("http://a.test/", "ftp://a.test/", "neither http"),
            ("http://a.test/", "javascript:alert(1)", "neither http"),
            ("http://a.test/", "file:///etc/passwd", "neither http"),
            ("http://a.test/", "http://u:secret@b.test/", "credentials"),
            ("http://a.test/", "//u:secret@b.test/", "credentials"),
            ("http://a.test/", "\\\\u:secret@b.test\\", "credentials"),
            ("http://a.test/", "http:///u:secret@b.test/", "credentials"),
            ("http://a.test/", "https:/u:secret@b.test/@x", "credentials"),
            ("http://a.test/", "https:\\/u:secret@b.test", "credentials"),
            ("http://a.test/", "https:u:secret@b.test", "credentials"),
            ("http://a.test/", " http://u:secret@b.test/", "credentials"),
            (
                "http://a.test/",
                "ht\ttp:///u:secret@b.test/",
                "credentials",
            ),
            ("http://a.test/", "http://[::1/", "IPv6"),
        ] {
            let error = refused(from, to);
            assert!(error.contains(reason), "{to}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_downgrade_that_is_allowed_hides_where_it_came_from() {
        let request = Request::get("https://a.test/").header("referer", "https://a.test/");
        let mut rules = Redirects::at_most(1);
        rules.allow_downgrade = true;
        let Verdict::Follow(next) = after(&request, 302, "http://a.test/", rules) else {
            panic!("refused");
        };
        assert!(next.header_map().is_empty());
    }

    #[test]
    fn only_redirects_with_a_place_to_go_are_followed() {
        let (request, rules) = (Request::get("http://a.test/"), Redirects::at_most(1));
        for status in [200, 201, 300, 304, 305, 306, 400] {
            let verdict = after(&request, status, "/b", rules);
            assert!(matches!(verdict, Verdict::Stay), "{status}");
        }
        let off = after(&request, 302, "/b", Redirects::NONE);
        assert!(matches!(off, Verdict::Stay));
        let target = request.check().expect("sound");
        let answer = (StatusCode::FOUND, &HeaderMap::new());
        let nowhere = follow((&request, target), answer, 0, rules);
        assert!(matches!(nowhere, Verdict::Stay));
    }

    #[test]
    fn hops_are_limited() {
        let request = Request::get("http://a.test/");
        let target = request.check().expect("sound");
        let to = location("/b");
        let at = |hops| {
            follow(
                (&request, target),
                (StatusCode::FOUND, &to),
                hops,
                Redirects::at_most(2),
            )
        };
        assert!(matches!(at(1), Verdict::Follow(_)));
        assert!(matches!(at(2), Verdict::Refuse(_)));
    }

    proptest! {
        #[test]
        fn no_location_makes_it_panic(bytes in prop::collection::vec(0x20u8..=0xff, 0..80)) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let headers = HeaderMap::from_iter([(header::LOCATION, value)]);
            let request = Request::get("https://a.test/x");
            let target = request.check().expect("sound");
            let answer = (StatusCode::FOUND, &headers);
            let verdict = follow((&request, target), answer, 0, Redirects::at_most(1));
            if let Verdict::Follow(next) = verdict {
                prop_assert!(next.check().expect("checked").origin().is_secure());
            }
        }
    }
}
