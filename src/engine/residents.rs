//! The Agents that live on an engine's own arbiters.

use std::sync::{PoisonError, RwLock};

use actix::Addr;

use crate::agent::Agent;

/// One Agent per arbiter, replaced in place when it is restarted.
pub(crate) struct Residents {
    agents: Vec<RwLock<Option<Addr<Agent>>>>,
}

impl Residents {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            agents: (0..shards).map(|_| RwLock::default()).collect(),
        }
    }

    pub(crate) fn seat(&self, shard: usize, agent: Option<Addr<Agent>>) {
        if let Some(seat) = self.agents.get(shard) {
            *seat.write().unwrap_or_else(PoisonError::into_inner) = agent;
        }
    }

    /// The Agent beside the Pool of `shard`; `None` once the engine is down.
    pub(crate) fn of(&self, shard: usize) -> Option<Addr<Agent>> {
        let seat = self.agents.get(shard)?;
        seat.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
