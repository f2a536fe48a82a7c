//! Watching over a connection: whether it lives, and whether its end makes progress.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};

use crate::clock::now;
use crate::connection::{Connection, State};
use crate::error::{Ailment, Error, ErrorCode};
use crate::log;
use crate::message::News;
use crate::policy::flood::{self, Flood, Traffic};
use crate::policy::health::{Facts, Health, Limits, Verdict};
use crate::session::Pinger;
use crate::view::Reason;

/// What is kept for it.
pub(super) struct Watch {
    health: Health,
    /// Bytes received so far. Any byte is a sign of life: a frame may take its time.
    received: u64,
    /// When the first of the present streams began: before it, silence was no fault.
    since: Instant,
    flood: Flood,
    /// The end that the server has begun, if it has.
    drain: Option<Progress>,
    /// When to look next.
    alarm: Option<(Instant, SpawnHandle)>,
    /// Away while a PING is.
    pinger: Option<Pinger>,
    /// Whether silence can be asked about: HTTP/1.1 has no PING, and its one exchange has limits of
    /// its own.
    has_pings: bool,
}

/// How far a drain has come.
struct Progress {
    frames: u64,
    at: Instant,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            health: Health::default(),
            received: 0,
            since: now,
            flood: Flood::new(now),
            drain: None,
            alarm: None,
            pinger: None,
            has_pings: false,
        }
    }

    pub(super) fn open(&mut self, pinger: Option<Pinger>, now: Instant) {
        self.has_pings = pinger.is_some();
        self.pinger = pinger;
        self.since = now;
    }

    /// Whether from now on silence means something.
    pub(super) fn first_stream(&mut self, now: Instant) -> bool {
        // A suspicion is cleared by the server only, not by a beginning of ours.
        if !self.health.is_suspect() {
            self.since = now;
        }
        self.has_pings
    }

    /// The server accepts no more streams; what it has accepted is to make progress. `false`: this
    /// was known.
    pub(super) fn drain(&mut self, frames: u64, now: Instant) -> bool {
        let is_new = self.drain.is_none();
        self.drain.get_or_insert(Progress { frames, at: now });
        is_new
    }
}

impl Connection {
    /// After each turn of the driver: has anything come, is anything stuck?
    pub(super) fn on_turn(&mut self, ctx: &mut Context<Self>) {
        let Some(known) = &self.known else { return };
        let received = self.with.vitals.received.get();
        if received != self.watch.received {
            self.watch.received = received;
            let (now, progress) = (now(), known.sight.progress());
            let vitals = &self.with.vitals;
            vitals.heard.set(Some(now));
            vitals.empty_data.set(known.sight.empty_data());
            vitals.head_bytes.set(known.sight.head_bytes());
            if let Some(drain) = &mut self.watch.drain
                && drain.frames != progress
            {
                (drain.frames, drain.at) = (progress, now);
            }
            let traffic = Traffic {
                idle: known.sight.idle(),
                steps: known.sight.content() + vitals.uploaded.get() + self.started,
            };
            let limit = self.with.config.max_idle_frames;
            if self.watch.flood.weigh(traffic, limit, now) == flood::Verdict::Flooded {
                let id = &self.with.id;
                log::flooded(&self.with.log, &id.origin, id.serial);
                return self.kill(Reason::Fault, flooded(), ctx);
            }
            if self.watch.health.is_suspect() {
                self.tend(ctx);
            }
        }
        if self.with.vitals.blocked.get().is_some() {
            self.arm(ctx);
        }
    }

    /// A stream got an answer. Over HTTP/1.1 it has moved the session on itself, and no turn of the driver
    /// has told of life.
    pub(super) fn on_answer(&mut self) {
        self.with.vitals.answered.set(true);
        if !self.watch.has_pings {
            self.with.vitals.heard.set(Some(now()));
        }
    }

    /// A stream got no answer in time: perhaps no other will.
    pub(super) fn on_stream_timeout(&mut self, ctx: &mut Context<Self>) {
        if !self.watch.has_pings {
            return;
        }
        let verdict = self.watch.health.timed_out(now());
        self.execute(verdict, ctx);
        self.arm(ctx);
    }

