//! When a fetch has waited long enough.

use std::time::{Duration, Instant};

use crate::error::{Error, Phase};

/// The waits of one fetch: the one it is in, inside the one for everything.
///
/// When each is over is reckoned as it begins: that is asked much more often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    accepted: Instant,
    deadline: Duration,
    /// When that is; `None` if it is beyond reckoning.
    ends: Option<Instant>,
    phase: Phase,
    limit: Duration,
    /// Likewise of the wait.
    due: Option<Instant>,
}

impl Watch {
    /// Starts the clock of a fetch accepted at `accepted`, waiting in a queue.
    pub(crate) fn new(accepted: Instant, deadline: Duration, acquire_timeout: Duration) -> Self {
        Self {
            accepted,
            deadline,
            ends: accepted.checked_add(deadline),
            phase: Phase::Queue,
            limit: acquire_timeout,
            due: accepted.checked_add(acquire_timeout),
        }
    }

    /// A new wait begins, or progress was made in the one that runs.
    pub(crate) fn enter(&mut self, phase: Phase, now: Instant, limit: Duration) {
        (self.phase, self.limit) = (phase, limit);
        self.due = now.checked_add(limit);
    }

    /// What it waits for.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// From here on only the waits count: how long all of it takes is the consumer's affair.
    pub(crate) fn lift_deadline(&mut self) {
        (self.deadline, self.ends) = (Duration::MAX, None);
    }

    /// The same watch, its wait known more closely.
    pub(crate) fn named(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    pub(crate) fn accepted(&self) -> Instant {
        self.accepted
    }

    /// When [`overdue`](Self::overdue) can next say something; `None` if that is beyond reckoning.
    pub(crate) fn due(&self) -> Option<Instant> {
        match (self.due, self.ends) {
            (Some(due), Some(ends)) => Some(due.min(ends)),
            (one, other) => one.or(other),
        }
    }

    /// The error of the wait that has run out at `now`, if one has. The request's own deadline
    /// is told before a phase's limit, for it is the one that the caller set.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Error> {
        let (phase, limit) = (self.phase, self.limit);
        if self.ends.is_some_and(|ends| now >= ends) {
            let after = self.deadline;
            return Some(Error::Deadline { phase, after });
        }
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        Some(match phase {
            Phase::Queue | Phase::Connect => Error::AcquireTimeout { after: limit },
            Phase::Head | Phase::Body | Phase::Rate | Phase::Upload | Phase::Consumer => {
                Error::Timeout {
                    phase,
                    after: limit,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Kind and phase.
    fn told(watch: Watch, at: Instant) -> Option<(&'static str, Option<Phase>)> {
        let late = watch.overdue(at)?;
        let phase = match &late {
            Error::Timeout { phase, .. } | Error::Deadline { phase, .. } => Some(*phase),
            _ => None,
        };
        Some((late.kind(), phase))
    }

    #[test]
    fn each_phase_has_its_own_error() {
        let start = Instant::now();
        let mut watch = Watch::new(start, 10 * SECOND, 2 * SECOND);
        assert_eq!(told(watch, start + SECOND), None);
        let late = told(watch, start + 2 * SECOND);
        assert_eq!(late, Some(("acquire_timeout", None)));
        watch.enter(Phase::Head, start + 2 * SECOND, 3 * SECOND);
        let late = told(watch, start + 5 * SECOND);
        assert_eq!(late, Some(("timeout", Some(Phase::Head))));
        watch.enter(Phase::Body, start + 5 * SECOND, 30 * SECOND);
        let late = told(watch, start + 10 * SECOND);
        assert_eq!(late, Some(("deadline", Some(Phase::Body))));
        assert_eq!(watch.accepted(), start);
    }

    #[test]
    fn a_wait_may_be_known_more_closely() {
        let start = Instant::now();
        let watch = Watch::new(start, SECOND, 2 * SECOND).named(Phase::Connect);
        let late = told(watch, start + SECOND);
        assert_eq!(late, Some(("deadline", Some(Phase::Connect))));
    }

    #[test]
    fn limits_beyond_reckoning_never_pass() {
        let start = Instant::now();
        let watch = Watch::new(start, Duration::MAX, Duration::MAX);
        assert!(watch.due().is_none() && watch.overdue(start + 1000 * SECOND).is_none());
    }

    proptest! {
        #[test]
        fn it_is_overdue_exactly_from_when_it_is_due(
            total in 1u64..100, limit in 1u64..100, since in 0u64..50, at in 0u64..200,
        ) {
            let start = Instant::now();
            let mut watch = Watch::new(start, SECOND * total as u32, SECOND);
            watch.enter(Phase::Body, start + SECOND * since as u32, SECOND * limit as u32);
            let now = start + SECOND * at as u32;
            prop_assert_eq!(watch.overdue(now).is_some(), watch.due().is_some_and(|due| now >= due));
        }
    }
}
