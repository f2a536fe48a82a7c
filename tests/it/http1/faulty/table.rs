//! What a server says, and what is to come of it.

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

/// A response head of these fields, without the empty line.
fn ok(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}")
}

/// A chunked response of this body as it is on the wire.
fn chunked(body: &str) -> String {
    ok(&format!("Transfer-Encoding: chunked\r\n\r\n{body}"))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let groups = [
        framing(),
        chunking(),
        fields(),
        status(),
        bodies(),
        sizes(),
        times(),
        surplus(),
    ];
    for (name, says, then, due) in groups.into_iter().flatten() {
        let says = says.into();
        cases.push(Case {
            name,
            says,
            then,
            due,
            method: None,
        });
    }
    for (name, says, then, due) in headless() {
        let (says, method) = (says.into(), Some(Method::HEAD));
        cases.push(Case {
            name,
            says,
            then,
            due,
            method,
        });
    }
    cases
}

type Row = (&'static str, String, Then, Due);

fn framing() -> Vec<Row> {
    use Then::Keep;
    let body = |fields: &str| ok(&format!("{fields}\r\n\r\nok"));
    let both = "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let turned = "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    vec![
        (
            "lengths differ",
            body("Content-Length: 2\r\nContent-Length: 3"),
            Keep,
            PROTOCOL,
        ),
        (
            "lengths differ, longer first",
            body("Content-Length: 3\r\nContent-Length: 2"),
            Keep,
            PROTOCOL,
        ),
        (
            "lengths differ in a list",
            body("Content-Length: 2, 3"),
            Keep,
            PROTOCOL,
        ),
        (
            "length with a sign",
            body("Content-Length: +2"),
            Keep,
            PROTOCOL,
        ),
        (
            "length below nothing",
            body("Content-Length: -2"),
            Keep,
            PROTOCOL,
        ),
        (
            "length in hexadecimal",
            body("Content-Length: 0x2"),
            Keep,
            PROTOCOL,
        ),
        (
            "length with a fraction",
            body("Content-Length: 2.0"),
            Keep,
            PROTOCOL,
        ),
        (
            "length of two words",
            body("Content-Length: 2 2"),
            Keep,
            PROTOCOL,
        ),
        ("length empty", body("Content-Length:"), Keep, PROTOCOL),
        (
            "length half empty",
            body("Content-Length: 2,"),
            Keep,
            PROTOCOL,
        ),
        (
            "length beyond 64 bits",
            body("Content-Length: 18446744073709551618"),
            Keep,
            PROTOCOL,
        ),
        (
            "length in other digits",
            body("Content-Length: \u{0662}"),
            Keep,
            PROTOCOL,
        ),
        ("length and coding", ok(both), Keep, PROTOCOL),
        ("coding and length", ok(turned), Keep, PROTOCOL),
        ("coding twice", ok(twice), Keep, PROTOCOL),
        (
            "coding chunked twice",
            body("Transfer-Encoding: chunked, chunked"),
            Keep,
            PROTOCOL,
        ),
        (
            "coding compressed",
            body("Transfer-Encoding: gzip, chunked"),
            Keep,
            PROTOCOL,
        ),
        (
            "coding not chunked at the end",
            body("Transfer-Encoding: chunked, gzip"),
            Keep,
            PROTOCOL,
        ),
        (
            "coding identity",
            body("Transfer-Encoding: identity"),
            Keep,
            PROTOCOL,
        ),
        (
            "coding unknown",
            body("Transfer-Encoding: xchunked"),
            Keep,
            PROTOCOL,
        ),
        (
            "coding quoted",
            body("Transfer-Encoding: \"chunked\""),
            Keep,
            PROTOCOL,
        ),
        (
            "coding with a tail",
            body("Transfer-Encoding: chunked;q=1"),
            Keep,
            PROTOCOL,
        ),
        ("coding empty", body("Transfer-Encoding:"), Keep, PROTOCOL),
        ("coding in HTTP/1.0", old.into(), Keep, PROTOCOL),
    ]
}

fn chunking() -> Vec<Row> {
    use Then::{Close, Keep};
    let long = format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(300));
    let trailer = format!("0\r\na: {}\r\n\r\n", "b".repeat(20_000));
    vec![
        (
            "chunk size missing",
            chunked("\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size no number",
            chunked("two\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size with a prefix",
            chunked("0x2\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size with a sign",
            chunked("+2\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size below nothing",
            chunked("-2\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size after a space",
            chunked(" 2\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size of two words",
            chunked("2 2\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk size beyond 64 bits",
            chunked("10000000000000002\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk line ends bare",
            chunked("2\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk line with a bare CR",
            chunked("2\rok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk extension with a bare LF",
            chunked("2;a\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk longer than its size",
            chunked("2\r\nokay\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk shorter than its size",
            chunked("4\r\nok\r\n0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        (
            "chunk without an end",
            chunked("2\r\nok0\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        ("chunk extension too long", chunked(&long), Keep, PROTOCOL),
        ("chunk cut", chunked("5\r\nok"), Close, CUT),
        (
            "chunks cut before the last",
            chunked("2\r\nok\r\n"),
            Close,
            CUT,
        ),
        (
            "chunks cut in the last",
            chunked("2\r\nok\r\n0\r\n"),
            Close,
            CUT,
        ),
        ("chunks cut in a size", chunked("2\r\nok\r\n1"), Close, CUT),
        ("trailers too many", chunked(&trailers), Keep, PROTOCOL),
        ("trailer too long", chunked(&trailer), Keep, PROTOCOL),
        (
            "trailer without a colon",
            chunked("0\r\nnonsense\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
        ("trailers cut", chunked("0\r\na: b\r\n"), Close, CUT),
    ]
}

fn fields() -> Vec<Row> {
    use Then::Keep;
    let good = "Content-Length: 2\r\n\r\nok";
    let with = |field: &str| ok(&format!("{field}\r\n{good}"));
    let many = (0..257)
        .map(|n| format!("X-{n}: y\r\n"))
        .collect::<String>();
    vec![
        ("field folded", with("X: a\r\n b"), Keep, PROTOCOL),
        ("field folded by a tab", with("X: a\r\n\tb"), Keep, PROTOCOL),
        (
            "first field folded",
            ok(&format!(" X: a\r\n{good}")),
            Keep,
            PROTOCOL,
        ),
        (
            "field with a space before the colon",
            with("X : a"),
            Keep,
            PROTOCOL,
        ),
        (
            "length with a space before the colon",
            ok("Content-Length : 2\r\n\r\nok"),
            Keep,
            PROTOCOL,
        ),
        ("field without a colon", with("nonsense"), Keep, PROTOCOL),
        ("field without a name", with(": a"), Keep, PROTOCOL),
        ("field name of two words", with("X Y: a"), Keep, PROTOCOL),
        ("field name not ASCII", with("X\u{e9}: a"), Keep, PROTOCOL),
        ("field with a NUL", with("X: a\0b"), Keep, PROTOCOL),
        ("field with a bare CR", with("X: a\rb"), Keep, PROTOCOL),
        ("field with a bell", with("X: a\x07b"), Keep, PROTOCOL),
        (
            "fields too many",
            ok(&format!("{many}{good}")),
            Keep,
            PROTOCOL,
        ),
    ]
}

fn status() -> Vec<Row> {
    use Then::{Close, Keep};
    let rest = "Content-Length: 2\r\n\r\nok";
    let line = |line: &str| format!("{line}\r\n{rest}");
    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    vec![
        ("HTTP/0.9", "<html>ok</html>".into(), Close, PROTOCOL),
        ("HTTP/2 in words", line("HTTP/2.0 200 OK"), Keep, PROTOCOL),
        ("HTTP/2 in short", line("HTTP/2 200 OK"), Keep, PROTOCOL),
        ("HTTP/1.2", line("HTTP/1.2 200 OK"), Keep, PROTOCOL),
        ("HTTP/3", line("HTTP/3.1 200 OK"), Keep, PROTOCOL),
        (
            "version in small letters",
            line("http/1.1 200 OK"),
            Keep,
            PROTOCOL,
        ),
        (
            "another protocol",
            "SSH-2.0-OpenSSH_9.2\r\n".into(),
            Keep,
            PROTOCOL,
        ),
        (
            "a name that only begins alike",
            line("HTTPS/1.1 200 OK"),
            Keep,
            PROTOCOL,
        ),
        (
            "status of two digits",
            line("HTTP/1.1 20 OK"),
            Keep,
            PROTOCOL,
        ),
        (
            "status of four digits",
            line("HTTP/1.1 2000 OK"),
            Keep,
            PROTOCOL,
        ),
        ("status no number", line("HTTP/1.1 2x0 OK"), Keep, PROTOCOL),
        ("status below 100", line("HTTP/1.1 099 OK"), Keep, PROTOCOL),
        ("status missing", line("HTTP/1.1 OK"), Keep, PROTOCOL),
        (
            "status after two spaces",
            line("HTTP/1.1  200 OK"),
            Keep,
            PROTOCOL,
        ),
        (
            "status line with a NUL",
            line("HTTP/1.1 200 O\0K"),
            Keep,
            PROTOCOL,
        ),
        (
            "empty line first",
            format!("\r\n{}", line("HTTP/1.1 200 OK")),
            Keep,
            PROTOCOL,
        ),
        (
            "interim responses without end",
            format!("{flood}{}", line("HTTP/1.1 200 OK")),
            Keep,
            PROTOCOL,
        ),
        ("a switch nobody asked for", switched.into(), Keep, PROTOCOL),
        (
            "HTTP/2 frames",
            "\0\0\0\x04\0\0\0\0\0".into(),
            Keep,
            PROTOCOL,
        ),
        (
            "TLS alert",
            "\x15\x03\x03\0\x02\x02\x28".into(),
            Close,
            PROTOCOL,
        ),
    ]
}

fn bodies() -> Vec<Row> {
    use Then::{Break, Close};
    vec![
        ("body cut", ok("Content-Length: 5\r\n\r\nok"), Close, CUT),
        ("body missing", ok("Content-Length: 5\r\n\r\n"), Close, CUT),
        (
            "body broken off",
            ok("Content-Length: 5\r\n\r\nok"),
            Break,
            GONE,
        ),
        ("head cut in the status", "HTTP/1.1 2".into(), Close, CUT),
        ("head cut in a field", ok("Content-Le"), Close, CUT),
        (
            "head cut before its end",
            ok("Content-Length: 2\r\n"),
            Close,
            CUT,
        ),
        (
            "head cut after an interim one",
            "HTTP/1.1 100 Continue\r\n\r\n".into(),
            Close,
            CUT,
        ),
        ("nothing at all", String::new(), Close, GONE),
        ("nothing at all, broken off", String::new(), Break, GONE),
        (
            "body of unknown length",
            ok("\r\nok"),
            Close,
            Due::Partial(b"ok"),
        ),
        (
            "body of unknown length, empty",
            ok("\r\n"),
            Close,
            Due::Partial(b""),
        ),
        (
            "body of unknown length, broken off",
            ok("\r\nok"),
            Break,
            GONE,
        ),
    ]
}

fn sizes() -> Vec<Row> {
    use Then::{Hang, Keep};
    let long = ok(&format!(
        "X: {}\r\nContent-Length: 2\r\n\r\nok",
        "y".repeat(30_000)
    ));
    let endless = ok(&format!("X: {}", "y".repeat(30_000)));
    let reason = format!("HTTP/1.1 200 {}\r\n\r\n", "O".repeat(30_000));
    let early = format!("HTTP/1.1 103 Hints\r\nX: {}\r\n\r\n", "y".repeat(5_000));
    vec![
        ("head too long", long, Keep, PROTOCOL),
        ("head without end", endless, Hang, PROTOCOL),
        ("reason too long", reason, Keep, PROTOCOL),
        ("interim heads too long", early.repeat(5), Keep, PROTOCOL),
        (
            "body announced too large",
            ok("Content-Length: 100001\r\n\r\n"),
            Hang,
            LARGE,
        ),
        (
            "body too large",
            ok(&format!("\r\n{}", "x".repeat(100_001))),
            Hang,
            LARGE,
        ),
        (
            "chunk announced too large",
            chunked(&format!("186a1\r\n{}", "x".repeat(100_001))),
            Hang,
            LARGE,
        ),
    ]
}

fn times() -> Vec<Row> {
    use Then::Hang;
    vec![
        ("no answer", String::new(), Hang, LATE),
        ("no end of the head", ok("X: y\r\n"), Hang, LATE),
        (
            "interim responses only",
            "HTTP/1.1 102 Processing\r\n\r\n".into(),
            Hang,
            LATE,
        ),
        ("no body", ok("Content-Length: 2\r\n\r\n"), Hang, LATE),
        (
            "no end of the body",
            ok("Content-Length: 5\r\n\r\nok"),
            Hang,
            LATE,
        ),
        ("no end of the chunks", chunked("2\r\nok\r\n"), Hang, LATE),
        (
            "no end of the trailers",
            chunked("0\r\na: b\r\n"),
            Hang,
            LATE,
        ),
        ("no end of the connection", ok("\r\nok"), Hang, LATE),
        (
            "no end of a chunk's size",
            chunked(&"0".repeat(5_000)),
            Hang,
            LATE,
        ),
    ]
}

/// The response is as it should be, and more follows that nobody asked for.
fn surplus() -> Vec<Row> {
    use Then::Keep;
    let ok = Due::Body(b"ok");
    let with = |more: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{more}");
    let next = with("").replace("ok", "no");
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
    vec![
        ("surplus of one byte", with("x"), Keep, ok),
        ("surplus of an empty line", with("\r\n"), Keep, ok),
        ("surplus of a whole response", with(&next), Keep, ok),
        (
            "surplus after chunks",
            chunked(&format!("2\r\nok\r\n0\r\n\r\n{next}")),
            Keep,
            ok,
        ),
        (
            "204 with a body",
            empty("204 No Content"),
            Keep,
            Due::Body(b""),
        ),
        (
            "304 with a body",
            empty("304 Not Modified"),
            Keep,
            Due::Body(b""),
        ),
        (
            "a body of nothing, and more",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nno".into(),
            Keep,
            Due::Body(b""),
        ),
    ]
}

fn headless() -> Vec<Row> {
    use Then::Keep;
    let with = "Content-Length: 2\r\n\r\nno";
    vec![
        ("HEAD with a body", ok(with), Keep, Due::Body(b"")),
        (
            "HEAD with chunks",
            chunked("2\r\nno\r\n0\r\n\r\n"),
            Keep,
            Due::Body(b""),
        ),
        (
            "HEAD with two lengths",
            ok("Content-Length: 2\r\nContent-Length: 3\r\n\r\n"),
            Keep,
            PROTOCOL,
        ),
    ]
}
