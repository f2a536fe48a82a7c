//! In which order the addresses of a name are tried (RFC 8305).

use std::net::IpAddr;
use std::time::Duration;

/// How long one address has before the next is tried as well (RFC 8305 §5).
pub(crate) const HEAD_START: Duration = Duration::from_millis(250);
/// Attempts under way at once; the oldest gives way. A network that swallows packets is not to cost
/// a socket for every address of a name.
pub(crate) const MOST_AT_ONCE: usize = 4;

/// A family of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// The family of an address.
pub(crate) fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// The families take turns, each in its own order, beginning with the one that was good last time,
/// or else with that of the first address (RFC 8305 §4).
pub(crate) fn interleaved(addresses: &[IpAddr], last_good: Option<Family>) -> Vec<IpAddr> {
    let first = last_good.or_else(|| addresses.first().map(|address| family(*address)));
    let of = |is_first: bool| {
        let all = addresses.iter().copied();
        all.filter(move |address| (Some(family(*address)) == first) == is_first)
    };
    let (mut firsts, mut seconds) = (of(true), of(false));
    let mut order = Vec::with_capacity(addresses.len());
    loop {
        let before = order.len();
        order.extend(firsts.next());
        order.extend(seconds.next());
        if order.len() == before {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(list: &[&str]) -> Vec<IpAddr> {
        list.iter()
            .map(|text| text.parse().expect("an address"))
            .collect()
    }

    #[test]
    fn families_take_turns() {
        let found = addresses(&["::1", "::2", "::3", "1.1.1.1"]);
        let order = addresses(&["::1", "1.1.1.1", "::2", "::3"]);
        assert_eq!(interleaved(&found, None), order);
        let order = addresses(&["1.1.1.1", "::1", "::2", "::3"]);
        assert_eq!(interleaved(&found, Some(Family::V4)), order);
        let only = addresses(&["1.1.1.1", "2.2.2.2"]);
        assert_eq!(interleaved(&only, Some(Family::V6)), only);
        assert!(interleaved(&[], Some(Family::V6)).is_empty());
    }

    proptest! {
        /// None is lost, and each family keeps its order.
        #[test]
        fn it_is_a_shuffle_of_the_families(found in prop::collection::vec(any::<IpAddr>(), 0..20)) {
            let order = interleaved(&found, None);
            for of in [Family::V4, Family::V6] {
                let only = |list: &[IpAddr]| -> Vec<_> {
                    list.iter().copied().filter(|a| family(*a) == of).collect()
                };
                prop_assert_eq!(only(&order), only(&found));
            }
            prop_assert_eq!(order.len(), found.len());
        }
    }
}
