//! What comes to a connection by the hundred: fetches, and the ends of streams.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use actix::{AsyncContext, Context};

use crate::clock::now;
use crate::connection::{Connection, State};
use crate::error::{Error, ErrorCode};
use crate::message::attempt::Attempt;
use crate::message::tray::Attend;
use crate::message::vitals::bump;
use crate::message::{Finish, News, StreamDone};
use crate::stream::{Work, finish_of};

impl Attend for Connection {
    fn attend(&mut self, waker: Option<&Waker>, ctx: &mut Context<Self>) {
        let mut done = self.streams.done(waker);
        let mut attempts = self.tray.take(waker);
        if done.is_empty() && attempts.is_empty() {
            return;
        }
        for done in done.drain(..) {
            self.on_done(done, ctx);
        }
        self.streams.keep(done);
        // What is sent in one turn is sent at one time, and leaves together: the driver is polled after
        // this.
        let mut turn = None;
        for attempt in attempts.drain(..) {
            self.begin(attempt, *turn.get_or_insert_with(now), ctx);
        }
        self.tray.keep(attempts);
        if self.streams.is_empty() {
            self.rest(ctx);
        }
    }
}

/// How long a connection without a fetch keeps what one at work has use for: there is often none for a
/// moment, where many answers come together or one fetch follows the other.
const REST_AFTER: Duration = Duration::from_millis(100);

impl Connection {
    fn begin(&mut self, attempt: Attempt, now: Instant, ctx: &mut Context<Self>) {
        let State::Open(common) = &self.state else {
            self.free();
            // A server that speaks before it is asked, and not HTTP, would do so again.
            let fate = self.known.as_ref().and_then(|known| known.fate.get());
            if let Some(fault @ Error::Protocol { .. }) = fate.filter(|_| self.started == 0) {
                return attempt.finish(Err(fault.clone()));
            }
            // The Pool had not heard yet. Nothing was sent, so the Agent sends it again.
            let closing = io::Error::new(io::ErrorKind::NotConnected, "the connection is closing");
            return attempt.finish(Err(Error::Disconnected {
                source: Arc::new(closing),
                sent: false,
            }));
        };
        self.started += 1;
        match Work::send(attempt, common, self.started > 1, now) {
            Ok(work) => self.streams.begin(self.started, work),
            Err((attempt, error)) => {
                let done = StreamDone {
                    number: self.started,
                    finish: finish_of(Some(&error)),
                    goes_on: false,
                };
                self.on_done(done, ctx);
                return attempt.finish(Err(error));
            }
        }
        if self.streams.len() == 1 {
            let spares = self.with.bytes.spares();
            self.at_work.get_or_insert_with(|| spares.at_work());
            if self.watch.first_stream(now) {
                self.arm(ctx);
            }
        }
    }

    fn on_done(&mut self, done: StreamDone, ctx: &mut Context<Self>) {
        self.streams.end(done.number, done.goes_on);
        match done.finish {
            Finish::Plain => {}
            Finish::Answered => self.on_answer(),
            Finish::TimedOut => self.on_stream_timeout(ctx),
            Finish::Reset(code) => {
                self.with.tally.reset(code);
                match code {
                    ErrorCode::ENHANCE_YOUR_CALM => self.tell(News::Calm),
                    ErrorCode::HTTP_1_1_REQUIRED => self.tell(News::Http1Required),
                    _ => {}
                }
            }
        }
        // Before the slot is told to be free, so that nobody is sent to what is no longer there.
        let is_spent = matches!(&self.state, State::Open(common) if !common.session.can_go_on());
        if is_spent {
            let reason = self.on_server_end();
            self.drain(reason, ctx);
        }
        self.free();
        if self.streams.is_empty() && !is_spent && matches!(self.state, State::Draining) {
            self.bound_the_close(ctx);
        }
    }

    /// No fetch is under way. If none comes soon, the connection holds no more than it has to.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        if self.is_to_rest {
            return;
        }
        if !self.streams.some_rest() && self.with.bytes.spares().is_empty() {
            return self.let_go();
        }
        self.is_to_rest = true;
        ctx.run_later(REST_AFTER, |this, _| {
            this.is_to_rest = false;
            if this.streams.is_empty() {
                this.let_go();
            }
        });
    }

    fn let_go(&mut self) {
        self.at_work = None;
        self.tray.shrink();
        self.streams.rest();
    }

    /// Tells that a slot is free: once for all that come free until it is heard, and not before what was
    /// told earlier.
    fn free(&self) {
        let vitals = &self.with.vitals;
        bump(&vitals.over, 1);
        if vitals.over.get() == 1 && vitals.told.get() == 0 {
            self.with.freed.put(self.with.id.serial);
        }
    }
}
