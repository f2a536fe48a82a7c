//! Looking through the queues for who has waited too long, or has left.

use std::time::{Duration, Instant};

use actix::{AsyncContext, Context};

use crate::clock::now;
use crate::pool::Pool;
use crate::pool::site::Site;

/// How often the queues are searched at most, and at least while anything waits.
const SWEEP_AT_MOST: Duration = Duration::from_millis(20);
const SWEEP_AT_LEAST: Duration = Duration::from_secs(1);

impl Pool {
    /// Sweeps before its time, because a queue is full; not if that was only just done.
    pub(super) fn sweep_again(&mut self, ctx: &mut Context<Self>) -> bool {
        let is_due = self.swept.is_none_or(|at| now() >= at + SWEEP_AT_MOST);
        if is_due {
            self.sweep(ctx);
        }
        is_due
    }

    /// Answers who has waited too long, forgets who has left, and looks again when that is due.
    pub(super) fn sweep(&mut self, ctx: &mut Context<Self>) {
        if let Some((_, handle)) = self.sweep.take() {
            ctx.cancel_future(handle);
        }
        self.hear(None, ctx);
        let now = now();
        self.swept = Some(now);
        let mut next = None;
        let mut shorter = Vec::new();
        self.sweep_pushes();
        for (origin, site) in &mut self.sites {
            let lost = site
                .waiting
                .cull(|a| a.is_cancelled() || a.watch().overdue(now).is_some());
            self.pending -= lost.len();
            if !lost.is_empty() {
                shorter.push(origin.clone());
            }
            for attempt in lost {
                if let Some(error) = Site::overdue(site.is_dialing(), &attempt, now) {
                    attempt.finish(Err(error));
                }
            }
            let due = site.waiting.iter().filter_map(|a| a.watch().due()).min();
            next = next.into_iter().chain(due).min();
        }
        // Whom one that is gone now kept waiting may go.
        for origin in shorter {
            self.serve(&origin, ctx);
        }
        let due = self.pushes.waiting().filter_map(|a| a.watch().due()).min();
        next = next.into_iter().chain(due).min();
        if self.pending > 0 || self.pushes.waiting().next().is_some() {
            self.arm_sweep(next, ctx);
        }
    }

    /// Sees to a sweep at `due`, roughly.
    pub(super) fn arm_sweep(&mut self, due: Option<Instant>, ctx: &mut Context<Self>) {
        let now = now();
        let latest = now + SWEEP_AT_LEAST;
        let at = due.map_or(latest, |due| due.clamp(now + SWEEP_AT_MOST, latest));
        if self.sweep.is_some_and(|(armed, _)| armed <= at) {
            return;
        }
        if let Some((_, handle)) = self.sweep.take() {
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(at - now, Self::sweep);
        self.sweep = Some((at, handle));
    }
}
