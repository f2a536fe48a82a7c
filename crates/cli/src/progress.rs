//! The progress bar: on standard error, and only where somebody can see it.

use std::cell::Cell;
use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

const TICK: Duration = Duration::from_millis(200);
/// Who waits for less needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Progress {
    bar: ProgressBar,
    failed: u64,
}

impl Progress {
    /// A bar, if `wanted` and standard error is a terminal. Without a total it only counts.
    pub(crate) fn new(wanted: bool, total: Option<u64>) -> Self {
        let bar = if wanted && io::stderr().is_terminal() {
            let bar = match total {
                Some(total) => ProgressBar::new(total),
                None => ProgressBar::no_length(),
            };
            if let Ok(style) = ProgressStyle::with_template(&template(total.is_some())) {
                bar.set_style(style.with_key("rate", rate));
            }
            bar.enable_steady_tick(TICK);
            bar
        } else {
            ProgressBar::hidden()
        };
        Self { bar, failed: 0 }
    }

    pub(crate) fn count(&mut self, success: bool) {
        if !success {
            self.failed += 1;
            self.bar.set_message(format!(", {} failed", self.failed));
        }
        self.bar.inc(1);
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Something to take the bar away with, on another task.
    pub(crate) fn handle(&self) -> ProgressBar {
        self.bar.clone()
    }
}

/// The progress of one body, either way: a bar once it has taken a second.
pub(crate) struct Transferred {
    bar: ProgressBar,
    started: Instant,
    is_wanted: bool,
    shows: Cell<bool>,
}

impl Transferred {
    pub(crate) fn new(is_wanted: bool, total: Option<u64>) -> Self {
        let is_wanted = is_wanted && io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(bytes_template(total.is_some())) {
            bar.set_style(style);
        }
        Self {
            bar,
            started: Instant::now(),
            is_wanted,
            shows: Cell::new(false),
        }
    }

    pub(crate) fn moved(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
        if self.is_wanted && !self.shows.get() && self.started.elapsed() > PATIENCE {
            self.shows.set(true);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// How far a run is, by number or by time, and a line on how it goes.
pub(crate) struct Gauge {
    bar: ProgressBar,
    started: Instant,
    time: Option<Duration>,
    shown: Cell<Option<Instant>>,
}

impl Gauge {
    pub(crate) fn new(is_wanted: bool, total: Option<u64>, time: Option<Duration>) -> Self {
        let bar = match is_wanted && io::stderr().is_terminal() {
            true => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
            false => ProgressBar::hidden(),
        };
        let by_time = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        if let Some(length) = by_time.or(total) {
            bar.set_length(length);
        }
        if let Ok(style) = ProgressStyle::with_template(gauge_template(time.is_some())) {
            bar.set_style(style);
        }
        Self {
            bar,
            started: Instant::now(),
            time,
            shown: Cell::new(None),
        }
    }

    /// Shows the line, if the last one has been there long enough to be read.
    pub(crate) fn show(&self, done: u64, line: impl FnOnce() -> String) {
        let now = Instant::now();
        let is_fresh = |shown: Instant| now.duration_since(shown) < TICK;
        if self.bar.is_hidden() || self.shown.get().is_some_and(is_fresh) {
            return;
        }
        self.shown.set(Some(now));
        self.bar.set_position(match self.time {
            Some(_) => u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            None => done,
        });
        self.bar.set_message(line());
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn gauge_template(by_time: bool) -> &'static str {
    match by_time {
        true => "{bar:20} {elapsed} of it ({eta} left) {msg}",
        false => "{bar:20} {human_pos}/{human_len} ({eta} left) {msg}",
    }
}

fn bytes_template(total: bool) -> &'static str {
    match total {
        true => "{bar:30} {bytes}/{total_bytes} ({bytes_per_sec}, {eta} left)",
        false => "{spinner} {bytes} ({bytes_per_sec}, {elapsed})",
    }
}

fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // What a bar cannot show is no reason to fail.
    let _ = write!(text, "{:.0}", state.per_sec());
}

fn template(total: bool) -> String {
    // https://no-color.org: any value but an empty one.
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = if plain { "" } else { ".cyan" };
    if total {
        format!("{{bar:30{color}}} {{human_pos}}/{{human_len}} ({{rate}}/s, {{eta}} left){{msg}}")
    } else {
        format!("{{spinner{color}}} {{human_pos}} done ({{rate}}/s, {{elapsed}}){{msg}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for total in [true, false] {
            assert!(ProgressStyle::with_template(&template(total)).is_ok());
            assert!(ProgressStyle::with_template(bytes_template(total)).is_ok());
            assert!(ProgressStyle::with_template(gauge_template(total)).is_ok());
        }
    }
}
