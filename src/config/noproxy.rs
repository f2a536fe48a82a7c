//! Origins that no proxy stands before: what `NO_PROXY` says.

use std::net::IpAddr;

use url::Host;

/// Hosts that are reached without the engine's proxies.
///
/// Written as in curl's `NO_PROXY`, a list with commas or blanks between its entries:
///
/// | entry | matches |
/// |---|---|
/// | `*` | every host |
/// | `a.test`, `.a.test` | `a.test` and every name below it |
/// | `*.a.test` | every name below `a.test` |
/// | `192.0.2.1`, `::1`, `[::1]` | this address, where the URL has it as such; no name is resolved |
/// | `10.0.0.0/8`, `fd00::/8` | these addresses, likewise |
/// | any of these with `:443` (an IPv6 address in brackets then) | the same on this port alone |
///
/// An entry that is none of these matches nothing.
///
/// ```
/// use gannet::config::NoProxy;
///
/// let rules = NoProxy::parse("localhost, .corp.test:8443, 10.0.0.0/8");
/// assert!(rules.covers("git.corp.test", 8443) && rules.covers("10.1.2.3", 80));
/// assert!(!rules.covers("git.corp.test", 443) && !rules.covers("corp.test.evil.test", 8443));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NoProxy {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Rule {
    hosts: Hosts,
    /// `None` stands for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Hosts {
    All,
    /// Without a trailing dot.
    Name {
        name: String,
        /// Whether the name itself is one of them, and not only those below it.
        with_itself: bool,
    },
    /// Those that share the first `bits` bits.
    Net {
        address: IpAddr,
        bits: u32,
    },
}

impl NoProxy {
    /// Reads a list of entries.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let entries = text.split(|c: char| c == ',' || c.is_whitespace());
        Self {
            rules: entries.filter_map(rule).collect(),
        }
    }

    /// Whether the host, as [`Origin::host`](crate::Origin::host) has it, is reached without a
    /// proxy on this port.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        self.rules.iter().any(|rule| {
            rule.port.is_none_or(|p| p == port)
                && match (&rule.hosts, address) {
                    (Hosts::All, _) => true,
                    (Hosts::Name { name, with_itself }, None) => is_under(host, name, *with_itself),
                    (Hosts::Net { address, bits }, Some(ip)) => shares(*address, ip, *bits),
                    _ => false,
                }
        })
    }
}

fn is_under(host: &str, name: &str, with_itself: bool) -> bool {
    match host.strip_suffix(name) {
        Some("") => with_itself,
        Some(below) => below.ends_with('.'),
        None => false,
    }
}

fn shares(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= bits
}

fn rule(entry: &str) -> Option<Rule> {
    if let Some(net) = net(entry) {
        return Some(Rule {
            hosts: net,
            port: None,
        });
    }
    let (hosts, port) = match entry.rsplit_once(':') {
        Some((hosts, port)) if !port.contains(']') => (hosts, Some(port.parse().ok()?)),
        _ => (entry, None),
    };
    let hosts = match hosts {
        "*" => Hosts::All,
        hosts => net(hosts).or_else(|| name(hosts))?,
    };
    Some(Rule { hosts, port })
}

/// An address, with or without a prefix length.
fn net(text: &str) -> Option<Hosts> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let unbracketed = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let address = unbracketed.unwrap_or(address).parse::<IpAddr>().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match prefix {
        Some(prefix) => prefix.parse().ok().filter(|bits| *bits <= most)?,
        None => most,
    };
    // An IPv4 address in the clothes of IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address.
    match (address, address.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(address)) if bits >= 96 => Some(Hosts::Net {
            address: address.into(),
            bits: bits - 96,
        }),
        _ => Some(Hosts::Net { address, bits }),
    }
}

