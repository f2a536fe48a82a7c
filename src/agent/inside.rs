//! What all the parts of one engine share, and what can be seen of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::body::ByteBudget;
use crate::config::Config;
use crate::message::gate::Gate;
use crate::message::{Inspect, Tidy};
use crate::policy::budget::Budget;
use crate::pool::{Ledger, Routes};
use crate::view::{BytesView, Snapshot, Tally};

/// Shared by the Agents, Pools and supervisors of an engine, on whatever thread they are.
pub(crate) struct Inside {
    pub(crate) routes: Routes,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) gate: Arc<Gate>,
    /// What is held of bodies.
    pub(crate) bytes: Arc<ByteBudget>,
    /// One for each arbiter.
    tallies: Vec<Arc<Tally>>,
    /// What Agents count, wherever they are.
    pub(crate) tally: Tally,
    budget: Mutex<Budget>,
}

impl Inside {
    pub(crate) fn new(config: &Config, arbiters: usize, ledger: Ledger) -> Self {
        let budget = Budget::new(config.retry_budget, config.retry_reserve.into());
        Self {
            routes: Routes::new(arbiters),
            ledger: Arc::new(ledger),
            gate: Arc::default(),
            bytes: Arc::new(ByteBudget::new(config.bodies.budget)),
            tallies: (0..arbiters).map(|_| Arc::default()).collect(),
            tally: Tally::default(),
            budget: Mutex::new(budget),
        }
    }

    /// Where the Pool of an arbiter counts, and its successor after it.
    pub(crate) fn tally_of(&self, shard: usize) -> Arc<Tally> {
        self.tallies.get(shard).map(Arc::clone).unwrap_or_default()
    }

    /// Asks the retry budget for one retry.
    pub(crate) fn allows_retry(&self, now: Instant) -> bool {
        // Its own steps do not panic half-way.
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.withdraw(self.gate.entered(), now)
    }

    /// Has every Pool tidy up.
    pub(crate) fn tidy(&self, tidy: &Tidy) {
        // An origin's connections may be with several Pools: one for each way to it.
        for pool in self.routes.pools() {
            pool.address.do_send(tidy.clone());
        }
    }

    /// Asks every Pool for its part, and adds what is not a Pool's.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        // All are asked before any is waited for.
        let asked = self.routes.pools().into_iter().map(|pool| {
            let (reply, part) = oneshot::channel();
            pool.address.do_send(Inspect { reply });
            part
        });
        let asked: Vec<_> = asked.collect();
        let mut whole = Snapshot::default();
        for part in asked {
            // A Pool that ends has nothing to show any more.
            if let Ok(part) = part.await {
                whole.add(part);
            }
        }
        (whole.sockets, whole.waiting_origins) = self.ledger.count();
        whole.in_flight = self.gate.inside();
        whole.bytes = BytesView {
            limit: self.bytes.limit(),
            held: self.bytes.held(),
            most: self.bytes.most(),
            open_bodies: self.bytes.open(),
        };
        whole.counters.fetches = self.gate.entered();
        whole.counters.outcomes = self.gate.outcomes.sum();
        self.tally.add_to(&mut whole.counters);
        for tally in &self.tallies {
            tally.add_to(&mut whole.counters);
        }
        whole
    }
}
