//! The clock of a load whose rate is given.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::exit::Failure;

/// Starts are at whole ticks: closer together they would cost more than they tell.
const TICK: Duration = Duration::from_millis(1);

/// Tells when starts are due. On a thread of its own: the runtime's timers are late by up to a
/// millisecond, which would look like the server's doing.
pub(crate) struct Pacer {
    due: Arc<Notify>,
    started: Instant,
    rate: f64,
}

impl Pacer {
    /// So many starts a second, from now on.
    pub(crate) fn start(rate: f64) -> Result<Self, Failure> {
        let pacer = Self {
            due: Arc::default(),
            started: Instant::now(),
            rate,
        };
        let (started, due) = (pacer.started, Arc::downgrade(&pacer.due));
        thread::Builder::new()
            .name("gannet-pacer".to_owned())
            .spawn(move || keep(started, rate, &due))
            .map_err(Failure::start)?;
        Ok(pacer)
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// When the request of this number is to start.
    pub(crate) fn due(&self, number: usize) -> Duration {
        schedule(number, self.rate)
    }

    /// Ends when something may have become due since the last time.
    pub(crate) async fn tick(&self) {
        self.due.notified().await;
    }
}

/// How long is slept at a time: as long it takes to notice that nobody listens any more.
const NAP: Duration = Duration::from_millis(100);

/// Tells of each tick with a start, as long as somebody listens.
fn keep(started: Instant, rate: f64, due: &Weak<Notify>) {
    let mut number = 0;
    while let Some(listener) = due.upgrade() {
        let now = started.elapsed();
        match schedule(number, rate).checked_sub(now) {
            Some(wait) if wait > Duration::ZERO => {
                drop(listener);
                thread::sleep(wait.min(NAP));
            }
            _ => {
                listener.notify_one();
                // One word is enough for all that are due.
                number += 1;
                while schedule(number, rate) <= now {
                    number += 1;
                }
            }
        }
    }
}

/// When the request of this number is to start.
fn schedule(number: usize, rate: f64) -> Duration {
    let ticks = (number as f64 / rate / TICK.as_secs_f64()).ceil();
    Duration::try_from_secs_f64(ticks * TICK.as_secs_f64()).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_evenly_spread_over_ticks() {
        let at = |number| schedule(number, 2_000.0).as_millis();
        assert_eq!([0, 1, 2, 3, 2_000].map(at), [0, 1, 1, 2, 1_000]);
        assert!(schedule(usize::MAX, 1e-9) > Duration::from_secs(1 << 40));
    }

    #[tokio::test]
    async fn nothing_becomes_due_unheard() {
        let pacer = Pacer::start(5_000.0).expect("a thread");
        let mut begun = 0;
        while begun < 100 {
            pacer.tick().await;
            while pacer.due(begun) <= pacer.elapsed() {
                begun += 1;
            }
        }
        assert!(pacer.elapsed() >= pacer.due(99));
    }
}
