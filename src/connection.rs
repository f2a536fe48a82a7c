//! One session with one origin, from dial to drain.
//!
//! ```text
//! Dialing ──▶ Open ──▶ Draining ──▶ stopped
//!    └──────────┴──────────────────────▲
//! ```

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Turn, Poll};

use actix::fut::ActorFuture;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WeakRecipient,
    WrapFuture,
};
use slog::Logger;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::log;
use crate::message::attempt::Attempt;
use crate::message::{Close, ConnectionEvent, ConnectionId, News, Permit, StreamDone};
use crate::net::Dialer;
use crate::origin::Origin;
use crate::response::Peer;
use crate::session::{self, Driver, Session, Step};
use crate::stream::{Stream, Work};

/// Owns one session; starts a [`Stream`] for each attempt it is given.
pub(crate) struct Connection {
    id: ConnectionId,
    config: Arc<Config>,
    dialer: Arc<Dialer>,
    log: Logger,
    owner: WeakRecipient<ConnectionEvent>,
    state: State,
    /// Until started; then with whatever owns the socket.
    permit: Option<Permit>,
    streams: HashMap<u64, Addr<Stream>>,
    /// Streams started so far.
    started: u64,
    /// Why the dial failed, if it did.
    failure: Option<Error>,
}

enum State {
    Dialing,
    Open { session: Session, peer: Arc<Peer> },
    Draining,
}

/// What a connection is made with.
pub(crate) struct Setup {
    pub(crate) id: ConnectionId,
    pub(crate) permit: Permit,
    pub(crate) config: Arc<Config>,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) log: Logger,
    pub(crate) owner: WeakRecipient<ConnectionEvent>,
}

impl Connection {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            id: setup.id,
            config: setup.config,
            dialer: setup.dialer,
            log: setup.log,
            owner: setup.owner,
            state: State::Dialing,
            permit: Some(setup.permit),
            streams: HashMap::new(),
            started: 0,
            failure: None,
        }
    }

    fn tell(&self, news: News) {
        if let Some(owner) = self.owner.upgrade() {
            let id = self.id.clone();
            owner.do_send(ConnectionEvent { id, news });
        }
    }

    fn on_dialed(
        &mut self,
        dialed: Result<Opened, Error>,
        permit: Option<Permit>,
        ctx: &mut Context<Self>,
    ) {
        match dialed {
            Ok(Opened {
                session,
                driver,
                peer,
            }) => {
                log::connected(&self.log, &self.id.origin, self.id.serial, &peer);
                let room = driver.room();
                let peer = Arc::new(peer);
                self.state = State::Open { session, peer };
                ctx.spawn(Driving {
                    driver,
                    _permit: permit,
                });
                self.tell(News::Room(room));
            }
            Err(error) => {
                log::dial_failed(&self.log, &self.id.origin, self.id.serial, &error);
                self.failure = Some(error);
                ctx.stop();
            }
        }
    }

    fn on_step(&mut self, step: Step, ctx: &mut Context<Self>) {
        match step {
            Step::Room(room) if matches!(self.state, State::Open { .. }) => {
                self.tell(News::Room(room));
            }
            Step::Room(_) => {}
            Step::Draining => self.drain("the server ends it", ctx),
            Step::Ended => ctx.stop(),
        }
    }

    /// No new streams from here on. The session goes with the last open one.
    fn drain(&mut self, reason: &'static str, ctx: &mut Context<Self>) {
        if matches!(self.state, State::Draining) {
            return;
        }
        log::draining(&self.log, &self.id.origin, self.id.serial, reason);
        let was = std::mem::replace(&mut self.state, State::Draining);
        self.tell(News::Draining);
        if matches!(was, State::Dialing) {
            ctx.stop();
        } else if self.streams.is_empty() {
            self.bound_the_close(ctx);
        }
    }

    /// The driver says goodbye and waits for the server's; this bounds the wait.
    fn bound_the_close(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(self.config.close_timeout, |_, ctx| ctx.stop());
    }
}

