//! What is known of names, and for how long.

mod merge;
pub(crate) mod order;
pub(crate) mod search;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::config::{Answer, Families};

/// Kept at least, so that a burst of fetches shares one answer.
const SHORTEST: Duration = Duration::from_secs(1);
/// Kept at most, whatever the answer says.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The same for the lack of an address: a name can come to be at any time (RFC 2308 §5).
const LONGEST_LACK: Duration = Duration::from_secs(60);
/// Kept where the answer does not say.
const UNTOLD: Duration = Duration::from_secs(10);

/// What became of a question.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// Addresses in the order to try them, never none.
    Found {
        addresses: Arc<[IpAddr]>,
        ttl: Option<Duration>,
    },
    /// There is nothing to connect to.
    Lack { lack: Lack, ttl: Option<Duration> },
    /// Nobody knows: no answer, or one that says nothing about the name.
    Unknown(Arc<io::Error>),
}

/// Why there is nothing to connect to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lack {
    Name,
    Address,
    Family,
}

impl Finding {
    /// What a resolver's answer comes to.
    pub(crate) fn of(answer: io::Result<Answer>, families: Families) -> Self {
        match answer {
            Ok(Answer { addresses, ttl }) => {
                let ordered = order::order(&addresses, families);
                match (ordered.is_empty(), addresses.is_empty()) {
                    (false, _) => Self::Found {
                        addresses: ordered.into(),
                        ttl,
                    },
                    (true, true) => Self::lack(Lack::Address, ttl),
                    (true, false) => Self::lack(Lack::Family, ttl),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::lack(Lack::Name, None),
            Err(error) => Self::Unknown(Arc::new(error)),
        }
    }

    pub(crate) fn lack(lack: Lack, ttl: Option<Duration>) -> Self {
        Self::Lack { lack, ttl }
    }

    /// For how long it counts; `None`: only for those who wait for it.
    fn lifetime(&self) -> Option<Duration> {
        let (ttl, longest) = match self {
            Self::Found { ttl, .. } => (ttl, LONGEST),
            Self::Lack { ttl, .. } => (ttl, LONGEST_LACK),
            Self::Unknown(_) => return None,
        };
        Some(ttl.unwrap_or(UNTOLD).clamp(SHORTEST, longest))
    }
}

impl Lack {
    pub(crate) fn into_error(self) -> io::Error {
        let what = match self {
            Self::Name => "the name does not exist",
            Self::Address => "the name has no address",
            Self::Family => "no address of that family",
        };
        io::Error::new(io::ErrorKind::NotFound, what)
    }
}

/// Findings that still count, of a bounded number of names.
#[derive(Debug)]
pub(crate) struct Names {
    /// `None`: nothing is kept.
    kept: Option<LruCache<Box<str>, Kept>>,
}

#[derive(Debug)]
struct Kept {
    finding: Finding,
    until: Instant,
}

impl Names {
    /// For at most `capacity` names.
    pub(crate) fn new(capacity: usize) -> Self {
        let kept = NonZeroUsize::new(capacity).map(LruCache::sparse);
        Self { kept }
    }

    /// What is known of `name`. A name that is looked at is one in use.
    pub(crate) fn look(&mut self, name: &str, now: Instant) -> Option<Finding> {
        let kept = self.kept.as_mut()?;
        let found = kept.get(name)?;
        if now < found.until {
            return Some(found.finding.clone());
        }
        kept.pop(name);
        None
    }

    /// Notes what was found out, as far as it counts for later; if all places are taken, the name
    /// unused longest is forgotten.
    pub(crate) fn keep(&mut self, name: &str, finding: &Finding, now: Instant) {
        let (Some(kept), Some(lifetime)) = (&mut self.kept, finding.lifetime()) else {
            return;
        };
        let finding = finding.clone();
        let until = now + lifetime;
        kept.put(name.into(), Kept { finding, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(ttl: Option<u64>) -> Finding {
        let answer = Answer {
            addresses: vec![[192, 0, 2, 1].into()],
            ttl: ttl.map(Duration::from_secs),
        };
        Finding::of(Ok(answer), Families::Both)
    }

    fn lack(ttl: Option<u64>) -> Finding {
        Finding::lack(Lack::Name, ttl.map(Duration::from_secs))
    }

    fn unknown() -> Finding {
        Finding::of(Err(io::ErrorKind::TimedOut.into()), Families::Both)
    }

    #[test]
    fn what_counts_counts_for_a_bounded_time() {
        let seconds = |finding: Finding| finding.lifetime().map(|l| l.as_secs());
        assert_eq!(seconds(found(Some(0))), Some(1));
        assert_eq!(seconds(found(Some(300))), Some(300));
        assert_eq!(seconds(found(Some(u64::MAX))), Some(3_600));
        assert_eq!(seconds(found(None)), Some(10));
        assert_eq!(seconds(lack(Some(0))), Some(1));
        assert_eq!(seconds(lack(Some(86_400))), Some(60));
        assert_eq!(seconds(lack(None)), Some(10));
        assert_eq!(seconds(unknown()), None);
    }

    #[test]
    fn an_answer_says_what_it_lacks() {
        let of = |addresses: Vec<IpAddr>| {
            let answer = Answer {
                addresses,
                ttl: None,
            };
            match Finding::of(Ok(answer), Families::Ipv6) {
                Finding::Lack { lack, .. } => Some(lack),
                _ => None,
            }
        };
        assert_eq!(of(vec![]), Some(Lack::Address));
        assert_eq!(of(vec![[192, 0, 2, 1].into()]), Some(Lack::Family));
        assert_eq!(of(vec!["2001:db8::1".parse().expect("an address")]), None);
        let none = Finding::of(Err(io::ErrorKind::NotFound.into()), Families::Both);
        assert!(matches!(
            none,
            Finding::Lack {
                lack: Lack::Name,
                ..
            }
        ));
    }

    #[derive(Clone, Debug)]
    enum Op {
        Look(u8),
        Keep(u8, Option<u64>),
        KeepLack(u8, Option<u64>),
        KeepUnknown(u8),
        Wait(u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let ttl = || prop::option::of(0u64..100);
        let name = || 0u8..6;
        let op = prop_oneof![
            name().prop_map(Op::Look),
            (name(), ttl()).prop_map(|(name, ttl)| Op::Keep(name, ttl)),
            (name(), ttl()).prop_map(|(name, ttl)| Op::KeepLack(name, ttl)),
            name().prop_map(Op::KeepUnknown),
            (0u64..30).prop_map(Op::Wait),
        ];
        prop::collection::vec(op, 0..200)
    }

    /// The model: a list of name, whether it has an address, and until when that counts in
    /// seconds; the one used longest ago first.
    #[derive(Default)]
    struct Model {
        list: Vec<(u8, bool, u64)>,
    }

    impl Model {
        fn look(&mut self, name: u8, now: u64) -> Option<bool> {
            let place = self.list.iter().position(|(n, ..)| *n == name)?;
            let entry = self.list.remove(place);
            if now >= entry.2 {
                return None;
            }
            self.list.push(entry);
            Some(entry.1)
        }

        fn keep(&mut self, capacity: usize, entry: (u8, bool, u64)) {
            self.list.retain(|(n, ..)| *n != entry.0);
            if self.list.len() == capacity && capacity > 0 {
                self.list.remove(0);
            }
            if capacity > 0 {
                self.list.push(entry);
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_list(capacity in 0usize..5, ops in ops()) {
            let (mut names, mut model) = (Names::new(capacity), Model::default());
            let (start, mut now) = (crate::clock::now(), 0);
            for op in ops {
                let at = start + Duration::from_secs(now);
                match op {
                    Op::Look(name) => {
                        let known = names.look(&name.to_string(), at);
                        let known = known.map(|k| matches!(k, Finding::Found { .. }));
                        prop_assert_eq!(known, model.look(name, now));
                    }
                    Op::Keep(name, ttl) => {
                        names.keep(&name.to_string(), &found(ttl), at);
                        let until = now + ttl.unwrap_or(10).clamp(1, 3_600);
                        model.keep(capacity, (name, true, until));
                    }
                    Op::KeepLack(name, ttl) => {
                        names.keep(&name.to_string(), &lack(ttl), at);
                        let until = now + ttl.unwrap_or(10).clamp(1, 60);
                        model.keep(capacity, (name, false, until));
                    }
                    Op::KeepUnknown(name) => names.keep(&name.to_string(), &unknown(), at),
                    Op::Wait(seconds) => now += seconds,
                }
                let kept = names.kept.as_ref().map_or(0, LruCache::len);
                prop_assert_eq!(kept, model.list.len());
            }
        }
    }
}
