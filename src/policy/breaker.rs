//! When an origin may be dialled: a circuit breaker over the dials to it.
//!
//! An origin that answered a moment ago is probably restarting: who waits for it goes on waiting
//! over a few dials. One that never answered fails at once, and is open to the next who asks.

mod class;

use std::time::{Duration, Instant};

pub(crate) use crate::policy::breaker::class::{Class, class_of};

use crate::policy::jitter;

/// For so long after a success an origin that cannot be dialled counts as restarting.
const RESTART: Duration = Duration::from_secs(60);
/// Before the second dial of a restarting origin; it doubles with each one after.
const PAUSE: Duration = Duration::from_millis(50);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// By then the pause is longer than [`RESTART`].
const MOST_DOUBLINGS: u32 = 11;
/// An origin is asked once in so long, whatever the limits; a bound that keeps sums of time sound.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many failures, and how long they keep an origin closed off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Consecutive failures that open the breaker; 0: it never opens.
    pub(crate) failures: u32,
    /// How long it is open the first time; it doubles each time in a row.
    pub(crate) pause: Duration,
    /// The most it doubles to.
    pub(crate) longest: Duration,
}

/// Whether to dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Leave {
    /// Now. While [half open](State::HalfOpen), one at a time.
    Dial,
    /// At this time; who waits goes on waiting.
    Wait(Instant),
    /// It is open: answer who waits.
    Refuse {
        /// When it may be dialled again.
        until: Instant,
    },
}

/// What to do after a dial failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// Keep who waits, and dial again at this time.
    Redial(Instant),
    /// Tell who waits.
    Fail,
}

/// The state of an origin's circuit breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// The origin is dialled as needed.
    Closed,
    /// The origin is not dialled; fetches to it fail at once.
    Open,
    /// The pause is over: the next dial decides.
    HalfOpen,
}

/// What the dials to one origin have come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    /// Since the last success.
    failures: u32,
    /// Times opened since the last success.
    opened: u32,
    succeeded: Option<Instant>,
    gate: Gate,
}

/// What stands before the next dial.
#[derive(Clone, Copy, Debug, Default)]
enum Gate {
    #[default]
    Clear,
    /// A restarting origin is given this long.
    Redial(Instant),
    /// Open until then, half open after.
    Open(Instant),
}

impl Breaker {
    /// Whether the origin may be dialled.
    pub(crate) fn ask(&self, now: Instant) -> Leave {
        match self.gate {
            Gate::Redial(at) if now < at => Leave::Wait(at),
            Gate::Open(until) if now < until => Leave::Refuse { until },
            _ => Leave::Dial,
        }
    }

    /// A dial has failed; `jitter` in 0..1.
    pub(crate) fn failed(
        &mut self,
        class: Class,
        now: Instant,
        limits: Limits,
        jitter: f64,
    ) -> After {
        if class == Class::Internal {
            return After::Fail;
        }
        self.failures = self.failures.saturating_add(1);
        match self.state(now) {
            // It was under way when another failure opened the breaker: no probe, nothing new.
            State::Open => return After::Fail,
            State::HalfOpen => self.open(now, limits, jitter),
            State::Closed if limits.failures == 0 => self.gate = Gate::Clear,
            State::Closed if class == Class::Settled || self.failures >= limits.failures => {
                self.open(now, limits, jitter);
            }
            State::Closed if self.is_restarting(now) => {
                let at = now + self.redial_pause(jitter);
                self.gate = Gate::Redial(at);
                return After::Redial(at);
            }
            State::Closed => self.gate = Gate::Clear,
        }
        After::Fail
    }

    /// A dial succeeded, or a response came: all but the time of it is forgotten.
    pub(crate) fn succeeded(&mut self, now: Instant) {
        *self = Self {
            succeeded: Some(now),
            ..Self::default()
        };
    }

    /// Where it stands.
    pub(crate) fn state(&self, now: Instant) -> State {
        match self.gate {
            Gate::Clear | Gate::Redial(_) => State::Closed,
            Gate::Open(until) if now < until => State::Open,
            Gate::Open(_) => State::HalfOpen,
        }
    }

