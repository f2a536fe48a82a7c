//! `--limit-rate`: so many bytes a second, and no more.

use std::time::{Duration, Instant};

/// What may be moved at once after a pause.
const BURST: Duration = Duration::from_millis(250);

/// Tells how long to wait between pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes a second.
    rate: f64,
    /// Until when what was moved so far would have taken.
    paid_until: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            rate: bytes_per_second.max(1) as f64,
            paid_until: None,
        }
    }

    /// `bytes` are moved at `now`. How long to wait before the next.
    pub(crate) fn moved(&mut self, bytes: usize, now: Instant) -> Duration {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let from = self.paid_until.map_or(now, |until| until.max(earliest));
        let until = from + Duration::from_secs_f64(bytes as f64 / self.rate);
        self.paid_until = Some(until);
        until.saturating_duration_since(now)
    }

    /// Waits as long as that takes.
    pub(crate) async fn keep(pace: &mut Option<Self>, bytes: usize) {
        if let Some(pace) = pace {
            tokio::time::sleep(pace.moved(bytes, Instant::now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn in_the_long_run_the_rate_is_kept() {
        let (mut pace, start) = (Pace::new(1_000), Instant::now());
        let mut now = start;
        for _ in 0..100 {
            now += pace.moved(500, now);
        }
        assert_eq!(now.duration_since(start).as_millis(), 50_000);
    }

    #[test]
    fn a_pause_gives_leave_for_a_short_burst_only() {
        let (mut pace, start) = (Pace::new(1_000), Instant::now());
        assert_eq!(pace.moved(1_000, start), SECOND);
        let later = start + 100 * SECOND;
        assert_eq!(pace.moved(1_000, later), SECOND - BURST);
    }
}
