//! A run of many fetches: from jobs through the engine to the writer.

use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use gannet::view::Counters;
use gannet::{Config, Engine, Origin, Request, Response};
use indicatif::{HumanBytes, HumanCount};

use crate::exit::Failure;
use crate::limit::Permit;
use crate::output::{Record, Writer};
use crate::row::{Job, Trouble};
use crate::tuning::Policy;

/// How long the engine may take to close its connections when all is done.
const GRACE: Duration = Duration::from_secs(2);

/// A job on its way through the engine.
pub(crate) struct Ticket {
    pub(crate) job: Job,
    /// Its place among the fetches of its origin, if these are limited.
    pub(crate) permit: Option<Permit<Origin>>,
}

/// Starts an engine that lets `in_flight` fetches in, whatever its own limits.
pub(crate) fn engine(
    mut config: Config,
    in_flight: usize,
    eviction: Policy,
) -> Result<Engine, Failure> {
    config.max_pending = config.max_pending.max(in_flight);
    config.max_pending_per_origin = config.max_pending_per_origin.max(in_flight);
    let builder = Engine::builder().config(config);
    eviction.of(builder).start().map_err(Failure::start)
}

/// Fetches all jobs and writes their outcomes in the order in which they end, after `look` had a
/// look at each and told what is wrong with it. Tells what the engine has counted.
pub(crate) async fn drive<S>(
    engine: &Engine,
    jobs: S,
    in_flight: usize,
    mut writer: Writer,
    mut look: impl FnMut(&Job, &Result<Response, gannet::Failure>) -> Option<Trouble>,
) -> Result<Counters, Failure>
where
    S: Stream<Item = (Ticket, Request)> + Send + 'static,
{
    let mut results = pin!(engine.fetch_all(jobs, in_flight));
    loop {
        // While nothing ends there may be a failed write to tell.
        let next = tokio::select! {
            next = results.next() => next,
            failure = writer.failed() => return Err(failure),
        };
        let Some((Ticket { job, permit }, result)) = next else {
            break;
        };
        drop(permit);
        let trouble = look(&job, &result);
        let record = Record {
            job,
            result,
            trouble,
        };
        writer.write(record).await?;
    }
    writer.finish().await?;
    // Before the end: what closes for that is no news.
    let counters = engine.snapshot().await.counters;
    engine.shutdown(GRACE).await;
    Ok(counters)
}

/// What a run has come to.
#[derive(Debug)]
pub(crate) struct Tally {
    started: Instant,
    pub(crate) fetches: u64,
    /// Fetches without a response.
    pub(crate) failed: u64,
    /// Responses of status 400 and more.
    pub(crate) refused: u64,
    pub(crate) body_bytes: u64,
}

impl Tally {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            fetches: 0,
            failed: 0,
            refused: 0,
            body_bytes: 0,
        }
    }

    /// Counts an outcome, and tells whether it is a success.
    pub(crate) fn count(&mut self, result: &Result<Response, gannet::Failure>) -> bool {
        self.fetches += 1;
        match result {
            Ok(response) => {
                let refused = response.status.as_u16() >= 400;
                self.refused += u64::from(refused);
                self.body_bytes += u64::try_from(response.body.len()).unwrap_or(u64::MAX);
                !refused
            }
            Err(_) => {
                self.failed += 1;
                false
            }
        }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Fetches a second.
    pub(crate) fn rate(&self) -> f64 {
        self.fetches as f64 / self.seconds().max(1e-6)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fetched", HumanCount(self.fetches))?;
        if self.failed > 0 {
            write!(f, ", {} failed", HumanCount(self.failed))?;
        }
        if self.refused > 0 {
            write!(f, ", {} answered 400 or more", HumanCount(self.refused))?;
        }
        write!(
            f,
            "; {} in {:.1} s ({:.0}/s)",
            HumanBytes(self.body_bytes),
            self.seconds(),
            self.rate(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_tells_failures_only_if_there_are_any() {
        let mut tally = Tally::start();
        assert!(tally.to_string().starts_with("0 fetched; 0 B in 0.0 s"));
        let error = Request::get("x").check().map(|_| ()).expect_err("no URL");
        assert!(!tally.count(&Err(error.into())));
        assert!(tally.to_string().starts_with("1 fetched, 1 failed; "));
    }
}
