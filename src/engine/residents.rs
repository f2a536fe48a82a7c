//! The Agents that live on an engine's own arbiters.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::agent::Agent;
use crate::message::Submit;
use crate::message::tray::Post;

/// In an `Arc`, for a copy of an address is a heap of small allocations.
type Seated = Arc<Post<Agent, Submit>>;

/// One Agent per arbiter, replaced in place when it is restarted.
pub(crate) struct Residents {
    agents: Vec<RwLock<Option<Seated>>>,
    changed: Notify,
}

impl Residents {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            agents: (0..shards).map(|_| RwLock::default()).collect(),
            changed: Notify::new(),
        }
    }

    /// Seats an Agent, or at the engine's end nobody.
    pub(crate) fn seat(&self, shard: usize, agent: Option<Post<Agent, Submit>>) {
        if let Some(seat) = self.agents.get(shard) {
            *seat.write().unwrap_or_else(PoisonError::into_inner) = agent.map(Arc::new);
        }
        self.changed.notify_waiters();
    }

    /// The Agent beside the Pool of `shard`; `None` once the engine is down.
    pub(crate) fn of(&self, shard: usize) -> Option<Seated> {
        let seat = self.agents.get(shard)?;
        seat.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the seat of `shard` is no longer that of `former`.
    pub(crate) async fn succeeds(&self, shard: usize, former: &Post<Agent, Submit>) {
        loop {
            // Listening starts before the look, so that no change is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let seated = self.of(shard);
            if seated.is_none_or(|seated| seated.address != former.address) {
                return;
            }
            changed.await;
        }
    }
}