    /// Failed dials since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    fn is_restarting(&self, now: Instant) -> bool {
        self.succeeded
            .is_some_and(|at| now.saturating_duration_since(at) <= RESTART)
    }

    /// Full jitter: the waiting of all clients is spread over the whole pause.
    fn redial_pause(&self, jitter: f64) -> Duration {
        let doublings = (self.failures - 1).min(MOST_DOUBLINGS);
        jitter::part(PAUSE * 2_u32.pow(doublings), jitter).max(SHORTEST_PAUSE)
    }

    /// Opens, between half of the pause and the whole, so that clients do not come back together.
    fn open(&mut self, now: Instant, limits: Limits, jitter: f64) {
        let doubled = limits
            .pause
            .saturating_mul(2_u32.saturating_pow(self.opened));
        let half = doubled.min(limits.longest).min(YEAR) / 2;
        self.opened = self.opened.saturating_add(1);
        self.gate = Gate::Open(now + half + jitter::part(half, jitter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: Limits = Limits {
        failures: 3,
        pause: Duration::from_secs(4),
        longest: Duration::from_secs(10),
    };

    /// Fails a dial at `now`, with all of the jitter.
    fn fail(breaker: &mut Breaker, now: Instant) -> After {
        breaker.failed(Class::Unreachable, now, LIMITS, 1.0)
    }

    #[test]
    fn a_restarting_origin_is_dialled_again_while_fetches_wait() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        breaker.succeeded(start);
        let first = start + PAUSE;
        assert_eq!(fail(&mut breaker, start), After::Redial(first));
        assert_eq!(breaker.ask(start), Leave::Wait(first));
        assert_eq!(breaker.state(start), State::Closed);
        assert_eq!(breaker.ask(first), Leave::Dial);
        let second = first + PAUSE * 2;
        assert_eq!(fail(&mut breaker, first), After::Redial(second));
        assert_eq!(fail(&mut breaker, second), After::Fail);
        let until = second + LIMITS.pause;
        assert_eq!(breaker.ask(second), Leave::Refuse { until });
        assert_eq!(breaker.failures(), 3);
    }

    #[test]
    fn an_origin_that_has_not_answered_lately_fails_at_once_and_may_be_dialled_at_once() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(fail(&mut breaker, start), After::Fail);
        assert_eq!(breaker.ask(start), Leave::Dial);
        breaker.succeeded(start);
        let last = start + RESTART;
        assert!(matches!(fail(&mut breaker, last), After::Redial(_)));
        let late = last + SECOND;
        assert_eq!(fail(&mut breaker, late), After::Fail);
        assert_eq!(breaker.ask(late), Leave::Dial);
    }

    #[test]
    fn each_failed_probe_opens_it_for_longer_and_a_success_forgets() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, now);
        fail(&mut breaker, now);
        for pause in [4, 8, 10, 10] {
            assert_eq!(fail(&mut breaker, now), After::Fail);
            let until = now + SECOND * pause;
            assert_eq!(breaker.ask(now), Leave::Refuse { until });
            assert_eq!(breaker.state(now), State::Open);
            fail(&mut breaker, now);
            assert_eq!(breaker.ask(now), Leave::Refuse { until }, "a straggler");
            now = until;
            assert_eq!(breaker.state(now), State::HalfOpen);
            assert_eq!(breaker.ask(now), Leave::Dial);
        }
        breaker.succeeded(now);
        assert_eq!(breaker.failures(), 0);
        assert_eq!(breaker.state(now), State::Closed);
        assert!(matches!(fail(&mut breaker, now), After::Redial(_)));
    }

    #[test]
    fn what_is_settled_opens_at_once_and_what_is_internal_changes_nothing() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.succeeded(now);
        let after = breaker.failed(Class::Internal, now, LIMITS, 0.0);
        assert_eq!((after, breaker.failures()), (After::Fail, 0));
        let after = breaker.failed(Class::Settled, now, LIMITS, 0.0);
        assert_eq!(after, After::Fail);
        let until = now + LIMITS.pause / 2;
        assert_eq!(breaker.ask(now), Leave::Refuse { until });
        breaker.failed(Class::Internal, until, LIMITS, 0.0);
        assert_eq!(breaker.state(until), State::HalfOpen);
    }

    #[test]
    fn extreme_limits_do_no_harm() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        let limits = Limits {
            failures: 1,
            pause: Duration::MAX,
            longest: Duration::MAX,
        };
        for _ in 0..40 {
            breaker.failed(Class::Unreachable, now, limits, 1.0);
            let until = now + YEAR;
            assert_eq!(breaker.ask(now), Leave::Refuse { until });
            now = until;
        }
        breaker.succeeded(now);
        let failures = u32::MAX;
        let limits = Limits { failures, ..limits };
        for _ in 0..40 {
            breaker.failed(Class::Unreachable, now, limits, 1.0);
        }
        let longest = now + PAUSE * 2_u32.pow(MOST_DOUBLINGS);
        assert_eq!(breaker.ask(now), Leave::Wait(longest));
        assert!(longest > now + RESTART);
    }

    fn class() -> impl Strategy<Value = Class> {
        prop_oneof![6 => Just(Class::Unreachable), 1 => Just(Class::Settled), 1 => Just(Class::Internal)]
    }

    proptest! {
        #[test]
        fn it_opens_exactly_when_it_should(
            failures in 0u32..4,
            ops in prop::collection::vec((0u8..8, class(), 0u32..8, 0.0f64..1.0), 0..100),
        ) {
            let limits = Limits { failures, ..LIMITS };
            let (mut breaker, mut now) = (Breaker::default(), Instant::now());
            let (mut count, mut success) = (0, None);
            for (op, class, seconds, jitter) in ops {
                now += SECOND * seconds;
                if op == 0 {
                    breaker.succeeded(now);
                    (count, success) = (0, Some(now));
                    prop_assert_eq!(breaker.ask(now), Leave::Dial);
                    continue;
                }
                let before = breaker.state(now);
                let after = breaker.failed(class, now, limits, jitter);
                count += u32::from(class != Class::Internal);
                prop_assert_eq!(breaker.failures(), count);
                let opens = failures > 0 && class != Class::Internal
                    && (class == Class::Settled || count >= failures || before == State::HalfOpen);
                if opens || before == State::Open {
                    prop_assert_eq!(breaker.state(now), State::Open);
                } else if class == Class::Internal {
                    prop_assert_eq!(breaker.state(now), before);
                }
                let is_recent = success.is_some_and(|at| now - at <= RESTART);
                let redials = before == State::Closed && class == Class::Unreachable && is_recent && count < failures;
                match after {
                    After::Redial(at) => {
                        prop_assert!(redials && at >= now + SHORTEST_PAUSE);
                        prop_assert_eq!(breaker.ask(now), Leave::Wait(at));
                    }
                    After::Fail => prop_assert!(!redials),
                }
                if let Leave::Refuse { until } = breaker.ask(now) {
                    prop_assert!(until > now && until <= now + LIMITS.longest);
                    prop_assert!(before == State::Open || until >= now + LIMITS.pause / 2);
                }
            }
        }
    }
}
