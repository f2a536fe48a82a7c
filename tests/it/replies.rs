//! Faulty HTTP/1.1 responses: no wrong success, no hang, and never another request on a connection
//! that is in doubt.

use std::collections::HashMap;
use std::time::Duration;

use gannet::{Config, Engine, Error, Request, Response};

use crate::support::engine_with;
use crate::support::replies::{After, Replies, Reply};

/// What a fetch of a faulty response is to come to.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// An error of one of these kinds.
    Fails(&'static [&'static str]),
    /// This body, and the connection is not used again.
    Succeeds(&'static [u8]),
}

struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    after: After,
    expected: Expected,
}

const PROTOCOL: Expected = Expected::Fails(&["protocol"]);
const TRUNCATED: Expected = Expected::Fails(&["truncated"]);
const BROKEN: Expected = Expected::Fails(&["disconnected"]);
/// Something came, but no answer.
const UNANSWERED: Expected = Expected::Fails(&["disconnected", "truncated"]);
const TOO_LARGE: Expected = Expected::Fails(&["too_large"]);
const LATE: Expected = Expected::Fails(&["timeout"]);
/// Either is true: what came is no HTTP, and it is longer than HTTP may be.
const TOO_MUCH: Expected = Expected::Fails(&["protocol", "too_large"]);

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, after: After, expected: Expected) -> Case {
    Case {
        name,
        bytes: bytes.into(),
        after,
        expected,
    }
}

/// A response with these header lines and this body; the server then waits.
fn wrong(name: &'static str, lines: &str, body: &str, expected: Expected) -> Case {
    let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}");
    case(name, bytes, After::Listen, expected)
}

/// The length of the body is told in a way that could be understood in two ways, or in none.
fn framing() -> Vec<Case> {
    let length =
        |name, value: &str| wrong(name, &format!("Content-Length: {value}"), "hello", PROTOCOL);
    let coding = |name, value: &str| {
        let lines = format!("Transfer-Encoding: {value}");
        wrong(name, &lines, "5\r\nhello\r\n0\r\n\r\n", PROTOCOL)
    };
    let two = "Content-Length: 5\r\nContent-Length: 6";
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
    let both_again = "Transfer-Encoding: chunked\r\nContent-Length: 15";
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    vec![
        wrong("two-lengths", two, "hello!", PROTOCOL),
        length("a-list-of-lengths", "5, 6"),
        length("a-length-with-a-sign", "+5"),
        length("a-negative-length", "-1"),
        length("a-hexadecimal-length", "0x5"),
        length("a-length-with-a-space", "5 5"),
        length("a-length-beyond-all", "99999999999999999999"),
        length("an-empty-length", ""),
        length("a-length-with-a-tail", "5;"),
        wrong(
            "length-and-chunks",
            both,
            "5\r\nhello\r\n0\r\n\r\n",
            PROTOCOL,
        ),
        wrong(
            "chunks-and-length",
            both_again,
            "5\r\nhello\r\n0\r\n\r\n",
            PROTOCOL,
        ),
        coding("a-coding-without-chunks", "gzip"),
        coding("chunks-inside-a-coding", "chunked, gzip"),
        coding("chunks-twice", "chunked, chunked"),
        coding("an-unknown-coding", "xchunked"),
        coding("an-identity", "identity"),
        wrong(
            "a-space-before-the-colon",
            "Transfer-Encoding : chunked",
            "0\r\n\r\n",
            PROTOCOL,
        ),
        case("chunks-in-http-1.0", old, After::Close, PROTOCOL),
    ]
}

/// The response ends too soon.
fn cut() -> Vec<Case> {
    let head = |lines: &str, rest: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{rest}");
    let length = |rest| head("Content-Length: 10", rest);
    let chunks = |rest| head("Transfer-Encoding: chunked", rest);
    let reset = Expected::Fails(&["truncated", "disconnected"]);
    let half = Expected::Fails(&["disconnected", "protocol", "truncated"]);
    use After::{Close, Reset};
    vec![
        case("half-a-body", length("hello"), Close, TRUNCATED),
        case("no-body-at-all", length(""), Close, TRUNCATED),
        case("a-body-broken-off", length("hello"), Reset, reset),
        case("no-last-chunk", chunks("5\r\nhello\r\n"), Close, TRUNCATED),
        case("half-a-chunk", chunks("a\r\nhello"), Close, TRUNCATED),
        case(
            "half-a-chunk-size",
            chunks("5\r\nhello\r\n1"),
            Close,
            TRUNCATED,
        ),
        case("half-a-trailer", chunks("0\r\nx: y"), Close, TRUNCATED),
        case("nothing", "", Close, BROKEN),
        case("nothing-at-all", "", Reset, BROKEN),
        case("half-a-status-line", "HTTP/1.1 2", Close, half),
        case("half-a-head", "HTTP/1.1 200 OK\r\nContent-", Close, half),
    ]
}

