//! What a server says, and what is to come of it.

mod text;

use http::Method;

use crate::support::script::Then;

/// What is to come of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// An error of this kind.
    Error(&'static str),
    /// A response with this body, for what follows it is not part of it.
    Body(&'static [u8]),
    /// A response that is known to have ended with its connection.
    Partial(&'static [u8]),
}

/// One faulty response.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) says: Vec<u8>,
    pub(super) then: Then,
    pub(super) due: Due,
    /// `POST` unless it says otherwise.
    pub(super) method: Option<Method>,
}

const PROTOCOL: Due = Due::Error("protocol");
const CUT: Due = Due::Error("truncated");
const LATE: Due = Due::Error("timeout");
const LARGE: Due = Due::Error("too_large");
const GONE: Due = Due::Error("disconnected");

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const TWO: &str = "\r\nContent-Length: 2\r\n\r\nok";
const SURPLUS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A table: what stands before each line's text, the lines, and what stands after.
type Table = (&'static str, &'static str, &'static str);

pub(super) fn cases() -> Vec<Case> {
    use Then::{Close, Hang, Keep};
    let tables: [(Table, Then, Due); 9] = [
        ((OK, text::LENGTHS, "\r\n\r\nok"), Keep, PROTOCOL),
        ((CHUNKED, text::CHUNKS, ""), Keep, PROTOCOL),
        ((CHUNKED, text::CUT_CHUNKS, ""), Close, CUT),
        ((OK, text::FIELDS, TWO), Keep, PROTOCOL),
        (("", text::STATUS, TWO), Keep, PROTOCOL),
        (("", text::CUT, ""), Close, CUT),
        (("", text::LATE, ""), Hang, LATE),
        ((SURPLUS, text::SURPLUS, ""), Keep, Due::Body(b"ok")),
        (("", text::BODIES, ""), Keep, Due::Body(b"")),
    ];
    let mut cases = [too_much(), alone()].concat();
    for ((before, lines, after), then, due) in tables {
        for (name, says) in read(lines) {
            let says = [before.as_bytes(), &says, after.as_bytes()].concat();
            cases.push(case(name, says, then, due));
        }
    }
    for (name, says) in read(text::HEADLESS) {
        let method = Some(Method::HEAD);
        let case = case(name, says, Keep, Due::Body(b""));
        cases.push(Case { method, ..case });
    }
    cases
}

/// Those that do not fit in a line.
fn too_much() -> Vec<Case> {
    use Then::{Hang, Keep};
    let fields = (0..257)
        .map(|n| format!("X-{n}: y\r\n"))
        .collect::<String>();
    let ok = format!("{OK}Content-Length: 2\r\n\r\nok");
    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    let early = format!("HTTP/1.1 103 Hints\r\nX: {}\r\n\r\n", "y".repeat(5_000)).repeat(5);
    let (y, x) = ("y".repeat(30_000), "x".repeat(100_001));
    let zeros = "0".repeat(9_000);
    let rows = [
        (
            "extension too long",
            format!("{CHUNKED}2;{y}"),
            Hang,
            PROTOCOL,
        ),
        (
            "trailers too many",
            format!("{CHUNKED}0\r\n{fields}\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "trailer too long",
            format!("{CHUNKED}0\r\na: {y}"),
            Hang,
            PROTOCOL,
        ),
        (
            "fields too many",
            format!("{OK}{fields}\r\n"),
            Keep,
            PROTOCOL,
        ),
        ("interim without end", flood + &ok, Keep, PROTOCOL),
        ("interim too long", early + &ok, Keep, PROTOCOL),
        ("head too long", format!("{OK}X: {y}{TWO}"), Keep, PROTOCOL),
        ("head without end", format!("{OK}X: {y}"), Hang, PROTOCOL),
        ("body too large", format!("{OK}\r\n{x}"), Hang, LARGE),
        (
            "chunk too large",
            format!("{CHUNKED}186a1\r\n{x}"),
            Hang,
            LARGE,
        ),
        (
            "chunk size without end",
            format!("{CHUNKED}{zeros}"),
            Hang,
            LATE,
        ),
    ];
    rows.map(|(name, says, then, due)| case(name, says.into(), then, due))
        .into()
}

/// Those that are like no other.
fn alone() -> Vec<Case> {
    use Then::{Break, Close, Hang, Keep};
    let y = "y".repeat(30_000);
    let large = format!("{OK}Content-Length: 100001\r\n\r\n");
    let cut = format!("{OK}Content-Length: 5\r\n\r\nok");
    let old = CHUNKED.replace("1.1", "1.0") + "2\r\nok\r\n0\r\n\r\n";
    let (close, empty) = (format!("{OK}\r\nok"), format!("{OK}\r\n"));
    let more = format!("{CHUNKED}0\r\n\r\n{SURPLUS}");
    let rows = [
        (
            "reason too long",
            format!("HTTP/1.1 200 {y}{TWO}"),
            Keep,
            PROTOCOL,
        ),
        ("announced too large", large, Hang, LARGE),
        ("coding in HTTP/1.0", old, Keep, PROTOCOL),
        ("nothing at all", String::new(), Close, GONE),
        ("nothing, and broken off", String::new(), Break, GONE),
        ("body broken off", cut, Break, GONE),
        ("length unknown", close.clone(), Close, Due::Partial(b"ok")),
        ("length unknown, empty", empty, Close, Due::Partial(b"")),
        ("length unknown, broken off", close, Break, GONE),
        ("surplus after chunks", more, Keep, Due::Body(b"")),
    ];
    rows.map(|(name, says, then, due)| case(name, says.into(), then, due))
        .into()
}

fn case(name: &'static str, says: Vec<u8>, then: Then, due: Due) -> Case {
    let method = None;
    Case {
        name,
        says,
        then,
        due,
        method,
    }
}

/// The lines of a table.
fn read(table: &'static str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    table.trim().lines().map(|line| {
        let (name, says) = line.split_once('|').expect("two columns");
        (
            name.trim(),
            unescape(says.strip_prefix(' ').unwrap_or(says)),
        )
    })
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match escape.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'0' => (0, 1),
            _ => (u8::from_str_radix(&escape[1..3], 16).expect("a byte"), 3),
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