/// A session, ready for requests.
struct Opened {
    session: Session,
    driver: Driver,
    peer: Peer,
}

async fn open(dialer: Arc<Dialer>, config: Arc<Config>, origin: Origin) -> Result<Opened, Error> {
    let opening = async {
        let mut dialed = dialer.dial(&origin).await?;
        let (session, driver) = session::open(dialed.io, &config).await?;
        dialed.peer.dial.total = now().saturating_duration_since(dialed.started);
        Ok(Opened {
            session,
            driver,
            peer: dialed.peer,
        })
    };
    let after = config.connect_timeout;
    match tokio::time::timeout(after, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::ConnectTimeout { after }),
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (dialer, config) = (Arc::clone(&self.dialer), Arc::clone(&self.config));
        let (origin, permit) = (self.id.origin.clone(), self.permit.take());
        // The permit travels with the socket, and outlives it wherever the dial is cut off.
        let dialing = async move { (open(dialer, config, origin).await, permit) };
        ctx.spawn(
            dialing
                .into_actor(self)
                .map(|(dialed, permit), this, ctx| this.on_dialed(dialed, permit, ctx)),
        );
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        log::disconnected(&self.log, &self.id.origin, self.id.serial, self.started);
        let error = self.failure.take();
        self.tell(News::Closed { error });
    }
}

impl Handler<Attempt> for Connection {
    type Result = ();

    fn handle(&mut self, attempt: Attempt, ctx: &mut Self::Context) {
        let State::Open { session, peer } = &self.state else {
            // The Pool had not heard yet. Nothing was sent, so the Agent sends it again.
            let closing = io::Error::new(io::ErrorKind::NotConnected, "the connection is closing");
            return attempt.finish(Err(Error::Disconnected {
                source: Arc::new(closing),
                sent: false,
            }));
        };
        self.started += 1;
        let work = Work {
            attempt,
            session: session.clone(),
            config: Arc::clone(&self.config),
            peer: Arc::clone(peer),
            connection: self.id.serial,
            reused: self.started > 1,
        };
        let stream = Stream::new(self.started, work, ctx.address().downgrade().recipient());
        self.streams.insert(self.started, stream.start());
    }
}

impl Handler<StreamDone> for Connection {
    type Result = ();

    fn handle(&mut self, StreamDone(number): StreamDone, ctx: &mut Self::Context) {
        self.streams.remove(&number);
        self.tell(News::Freed);
        if self.streams.is_empty() && matches!(self.state, State::Draining) {
            self.bound_the_close(ctx);
        }
    }
}

impl Handler<Close> for Connection {
    type Result = ();

    fn handle(&mut self, Close { now }: Close, ctx: &mut Self::Context) {
        self.drain("told to close", ctx);
        if now {
            // Each resets its stream and tells; the session then says goodbye as ever.
            for stream in self.streams.values() {
                stream.do_send(Close { now });
            }
        }
    }
}

/// Polls the driver inside its actor. Owns the permit, and drops it after the socket.
struct Driving {
    // In this order: fields are dropped as they stand.
    driver: Driver,
    _permit: Option<Permit>,
}

impl ActorFuture<Connection> for Driving {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        connection: &mut Connection,
        ctx: &mut Context<Connection>,
        cx: &mut Turn<'_>,
    ) -> Poll<()> {
        loop {
            if matches!(connection.state, State::Draining) {
                self.driver.close();
            }
            let Poll::Ready(step) = self.driver.poll(cx) else {
                return Poll::Pending;
            };
            let is_over = matches!(step, Step::Ended);
            connection.on_step(step, ctx);
            if is_over {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(feature = "fault-injection")]
mod fault {
    use super::*;
    use crate::message::{Drill, Victim};

    impl Handler<Drill> for Connection {
        type Result = ();

        fn handle(&mut self, drill: Drill, ctx: &mut Self::Context) {
            match drill.victim {
                Victim::Stream => self.streams.values().for_each(|s| s.do_send(drill.clone())),
                _ => drill.fault.strike(ctx),
            }
        }
    }
}
