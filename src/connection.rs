//! One session with one origin, from dial to drain.
//!
//! ```text
//! Dialing ──▶ Open ◀──▶ suspect ──▶ Draining ──▶ stopped
//!    └──────────┴──────────┴──────────────────────▲
//! ```
//!
//! A suspect connection keeps its streams; that it gets no new ones is its Pool's doing.

mod driving;
mod farewell;
mod intake;
mod opening;
mod streams;
mod watch;
mod windows;

use std::rc::Rc;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WeakRecipient, WrapFuture,
};
use slog::Logger;

use crate::body::{AtWork, ByteBudget};
use crate::clock::now;
use crate::config::Config;
use crate::connection::driving::Driving;
use crate::connection::opening::{Opened, open};
use crate::connection::streams::Streams;
use crate::connection::watch::Watch;
use crate::connection::windows::Windows;
use crate::error::{Error, ErrorCode};
use crate::log;
use crate::message::attempt::Attempt;
use crate::message::pushed::Pushed;
use crate::message::tray::{Attend, Attending, Hatch, Tray};
use crate::message::vitals::{Vitals, bump};
use crate::message::{Close, ConnectionEvent, ConnectionId, GoAway, News, Permit};
use crate::net::Dialer;
use crate::origin::Protocols;
use crate::session::{self, Known, Step};
use crate::stream::Common;
use crate::view::{Reason, Tally};

/// Owns one session; starts a [`Stream`] for each attempt it is given.
pub(crate) struct Connection {
    with: Setup,
    state: State,
    /// Once it is open.
    known: Option<Rc<Known>>,
    watch: Watch,
    windows: Windows,
    tray: Tray<Attempt>,
    streams: Streams,
    /// From its first stream until it rests.
    at_work: Option<AtWork>,
    /// Whether it will rest, unless there are streams by then.
    is_to_rest: bool,
    /// Streams started so far.
    started: u64,
    /// What makes it go, once something does.
    reason: Option<Reason>,
    /// Why the dial failed, if it did.
    failure: Option<Error>,
}

enum State {
    Dialing,
    Open(Rc<Common>),
    Draining,
}

/// What a connection is made with.
pub(crate) struct Setup {
    pub(crate) id: ConnectionId,
    /// Until started; then with whatever owns the socket.
    pub(crate) permit: Option<Permit>,
    pub(crate) config: Arc<Config>,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) log: Logger,
    pub(crate) tally: Arc<Tally>,
    pub(crate) bytes: Arc<ByteBudget>,
    pub(crate) owner: WeakRecipient<ConnectionEvent>,
    /// Where its number is put when streams of it are over.
    pub(crate) freed: Hatch<u64>,
    /// Keeps what the server pushes, where it may.
    pub(crate) keeper: Option<WeakRecipient<Pushed>>,
    pub(crate) vitals: Rc<Vitals>,
    /// What to offer to the server.
    pub(crate) protocols: Protocols,
    /// Streams that may be opened before the server has said how many.
    pub(crate) initial_streams: usize,
}

impl Connection {
    pub(crate) fn new(with: Setup, tray: Tray<Attempt>) -> Self {
        let (config, now) = (&with.config, now());
        let most = config.bodies.max_connection_window;
        let windows = Windows::new(config.connection_window, most, config.stream_window, now);
        with.vitals.window.set(config.connection_window);
        Self {
            with,
            windows,
            state: State::Dialing,
            known: None,
            watch: Watch::new(now),
            tray,
            streams: Streams::default(),
            at_work: None,
            is_to_rest: false,
            started: 0,
            reason: None,
            failure: None,
        }
    }

    fn tell(&self, news: News) {
        let Some(pool) = self.with.owner.upgrade() else {
            return;
        };
        let vitals = &self.with.vitals;
        bump(&vitals.told, 1);
        let (id, over) = (self.with.id.clone(), vitals.over.take());
        pool.do_send(ConnectionEvent { id, over, news });
    }

    fn on_dialed(
        &mut self,
        dialed: Result<Opened, Error>,
        permit: Option<Permit>,
        ctx: &mut Context<Self>,
    ) {
        let ConnectionId { origin, serial } = &self.with.id;
        match dialed {
            Ok(Opened { session, peer }) => {
                log::connected(&self.with.log, origin, *serial, &peer);
                self.with.tally.handshake();
                self.show(&peer);
                let session::Opened {
                    session,
                    driver,
                    pinger,
                    known,
                } = session;
                let room = driver.room();
                self.with.vitals.protocol.set(Some(session.protocol()));
                self.known = Some(known);
                self.watch.open(pinger, now());
                self.state = State::Open(Rc::new(self.common(session, peer)));
                ctx.spawn(Driving::new(driver, permit));
                self.tell(News::Room(room));
            }
            Err(error) => {
                log::dial_failed(&self.with.log, origin, *serial, &error);
                self.failure = Some(error);
                self.end(Reason::DialFailed, ctx);
            }
        }
    }