fn chunking() -> Vec<Case> {
    let chunks = |name, body: &str| wrong(name, "Transfer-Encoding: chunked", body, PROTOCOL);
    let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(70_000));
    let trailers = format!("0\r\nx: {}\r\n\r\n", "y".repeat(400_000));
    vec![
        chunks("a-size-that-is-none", "zz\r\nhello\r\n0\r\n\r\n"),
        chunks("a-negative-size", "-5\r\nhello\r\n0\r\n\r\n"),
        chunks("a-size-with-a-prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
        chunks(
            "a-size-beyond-all",
            "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        ),
        chunks("an-empty-size", "\r\nhello\r\n0\r\n\r\n"),
        chunks("a-chunk-longer-than-told", "3\r\nhello\r\n0\r\n\r\n"),
        chunks("a-chunk-without-an-end", "5\r\nhello0\r\n\r\n"),
        chunks("a-very-long-extension", &extension),
        wrong(
            "very-long-trailers",
            "Transfer-Encoding: chunked",
            &trailers,
            TOO_MUCH,
        ),
        chunks("a-trailer-that-is-none", "0\r\nno colon\r\n\r\n"),
        chunks(
            "a-size-with-a-carriage-return",
            "5\r5\r\nhello\r\n0\r\n\r\n",
        ),
    ]
}

fn headers() -> Vec<Case> {
    let line =
        |name, line: &str| wrong(name, &format!("{line}\r\nContent-Length: 0"), "", PROTOCOL);
    let many: String = (0..300).map(|i| format!("x-{i}: y\r\n")).collect();
    let large = format!("x: {}", "y".repeat(300_000));
    vec![
        line("no-colon", "this is no header"),
        line("no-name", ": x"),
        line("a-nul-in-a-value", "x: a\0b"),
        line("a-space-in-a-name", "a b: c"),
        line("a-folded-line", "x: a\r\n b"),
        line("a-carriage-return-in-a-value", "x: a\rb"),
        line("a-control-in-a-name", "a\x07b: c"),
        line("a-space-before-a-name", " x: y"),
        wrong(
            "hundreds",
            &format!("{many}Content-Length: 0"),
            "",
            TOO_MUCH,
        ),
        wrong(
            "a-very-long-value",
            &format!("{large}\r\nContent-Length: 0"),
            "",
            TOO_MUCH,
        ),
        case(
            "an-endless-line",
            "y".repeat(10_000),
            After::Repeat,
            TOO_MUCH,
        ),
        case(
            "an-endless-head",
            format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(10_000)),
            After::Repeat,
            TOO_MUCH,
        ),
    ]
}

fn statuses() -> Vec<Case> {
    let status = |name, line: &str| {
        let bytes = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        case(name, bytes, After::Listen, PROTOCOL)
    };
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    vec![
        status("two-digits", "HTTP/1.1 99 Odd"),
        status("four-digits", "HTTP/1.1 2000 Odd"),
        status("letters", "HTTP/1.1 abc Odd"),
        status("a-status-of-zero", "HTTP/1.1 000 Odd"),
        status("the-wrong-version", "HTTP/2.0 200 OK"),
        status("a-version-before-all", "HTTP/0.9 200 OK"),
        status("a-version-without-digits", "HTTP/x.y 200 OK"),
        status("another-protocol", "ICY 200 OK"),
        status("no-space", "HTTP/1.1200 OK"),
        case("no-head", "<html>hello</html>", After::Close, PROTOCOL),
        case(
            "another-service",
            "SSH-2.0-OpenSSH_9.2\r\n",
            After::Listen,
            PROTOCOL,
        ),
        case(
            "an-alert-of-tls",
            b"\x15\x03\x01\x00\x02\x02\x16".to_vec(),
            After::Close,
            PROTOCOL,
        ),
        case(
            "frames-of-http-2",
            b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64".to_vec(),
            After::Listen,
            PROTOCOL,
        ),
        status(
            "an-upgrade-nobody-asked-for",
            "HTTP/1.1 101 Switching Protocols",
        ),
        case("hints-without-end", early, After::Repeat, PROTOCOL),
        case("hints-and-nothing-more", early, After::Close, UNANSWERED),
    ]
}

