//! One finding out of several.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::Families;
use crate::policy::names::{Finding, Lack, UNTOLD, order};

impl Finding {
    /// With that of the other family. One that failed takes nothing from the other, but is soon
    /// asked for again.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Found { addresses, ttl },
                Self::Found {
                    addresses: more,
                    ttl: their,
                },
            ) => {
                let all: Vec<IpAddr> = addresses.iter().chain(&*more).copied().collect();
                Self::Found {
                    addresses: order::order(&all, Families::Both).into(),
                    ttl: shorter(ttl, their),
                }
            }
            (Self::Found { addresses, ttl }, Self::Unknown(_))
            | (Self::Unknown(_), Self::Found { addresses, ttl }) => Self::Found {
                addresses,
                ttl: shorter(ttl, Some(UNTOLD)),
            },
            (found @ Self::Found { .. }, Self::Lack { .. })
            | (Self::Lack { .. }, found @ Self::Found { .. }) => found,
            (Self::Lack { lack, ttl }, Self::Lack { lack: l, ttl: t }) => {
                // A name that does not exist does so in no family (RFC 8020).
                let is_no_name = [lack, l].contains(&Lack::Name);
                let lack = if is_no_name { Lack::Name } else { lack };
                Self::lack(lack, shorter(ttl, t))
            }
            (unknown @ Self::Unknown(_), _) | (_, unknown @ Self::Unknown(_)) => unknown,
        }
    }

    /// Or else that of the next name in question. The lack of all is only certain if each is.
    pub(crate) fn or(self, next: Self) -> Self {
        match (self, next) {
            (found @ Self::Found { .. }, _) | (_, found @ Self::Found { .. }) => found,
            (unknown @ Self::Unknown(_), _) | (_, unknown @ Self::Unknown(_)) => unknown,
            (Self::Lack { lack, ttl }, Self::Lack { lack: l, ttl: t }) => {
                let lack = if lack == Lack::Name { l } else { lack };
                Self::lack(lack, shorter(ttl, t))
            }
        }
    }
}

fn shorter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::config::Answer;
    use proptest::prelude::*;

    fn of(kind: u8, ttl: Option<u64>) -> Finding {
        let ttl = ttl.map(Duration::from_secs);
        match kind {
            0 => Finding::lack(Lack::Name, ttl),
            1 => Finding::lack(Lack::Address, ttl),
            2 => Finding::of(Err(io::ErrorKind::TimedOut.into()), Families::Both),
            n => {
                let addresses = vec![[192, 0, 2, n].into()];
                Finding::of(Ok(Answer { addresses, ttl }), Families::Both)
            }
        }
    }

    fn told(finding: &Finding) -> (u8, usize, Option<u64>) {
        let seconds = |ttl: &Option<Duration>| ttl.map(|ttl| ttl.as_secs());
        match finding {
            Finding::Lack { lack, ttl } => (u8::from(*lack != Lack::Name), 0, seconds(ttl)),
            Finding::Unknown(_) => (2, 0, None),
            Finding::Found { addresses, ttl } => (3, addresses.len(), seconds(ttl)),
        }
    }

    #[test]
    fn a_family_that_fails_does_not_fail_the_other_and_is_soon_asked_again() {
        assert_eq!(told(&of(3, Some(300)).and(of(2, None))), (3, 1, Some(10)));
        assert_eq!(told(&of(2, None).and(of(3, Some(5)))), (3, 1, Some(5)));
        assert_eq!(
            told(&of(3, Some(300)).and(of(1, Some(9)))),
            (3, 1, Some(300))
        );
        assert_eq!(told(&of(3, Some(300)).and(of(4, Some(9)))), (3, 2, Some(9)));
    }

    #[test]
    fn a_name_lacks_an_address_for_certain_only_if_no_question_failed() {
        assert_eq!(told(&of(1, Some(9)).and(of(2, None))).0, 2);
        assert_eq!(told(&of(0, Some(9)).or(of(2, None))).0, 2);
        assert_eq!(told(&of(0, Some(9)).or(of(0, Some(8)))), (0, 0, Some(8)));
        assert_eq!(told(&of(0, Some(9)).or(of(1, Some(8)))).0, 1);
    }

    proptest! {
        #[test]
        fn the_two_families_are_alike(
            a in 0u8..5, b in 0u8..5, t in prop::option::of(0u64..99), u in prop::option::of(0u64..99),
        ) {
            let (one, other) = (of(a, t).and(of(b, u)), of(b, u).and(of(a, t)));
            prop_assert_eq!(told(&one), told(&other));
            prop_assert_eq!(told(&one).0 == 3, a >= 3 || b >= 3);
        }
    }
}
