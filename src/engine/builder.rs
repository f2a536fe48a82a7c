//! Setting an engine up.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::available_parallelism;

use actix::Actor;
use slog::Logger;
use tokio::sync::broadcast;

use crate::agent::Inside;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::residents::Residents;
use crate::engine::shard::{self, Shard};
use crate::engine::threads::Threads;
use crate::log;
use crate::net::Dialer;
use crate::policy::eviction::{Eviction, Lru};
use crate::pool::Ledger;

/// How far who listens to changes may fall behind.
const CHANGES_KEPT: usize = 1_024;

/// Sets an engine up; from [`Engine::builder`].
#[derive(Debug)]
pub struct Builder {
    config: Config,
    arbiters: usize,
    log: Option<Logger>,
    eviction: Box<dyn Eviction>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::default(),
            arbiters: available_parallelism().map_or(1, usize::from),
            log: None,
            eviction: Box::<Lru>::default(),
        }
    }

    /// Replaces all limits and settings. Default: [`Config::default`].
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How many threads the engine starts, each an arbiter with its own Pool; 0 counts as 1.
    /// Default: one per core.
    #[must_use]
    pub fn arbiters(mut self, count: usize) -> Self {
        self.arbiters = count.max(1);
        self
    }

    /// Where to log. Default: nowhere.
    #[must_use]
    pub fn logger(mut self, log: Logger) -> Self {
        self.log = Some(log);
        self
    }

    /// Which idle connection goes when another origin needs its place. Default: [`Lru`];
    /// [`policy::eviction`](crate::policy::eviction) tells which to choose when.
    #[must_use]
    pub fn eviction(mut self, policy: impl Eviction + 'static) -> Self {
        self.eviction = Box::new(policy);
        self
    }

    /// Starts the engine on threads of its own. Works anywhere: in an actix system, in any tokio
    /// runtime, in synchronous code.
    ///
    /// # Errors
    ///
    /// The system's, if it grants no threads.
    pub fn start(self) -> io::Result<Engine> {
        let threads = Threads::start(self.arbiters)?;
        let handles = threads.arbiters().to_vec();
        let with = self.shared(handles.len());
        let (ready, staffed) = mpsc::channel();
        let shards = handles.iter().enumerate().map(|(shard, arbiter)| {
            let (with, ready) = (with.for_shard(shard), ready.clone());
            Shard::start_in_arbiter(arbiter, move |ctx| {
                let shard = Shard::new(with, ctx);
                let _ = ready.send(());
                shard
            })
        });
        let shards: Vec<_> = shards.collect();
        // The threads are running and have nothing else to do: this wait is short. It ends, too,
        // should one of them not get so far.
        drop(ready);
        if staffed.iter().take(shards.len()).count() < shards.len() {
            return Err(io::Error::other("an arbiter ended at its start"));
        }
        Ok(Engine::new(with, shards, Some(threads)))
    }

    /// Starts the engine on the arbiter that the caller is on, with one Pool. A caller that stays
    /// there never crosses a thread.
    ///
    /// # Panics
    ///
    /// Outside an actix system or a tokio `LocalSet`.
    #[must_use]
    pub fn start_here(self) -> Engine {
        let with = self.shared(1);
        let staff = with.clone();
        let shard = Shard::create(|ctx| Shard::new(staff, ctx));
        Engine::new(with, vec![shard], None)
    }

    fn shared(self, shards: usize) -> shard::With {
        let log = self.log.unwrap_or_else(log::discard);
        let config = Arc::new(self.config.at_least_one());
        log::started(&log, shards, config.max_connections);
        let ledger = Ledger::new(config.max_connections, self.eviction);
        shard::With {
            shard: 0,
            dialer: Arc::new(Dialer::new(Arc::clone(&config))),
            inside: Arc::new(Inside::new(&config, shards, ledger)),
            config,
            residents: Arc::new(Residents::new(shards)),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            log,
        }
    }
}
