//! The flags of `gannet fetch` that tune its pool of connections.

use std::time::Duration;

use clap::{Args, ValueEnum};
use gannet::Config;
use gannet::engine::Builder;
use gannet::policy::eviction::{GreedyDual, Lfu, Lru, Sieve};

use crate::parse;

/// What the pool may do, as far as flags say.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Pool of connections")]
pub(crate) struct Tuning {
    /// Most connections open at once, over all origins [default: 256]
    #[arg(long, value_name = "N", value_parser = parse::count)]
    max_connections: Option<usize>,
    /// Most connections of one origin; a further one opens when the others are full [default: 1]
    #[arg(long, value_name = "N", value_parser = parse::count)]
    connections_per_origin: Option<usize>,
    /// Which idle connection is closed when another origin needs its place [default: lru]
    #[arg(long, value_name = "POLICY")]
    pub(crate) eviction: Option<Policy>,
    /// Close a connection that nobody has used for so long [default: 90]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    idle_timeout: Option<Duration>,
    /// Replace a connection of this age, less up to a tenth by chance [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    max_age: Option<Duration>,
    /// Replace a connection after so many requests [default: no limit]
    #[arg(long, value_name = "N", value_parser = parse::count)]
    max_requests: Option<usize>,
    /// Suspect a connection that owes an answer after so long without a frame: it is sent a PING,
    /// and gets no new fetch until it answers [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    silence_timeout: Option<Duration>,
    /// Close a suspect connection that stays silent for so long [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    ping_timeout: Option<Duration>,
    /// Close a connection that nothing can be written to for so long [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    write_timeout: Option<Duration>,
    /// Have the system probe a connection after so long without traffic [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    keepalive_time: Option<Duration>,
    /// Leave an origin alone for a while after so many failed dials in a row; 0 never does
    /// [default: 5]
    #[arg(long, value_name = "N")]
    breaker_failures: Option<u32>,
    /// Most retries per 100 fetches of the last 10 to 20 s, beyond 100 that are free [default: 10]
    #[arg(long, value_name = "PERCENT", help_heading = "Retries")]
    retry_budget: Option<u32>,
}

/// Which idle connection is to go; told at the end of `--help`, which would be twice as long with a
/// line for each here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Policy {
    #[default]
    Lru,
    Lfu,
    Sieve,
    GreedyDual,
}

impl Policy {
    pub(crate) fn of(self, builder: Builder) -> Builder {
        match self {
            Self::Lru => builder.eviction(Lru::default()),
            Self::Lfu => builder.eviction(Lfu::default()),
            Self::Sieve => builder.eviction(Sieve::default()),
            Self::GreedyDual => builder.eviction(GreedyDual::default()),
        }
    }
}

impl Tuning {
    /// Sets what flags were given for.
    pub(crate) fn apply(&self, config: &mut Config) {
        set(&mut config.max_connections, self.max_connections);
        set(&mut config.conn_limit, self.connections_per_origin);
        set(&mut config.idle_timeout, self.idle_timeout.map(Some));
        set(&mut config.max_age, self.max_age.map(Some));
        let most = self.max_requests.map(|most| Some(most as u64));
        set(&mut config.max_requests, most);
        set(&mut config.silence_timeout, self.silence_timeout);
        set(&mut config.ping_timeout, self.ping_timeout);
        set(&mut config.write_timeout, self.write_timeout);
        set(&mut config.tcp_keepalive, self.keepalive_time.map(Some));
        set(&mut config.breaker_failures, self.breaker_failures);
        set(&mut config.retry_budget, self.retry_budget);
    }
}

fn set<T>(setting: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *setting = flag;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        tuning: Tuning,
    }

    fn tuning(line: &str) -> Result<Tuning, clap::Error> {
        Ok(Line::try_parse_from(line.split_whitespace())?.tuning)
    }

    #[test]
    fn every_flag_sets_its_limit() {
        let line = "fetch --max-connections 9 --connections-per-origin 2 --idle-timeout 1.5 \
                    --max-age 60 --max-requests 7 --silence-timeout 3 --ping-timeout 2 \
                    --write-timeout 4 --keepalive-time 30 --breaker-failures 0 --retry-budget 50 \
                    --eviction greedy-dual";
        let tuning = tuning(line).expect("known flags");
        let mut config = Config::default();
        tuning.apply(&mut config);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((config.max_connections, config.conn_limit), (9, 2));
        assert_eq!(config.idle_timeout, Some(Duration::from_millis(1_500)));
        assert_eq!(
            (config.max_age, config.max_requests),
            (seconds(60), Some(7))
        );
        assert_eq!(Some(config.silence_timeout), seconds(3));
        assert_eq!(Some(config.ping_timeout), seconds(2));
        assert_eq!(Some(config.write_timeout), seconds(4));
        assert_eq!(config.tcp_keepalive, seconds(30));
        assert_eq!((config.breaker_failures, config.retry_budget), (0, 50));
        assert_eq!(tuning.eviction, Some(Policy::GreedyDual));
    }

    /// The defaults that `--help` tells are the engine's.
    #[test]
    fn the_defaults_told_are_those_of_the_engine() {
        let line = "fetch --max-connections 256 --connections-per-origin 1 --idle-timeout 90 \
                    --max-age 3600 --silence-timeout 10 --ping-timeout 5 --write-timeout 10 \
                    --keepalive-time 60 --breaker-failures 5 --retry-budget 10";
        let mut config = Config::default();
        tuning(line).expect("known flags").apply(&mut config);
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "fetch --eviction fifo",
            "fetch --idle-timeout 0",
            "fetch --connections-per-origin 0",
            "fetch --retry-budget -1",
        ] {
            assert!(tuning(line).is_err(), "{line}");
        }
    }
}