    /// Sees to it that the connection is looked at when there may be something to see.
    pub(super) fn arm(&mut self, ctx: &mut Context<Self>) {
        let (facts, limits) = (self.facts(), self.limits());
        let health = self.watch.health.due(facts, limits);
        let Some(due) = health.into_iter().chain(self.drain_due()).min() else {
            return;
        };
        match self.watch.alarm {
            Some((armed, _)) if armed <= due => return,
            Some((_, handle)) => {
                ctx.cancel_future(handle);
            }
            None => {}
        }
        // Progress moves `due` on; the alarm follows only when it rings.
        let wait = due.saturating_duration_since(facts.now);
        let handle = ctx.run_later(wait, |this, ctx| {
            this.watch.alarm = None;
            this.tend(ctx);
        });
        self.watch.alarm = Some((due, handle));
    }

    fn tend(&mut self, ctx: &mut Context<Self>) {
        let verdict = self.watch.health.check(self.facts(), self.limits());
        self.execute(verdict, ctx);
        if self.drain_due().is_some_and(|due| now() >= due) {
            let goaway = self.goaway();
            let code = goaway.map_or(ErrorCode::NO_ERROR, |goaway| ErrorCode(goaway.code));
            let error = Error::GoAway {
                code,
                unprocessed: false,
                by_server: true,
            };
            self.kill(Reason::DrainStalled, error, ctx);
        }
        self.arm(ctx);
    }

    fn execute(&mut self, verdict: Verdict, ctx: &mut Context<Self>) {
        match verdict {
            Verdict::Same => {}
            Verdict::Suspect => {
                self.ping(ctx);
                self.tell(News::Suspect);
            }
            Verdict::Recovered => self.tell(News::Recovered),
            Verdict::Dead(ailment) => {
                let limits = self.limits();
                let (reason, after) = match ailment {
                    Ailment::NoAnswer => (Reason::NoAnswer, limits.answer),
                    Ailment::WriteStalled => (Reason::WriteStalled, limits.write),
                };
                self.kill(reason, Error::Unresponsive { ailment, after }, ctx);
            }
        }
    }

    /// The streams are told why before the session goes, and with it their own view of things.
    fn kill(&mut self, reason: Reason, error: Error, ctx: &mut Context<Self>) {
        if let Some(known) = &self.known {
            known.doom(error);
        }
        // What killed it counts, not what it was about to close for.
        self.reason = None;
        self.end(reason, ctx);
    }

    fn ping(&mut self, ctx: &mut Context<Self>) {
        let Some(mut pinger) = self.watch.pinger.take() else {
            return;
        };
        let sent = now();
        let pinging = async move { (pinger.ping().await, pinger) };
        ctx.spawn(
            pinging
                .into_actor(self)
                .map(move |(ponged, pinger), this, _| {
                    this.watch.pinger = Some(pinger);
                    if ponged {
                        let took = now().saturating_duration_since(sent);
                        this.with.vitals.ping.set(Some(took));
                    }
                }),
        );
    }

    fn facts(&self) -> Facts {
        let vitals = &self.with.vitals;
        // What could be written after a wait has been acknowledged: that is word of the peer, too.
        let word = vitals.heard.get().max(vitals.moved.get());
        Facts {
            now: now(),
            heard: word.map_or(self.watch.since, |word| word.max(self.watch.since)),
            streams: self.streams.len(),
            blocked: vitals.blocked.get(),
        }
    }

    fn limits(&self) -> Limits {
        let config = &self.with.config;
        Limits {
            silence: match self.watch.has_pings {
                true => config.silence_timeout,
                false => Duration::MAX,
            },
            answer: config.ping_timeout,
            write: config.write_timeout,
        }
    }

    /// When the streams that a draining server still owes have waited too long for progress.
    fn drain_due(&self) -> Option<Instant> {
        let drain = self.watch.drain.as_ref()?;
        let limit: Duration = self.with.config.drain_timeout;
        let is_waiting = matches!(self.state, State::Draining) && !self.streams.is_empty();
        drain.at.checked_add(limit).filter(|_| is_waiting)
    }
}

/// What RFC 9113 §7 calls a peer that makes needless work. Its fetches may be innocent: each that is
/// idempotent goes again, once, on a connection to itself.
fn flooded() -> Error {
    Error::GoAway {
        code: ErrorCode::ENHANCE_YOUR_CALM,
        unprocessed: false,
        by_server: false,
    }
}
