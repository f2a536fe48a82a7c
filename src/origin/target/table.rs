//! URLs and what becomes of them: the origin to connect to, or the part at fault.

use crate::error::{Error, Part};
use crate::origin::Target;

enum Is {
    /// The origin, as its key has it.
    At(&'static str),
    /// Refused for this part.
    Bad(Part),
}
use Is::{At, Bad};

/// By the WHATWG URL standard and IDNA (UTS #46, non-transitional), which is what browsers do.
const TABLE: &[(&str, Is)] = &[
    // Case, ports, dots.
    ("HTTP://EXAMPLE.test", At("http://example.test:80")),
    ("https://a.test:443/", At("https://a.test:443")),
    ("http://a.test:/", At("http://a.test:80")),
    ("http://a.test:00080/", At("http://a.test:80")),
    ("http://a.test:65535/", At("http://a.test:65535")),
    ("http://a.test:65536/", Bad(Part::Port)),
    ("http://a.test:0/", Bad(Part::Port)),
    ("http://a.test:-1/", Bad(Part::Port)),
    ("http://a.test:8o/", Bad(Part::Port)),
    // An absolute name is another name to DNS and to servers: the two do not share a key.
    ("http://a.test./", At("http://a.test.:80")),
    ("http://a.test../", Bad(Part::Host)),
    ("http://.a.test/", Bad(Part::Host)),
    ("http://a..test/", Bad(Part::Host)),
    ("http://./", Bad(Part::Host)),
    ("http:///", Bad(Part::Host)),
    ("http://:80/", Bad(Part::Host)),
    ("http://?", Bad(Part::Host)),
    // Names that are not host names, but that servers have.
    ("http://a_b.test/", At("http://a_b.test:80")),
    ("http://-a-.test/", At("http://-a-.test:80")),
    ("http://a/", At("http://a:80")),
    ("http://a b.test/", Bad(Part::Host)),
    ("http://a<b.test/", Bad(Part::Host)),
    ("http://a|b.test/", Bad(Part::Host)),
    ("http://a^b.test/", Bad(Part::Host)),
    ("http://a%b.test/", Bad(Part::Host)),
    ("http://a\u{0}b.test/", Bad(Part::Url)),
    // Percent-encoding in a host is decoded, and what comes of it is checked.
    ("http://%61.test/", At("http://a.test:80")),
    ("http://a%2etest/", At("http://a.test:80")),
    ("http://a%20b.test/", Bad(Part::Host)),
    ("http://a%00b.test/", Bad(Part::Host)),
    ("http://a%2fb.test/", Bad(Part::Host)),
    ("http://a%3a80/", Bad(Part::Host)),
    ("http://a%40b.test/", Bad(Part::Host)),
    ("http://%ff.test/", Bad(Part::Host)),
    // Names beyond ASCII.
    (
        "http://b\u{fc}cher.test/",
        At("http://xn--bcher-kva.test:80"),
    ),
    (
        "http://BU\u{308}CHER.test/",
        At("http://xn--bcher-kva.test:80"),
    ),
    (
        "http://b%C3%BCcher.test/",
        At("http://xn--bcher-kva.test:80"),
    ),
    (
        "http://xn--bcher-kva.test/",
        At("http://xn--bcher-kva.test:80"),
    ),
    (
        "http://XN--BCHER-KVA.test/",
        At("http://xn--bcher-kva.test:80"),
    ),
    ("http://fa\u{df}.test/", At("http://xn--fa-hia.test:80")),
    (
        "http://\u{65e5}\u{672c}.test/",
        At("http://xn--wgv71a.test:80"),
    ),
    ("http://a\u{3002}test/", At("http://a.test:80")),
    ("http://\u{ff41}.test/", At("http://a.test:80")),
    ("http://a\u{ad}b.test/", At("http://ab.test:80")),
    ("http://\u{1f4a9}.test/", At("http://xn--ls8h.test:80")),
    // Punycode that stands for nothing, for plain ASCII, or not for what it should.
    ("http://xn--.test/", Bad(Part::Host)),
    ("http://xn--a.test/", Bad(Part::Host)),
    ("http://xn--abc-.test/", Bad(Part::Host)),
    ("http://xn--zn7c.com/", Bad(Part::Host)),
    ("http://\u{301}a.test/", Bad(Part::Host)),
    ("http://a\u{200d}b.test/", Bad(Part::Host)),
    ("http://a\u{202e}b.test/", Bad(Part::Host)),
    ("http://a\u{fffd}b.test/", Bad(Part::Host)),
    // IPv4 in every spelling; what ends in a number is one, or nothing.
    ("http://127.1/", At("http://127.0.0.1:80")),
    ("http://0x7f.0.0.01/", At("http://127.0.0.1:80")),
    ("http://2130706433/", At("http://127.0.0.1:80")),
    (
        "http://\u{ff11}\u{ff12}\u{ff17}.1/",
        At("http://127.0.0.1:80"),
    ),
    ("http://127.0.0.1./", At("http://127.0.0.1:80")),
    ("http://256.1.1.1/", Bad(Part::Host)),
    ("http://1.2.3.4.5/", Bad(Part::Host)),
    ("http://1.2.3.09/", Bad(Part::Host)),
    ("http://a.1/", Bad(Part::Host)),
    ("http://4294967296/", Bad(Part::Host)),
    // IPv6.
    ("http://[::1]/", At("http://[::1]:80")),
    ("http://[0:0::1]:8080/", At("http://[::1]:8080")),
    ("http://[::FFFF:1.2.3.4]/", At("http://[::ffff:1.2.3.4]:80")),
    ("http://[fe80::1%25eth0]/", Bad(Part::Host)),
    ("http://[fe80::1%eth0]/", Bad(Part::Host)),
    ("http://[1::2::3]/", Bad(Part::Host)),
    ("http://[::1]a/", Bad(Part::Host)),
    ("http://::1/", Bad(Part::Host)),
    ("http://[]/", Bad(Part::Host)),
    // Userinfo, and what looks like it.
    ("http://u@a.test/", Bad(Part::UserInfo)),
    ("http://u:p@a.test/", Bad(Part::UserInfo)),
    ("http://a.test@b.test/", Bad(Part::UserInfo)),
    ("http://@a.test/", At("http://a.test:80")),
    ("http://a.test\\@b.test/", At("http://a.test:80")),
    ("http://a.test/@b.test", At("http://a.test:80")),
    ("http://a.test#@b.test/", At("http://a.test:80")),
    // Slashes, spaces and line ends.
    ("http:a.test", At("http://a.test:80")),
    ("http:\\\\a.test\\b", At("http://a.test:80")),
    ("  http://a.test/  ", At("http://a.test:80")),
    ("http://a.te\tst/", Bad(Part::Url)),
    ("http://a.test/\r\nx: y", Bad(Part::Url)),
    // Not to be fetched.
    ("a.test", Bad(Part::Url)),
    ("//a.test/", Bad(Part::Url)),
    ("a.test:80", Bad(Part::Scheme)),
    ("file:///etc/passwd", Bad(Part::Scheme)),
    ("javascript:alert(1)", Bad(Part::Scheme)),
    ("ws://a.test/", Bad(Part::Scheme)),
];

#[test]
fn urls_lead_where_browsers_would_go_or_name_the_part_at_fault() {
    assert!(TABLE.len() >= 60, "only {}", TABLE.len());
    let mut wrong = Vec::new();
    for (url, expected) in TABLE {
        let outcome = Target::parse(url);
        let is_right = match (expected, &outcome) {
            (At(origin), Ok(target)) => target.origin().to_string() == *origin,
            (Bad(part), Err(Error::BadRequest { part: told, .. })) => part == told,
            _ => false,
        };
        if !is_right {
            let told = outcome.map(|target| target.origin().to_string());
            wrong.push(format!("{url:?}: {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
