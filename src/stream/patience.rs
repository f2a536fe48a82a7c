//! How long each thing is waited for.

use std::cell::Cell;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::error::{Error, Phase};
use crate::policy::deadline::Watch;
use crate::policy::rate::Rate;
use crate::session::{Exchange, Uploaded, Waits};
use crate::stream::limits::Limits;
use crate::stream::shift::Alarm;

/// How long each thing is waited for, and what is waited for just now.
pub(super) struct Patience {
    pub(super) watch: Watch,
    pub(super) limits: Limits,
    /// Armed at the first wait, unless it was by an earlier fetch.
    pub(super) alarm: Alarm,
    /// How far the request's body had come when it was looked at last.
    uploaded: Uploaded,
    rate: Option<Rate>,
    has_head: bool,
    /// When this turn began, once that was asked. All that happens in one turn happens at one time: to
    /// read the clock costs more than most of what is timed.
    turn: Cell<Option<Instant>>,
}

impl Patience {
    /// The head is waited for, since the request was sent.
    pub(super) fn new(mut watch: Watch, limits: Limits, alarm: Alarm, sent: Instant) -> Self {
        watch.enter(Phase::Head, sent, limits.head_timeout);
        Self {
            watch,
            limits,
            alarm,
            uploaded: Uploaded {
                bytes: 0,
                waits: Waits::Done,
            },
            rate: None,
            has_head: false,
            turn: Cell::new(Some(sent)),
        }
    }

    /// Something may happen: from here on it is later.
    pub(super) fn begin_turn(&self) {
        self.turn.set(None);
    }

    fn now(&self) -> Instant {
        let turn = self.turn.get().unwrap_or_else(now);
        self.turn.set(Some(turn));
        turn
    }

    pub(super) fn since_accepted(&self) -> Duration {
        self.now().saturating_duration_since(self.watch.accepted())
    }

    /// The head has come.
    pub(super) fn on_head(&mut self) {
        let now = self.now();
        self.has_head = true;
        self.watch.enter(Phase::Body, now, self.limits.body_timeout);
        self.rate = self.limits.min_rate.map(|least| Rate::new(least, now));
    }

    /// A piece of so many bytes has come.
    pub(super) fn on_piece(&mut self, bytes: usize) {
        if let Some(rate) = &mut self.rate {
            rate.got(bytes);
        }
        if bytes > 0 {
            let now = self.now();
            self.watch.enter(Phase::Body, now, self.limits.body_timeout);
        }
    }

    /// While there is something to take it is the consumer that is waited for, not the server, which
    /// may have no leave to send more. The server's time begins when the last piece is `emptied`, which
    /// may be noticed later.
    pub(super) fn heed_consumer(
        &mut self,
        is_awaited: bool,
        has_taken: bool,
        emptied: Option<Instant>,
    ) {
        let was_awaited = self.watch.phase() == Phase::Consumer;
        if is_awaited && (has_taken || !was_awaited) {
            let now = self.now();
            self.watch
                .enter(Phase::Consumer, now, self.limits.unread_timeout);
            self.rate.iter_mut().for_each(|rate| rate.pause(now));
        } else if was_awaited && !is_awaited {
            let since = emptied.unwrap_or_else(|| self.now());
            self.watch
                .enter(Phase::Body, since, self.limits.body_timeout);
            self.rate.iter_mut().for_each(|rate| rate.resume(since));
        }
    }

    /// Before the head it is what the upload waits for that is waited for. Tells whether the upload
    /// has just ended.
    pub(super) fn heed_upload(&mut self, uploaded: Uploaded) -> bool {
        if uploaded == self.uploaded {
            return false;
        }
        self.uploaded = uploaded;
        let is_over = uploaded.waits == Waits::Done;
        if self.has_head {
            return is_over;
        }
        let (phase, limit) = match uploaded.waits {
            Waits::Done => (Phase::Head, self.limits.head_timeout),
            Waits::Server => (Phase::Upload, self.limits.upload_timeout),
            // How slow its source may be is for the caller, and the deadline, to say.
            Waits::Source => (Phase::Upload, Duration::MAX),
            Waits::Word => (Phase::Head, self.limits.patience),
        };
        let now = self.now();
        self.watch.enter(phase, now, limit);
        is_over
    }

    /// Ready when something has taken too long.
    pub(super) fn poll_end(
        &mut self,
        exchange: &mut Exchange,
        cx: &mut Context<'_>,
    ) -> Poll<Error> {
        loop {
            let rate_due = self.rate.and_then(Rate::due);
            let due = self.watch.due().into_iter().chain(rate_due).min();
            if self.alarm.is_none() {
                let first = self.next_look(due);
                self.alarm = first.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
            }
            let Some(alarm) = &mut self.alarm else {
                return Poll::Pending;
            };
            // Progress moves `due` later; the alarm is moved only when it rings, not for each piece.
            if let Some(due) = due.map(Into::into)
                && due < alarm.deadline()
            {
                alarm.as_mut().reset(due);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if let Err(error) = self.check(exchange, cx) {
                return Poll::Ready(error);
            }
            match (self.next_look(due), &mut self.alarm) {
                (Some(at), Some(alarm)) => alarm.as_mut().reset(at.into()),
                _ => self.alarm = None,
            }
        }
    }

    /// When to look again at the latest. That a consumer has taken all is not told at once, and from
    /// then on it is the server that is waited for.
    fn next_look(&self, due: Option<Instant>) -> Option<Instant> {
        if self.watch.phase() != Phase::Consumer {
            return due;
        }
        let rate = self.limits.min_rate.map(|least| least.over);
        let servers = rate
            .into_iter()
            .fold(self.limits.body_timeout, Duration::min);
        let look = self.now().checked_add(servers);
        due.into_iter().chain(look).min()
    }

    /// The alarm has rung.
    fn check(&mut self, exchange: &mut Exchange, cx: &mut Context<'_>) -> Result<(), Error> {
        let now = self.now();
        match self.watch.overdue(now) {
            Some(Error::Timeout { .. }) if self.uploaded.waits == Waits::Word => {
                // Many servers do not know what they are asked (RFC 9110 §10.1.1).
                exchange.go_ahead();
                self.watch.enter(Phase::Upload, now, Duration::MAX);
                cx.waker().wake_by_ref();
            }
            Some(error) => return Err(error),
            None => {}
        }
        self.rate.as_mut().map_or(Ok(()), |rate| rate.check(now))
    }
}
