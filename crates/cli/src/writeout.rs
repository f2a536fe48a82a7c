//! `--write-out`: what is told of a transfer when it is over, as curl has it.

use std::time::Duration;

use gannet::response::Receipt;
use gannet::{Protocol, Target};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// What there is to tell.
pub(crate) struct Transfer<'a> {
    pub(crate) target: &'a Target,
    pub(crate) status: Option<StatusCode>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) headers: Option<&'a HeaderMap>,
    pub(crate) receipt: &'a Receipt,
    pub(crate) error: Option<&'a gannet::Error>,
}

/// A format, known to be sound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Format(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Json,
    Variable(&'static str),
}

const VARIABLES: [&str; 18] = [
    "content_type",
    "errormsg",
    "http_code",
    "http_version",
    "num_connects",
    "num_redirects",
    "num_retries",
    "remote_ip",
    "remote_port",
    "response_code",
    "size_download",
    "size_upload",
    "time_appconnect",
    "time_connect",
    "time_namelookup",
    "time_starttransfer",
    "time_total",
    "url_effective",
];

impl Format {
    /// Reads `%{name}`, `%%`, `\n`, `\r` and `\t`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '%' if rest.starts_with('%') => {
                    rest = &rest[1..];
                    plain.push('%');
                }
                '%' if rest.starts_with('{') => {
                    let (name, behind) = rest[1..]
                        .split_once('}')
                        .ok_or_else(|| "%{ without }".to_owned())?;
                    rest = behind;
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(variable(name)?);
                }
                '\\' if rest.starts_with(['n', 'r', 't', '\\']) => {
                    plain.push(match rest.as_bytes()[0] {
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        _ => '\\',
                    });
                    rest = &rest[1..];
                }
                c => plain.push(c),
            }
        }
        parts.push(Part::Text(plain));
        Ok(Self(parts))
    }

    pub(crate) fn fill(&self, transfer: &Transfer<'_>) -> String {
        let told = told(transfer);
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Json => told.to_string(),
            Part::Variable(name) => match &told[*name] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                Value::Number(number) if number.is_f64() => {
                    format!("{:.6}", number.as_f64().unwrap_or_default())
                }
                other => other.to_string(),
            },
        });
        parts.collect()
    }
}

fn variable(name: &str) -> Result<Part, String> {
    if name == "json" {
        return Ok(Part::Json);
    }
    let known = VARIABLES.iter().find(|known| **known == name);
    let known = known.ok_or_else(|| {
        let list = VARIABLES.join(", ");
        format!("there is no %{{{name}}}; there are json, {list}")
    })?;
    Ok(Part::Variable(known))
}

/// All of it. Times are seconds from the start, as in curl; those of the dial are 0 where the
/// connection was there.
fn told(transfer: &Transfer<'_>) -> Value {
    let receipt = transfer.receipt;
    let peer = receipt.peer.as_deref();
    let dial = peer
        .map(|peer| peer.dial)
        .filter(|_| !receipt.reused)
        .unwrap_or_default();
    let seconds = |time: Duration| time.as_secs_f64();
    // What went before the dial: the queue, and earlier attempts.
    let before = receipt.queued.saturating_sub(dial.total);
    let code = transfer.status.map_or(0, |status| status.as_u16());
    let of = |name| Some(transfer.headers?.get(name)?.to_str().ok()?.to_owned());
    let url = receipt.hops.last().map_or(transfer.target, |hop| &hop.to);
    let tls = peer.and_then(|peer| peer.tls.as_ref());
    let is_new = receipt.connection.is_some() && !receipt.reused;
    json!({
        "content_type": of(header::CONTENT_TYPE),
        "connection": receipt.connection,
        "cut": receipt.cut.map(|cut| format!("{cut:?}").to_lowercase()),
        "decoded": receipt.decoded,
        "errorkind": transfer.error.map(gannet::Error::kind),
        "errormsg": transfer.error.map(ToString::to_string),
        "http_code": code,
        "http_version": transfer.protocol.map(|protocol| protocol.to_string().replace("HTTP/", "")),
        "num_connects": u8::from(is_new),
        "num_redirects": receipt.hops.len(),
        "num_retries": receipt.retries.len(),
        "remote_ip": peer.map(|peer| peer.address.ip().to_string()),
        "remote_port": peer.map(|peer| peer.address.port()),
        "response_code": code,
        "size_body": receipt.body_bytes,
        "size_download": receipt.wire_bytes,
        "size_upload": receipt.sent_bytes,
        "stream": receipt.stream,
        "time_appconnect": tls.map_or(0.0, |_| seconds(before + dial.total)),
        "time_connect": seconds(before + dial.resolve + dial.tcp),
        "time_namelookup": seconds(before + dial.resolve),
        "time_queue": seconds(receipt.queued),
        "time_sent": receipt.sent.map(seconds),
        "time_starttransfer": receipt.first_byte.map_or(0.0, seconds),
        "time_total": seconds(receipt.done),
        "tls_resumed": tls.map(|tls| tls.resumed),
        "tls_version": tls.map(|tls| tls.version),
        "url_effective": url.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_and_filled() {
        let target = Target::parse("https://a.test/b").expect("a URL");
        let receipt = Receipt::default();
        let transfer = Transfer {
            target: &target,
            status: Some(StatusCode::OK),
            protocol: Some(Protocol::Http2),
            headers: None,
            receipt: &receipt,
            error: None,
        };
        let fill = |text| Format::parse(text).map(|format| format.fill(&transfer));
        let told = fill("%{http_code}%% v%{http_version}\\t%{url_effective}\\n%{content_type}.");
        assert_eq!(told.as_deref(), Ok("200% v2\thttps://a.test/b\n."));
        assert_eq!(fill("%{time_total}").as_deref(), Ok("0.000000"));
        let json: Value = serde_json::from_str(&fill("%{json}").expect("sound")).expect("JSON");
        assert!(
            VARIABLES.iter().all(|name| json.get(name).is_some()),
            "{json}"
        );
        assert!(
            fill("%{nothing}")
                .expect_err("unknown")
                .contains("num_retries")
        );
        assert!(fill("%{http_code").is_err());
    }
}
