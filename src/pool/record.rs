//! What is remembered of an origin beyond its connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::Error;
use crate::origin::{Origin, Protocols};
use crate::policy::breaker::{self, Breaker};
use crate::policy::dialect::Dialect;
use crate::policy::habit::Habit;
use crate::policy::pace::Pace;
use crate::policy::restart::Restarts;
use crate::response::Protocol;

/// Complaints that come together are one.
const ONE_COMPLAINT: Duration = Duration::from_secs(1);

/// One origin.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) breaker: Breaker,
    /// Why the latest dial failed.
    pub(crate) failure: Option<Arc<Error>>,
    /// After how many requests its server ends a connection.
    pub(crate) habit: Habit,
    /// The protocol that it spoke last, however long ago.
    pub(crate) protocol: Option<Protocol>,
    /// The protocol that it is expected to speak.
    pub(crate) dialect: Dialect,
    /// What a round trip to it took last.
    pub(crate) round_trip: Option<Duration>,
    /// Streams that its server allowed last.
    pub(crate) streams: Option<usize>,
    /// How many streams it gets after it asked for calm.
    pub(crate) pace: Pace,
    complained: Option<Instant>,
    restarts: Restarts,
    /// No connection is started before, for the last ones crashed.
    pub(crate) rests_until: Option<Instant>,
}

impl Record {
    /// The server wants fewer requests, while `open` of them were under way.
    pub(crate) fn slow(&mut self, open: usize, now: Instant) {
        let is_new = self.complained.is_none_or(|at| now >= at + ONE_COMPLAINT);
        if is_new {
            self.complained = Some(now);
            self.pace.slow(open, now);
        }
    }

    /// A connection's actor has ended unexpectedly.
    pub(crate) fn crashed(&mut self, now: Instant) {
        self.rests_until = Some(self.restarts.ended(now));
    }

    /// How many streams may be opened before the server has said how many.
    pub(crate) fn initial_streams(&self, config: &Config) -> usize {
        self.streams.unwrap_or(config.initial_streams).max(1)
    }

    /// Whether its server wants HTTP/1.1, and may have it.
    pub(crate) fn goes_http1(&self, origin: &Origin, config: &Config, now: Instant) -> bool {
        self.dialect.needs_http1(now) && config.accepts_http1(origin)
    }

    /// What to offer to its server.
    pub(crate) fn protocols(&self, origin: &Origin, config: &Config, now: Instant) -> Protocols {
        match self.goes_http1(origin, config, now) {
            true => Protocols::HTTP11,
            false => config.protocols_of(origin),
        }
    }

    /// Most streams on one connection, as far as this side is concerned.
    pub(crate) fn ceiling(&self, config: &Config, now: Instant) -> usize {
        let pace = self.pace.ceiling(now).unwrap_or(usize::MAX);
        config.max_streams_per_connection.min(pace)
    }
}

/// When dials are given up for a while.
pub(crate) fn breaker_limits(config: &Config) -> breaker::Limits {
    breaker::Limits {
        failures: config.breaker_failures,
        pause: config.breaker_pause,
        longest: config.breaker_pause.saturating_mul(60),
    }
}