    fn on_step(&mut self, step: Step, ctx: &mut Context<Self>) {
        match step {
            Step::Room(room) if matches!(self.state, State::Open(_)) => {
                self.tell(News::Room(room));
            }
            Step::Room(_) => {}
            Step::Draining => {
                let reason = self.on_server_end();
                self.drain(reason, ctx);
                self.arm(ctx);
            }
            Step::Ended => {
                // Its stream has yet to tell of the answer that the end came with.
                if self.known.as_ref().is_some_and(|k| k.sight.has_head()) {
                    self.with.vitals.answered.set(true);
                }
                let reason = self.on_server_end();
                self.end(reason, ctx);
            }
        }
    }

    /// The server lets no more streams be opened; says why.
    fn on_server_end(&mut self) -> Reason {
        let Some(goaway) = self.goaway() else {
            let known = self.known.as_ref();
            return known.map_or(Reason::Broken, |known| known.parting());
        };
        let progress = self
            .known
            .as_ref()
            .map_or(0, |known| known.sight.progress());
        if self.watch.drain(progress, now()) {
            let code = ErrorCode(goaway.code);
            self.with.tally.goaway(code);
            if code == ErrorCode::ENHANCE_YOUR_CALM {
                self.tell(News::Calm);
            }
        }
        Reason::GoAway
    }

    /// The server's goodbye, if it has said one.
    fn goaway(&self) -> Option<GoAway> {
        self.known.as_ref()?.goaway()
    }

    /// No new streams from here on. The session goes with the last open one.
    fn drain(&mut self, reason: Reason, ctx: &mut Context<Self>) {
        if matches!(self.state, State::Draining) {
            return;
        }
        log::draining(
            &self.with.log,
            &self.with.id.origin,
            self.with.id.serial,
            reason,
        );
        self.reason = self.reason.or(Some(reason));
        let was = std::mem::replace(&mut self.state, State::Draining);
        self.streams.dismiss();
        let goaway = self.goaway();
        self.tell(News::Draining { reason, goaway });
        if matches!(was, State::Dialing) {
            ctx.stop();
        } else if self.streams.is_empty() {
            self.bound_the_close(ctx);
        }
    }

    /// Ends at once, streams or no streams.
    fn end(&mut self, reason: Reason, ctx: &mut Context<Self>) {
        self.reason = self.reason.or(Some(reason));
        ctx.stop();
    }

    /// The driver says goodbye and waits for the server's; this bounds the wait.
    fn bound_the_close(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(self.with.config.close_timeout, |_, ctx| ctx.stop());
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // It ends by its own doing only, never for want of an address.
        Attending::always(ctx);
        let opening = open(
            Arc::clone(&self.with.dialer),
            Arc::clone(&self.with.config),
            self.with.id.origin.clone(),
            self.with.protocols,
            self.with.initial_streams,
            Rc::clone(&self.with.vitals),
        );
        // The permit travels with the socket, and outlives it wherever the dial is cut off.
        let permit = self.with.permit.take();
        let dialing = async move { (opening.await, permit) };
        ctx.spawn(
            dialing
                .into_actor(self)
                .map(|(dialed, permit), this, ctx| this.on_dialed(dialed, permit, ctx)),
        );
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let ConnectionId { origin, serial } = &self.with.id;
        log::disconnected(&self.with.log, origin, *serial, self.started);
        let fate = self.known.as_ref().and_then(|known| known.fate.get());
        let error = self.failure.take().or_else(|| fate.cloned());
        self.tell_handler(error.as_ref());
        self.tell(News::Closed {
            reason: self.reason(),
            error,
            goaway: self.goaway(),
        });
    }
}

impl Handler<Close> for Connection {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Self::Context) {
        // Fetches that it was given before are still sent.
        self.attend(None, ctx);
        self.drain(close.reason, ctx);
        if close.now {
            // Each resets its stream and tells; the session then says goodbye as ever.
            for stream in self.streams.addresses() {
                stream.do_send(close);
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
                Victim::Stream => self
                    .streams
                    .addresses()
                    .for_each(|s| s.do_send(drill.clone())),
                _ => drill.fault.strike(ctx),
            }
        }
    }
}
