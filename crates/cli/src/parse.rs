//! The values of flags, as curl spells them.

use std::net::IpAddr;
use std::time::Duration;

use gannet::Target;
use gannet::config::{ConnectTo, FixedAddresses};
use http::{HeaderName, HeaderValue, StatusCode};

/// The longest time a flag takes: some three years, far from where clocks overflow.
const MAX_SECONDS: f64 = 1e8;
/// More than any machine can start.
const MAX_RATE: f64 = 1e7;

/// What one `--header` asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum HeaderFlag {
    Send(HeaderName, HeaderValue),
    /// Do not send the default header of this name.
    Remove(HeaderName),
}

/// `Name: value`, `Name;` for an empty value, or `Name:` to remove a default.
pub(crate) fn header(text: &str) -> Result<HeaderFlag, String> {
    let name = |name: &str| {
        HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| "that is no header name")
    };
    if let Some((key, value)) = text.split_once(':') {
        let value = value.trim();
        if value.is_empty() {
            return Ok(HeaderFlag::Remove(name(key)?));
        }
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| "a header value has no control characters")?;
        return Ok(HeaderFlag::Send(name(key)?, value));
    }
    match text.strip_suffix(';') {
        Some(key) => Ok(HeaderFlag::Send(name(key)?, HeaderValue::from_static(""))),
        None => Err("expected 'Name: value', 'Name;' or 'Name:'".to_owned()),
    }
}

/// Seconds, with a fraction if need be.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MAX_SECONDS => {
            // What rounds to nothing is still the shortest time there is.
            Ok(Duration::from_secs_f64(seconds).max(Duration::from_nanos(1)))
        }
        _ => Err(format!(
            "expected seconds, more than 0 and at most {MAX_SECONDS}"
        )),
    }
}

/// A time with its unit; seconds without.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [
        ("ms", 1e-3),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let with_unit = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = with_unit.unwrap_or((text, &1.0));
    let number = number.trim().parse::<f64>().map(|number| number * factor);
    number
        .ok()
        .and_then(|number| seconds(&number.to_string()).ok())
        .ok_or_else(|| "expected a time such as 500ms, 10s or 2m".to_owned())
}

/// So many a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok();
    let rate = rate.filter(|rate| *rate > 0.0 && *rate <= MAX_RATE);
    rate.ok_or_else(|| format!("expected a number a second, more than 0 and at most {MAX_RATE}"))
}

/// A number from 1 on.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse::<u32>() {
        Ok(0) | Err(_) => Err(format!("expected a number from 1 to {}", u32::MAX)),
        Ok(number) => usize::try_from(number).map_err(|error| error.to_string()),
    }
}

/// A status that can be worth another attempt.
pub(crate) fn retried_status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse::<StatusCode>().ok();
    let status = status.filter(|s| s.is_client_error() || s.is_server_error());
    status.ok_or_else(|| "expected a status from 400 to 599".to_owned())
}

/// Bytes, with `k`, `M` or `G` for powers of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((end, 'k' | 'K')) => (&text[..end], 10),
        Some((end, 'm' | 'M')) => (&text[..end], 20),
        Some((end, 'g' | 'G')) => (&text[..end], 30),
        _ => (text, 0),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| plain);
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "expected bytes, such as 500, 64k, 10M or 1G".to_owned())
}

/// `host:port:addr[,addr]`.
pub(crate) fn resolve(text: &str) -> Result<FixedAddresses, String> {
    let form = "expected host:port:address[,address]";
    let (name, rest) = part(text).ok_or(form)?;
    let (number, list) = rest.split_once(':').ok_or(form)?;
    let addresses = list.split(',').map(address).collect::<Result<_, _>>()?;
    Ok(FixedAddresses {
        host: if name == "*" {
            name.to_owned()
        } else {
            host(name)?
        },
        port: port(number)?,
        addresses,
    })
}

/// `host1:port1:host2:port2`, each of which can be empty.
pub(crate) fn connect_to(text: &str) -> Result<ConnectTo, String> {
    let form = "expected host1:port1:host2:port2";
    let (from_host, rest) = part(text).ok_or(form)?;
    let (from_port, rest) = rest.split_once(':').ok_or(form)?;
    let (to_host, to_port) = part(rest).ok_or(form)?;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(ConnectTo {
        host: some(from_host).map(|name| host(&name)).transpose()?,
        port: some(from_port).map(|number| port(&number)).transpose()?,
        to_host: some(to_host).map(|name| host(&name)).transpose()?,
        to_port: some(to_port).map(|number| port(&number)).transpose()?,
    })
}

/// Splits a host, in brackets or not, from what follows its colon.
fn part(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('[') {
        let end = text.find(']')?;
        return Some((&text[..=end], text[end + 1..].strip_prefix(':')?));
    }
    text.split_once(':')
}

