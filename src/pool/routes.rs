//! From an origin to the one Pool that serves it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::message::attempt::Attempt;
use crate::message::tray::Post;
use crate::origin::Origin;
use crate::pool::Pool;

/// In an `Arc`, for a copy of an address is a heap of small allocations.
type Seated = Arc<Post<Pool, Attempt>>;

/// The Pools of an engine, one per arbiter, replaced in place when one is restarted.
pub(crate) struct Routes {
    pools: Vec<RwLock<Option<Seated>>>,
}

impl Routes {
    /// `shards` empty seats.
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            pools: (0..shards.max(1)).map(|_| RwLock::default()).collect(),
        }
    }

    /// Which Pool serves `origin`: always the same one, so that all its work is on one thread.
    pub(crate) fn shard_of(&self, origin: &Origin) -> usize {
        // A fixed seed: hash flooding could only unbalance the arbiters.
        (origin.fingerprint() % self.pools.len() as u64) as usize
    }

    pub(crate) fn seat(&self, shard: usize, pool: Option<Post<Pool, Attempt>>) {
        if let Some(seat) = self.pools.get(shard) {
            *seat.write().unwrap_or_else(PoisonError::into_inner) = pool.map(Arc::new);
        }
    }

    /// The Pool that serves `origin`; `None` once the engine is down.
    pub(crate) fn pool_of(&self, origin: &Origin) -> Option<Seated> {
        let seat = self.pools.get(self.shard_of(origin))?;
        seat.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that there are.
    pub(crate) fn pools(&self) -> Vec<Seated> {
        let seats = self.pools.iter();
        let seated = seats.filter_map(|seat| {
            let seat = seat.read().unwrap_or_else(PoisonError::into_inner);
            seat.clone()
        });
        seated.collect()
    }
}
