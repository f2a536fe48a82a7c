//! Supervision on one arbiter: starts its Pool and its resident Agent, and starts them again.
//!
//! actix restarts no actor that panics, but runs its `stopped`; so each tells of its own end, and
//! what becomes of it is decided here.

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Recipient,
    WrapFuture,
};
use tokio::sync::{broadcast, oneshot};

use crate::agent::{self, Agent, Inside};
use crate::config::Config;
use crate::engine::residents::Residents;
use crate::log;
use crate::message::tray::Post;
use crate::message::{Close, Ended, Shutdown, Supervisor};
use crate::net::Dialer;
use crate::pool::{self, Pool};
use crate::view::{Lifecycle, Reason};

/// Keeps one arbiter of an engine staffed.
pub(crate) struct Shard {
    with: With,
    pool: Option<Addr<Pool>>,
    /// Connections of Pools that ended before their time.
    orphans: Vec<Recipient<Close>>,
    /// Set once the end is near; told when all is closed.
    leaving: Option<Vec<oneshot::Sender<()>>>,
    /// Set once the grace is over.
    is_closing: bool,
}

/// What all shards of an engine share.
#[derive(Clone)]
pub(crate) struct With {
    pub(crate) shard: usize,
    pub(crate) config: Arc<Config>,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) inside: Arc<Inside>,
    pub(crate) residents: Arc<Residents>,
    pub(crate) changes: broadcast::Sender<Lifecycle>,
    pub(crate) log: slog::Logger,
}

impl With {
    pub(crate) fn for_shard(&self, shard: usize) -> Self {
        let mut with = self.clone();
        with.shard = shard;
        with
    }

    pub(crate) fn agent(&self) -> agent::With {
        agent::With {
            config: Arc::clone(&self.config),
            inside: Arc::clone(&self.inside),
            log: log::of_actor(&self.log, "agent"),
            supervisor: None,
            keep: None,
            home: agent::Home::default(),
        }
    }
}

impl Shard {
    /// Staffs the arbiter it is called on. When this returns, fetches can be sent.
    pub(crate) fn new(with: With, ctx: &Context<Self>) -> Self {
        let mut shard = Self {
            with,
            pool: None,
            orphans: Vec::new(),
            leaving: None,
            is_closing: false,
        };
        shard.start_pool(ctx.address().downgrade().recipient());
        shard.start_agent(ctx.address().downgrade().recipient());
        shard
    }

    fn start_pool(&mut self, supervisor: Supervisor) {
        let with = pool::With {
            shard: self.with.shard,
            config: Arc::clone(&self.with.config),
            dialer: Arc::clone(&self.with.dialer),
            ledger: Arc::clone(&self.with.inside.ledger),
            log: log::of_actor(&self.with.log, "pool"),
            tally: self.with.inside.tally_of(self.with.shard),
            bytes: Arc::clone(&self.with.inside.bytes),
            changes: self.with.changes.clone(),
            supervisor,
        };
        let pool = Post::start(|tray| Pool::new(with, tray));
        self.pool = Some(pool.address.clone());
        self.with.inside.routes.seat(self.with.shard, Some(pool));
    }

    fn start_agent(&self, supervisor: Supervisor) {
        let mut with = self.with.agent();
        with.supervisor = Some(supervisor);
        let agent = Post::start(|tray| Agent::new(with, tray));
        self.with.residents.seat(self.with.shard, Some(agent));
    }

    /// The grace is over, or nobody is left: closes everything.
    fn close(&mut self, ctx: &mut Context<Self>) {
        if self.is_closing {
            return;
        }
        let now = self.with.inside.gate.inside() > 0;
        let reason = Reason::Shutdown;
        self.with.inside.gate.call_time();
        self.is_closing = true;
        if let Some(pool) = &self.pool {
            pool.do_send(Close { now, reason });
        }
        for connection in &self.orphans {
            connection.do_send(Close { now, reason });
        }
        // Connections bound their own goodbyes; this bounds the connections.
        let bound = self.with.config.close_timeout.saturating_mul(2);
        ctx.run_later(bound, |this, ctx| this.leave(ctx));
    }

    /// The Pool is gone; what is still inside is on its way out, unless it is held on a thread that
    /// nobody runs.
    fn on_pool_gone(&mut self, ctx: &mut Context<Self>) {
        if self.orphans.iter().any(Recipient::connected) {
            // They have as long as `close` has given them.
            return;
        }
        let (gate, bound) = (
            Arc::clone(&self.with.inside.gate),
            self.with.config.close_timeout,
        );
        let emptied = async move {
            let _ = tokio::time::timeout(bound, gate.emptied()).await;
        };
        ctx.spawn(
            emptied
                .into_actor(self)
                .map(|(), this, ctx| this.leave(ctx)),
        );
    }

    fn leave(&mut self, ctx: &mut Context<Self>) {
        self.vacate();
        for done in self.leaving.take().unwrap_or_default() {
            let _ = done.send(());
        }
        ctx.stop();
    }

    fn vacate(&mut self) {
        self.pool = None;
        self.with.inside.routes.seat(self.with.shard, None);
        self.with.residents.seat(self.with.shard, None);
    }
}

impl Drop for Shard {
    /// However it ends, nobody is to wait for an Agent that is never seated again.
    fn drop(&mut self) {
        self.vacate();
    }
}

impl Actor for Shard {
    type Context = Context<Self>;
}

impl Handler<Ended> for Shard {
    type Result = ();

    fn handle(&mut self, ended: Ended, ctx: &mut Self::Context) {
        let supervisor = ctx.address().downgrade().recipient();
        match ended {
            Ended::Pool { .. } if self.is_closing => self.on_pool_gone(ctx),
            Ended::Pool { orphans } => {
                log::actor_ended(&self.with.log, "Pool");
                self.orphans.retain(Recipient::connected);
                self.orphans.extend(orphans);
                self.start_pool(supervisor);
            }
            Ended::Agent if self.is_closing => {}
            Ended::Agent => {
                log::actor_ended(&self.with.log, "Agent");
                self.start_agent(supervisor);
            }
        }
    }
}

impl Handler<Shutdown> for Shard {
    type Result = ();

    fn handle(&mut self, Shutdown { grace, done }: Shutdown, ctx: &mut Self::Context) {
        match &mut self.leaving {
            Some(leaving) => leaving.push(done),
            None => {
                self.leaving = Some(vec![done]);
                log::shutting_down(&self.with.log, self.with.inside.gate.inside());
            }
        }
        // Of several graces, the one that ends first counts.
        let gate = Arc::clone(&self.with.inside.gate);
        let emptied = async move {
            // Time up or not, what follows is the same.
            let _ = tokio::time::timeout(grace, gate.emptied()).await;
        };
        ctx.spawn(
            emptied
                .into_actor(self)
                .map(|(), this, ctx| this.close(ctx)),
        );
    }
}
