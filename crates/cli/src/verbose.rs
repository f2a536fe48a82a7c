//! The exchange, as `--verbose` tells it, in the style of curl.

use std::fmt::{self, Write};
use std::time::Duration;

use gannet::response::{Hop, Receipt, Retry, RetryReason};
use gannet::{OpenResponse, Protocol, Target};
use http::header::{
    AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE,
};

use crate::options::Template;
use crate::row::latin_1;

/// Headers whose values are never shown: they let others act in the user's name.
const SECRET: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE];

/// The lines that begin with `>`.
pub(crate) fn request(
    template: &Template,
    target: &Target,
    protocol: Option<Protocol>,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    write!(text, "> {} {}", template.method, target.path_and_query())?;
    match protocol {
        // The request itself was of the later version (RFC 9112 §2.3).
        Some(Protocol::Http10) => writeln!(text, " {}", Protocol::Http11)?,
        Some(protocol) => writeln!(text, " {protocol}")?,
        None => writeln!(text)?,
    }
    if !template.headers.contains_key(HOST) {
        let authority = target
            .uri()
            .authority()
            .map_or("", |authority| authority.as_str());
        writeln!(text, "> host: {authority}")?;
    }
    headers(&mut text, '>', &template.headers)?;
    Ok(text)
}

/// The redirects that were followed, first to last.
pub(crate) fn hops(hops: &[Hop]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for hop in hops {
        let (status, connection) = (hop.status.as_u16(), hop.connection);
        let after = Millis(hop.at);
        writeln!(
            text,
            "* {status} on connection {connection} after {after}, to {}",
            hop.to
        )?;
    }
    Ok(text)
}

/// The attempts before the one that is told in full.
pub(crate) fn retries(retries: &[Retry]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for (number, retry) in (1..).zip(retries) {
        write!(text, "* attempt {number}")?;
        if let Some(connection) = retry.connection {
            write!(text, " on connection {connection}")?;
        }
        write!(text, ", given up after {}: ", Millis(retry.at))?;
        match &retry.reason {
            RetryReason::Error(error) => writeln!(text, "{}: {error}", error.kind())?,
            RetryReason::Status(status) => writeln!(text, "status {}", status.as_u16())?,
            other => writeln!(text, "{other:?}")?,
        }
    }
    Ok(text)
}

/// How the response was reached: before the request.
pub(crate) fn connection(
    receipt: &Receipt,
    protocol: Protocol,
    target: &Target,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let Some(peer) = &receipt.peer else {
        return Ok(text);
    };
    let dial = &peer.dial;
    let named = match &peer.proxy {
        Some(proxy) => proxy,
        None => target.origin().host(),
    };
    let remembered = if dial.cached { ", remembered" } else { "" };
    let took = Millis(dial.resolve);
    writeln!(text, "* resolved {named} in {took}{remembered}")?;
    for passed in &peer.passed {
        let (address, took) = (passed.address, Millis(passed.took));
        match &passed.failure {
            Some(failure) => writeln!(text, "* tried {address} for {took}: {failure}")?,
            None => writeln!(text, "* tried {address} for {took}, another was faster")?,
        }
    }
    writeln!(
        text,
        "* connected to {} in {}",
        peer.address,
        Millis(dial.tcp)
    )?;
    if peer.proxy.is_some() {
        writeln!(text, "* the proxy was ready in {}", Millis(dial.proxy))?;
    }
    match &peer.tls {
        Some(tls) => writeln!(
            text,
            "* TLS: {} / {} / ALPN {}{}, in {}",
            tls.version,
            tls.cipher_suite,
            tls.alpn.as_deref().unwrap_or("none"),
            if tls.resumed { " / resumed" } else { "" },
            Millis(dial.tls),
        )?,
        None => writeln!(text, "* no TLS: cleartext {protocol}")?,
    }
    let kind = if receipt.reused { "open" } else { "new" };
    writeln!(
        text,
        "* stream {} of {kind} connection {}",
        receipt.stream.unwrap_or_default(),
        receipt.connection.unwrap_or_default(),
    )?;
    Ok(text)
}

/// The lines that begin with `<`.
pub(crate) fn response(response: &OpenResponse) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "< {} {}", response.protocol, response.status.as_u16())?;
    headers(&mut text, '<', &response.headers)?;
    Ok(text)
}

/// What is known at the end.
pub(crate) fn end(receipt: &Receipt, trailers: Option<&HeaderMap>) -> Result<String, fmt::Error> {
    let mut text = String::new();
    if receipt.sent_bytes > 0 {
        writeln!(text, "* sent {} bytes", receipt.sent_bytes)?;
    }
    if let Some(trailers) = trailers {
        writeln!(text, "* {} bytes, then trailers", receipt.body_bytes)?;
        headers(&mut text, '<', trailers)?;
    }
    if receipt.decoded {
        writeln!(text, "* decoded to {} bytes", receipt.body_bytes)?;
    }
    let (bytes, attempt) = (receipt.wire_bytes, receipt.attempts);
    write!(text, "* {bytes} bytes, attempt {attempt}: ")?;
    match receipt.stream {
        Some(_) => write!(text, "stream after {}, ", Millis(receipt.queued))?,
        None => text.push_str("no stream, "),
    }
    if let Some(first_byte) = receipt.first_byte {
        write!(text, "head after {}, ", Millis(first_byte))?;
    }
    writeln!(text, "done after {}", Millis(receipt.done))?;
    Ok(text)
}

fn headers(text: &mut String, mark: char, headers: &HeaderMap) -> fmt::Result {
    for (name, value) in headers {
        if SECRET.contains(name) {
            writeln!(text, "{mark} {name}: [redacted]")?;
        } else {
            writeln!(text, "{mark} {name}: {}", shown(value.as_bytes()))?;
        }
    }
    writeln!(text, "{mark}")
}

/// A value without what a terminal could take for a command.
fn shown(value: &[u8]) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    latin_1(value).chars().map(plain).collect()
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use gannet::Upload;
    use http::{HeaderValue, Method};

    use super::*;

    #[test]
    fn a_request_is_shown_without_its_credentials() {
        let mut template = Template {
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Upload::default(),
        };
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            template
                .headers
                .append(name, HeaderValue::from_static("secret"));
        }
        let odd = HeaderValue::from_bytes(b"a\x9bb\xe9").expect("a value");
        template.headers.append("x", odd);
        let target = Target::parse("https://a.test/b?c").expect("a URL");
        let text = request(&template, &target, Some(Protocol::Http2)).expect("text");
        let expected = "> GET /b?c HTTP/2\n> host: a.test\n> authorization: [redacted]\n\
                        > cookie: [redacted]\n> proxy-authorization: [redacted]\n\
                        > x: a\u{fffd}bé\n>\n";
        assert_eq!(text, expected);
    }
}
