//! Which protocol an origin speaks, as far as is known: by that is decided what to offer it, and
//! whether one connection will do.

use std::time::{Duration, Instant};

use crate::origin::Protocol;

/// What was learnt holds for so long: a server may be set up anew.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// What is known of one origin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dialect {
    /// What was agreed on last, and when.
    spoken: Option<(Protocol, Instant)>,
    /// When it last asked for HTTP/1.1 in place of HTTP/2.
    asked: Option<Instant>,
}

impl Dialect {
    /// A connection has opened that speaks `protocol`.
    pub(crate) fn spoke(&mut self, protocol: Protocol, now: Instant) {
        self.spoken = Some((protocol, now));
    }

    /// The server wants HTTP/1.1 (RFC 9113 §7, HTTP_1_1_REQUIRED).
    pub(crate) fn require_http1(&mut self, now: Instant) {
        self.asked = Some(now);
        // Whether it is then spoken remains to be seen.
        self.spoken = self.spoken.filter(|(p, _)| !p.is_multiplexed());
    }

    /// Whether the server wants HTTP/1.1.
    pub(crate) fn needs_http1(self, now: Instant) -> bool {
        self.asked.is_some_and(|at| is_fresh(at, now))
    }

    /// What the next connection will speak, if that can be told.
    pub(crate) fn known(self, now: Instant) -> Option<Protocol> {
        let (protocol, at) = self.spoken?;
        is_fresh(at, now).then_some(protocol)
    }
}

fn is_fresh(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < MEMORY
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_spoken_is_forgotten_unless_spoken_again() {
        let (mut dialect, start) = (Dialect::default(), Instant::now());
        assert_eq!(dialect.known(start), None);
        dialect.spoke(Protocol::Http11, start);
        let tick = Duration::from_nanos(1);
        assert_eq!(dialect.known(start + MEMORY - tick), Some(Protocol::Http11));
        assert_eq!(dialect.known(start + MEMORY), None);
        dialect.spoke(Protocol::Http2, start + MEMORY);
        assert_eq!(dialect.known(start + MEMORY), Some(Protocol::Http2));
    }

    #[test]
    fn who_asks_for_http_1_1_is_known_by_it_for_a_while() {
        let (mut dialect, start) = (Dialect::default(), Instant::now());
        dialect.spoke(Protocol::Http2, start);
        assert!(!dialect.needs_http1(start));
        dialect.require_http1(start);
        assert!(dialect.needs_http1(start));
        assert_eq!(dialect.known(start), None, "HTTP/2 it will not be");
        dialect.spoke(Protocol::Http11, start);
        assert_eq!(dialect.known(start), Some(Protocol::Http11));
        assert!(!dialect.needs_http1(start + MEMORY));
    }

    proptest! {
        /// The model: the events of the last ten minutes, newest last.
        #[test]
        fn it_agrees_with_a_list(events in prop::collection::vec((0u8..3, 0u32..400), 0..30)) {
            let (mut dialect, mut now, mut past) = (Dialect::default(), Instant::now(), Vec::new());
            for (event, seconds) in events {
                now += Duration::from_secs(1) * seconds;
                match event {
                    0 => dialect.require_http1(now),
                    1 => dialect.spoke(Protocol::Http11, now),
                    _ => dialect.spoke(Protocol::Http2, now),
                }
                past.push((event, now));
                let fresh = |e: &&(u8, Instant)| now - e.1 < MEMORY;
                prop_assert_eq!(dialect.needs_http1(now), past.iter().filter(fresh).any(|e| e.0 == 0));
                let last = past.iter().rev().find(|e| e.0 > 0).filter(fresh);
                let asked = past.iter().rposition(|e| e.0 == 0);
                let spoken = past.iter().rposition(|e| e.0 > 0);
                let expected = match last {
                    Some((2, _)) if asked > spoken => None,
                    Some((2, _)) => Some(Protocol::Http2),
                    Some(_) => Some(Protocol::Http11),
                    None => None,
                };
                prop_assert_eq!(dialect.known(now), expected);
            }
        }
    }
}
