//! What a path asks for.

use std::time::Duration;

use http::StatusCode;

const LARGEST_BODY: u64 = 16 << 30;
const LARGEST_TEXT: u64 = 16 << 20;
const LONGEST_DRIP: u64 = 100_000;
const LONGEST_WAIT: u64 = 60_000;
const USUAL_TEXT: u64 = 10_000;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// The name in `content-encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// A path, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Index,
    Bytes {
        len: u64,
    },
    Drip {
        len: u64,
        pause: Duration,
    },
    Status(StatusCode),
    Echo,
    Headers,
    Redirect(u64),
    /// To another origin.
    Away {
        status: StatusCode,
        to: String,
    },
    Coded {
        coding: Coding,
        len: u64,
    },
    Trailers,
    Tree {
        pages: u64,
        page: u64,
    },
    /// Takes a body in, and tells its length and digest.
    Sink,
    Stall,
    Silent,
    /// A route that exists, with numbers that do not.
    Bad(&'static str),
    Unknown,
}

/// A path with its delays taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan<'a> {
    /// The `/delay/MS` the path began with, kept by links and redirects.
    pub(crate) prefix: &'a str,
    pub(crate) delay: Duration,
    pub(crate) route: Route,
}

/// Reads a path (without query).
pub(crate) fn plan(path: &str) -> Plan<'_> {
    let mut rest = path;
    let mut wait: u64 = 0;
    while let Some(after) = rest.strip_prefix("/delay/") {
        let digits = after.split('/').next().unwrap_or_default();
        let Ok(more) = digits.parse::<u64>() else {
            return Plan {
                prefix: "",
                delay: Duration::ZERO,
                route: Route::Bad("/delay/MS takes milliseconds"),
            };
        };
        wait = wait.saturating_add(more);
        rest = &after[digits.len()..];
    }
    Plan {
        prefix: &path[..path.len() - rest.len()],
        delay: Duration::from_millis(wait.min(LONGEST_WAIT)),
        route: route(rest),
    }
}

fn route(path: &str) -> Route {
    let parts: Vec<&str> = path.trim_start_matches('/').splitn(5, '/').collect();
    match parts.as_slice() {
        [""] => Route::Index,
        ["bytes", len, ..] => bytes(len),
        ["drip", len, pause] => drip(len, pause),
        ["status", code] => status(code),
        ["echo"] => Route::Echo,
        ["sink"] => Route::Sink,
        ["headers"] => Route::Headers,
        ["redirect", hops] => hops
            .parse()
            .map_or(Route::Bad("/redirect/N takes a number"), Route::Redirect),
        ["away", code, scheme, rest @ ..] => away(code, scheme, &rest.join("/")),
        ["gzip", len @ ..] => coded(Coding::Gzip, len),
        ["br", len @ ..] => coded(Coding::Brotli, len),
        ["zstd", len @ ..] => coded(Coding::Zstd, len),
        ["trailers"] => Route::Trailers,
        ["tree", pages, page] => tree(pages, page),
        ["stall"] => Route::Stall,
        ["silent"] => Route::Silent,
        _ => Route::Unknown,
    }
}

fn bytes(len: &str) -> Route {
    match len.parse() {
        Ok(len) if len <= LARGEST_BODY => Route::Bytes { len },
        _ => Route::Bad("/bytes/N takes a number up to 17179869184"),
    }
}

fn drip(len: &str, pause: &str) -> Route {
    match (len.parse(), pause.parse::<u64>()) {
        (Ok(len), Ok(pause)) if len <= LONGEST_DRIP => Route::Drip {
            len,
            pause: Duration::from_millis(pause.min(LONGEST_WAIT)),
        },
        _ => Route::Bad("/drip/N/MS takes a number up to 100000 and milliseconds"),
    }
}

fn status(code: &str) -> Route {
    match code.parse().map(StatusCode::from_u16) {
        Ok(Ok(status)) if (200..600).contains(&status.as_u16()) => Route::Status(status),
        _ => Route::Bad("/status/N takes a final status, from 200 to 599"),
    }
}

fn away(code: &str, scheme: &str, rest: &str) -> Route {
    // Nothing but what a URL is made of can get into a header here.
    let to = format!("{scheme}://{rest}");
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic());
    match code.parse().map(StatusCode::from_u16) {
        Ok(Ok(status)) if status.is_redirection() && is_plain => Route::Away { status, to },
        _ => Route::Bad("/away/N/SCHEME/HOST/REST takes a status from 300 to 399"),
    }
}

fn coded(coding: Coding, rest: &[&str]) -> Route {
    match rest {
        [] => Route::Coded {
            coding,
            len: USUAL_TEXT,
        },
        [len] => match len.parse() {
            Ok(len) if len <= LARGEST_TEXT => Route::Coded { coding, len },
            _ => Route::Bad("the length of a text is a number up to 16777216"),
        },
        _ => Route::Unknown,
    }
}

fn tree(pages: &str, page: &str) -> Route {
    match (pages.parse(), page.parse()) {
        (Ok(pages), Ok(page)) if page < pages => Route::Tree { pages, page },
        (Ok(_), Ok(_)) => Route::Unknown,
        _ => Route::Bad("/tree/M/K takes two numbers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_add_up_to_the_limit_and_are_kept_as_prefix() {
        let read = plan("/delay/10/delay/5/redirect/2");
        assert_eq!(read.prefix, "/delay/10/delay/5");
        assert_eq!(read.delay, Duration::from_millis(15));
        assert_eq!(read.route, Route::Redirect(2));
        assert_eq!(plan("/delay/7").route, Route::Index);
        let long = format!("/delay/{}/delay/{}/", u64::MAX, u64::MAX);
        assert_eq!(plan(&long).delay, Duration::from_millis(LONGEST_WAIT));
    }

    #[test]
    fn odd_paths_are_read_without_panic() {
        for path in ["", "*", "//", "/delay/", "/delay/é/x", "/bytes/-1", "/é/é"] {
            let route = plan(path).route;
            let odd = matches!(route, Route::Bad(_) | Route::Unknown | Route::Index);
            assert!(odd, "{path} was read as {route:?}");
        }
    }

    #[test]
    fn redirects_lead_to_other_origins() {
        let status = StatusCode::TEMPORARY_REDIRECT;
        let to = "https://b.test:8/x/y/z".to_owned();
        assert_eq!(
            route("/away/307/https/b.test:8/x/y/z"),
            Route::Away { status, to }
        );
        assert!(matches!(route("/away/200/https/b/"), Route::Bad(_)));
    }

    #[test]
    fn only_final_statuses_are_statuses() {
        for bad in ["0", "99", "100", "199", "600", "65536", "x", ""] {
            assert!(matches!(status(bad), Route::Bad(_)), "{bad}");
        }
        assert_eq!(status("599").clone(), status("599"));
        assert_eq!(status("204"), Route::Status(StatusCode::NO_CONTENT));
    }
}
