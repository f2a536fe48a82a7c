//! Whether a server sends enough.

use std::time::Instant;

use crate::error::{Error, Phase};
use crate::request::MinRate;

/// Counts what comes within one stretch of time after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    least: MinRate,
    since: Instant,
    got: u64,
    /// Since when nobody waits for the server.
    paused: Option<Instant>,
}

impl Rate {
    pub(crate) fn new(least: MinRate, now: Instant) -> Self {
        Self {
            least,
            since: now,
            got: 0,
            paused: None,
        }
    }

    /// So many bytes have come.
    pub(crate) fn got(&mut self, bytes: usize) {
        self.got = self.got.saturating_add(bytes as u64);
    }

    /// From here on it is not the server that is waited for.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.paused = self.paused.or(Some(now));
    }

    /// The server is waited for again. The time between does not count.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let Some(paused) = self.paused.take() {
            self.since += now.saturating_duration_since(paused);
        }
    }

    /// When [`check`](Self::check) can next say something.
    pub(crate) fn due(self) -> Option<Instant> {
        match self.paused {
            Some(_) => None,
            None => self.since.checked_add(self.least.over),
        }
    }

    /// At the end of a stretch: whether enough has come in it. If so, the next one begins.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Error> {
        if self.due().is_none_or(|due| now < due) {
            return Ok(());
        }
        if self.got < self.least.bytes {
            return Err(Error::Timeout {
                phase: Phase::Rate,
                after: self.least.over,
            });
        }
        (self.since, self.got) = (now, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LEAST: MinRate = MinRate {
        bytes: 100,
        over: SECOND,
    };

    #[test]
    fn enough_is_enough_and_a_byte_less_is_not() {
        let start = Instant::now();
        let mut rate = Rate::new(LEAST, start);
        rate.got(100);
        assert!(rate.check(start + SECOND).is_ok());
        rate.got(99);
        assert!(
            rate.check(start + SECOND + SECOND / 2).is_ok(),
            "too early to tell"
        );
        assert!(rate.check(start + 2 * SECOND).is_err());
    }

    #[test]
    fn time_in_which_nobody_waits_does_not_count() {
        let start = Instant::now();
        let mut rate = Rate::new(LEAST, start);
        rate.pause(start + SECOND / 2);
        assert_eq!(rate.due(), None);
        assert!(rate.check(start + 10 * SECOND).is_ok());
        rate.resume(start + 10 * SECOND);
        assert_eq!(rate.due(), Some(start + 10 * SECOND + SECOND / 2));
        assert!(rate.check(start + 10 * SECOND + SECOND / 2).is_err());
    }

    #[test]
    fn a_stretch_beyond_reckoning_never_ends() {
        let start = Instant::now();
        let endless = MinRate {
            bytes: 1,
            over: Duration::MAX,
        };
        let mut rate = Rate::new(endless, start);
        assert!(rate.due().is_none() && rate.check(start + 1000 * SECOND).is_ok());
    }
}
