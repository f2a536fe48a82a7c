//! Whether a connection is alive, so that no new fetch goes out on a half-dead one.
//!
//! TCP says nothing when the path or the peer is gone. What can be seen is silence while an answer
//! is due, and bytes that do not leave.

use std::time::{Duration, Instant};

use crate::error::Ailment;

/// How long is too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Without a frame while streams are open, until the connection is suspect.
    pub(crate) silence: Duration,
    /// Without a frame while suspect, until it is dead: what the PING has to come back.
    pub(crate) answer: Duration,
    /// Without a byte written while some wait to be, until it is dead.
    pub(crate) write: Duration,
}

/// What is known of the connection at `now`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) now: Instant,
    /// The last frame of any kind; or when the connection opened, or when the first of the present
    /// streams began, if that was later: before it nothing was owed.
    pub(crate) heard: Instant,
    /// Streams that are open.
    pub(crate) streams: usize,
    /// Since when no byte of what is to be written could be written.
    pub(crate) blocked: Option<Instant>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing.
    Same,
    /// It has just become suspect: send a PING, and no new fetch.
    Suspect,
    /// It was suspect, and has been heard of since.
    Recovered,
    /// Close it.
    Dead(Ailment),
}

/// What has been concluded so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Health {
    suspect: Option<Instant>,
}

impl Health {
    /// Whether no new fetch should go out on it.
    pub(crate) fn is_suspect(self) -> bool {
        self.suspect.is_some()
    }

    /// A stream ran into its timeout: suspicion without waiting for silence.
    pub(crate) fn timed_out(&mut self, now: Instant) -> Verdict {
        match self.is_suspect() {
            // The first suspicion stands: its PING is still to be answered.
            true => Verdict::Same,
            false => self.suspect(now),
        }
    }

    /// Judges. A stalled write comes first, for a peer that only sends keeps answering forever.
    pub(crate) fn check(&mut self, facts: Facts, limits: Limits) -> Verdict {
        let is_past = |due: Option<Instant>| due.is_some_and(|due| facts.now >= due);
        if is_past(stalls(facts, limits)) {
            return Verdict::Dead(Ailment::WriteStalled);
        }
        let Some(since) = self.suspect else {
            return match is_past(falls_silent(facts, limits)) {
                true => self.suspect(facts.now),
                false => Verdict::Same,
            };
        };
        if facts.heard > since {
            self.suspect = None;
            return Verdict::Recovered;
        }
        match is_past(since.checked_add(limits.answer)) {
            true => Verdict::Dead(Ailment::NoAnswer),
            false => Verdict::Same,
        }
    }

    /// When [`check`](Self::check) can next say something new; `None` if nothing is watched, or
    /// the time is beyond reckoning.
    pub(crate) fn due(self, facts: Facts, limits: Limits) -> Option<Instant> {
        let stalls = stalls(facts, limits);
        let other = match self.suspect {
            None => falls_silent(facts, limits),
            Some(since) if facts.heard > since => Some(facts.heard),
            Some(since) => since.checked_add(limits.answer),
        };
        stalls.into_iter().chain(other).min()
    }

    fn suspect(&mut self, now: Instant) -> Verdict {
        self.suspect = Some(now);
        Verdict::Suspect
    }
}

/// When the write that is blocked has been so for too long.
fn stalls(facts: Facts, limits: Limits) -> Option<Instant> {
    facts.blocked?.checked_add(limits.write)
}