/// A host in the form the engine compares: ASCII, lower case, without brackets.
fn host(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no host");
    if text.contains(['/', '?', '#', '@', '\\']) {
        return Err(wrong());
    }
    let target = Target::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
    Ok(target.origin().host().to_owned())
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{text:?} is no port")),
        Ok(port) => Ok(port),
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let parsed = match bare {
        Some(v6) => v6.parse().map(IpAddr::V6).ok(),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| format!("{text:?} is no IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &'static str, value: &'static str) -> HeaderFlag {
        HeaderFlag::Send(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    }

    #[test]
    fn headers_are_sent_sent_empty_or_removed() {
        assert_eq!(header("X-A: b: c "), Ok(sent("x-a", "b: c")));
        assert_eq!(header("X-A:b"), Ok(sent("x-a", "b")));
        assert_eq!(header("X-A;"), Ok(sent("x-a", "")));
        let name = HeaderName::from_static("accept");
        assert_eq!(header("Accept:"), Ok(HeaderFlag::Remove(name.clone())));
        assert_eq!(header("Accept:  "), Ok(HeaderFlag::Remove(name)));
        for wrong in ["", "x", ":", ": v", "a b: c", "a: b\nc: d", ";", "ä: b"] {
            assert!(header(wrong).is_err(), "{wrong:?}");
        }
        assert!(header("a: grün").is_ok());
    }

    #[test]
    fn seconds_have_fractions_and_limits() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("2"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds("1e-30"), Ok(Duration::from_nanos(1)));
        for wrong in ["", "0", "-1", "NaN", "inf", "1e9", "2s"] {
            assert!(seconds(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_errors_are_statuses_to_retry() {
        assert_eq!(retried_status("429"), Ok(StatusCode::TOO_MANY_REQUESTS));
        assert!(retried_status("599").is_ok());
        for wrong in ["", "200", "302", "600", "99", "x", "503 "] {
            assert!(retried_status(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_have_units() {
        let times = ["1500", "1500s", "25m", "0.5h", "1500000ms", "2us"];
        let times = times.map(|text| duration(text).map(|time| time.as_micros()));
        let expected = [1_500_000_000, 1_500_000_000, 1_500_000_000, 1_800_000_000];
        assert_eq!(times[..4], expected.map(Ok));
        assert_eq!(times[4..], [1_500_000_000, 2].map(Ok));
        for wrong in ["", "s", "0s", "-1s", "1d", "1 x", "infs", "nan", "1e30h"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(rate("0.5"), Ok(0.5));
        for wrong in ["", "0", "-1", "inf", "nan", "1e9", "1k"] {
            assert!(rate(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_have_suffixes_of_1024() {
        assert_eq!(size("500"), Ok(500));
        assert_eq!((size("1k"), size("1K")), (Ok(1024), Ok(1024)));
        assert_eq!(size("10M"), Ok(10 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        let too_large = format!("{}k", u64::MAX);
        for wrong in ["", "k", "-1", "+1", "1.5M", "1T", "Mü", &too_large] {
            assert!(size(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn fixed_addresses_have_a_host_a_port_and_a_list() {
        let rule = resolve("A.test:443:127.0.0.1,[::1],::2").expect("a rule");
        assert_eq!((rule.host.as_str(), rule.port), ("a.test", 443));
        let expected = ["127.0.0.1", "::1", "::2"].map(|ip| ip.parse::<IpAddr>().ok());
        assert_eq!(
            rule.addresses.into_iter().map(Some).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(resolve("*:80:127.0.0.1").map(|r| r.host), Ok("*".into()));
        assert_eq!(
            resolve("[::1]:80:127.0.0.1").map(|r| r.host),
            Ok("::1".into())
        );
        assert_eq!(
            resolve("bücher.test:80:127.0.0.1").map(|r| r.host),
            Ok("xn--bcher-kva.test".into())
        );
        for wrong in [
            "",
            "a",
            "a:80",
            "a:80:",
            "a:0:127.0.0.1",
            "a:x:127.0.0.1",
            ":80:127.0.0.1",
            "a:80:b",
            "a:80:127.0.0.1,",
            "[::1:80:127.0.0.1",
            "a/b:80:127.0.0.1",
            "a:80:[127.0.0.1]",
        ] {
            assert!(resolve(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn places_to_connect_to_have_four_parts_any_of_them_empty() {
        let rule = connect_to("A.test:443:[::1]:8443").expect("a rule");
        assert_eq!(
            (rule.host.as_deref(), rule.port),
            (Some("a.test"), Some(443))
        );
        assert_eq!(
            (rule.to_host.as_deref(), rule.to_port),
            (Some("::1"), Some(8443))
        );
        let nothing = connect_to(":::").expect("a rule");
        assert_eq!((nothing.host, nothing.port), (None, None));
        assert_eq!((nothing.to_host, nothing.to_port), (None, None));
        let some = connect_to("::127.0.0.1:").expect("a rule");
        assert_eq!(
            (some.host, some.to_host.as_deref()),
            (None, Some("127.0.0.1"))
        );
        let v6 = connect_to("[::1]:80::").expect("a rule");
        assert_eq!((v6.host.as_deref(), v6.port), (Some("::1"), Some(80)));
        for wrong in [
            "",
            "a",
            "a:1:b",
            "a:x:b:1",
            "a:1:b:99999",
            "a:0:b:1",
            "[::1:1:b:1",
            "a b:1:c:1",
        ] {
            assert!(connect_to(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic() {
        let pieces = [
            "[", "]", ":", ",", "*", "a", "ü", "1", ";", " ", "\u{0}", "k", ".",
        ];
        for n in 0..pieces.len().pow(4) {
            let text: String = (0..4)
                .map(|i| pieces[n / pieces.len().pow(i) % pieces.len()])
                .collect();
            let _ = (header(&text), seconds(&text), size(&text));
            let _ = (duration(&text), rate(&text));
            let _ = (resolve(&text), connect_to(&text));
        }
    }
}
