//! The way into an engine: counts who is inside, and can be shut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::response::Receipt;
use crate::view::{Outcome, Outcomes};

/// Shared by an engine and all its Agents.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    over: AtomicBool,
    inside: AtomicUsize,
    entered: AtomicU64,
    empty: Notify,
    /// How those who were inside have ended.
    pub(crate) outcomes: Outcomes,
}

/// One fetch inside; dropped after its answer.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    is_counted: bool,
}

impl Gate {
    /// Lets a fetch in, unless the gate is shut.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Pass> {
        // Counted before the look at `shut`: `shut` then either sees this fetch or turns it away.
        self.inside.fetch_add(1, Ordering::SeqCst);
        let pass = Pass {
            gate: Arc::clone(self),
            is_counted: true,
        };
        if self.shut.load(Ordering::SeqCst) {
            return None;
        }
        self.entered.fetch_add(1, Ordering::Relaxed);
        Some(pass)
    }

    /// Fetches let in so far.
    pub(crate) fn entered(&self) -> u64 {
        self.entered.load(Ordering::Relaxed)
    }

    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    /// The grace is over: who is still inside is to be told so, not helped further.
    pub(crate) fn call_time(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Fetches inside now.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    /// Waits until nobody is inside. Only sensible once the gate is shut.
    pub(crate) async fn emptied(&self) {
        loop {
            // Listening starts before the look, so that the last one out is not missed.
            let emptied = self.empty.notified();
            let mut emptied = std::pin::pin!(emptied);
            emptied.as_mut().enable();
            if self.inside() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Pass {
    /// Whether time has been called.
    pub(crate) fn is_over(&self) -> bool {
        self.gate.is_over()
    }

    /// One that is not counted: nobody waits until it is gone.
    pub(crate) fn beside(&self) -> Self {
        Self {
            gate: Arc::clone(&self.gate),
            is_counted: false,
        }
    }

    /// Counts how it has ended.
    pub(crate) fn count(&self, outcome: Outcome, receipt: &Receipt) {
        self.gate.outcomes.count(outcome, receipt);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.is_counted {
            return;
        }
        let before = self.gate.inside.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.gate.shut.load(Ordering::SeqCst) {
            self.gate.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_turns_newcomers_away_and_tells_when_the_last_has_left() {
        let gate = Arc::new(Gate::default());
        let pass = gate.enter().expect("open");
        gate.shut();
        assert!(gate.enter().is_none());
        let counted = (gate.inside(), gate.entered());
        assert_eq!(counted, (1, 1), "the one turned away is not counted");
        let emptied = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.emptied().await }
        });
        drop(pass);
        emptied.await.expect("told");
    }
}
