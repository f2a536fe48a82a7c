//! One line of a result file.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gannet::response::{Receipt, RetryReason};
use gannet::{Error, Failure, Response};
use http::HeaderMap;
use serde::Serialize;

/// What was asked for, under which number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Job {
    /// From 1 on, in the order of the input.
    pub(crate) id: u64,
    /// Line of the input, if it came from there.
    pub(crate) line: Option<u64>,
    pub(crate) url: String,
    pub(crate) method: String,
}

/// The outcome of a job, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    url: &'a str,
    method: &'a str,
    status: Option<u16>,
    proto: Option<String>,
    remote_ip: Option<String>,
    conn: Option<Connection>,
    t: Option<Times>,
    bytes: Option<Sizes>,
    headers: Option<Vec<(&'a str, String)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_file: Option<String>,
    error: Option<Trouble>,
    attempts: Option<u32>,
    /// Why the body is not all that there was.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retries: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirects: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Connection {
    id: u64,
    reused: bool,
    stream_id: Option<u32>,
}

/// Microseconds since the fetch was accepted; `connect` is the time of the dial alone.
#[derive(Debug, Serialize)]
struct Times {
    queue: u64,
    connect: u64,
    ttfb: Option<u64>,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Sizes {
    wire: u64,
    body: usize,
}

/// Why a row is not a success.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Trouble {
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    pub(crate) retryable: bool,
}

/// Where a body is to be found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Body {
    #[default]
    Nowhere,
    /// In the row itself.
    Inline,
    File(String),
}

impl<'a> Row<'a> {
    pub(crate) fn answered(job: &'a Job, response: &'a Response, body: Body) -> Self {
        let (body, body_file) = match body {
            Body::Nowhere => (None, None),
            Body::Inline => (Some(STANDARD.encode(&response.body)), None),
            Body::File(path) => (None, Some(path)),
        };
        Self {
            status: Some(response.status.as_u16()),
            proto: Some(response.protocol.to_string()),
            bytes: Some(Sizes {
                wire: response.receipt.wire_bytes,
                body: response.body.len(),
            }),
            headers: Some(pairs(&response.headers)),
            body,
            body_file,
            ..Self::accounted(job, &response.receipt)
        }
    }

    pub(crate) fn failed(job: &'a Job, failure: &Failure) -> Self {
        Self {
            error: Some(Trouble::from(&failure.error)),
            ..Self::accounted(job, &failure.receipt)
        }
    }

    /// How far it got.
    fn accounted(job: &'a Job, receipt: &Receipt) -> Self {
        let dial = match &receipt.peer {
            Some(peer) if !receipt.reused => peer.dial.total,
            _ => Duration::ZERO,
        };
        let peer = receipt.peer.as_ref();
        Self {
            remote_ip: peer.map(|peer| peer.address.ip().to_string()),
            conn: receipt.connection.map(|id| Connection {
                id,
                reused: receipt.reused,
                stream_id: receipt.stream,
            }),
            t: Some(Times {
                queue: micros(receipt.queued),
                connect: micros(dial),
                ttfb: receipt.first_byte.map(micros),
                total: micros(receipt.done),
            }),
            attempts: Some(receipt.attempts),
            cut: receipt.cut.map(|cut| format!("{cut:?}").to_lowercase()),
            retries: receipt.retries.iter().map(|r| why(&r.reason)).collect(),
            redirects: receipt.hops.iter().map(|hop| hop.to.to_string()).collect(),
            ..Self::empty(job)
        }
    }

    /// The same row, but not a success.
    pub(crate) fn with(self, trouble: Option<Trouble>) -> Self {
        Self {
            error: trouble,
            ..self
        }
    }

    /// The row as it is written, line feed included.
    pub(crate) fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    fn empty(job: &'a Job) -> Self {
        Self {
            id: job.id,
            line: job.line,
            url: &job.url,
            method: &job.method,
            status: None,
            proto: None,
            remote_ip: None,
            conn: None,
            t: None,
            bytes: None,
            headers: None,
            body: None,
            body_file: None,
            error: None,
            attempts: None,
            cut: None,
            retries: Vec::new(),
            redirects: Vec::new(),
        }
    }
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            detail: error.to_string(),
            retryable: error.is_retryable(),
        }
    }
}

/// Why an attempt was followed by another: the kind of an error, or a status.
fn why(reason: &RetryReason) -> String {
    match reason {
        RetryReason::Error(error) => error.kind().to_owned(),
        RetryReason::Status(status) => status.as_str().to_owned(),
        _ => "other".to_owned(),
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Every byte of a value becomes one character, so that nothing is lost (ISO 8859-1).
pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn pairs(headers: &HeaderMap) -> Vec<(&str, String)> {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.as_str(), latin_1(value.as_bytes())))
        .collect()
}

/// The URL as it may be repeated: without what stands before an `@`, which can be a password.
pub(crate) fn without_credentials(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) if start > 0 => format!("{scheme}[redacted]{}", &rest[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(line: Option<u64>) -> Job {
        Job {
            id: 7,
            line,
            url: "nonsense".into(),
            method: "GET".into(),
        }
    }

    #[test]
    fn a_failed_row_has_nulls_for_what_did_not_come() {
        let error = gannet::Request::get("nonsense")
            .check()
            .map(|_| ())
            .expect_err("no URL");
        let job = job(Some(3));
        let line = Row::failed(&job, &Failure::from(error))
            .to_line()
            .expect("JSON");
        let expected = concat!(
            r#"{"id":7,"line":3,"url":"nonsense","method":"GET","status":null,"proto":null,"#,
            r#""remote_ip":null,"conn":null,"t":{"queue":0,"connect":0,"ttfb":null,"total":0},"bytes":null,"headers":null,"#,
            r#""error":{"kind":"bad_request","detail":"bad URL: it is not absolute","#,
            r#""retryable":false},"attempts":0}"#,
            "\n"
        );
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }

    #[test]
    fn only_jobs_of_the_input_have_a_line() {
        let job = job(None);
        let detail = "a\n\"b".into();
        let failure = Failure::from(Error::Protocol { detail });
        let line = Row::failed(&job, &failure).to_line().expect("JSON");
        let text = String::from_utf8(line).expect("UTF-8");
        assert!(!text.contains("line"));
        assert_eq!(text.matches('\n').count(), 1);
    }

    #[test]
    fn a_retry_is_told_by_kind_or_status() {
        let error = Error::Closed { sent: false };
        assert_eq!(why(&RetryReason::Error(error)), "closed");
        let status = http::StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(why(&RetryReason::Status(status)), "503");
    }

    #[test]
    fn no_byte_of_a_header_is_lost() {
        assert_eq!(latin_1(b"caf\xe9 \xff"), "caf\u{e9} \u{ff}");
    }

    #[test]
    fn passwords_are_not_repeated() {
        for (url, shown) in [
            ("http://user:secret@a/x@y", "http://[redacted]@a/x@y"),
            ("http://se@cret@a", "http://[redacted]@a"),
            ("http://a/x@y", "http://a/x@y"),
            ("http://a?x@y", "http://a?x@y"),
            ("me@a", "me@a"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