/// When the silence has lasted too long. Without streams nothing is owed.
fn falls_silent(facts: Facts, limits: Limits) -> Option<Instant> {
    (facts.streams > 0)
        .then(|| facts.heard.checked_add(limits.silence))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: Limits = Limits {
        silence: Duration::from_secs(5),
        answer: Duration::from_secs(3),
        write: Duration::from_secs(10),
    };

    fn quiet(now: Instant) -> Facts {
        Facts {
            now,
            heard: now,
            streams: 1,
            blocked: None,
        }
    }

    /// The same facts, seen `seconds` later.
    fn later(facts: Facts, seconds: u32) -> Facts {
        let now = facts.now + SECOND * seconds;
        Facts { now, ..facts }
    }

    #[test]
    fn silence_makes_suspect_and_more_of_it_kills() {
        let (mut health, facts) = (Health::default(), quiet(Instant::now()));
        assert_eq!(health.check(later(facts, 4), LIMITS), Verdict::Same);
        assert_eq!(health.check(later(facts, 5), LIMITS), Verdict::Suspect);
        assert!(health.is_suspect());
        assert_eq!(health.check(later(facts, 7), LIMITS), Verdict::Same);
        let dead = Verdict::Dead(Ailment::NoAnswer);
        assert_eq!(health.check(later(facts, 8), LIMITS), dead);
        assert_eq!(health.check(later(facts, 9), LIMITS), dead, "it stays dead");
    }

    #[test]
    fn only_a_frame_after_the_suspicion_clears_it() {
        let (mut health, mut facts) = (Health::default(), quiet(Instant::now()));
        assert_eq!(health.timed_out(facts.now), Verdict::Suspect);
        assert_eq!(health.timed_out(facts.now + SECOND), Verdict::Same);
        assert_eq!(health.check(facts, LIMITS), Verdict::Same, "the same tick");
        facts.heard += SECOND;
        assert_eq!(health.check(later(facts, 1), LIMITS), Verdict::Recovered);
        assert!(!health.is_suspect());
        assert_eq!(health.check(later(facts, 1), LIMITS), Verdict::Same);
    }

    #[test]
    fn a_peer_that_sends_but_takes_nothing_is_dead() {
        let mut health = Health::default();
        let facts = quiet(Instant::now());
        let stalled = Facts {
            blocked: Some(facts.now),
            streams: 0,
            ..facts
        };
        assert_eq!(health.check(later(stalled, 9), LIMITS), Verdict::Same);
        let now = facts.now + SECOND * 10;
        let heard = Facts {
            now,
            heard: now,
            ..stalled
        };
        let dead = Verdict::Dead(Ailment::WriteStalled);
        assert_eq!(health.check(heard, LIMITS), dead);
    }

    #[test]
    fn without_streams_and_with_endless_limits_nothing_is_due() {
        let mut facts = quiet(Instant::now());
        let endless = Limits {
            silence: Duration::MAX,
            answer: Duration::MAX,
            write: Duration::MAX,
        };
        let mut health = Health::default();
        facts.streams = 0;
        assert_eq!(health.due(facts, LIMITS), None);
        assert_eq!(health.check(later(facts, 1000), LIMITS), Verdict::Same);
        (facts.streams, facts.blocked) = (1, Some(facts.now));
        assert_eq!(health.due(facts, endless), None);
        assert_eq!(health.check(later(facts, 1000), endless), Verdict::Same);
        assert_eq!(health.timed_out(facts.now), Verdict::Suspect);
        assert_eq!(health.due(facts, endless), None);
        assert_eq!(health.check(later(facts, 1000), endless), Verdict::Same);
    }

    #[test]
    fn a_connection_that_says_nothing_is_dead_when_both_limits_have_passed() {
        let (mut health, mut facts) = (Health::default(), quiet(Instant::now()));
        let start = facts.now;
        for expected in [Verdict::Suspect, Verdict::Dead(Ailment::NoAnswer)] {
            facts.now = health.due(facts, LIMITS).expect("it is watched");
            assert_eq!(health.check(facts, LIMITS), expected);
        }
        assert_eq!(facts.now, start + LIMITS.silence + LIMITS.answer);
    }

    fn limit() -> impl Strategy<Value = Duration> {
        prop_oneof![9 => (0u32..12).prop_map(|s| SECOND * s), 1 => Just(Duration::MAX)]
    }

    proptest! {
        #[test]
        fn check_says_something_exactly_from_when_it_is_due(
            limits in (limit(), limit(), limit()), streams in 0usize..3, heard in 0u32..20,
            suspect in prop::option::of(0u32..20), blocked in prop::option::of(0u32..20), at in 20u32..50,
        ) {
            let start = Instant::now();
            let time = |s: u32| start + SECOND * s;
            let (silence, answer, write) = limits;
            let limits = Limits { silence, answer, write };
            let facts = Facts { now: time(at), heard: time(heard), streams, blocked: blocked.map(time) };
            let mut health = Health { suspect: suspect.map(time) };
            let is_due = health.due(facts, limits).is_some_and(|due| facts.now >= due);
            prop_assert_eq!(health.check(facts, limits) != Verdict::Same, is_due);
        }

        /// Verdicts follow one another as they say: suspect, then recovered or dead.
        #[test]
        fn suspicion_begins_and_ends_in_turn(
            ops in prop::collection::vec((0u8..4, 0u32..4), 0..100),
        ) {
            let (mut health, mut facts) = (Health::default(), quiet(Instant::now()));
            let mut was_suspect = false;
            for (op, seconds) in ops {
                facts = later(facts, seconds);
                let verdict = match op {
                    0 => health.timed_out(facts.now),
                    1 => { facts.heard = facts.now; health.check(facts, LIMITS) }
                    2 => { facts.streams = (facts.streams + 1) % 3; health.check(facts, LIMITS) }
                    _ => health.check(facts, LIMITS),
                };
                match verdict {
                    Verdict::Suspect => prop_assert!(!was_suspect && health.is_suspect()),
                    Verdict::Recovered => prop_assert!(was_suspect && !health.is_suspect()),
                    Verdict::Same | Verdict::Dead(_) => prop_assert_eq!(was_suspect, health.is_suspect()),
                }
                was_suspect = health.is_suspect();
            }
        }
    }
}