fn sizes_and_times() -> Vec<Case> {
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000));
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        chunk.repeat(200)
    );
    let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(200_000));
    vec![
        wrong(
            "a-length-beyond-the-limit",
            "Content-Length: 100001",
            "",
            TOO_LARGE,
        ),
        case("chunks-beyond-the-limit", chunks, After::Listen, TOO_LARGE),
        case(
            "a-body-until-the-close-beyond-the-limit",
            until_close,
            After::Close,
            TOO_LARGE,
        ),
        case("silence", "", After::Listen, LATE),
        case(
            "silence-in-the-head",
            "HTTP/1.1 200 OK\r\nx",
            After::Listen,
            LATE,
        ),
        wrong("silence-in-the-body", "Content-Length: 10", "hello", LATE),
        wrong(
            "silence-before-the-last-chunk",
            "Transfer-Encoding: chunked",
            "5\r\nhello\r\n",
            LATE,
        ),
    ]
}

/// The response is whole, and something follows.
fn surplus() -> Vec<Case> {
    let again = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let hello = Expected::Succeeds(b"hello");
    let none = Expected::Succeeds(b"");
    let bare = |name, line: &str| {
        let bytes = format!("{line}\r\nContent-Length: 51\r\n\r\n{again}");
        case(name, bytes, After::Listen, none)
    };
    vec![
        wrong(
            "another-response",
            "Content-Length: 5",
            &format!("hello{again}"),
            hello,
        ),
        wrong("a-byte-too-much", "Content-Length: 5", "hello!", hello),
        wrong(
            "a-response-after-the-chunks",
            "Transfer-Encoding: chunked",
            &format!("5\r\nhello\r\n0\r\n\r\n{again}"),
            hello,
        ),
        bare("a-body-that-cannot-be", "HTTP/1.1 304 Not Modified"),
    ]
}

fn all() -> Vec<Case> {
    let parts = [
        framing(),
        cut(),
        chunking(),
        headers(),
        statuses(),
        sizes_and_times(),
        surplus(),
    ];
    parts.into_iter().flatten().collect()
}

fn engine() -> Engine {
    let mut config = Config::default();
    config.conn_limit_http1 = 1;
    config.max_attempts = 1;
    config.max_body = 100_000;
    config.head_timeout = Duration::from_millis(300);
    config.body_timeout = Duration::from_millis(300);
    engine_with(config)
}

fn check(case: &Case, outcome: &Result<Response, Error>) -> Result<(), String> {
    let is_right = match (case.expected, outcome) {
        (Expected::Fails(kinds), Err(error)) => kinds.contains(&error.kind()),
        (Expected::Succeeds(body), Ok(response)) => response.body == body,
        _ => false,
    };
    let told = outcome.as_ref().map(|response| response.status);
    match is_right {
        true => Ok(()),
        false => Err(format!("{}: {told:?}, not {:?}", case.name, case.expected)),
    }
}

#[tokio::test]
async fn no_faulty_response_is_taken_for_a_sound_one_and_its_connection_is_not_used_again() {
    let cases = all();
    assert!(cases.len() >= 60, "only {}", cases.len());
    let replies: HashMap<_, _> = cases
        .iter()
        .map(|case| {
            let (bytes, after) = (case.bytes.clone(), case.after);
            (case.name.to_owned(), Reply { bytes, after })
        })
        .collect();
    assert_eq!(replies.len(), cases.len(), "each has a name of its own");
    let server = Replies::start(replies).await;
    let mut wrong = Vec::new();
    for case in &cases {
        // An engine for each: what is learnt from one fault is not to help with the next.
        let engine = engine();
        let before = server.connections();
        let outcome = engine.fetch(Request::get(server.url(case.name))).await;
        wrong.extend(check(case, &outcome).err());
        let next = format!("after-{}", case.name);
        match engine.fetch(Request::get(server.url(&next))).await {
            Ok(response) if response.body == "fine" => {}
            other => wrong.push(format!("{next}: {:?}", other.map(|r| r.body))),
        }
        if server.connection_of(case.name) == server.connection_of(&next) {
            wrong.push(format!("{}: its connection was used again", case.name));
        }
        let opened = server.connections() - before;
        if opened != 2 {
            wrong.push(format!("{}: {opened} connections", case.name));
        }
        engine.shutdown(Duration::from_secs(5)).await;
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
