//! Which addresses may be connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Which addresses may be connected to, asked with the address itself right before each connect:
/// names that lead into a private network, odd spellings of its addresses, and redirects there are
/// all the same to it. What it forbids gets not one packet; the fetch is answered
/// [`Error::Blocked`](crate::Error::Blocked).
///
/// Behind a proxy it is the proxy's address that is asked for: where its tunnels lead is for the
/// proxy to say.
///
/// ```
/// use gannet::config::AddressPolicy;
///
/// let policy = AddressPolicy::public_only();
/// assert!(policy.allows([93, 184, 215, 14].into()));
/// assert!(!policy.allows([169, 254, 169, 254].into()));
/// assert!(!policy.allows("::ffff:127.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Default)]
pub struct AddressPolicy(Rule);

#[derive(Clone, Default)]
enum Rule {
    #[default]
    Any,
    Public,
    Custom(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>),
}

impl AddressPolicy {
    /// Every address.
    #[must_use]
    pub fn any() -> Self {
        Self(Rule::Any)
    }

    /// Only addresses that are globally reachable by the registries of IANA (RFC 6890), and not
    /// multicast. An IPv6 address that stands for an IPv4 address (mapped, compatible, NAT64,
    /// 6to4, Teredo) is as good as that.
    #[must_use]
    pub fn public_only() -> Self {
        Self(Rule::Public)
    }

    /// Those for which `allows` is true. It is called on the engine's threads, and must not block.
    /// An IPv4 address mapped into IPv6 (`::ffff:127.0.0.1`) is shown as the IPv4 address that
    /// would be connected to.
    #[must_use]
    pub fn custom(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Custom(Arc::new(allows)))
    }

    /// Whether `address` may be connected to.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        match &self.0 {
            Rule::Any => true,
            Rule::Public => is_public(address),
            Rule::Custom(allows) => allows(address.to_canonical()),
        }
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Rule::Any => "AddressPolicy::any",
            Rule::Public => "AddressPolicy::public_only",
            Rule::Custom(_) => "AddressPolicy::custom",
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the IANA IPv4 Special-Purpose Address Registry.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let is_special = match (a, b, c) {
        // This network, private use, loopback, multicast, reserved, broadcast.
        (0 | 10 | 127 | 224.., ..) => true,
        // Shared with a carrier (RFC 6598), link-local, private use.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, but for two anycast addresses that are global (RFC 7723, 8155).
        (192, 0, 0) => !matches!(d, 9 | 10),
        // Documentation, the 6to4 relay, benchmarks.
        (192, 0, 2) | (192, 88, 99) | (198, 18..=19, _) => true,
        (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !is_special
}

/// By the IANA IPv6 Special-Purpose Address Registry: of what is not 2000::/3 nothing is global but
/// what stands for IPv4.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Unspecified, loopback, compatible (deprecated); mapped (RFC 4291 §2.5.5).
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => false,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => is_public_v4(joined(high, low)),
        // NAT64 (RFC 6052); its prefix for local use (RFC 8215) is just that.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(joined(high, low)),
        // Teredo (RFC 4380): the client's address is inverted.
        [0x2001, 0, server, relay, _, _, high, low] => {
            is_public_v4(joined(server, relay)) && is_public_v4(joined(!high, !low))
        }
        // Anycast addresses and AS112 that are global within the protocol assignments.
        [0x2001, 1, 0, 0, 0, 0, 0, 1..=3] | [0x2001, 3 | 0x20..=0x3f, ..] => true,
        [0x2001, 4, 0x112, ..] => true,
        // Protocol assignments, documentation (RFC 3849, RFC 9637).
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => is_public_v4(joined(high, low)),
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn public(text: &str) -> bool {
        AddressPolicy::public_only().allows(text.parse().expect("an address"))
    }

    #[test]
    fn public_addresses_are_allowed() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "93.184.215.14",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "169.253.0.1",
            "192.0.0.9",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2001:4:112::1",
        ] {
            assert!(public(text), "{text}");
        }
    }

    #[test]
    fn addresses_that_lead_inside_or_nowhere_are_forbidden() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "64:ff9b:1:fffe::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "5f00::1",
            "4000::1",
            "e000::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn a_rule_of_ones_own_decides_alone() {
        let policy = AddressPolicy::custom(|address| address.is_loopback());
        assert!(policy.allows([127, 0, 0, 1].into()) && !policy.allows([1, 1, 1, 1].into()));
        let inside = AddressPolicy::custom(|address| !address.is_loopback());
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        assert!(policy.allows(mapped) && !inside.allows(mapped));
        assert!(AddressPolicy::any().allows([127, 0, 0, 1].into()));
    }

    proptest! {
        /// The model: what the standard library knows, as far as it does.
        #[test]
        fn what_std_calls_inside_is_never_public(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            let is_inside = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_multicast()
                || address.is_unspecified();
            prop_assert!(!(is_inside && is_public_v4(address)));
            let mapped = is_public_v6(address.to_ipv6_mapped());
            prop_assert_eq!(mapped, is_public_v4(address));
        }

        #[test]
        fn only_global_unicast_is_public(bits in any::<u128>()) {
            let address = Ipv6Addr::from(bits);
            let is_unicast = address.segments()[0] & 0xe000 == 0x2000;
            prop_assert!(is_unicast || !is_public_v6(address));
        }
    }
}
