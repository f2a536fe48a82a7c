//! In which order a name's addresses are tried.

use std::net::{IpAddr, Ipv6Addr};

use crate::config::Families;

/// Addresses of one family that are used: an answer of thousands must cost neither memory nor
/// dials.
pub(crate) const PER_FAMILY: usize = 16;

/// Those of `families`, each once, at most 16 of each family, in the order to try them.
///
/// It is a subset of RFC 6724 §6, the part that needs no look at the machine's own addresses: the
/// precedence of its table (§2.1), which puts native IPv6 before IPv4 before 6to4, Teredo and
/// private IPv6; otherwise the order stays (rule 10). Loopback, link-local and addresses that name
/// no host come last, other than in the RFC: in an answer with others they are a mistake.
pub(crate) fn order(addresses: &[IpAddr], families: Families) -> Vec<IpAddr> {
    let mut sorted: Vec<_> = addresses.iter().copied().map(plain).collect();
    sorted.retain(|address| families.include(*address));
    sorted.sort_by_key(|address| std::cmp::Reverse(precedence(*address)));
    let mut ordered = Vec::<IpAddr>::new();
    for address in sorted {
        let mut same = ordered.iter().filter(|o| o.is_ipv4() == address.is_ipv4());
        if same.clone().count() < PER_FAMILY && !same.any(|other| *other == address) {
            ordered.push(address);
        }
    }
    ordered
}

/// An IPv4 address in IPv6 form is one of IPv4 (RFC 4291 §2.5.5.2).
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn precedence(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() || is_no_host(address) => 0,
        IpAddr::V4(_) => 35,
        IpAddr::V6(v6) => precedence_v6(v6),
    }
}

fn precedence_v6(address: Ipv6Addr) -> u8 {
    let segments = address.segments();
    if address.is_loopback() || address.is_unicast_link_local() || address.is_multicast() {
        return 0;
    }
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => 0,
        // Of IPv4 (deprecated), site-local (deprecated), 6bone (handed back).
        [0, 0, 0, 0, 0, 0, ..] | [0xfec0..=0xfeff, ..] | [0x3ffe, ..] => 1,
        // Unique local.
        [0xfc00..=0xfdff, ..] => 3,
        // Teredo.
        [0x2001, 0, ..] => 5,
        // 6to4.
        [0x2002, ..] => 30,
        _ => 40,
    }
}

fn is_no_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    address.is_unspecified() || address.is_multicast() || is_broadcast
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        let parsed = texts.iter().map(|text| text.parse());
        parsed.collect::<Result<_, _>>().expect("addresses")
    }

    #[test]
    fn native_ipv6_comes_before_ipv4_before_tunnels_before_what_is_nowhere() {
        let best_first = ips(&[
            "2001:db8::1",
            "192.0.2.1",
            "2002:c000:201::1",
            "2001:0:1::1",
            "fd00::1",
            "fec0::1",
            "::1",
        ]);
        let mut reversed = best_first.clone();
        reversed.reverse();
        assert_eq!(order(&reversed, Families::Both), best_first);
    }

    #[test]
    fn loopback_link_local_and_what_names_no_host_come_last_in_their_order() {
        let last = ips(&[
            "127.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
            "fe80::1",
            "224.0.0.1",
        ]);
        let mut all = last.clone();
        all.push([192, 0, 2, 1].into());
        let mut wanted = ips(&["192.0.2.1"]);
        wanted.extend(last);
        assert_eq!(order(&all, Families::Both), wanted);
    }

    #[test]
    fn ipv4_in_the_form_of_ipv6_is_ipv4() {
        let mapped = ips(&["::ffff:192.0.2.1", "192.0.2.1"]);
        assert_eq!(order(&mapped, Families::Ipv4), ips(&["192.0.2.1"]));
        assert_eq!(order(&mapped, Families::Ipv6), ips(&[]));
    }

    #[test]
    fn thousands_come_to_sixteen_of_each_family() {
        let v4 = (0..2_000u32).map(|i| IpAddr::V4((0xc000_0200 + i).into()));
        let v6 = (0..2_000u128).map(|i| IpAddr::V6(((0x2001_0db8 << 96) + i).into()));
        let ordered = order(&v4.chain(v6).collect::<Vec<_>>(), Families::Both);
        assert_eq!(ordered.len(), 32);
        assert!(ordered[..16].iter().all(IpAddr::is_ipv6));
    }

    proptest! {
        /// The model: of each precedence from the best to the worst, each address at its first
        /// place.
        #[test]
        fn it_agrees_with_a_pass_for_each_precedence(
            picks in prop::collection::vec(0usize..24, 0..60), family in 0u8..3,
        ) {
            let pool = ips(&[
                "192.0.2.1", "192.0.2.2", "192.0.2.3", "10.0.0.1", "127.0.0.1", "169.254.0.1",
                "0.0.0.0", "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "ff02::1",
                "::192.0.2.1", "fec0::1", "3ffe::1", "fd00::1", "fc00::1", "2001::1", "2002::1",
                "2001:db8::1", "2001:db8::2", "64:ff9b::c000:201", "2a00::1",
            ]);
            let families = [Families::Both, Families::Ipv4, Families::Ipv6][usize::from(family)];
            let answer: Vec<_> = picks.into_iter().map(|pick| pool[pick]).collect();
            let mut model = Vec::new();
            for level in (0..=40).rev() {
                for address in &answer {
                    let is_wanted = precedence(*address) == level && families.include(*address);
                    if is_wanted && !model.contains(address) {
                        model.push(*address);
                    }
                }
            }
            prop_assert_eq!(order(&answer, families), model);
        }
    }
}