fn name(text: &str) -> Option<Hosts> {
    let (text, with_itself) = match text.strip_prefix("*.") {
        Some(text) => (text, false),
        None => (text.strip_prefix('.').unwrap_or(text), true),
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    // As the URL's host is: lower case, in its ASCII form.
    match Host::parse(text).ok()? {
        Host::Domain(name) if !name.is_empty() => Some(Hosts::Name { name, with_itself }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_entry_matches_what_it_should() {
        for (rules, host, port, expected) in [
            ("", "a.test", 80, false),
            ("*", "a.test", 80, true),
            ("*", "::1", 80, true),
            ("a.test", "a.test", 80, true),
            ("A.TEST.", "a.test", 80, true),
            ("a.test", "a.test.", 80, true),
            ("a.test", "b.a.test", 80, true),
            ("a.test", "ba.test", 80, false),
            ("a.test", "a.test.b", 80, false),
            (".a.test", "a.test", 80, true),
            (".a.test", "b.a.test", 80, true),
            (".a.test", "ba.test", 80, false),
            ("*.a.test", "a.test", 80, false),
            ("*.a.test", "c.b.a.test", 80, true),
            ("bücher.test", "xn--bcher-kva.test", 80, true),
            ("a.test:8080", "a.test", 8080, true),
            ("a.test:8080", "a.test", 80, false),
            ("*:8080", "a.test", 8080, true),
            ("*:8080", "a.test", 80, false),
            ("a.test:http", "a.test", 80, false),
            ("127.0.0.1", "127.0.0.1", 80, true),
            ("127.0.0.1", "127.0.0.10", 80, false),
            ("127.0.0.1:81", "127.0.0.1", 80, false),
            ("127.0.0.1:80", "127.0.0.1", 80, true),
            ("0.0.1", "127.0.0.1", 80, false),
            ("::1", "::1", 80, true),
            ("[::1]", "::1", 80, true),
            ("[::1]:80", "::1", 80, true),
            ("[::1]:81", "::1", 80, false),
            ("10.0.0.0/8", "10.255.0.1", 80, true),
            ("10.0.0.0/8", "11.0.0.1", 80, false),
            ("10.0.0.0/8:81", "10.0.0.1", 80, false),
            ("10.0.0.0/8:80", "10.0.0.1", 80, true),
            ("10.0.0.0/33", "10.0.0.0", 80, false),
            ("10.0.0.0/-1", "10.0.0.0", 80, false),
            ("0.0.0.0/0", "1.2.3.4", 80, true),
            ("0.0.0.0/0", "::1", 80, false),
            ("0.0.0.0/0", "a.test", 80, false),
            ("fd00::/8", "fdff::1", 80, true),
            ("fd00::/8", "fe00::1", 80, false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", 80, true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", 80, true),
            ("::ffff:10.0.0.1", "10.0.0.1", 80, true),
            ("x, a.test b.test", "a.test", 80, true),
            ("x,\ta.test\nb.test", "b.test", 80, true),
            (",,: : [ ] / *. .", "a.test", 80, false),
        ] {
            let covers = NoProxy::parse(rules).covers(host, port);
            assert_eq!(covers, expected, "{rules:?} and {host}:{port}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(rules in "[*.,/:\\[\\]0-9a-f ]{0,40}|\\PC{0,40}", host in "\\PC{0,20}") {
            let _ = NoProxy::parse(&rules).covers(&host, 80);
        }

        #[test]
        fn names_match_by_whole_labels(
            labels in prop::collection::vec("[a-z]{1,2}", 1..5),
            rule in prop::collection::vec("[a-z]{1,2}", 1..4),
        ) {
            let covers = NoProxy::parse(&rule.join(".")).covers(&labels.join("."), 1);
            prop_assert_eq!(covers, labels.ends_with(&rule));
        }

        #[test]
        fn nets_match_by_their_first_bits(a: u32, b: u32, bits in 0u32..=32) {
            let same = bits == 0 || a >> (32 - bits) == b >> (32 - bits);
            let [a, b] = [a, b].map(std::net::Ipv4Addr::from_bits);
            let covers = NoProxy::parse(&format!("{a}/{bits}")).covers(&b.to_string(), 1);
            prop_assert_eq!(covers, same);
        }
    }
}
