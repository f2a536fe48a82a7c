//! One way to drive them all.

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use hdrhistogram::Histogram;
use serde_json::json;

use crate::trace::{Zipf, lru_reuse};
use crate::usage::{cpu, memory};
use crate::{Args, Failure, Shape};

/// Origins that have a connection when the idle ones begin to be counted.
const FEW: usize = 16;
/// How long a client that has nothing to do is watched.
const REST: Duration = Duration::from_secs(3);

/// One of those compared.
pub trait Client {
    /// Fetches from the origin of this number, the whole body included.
    fn fetch(&self, origin: usize) -> impl Future<Output = Result<Fetched, Failure>>;

    /// Connections opened so far, if it knows.
    fn handshakes(&self) -> impl Future<Output = Option<u64>> {
        async { None }
    }
}

/// What was read of a response.
#[derive(Clone, Copy, Debug)]
pub struct Fetched {
    /// Its status.
    pub status: u16,
    /// What its head says of its body.
    pub told: Option<usize>,
    /// What the body was.
    pub body: usize,
}

impl Fetched {
    /// What the head says of the body.
    #[must_use]
    pub fn told(headers: &http::HeaderMap) -> Option<usize> {
        let length = headers.get(http::header::CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    }

    fn is_whole(self, body: usize) -> bool {
        self.status == 200 && self.told == Some(body) && self.body == body
    }
}

struct Meter {
    body: usize,
    fetches: u64,
    bytes: u64,
    latencies: Histogram<u64>,
}

/// Has `client` fetch what it is told to, checks all, and prints what it took.
///
/// # Errors
///
/// Of the first fetch that fails, or brings something else than it should.
pub async fn drive(args: &Args, client: &impl Client) -> Result<(), Failure> {
    let meter = RefCell::new(Meter {
        body: args.body,
        fetches: 0,
        bytes: 0,
        latencies: Histogram::new_with_bounds(1, 600_000_000, 3)?,
    });
    let one = async |origin| {
        let begun = Instant::now();
        let fetched = client.fetch(origin).await?;
        meter.borrow_mut().count(fetched, begun)
    };
    // Who is there is found out by one fetch alone; some would open a connection for each of the first.
    let is_alone = !matches!(args.shape, Shape::Visits | Shape::Zipf);
    if is_alone && args.count > 0 {
        one(0).await?;
    }
    let (begun, mut more) = (Instant::now(), json!({}));
    match args.shape {
        Shape::Steady => all(stream::iter(1..args.count).map(|_| one(0)), args).await?,
        Shape::Visits => {
            let each = args.count / args.hosts;
            let visit = async |origin| {
                for _ in 0..each {
                    one(origin).await?;
                }
                Ok(())
            };
            all(stream::iter(0..args.hosts).map(visit), args).await?;
        }
        Shape::Idle => {
            all(stream::iter(1..FEW).map(one), args).await?;
            let few = settled().await;
            all(stream::iter(FEW..args.hosts).map(one), args).await?;
            let bytes = (settled().await - few) * 1_024 / (args.hosts - FEW) as i64;
            more = json!({ "idle_bytes": bytes });
        }
        Shape::Zipf => {
            let accesses = || Zipf::new(args.hosts).take(args.count);
            all(stream::iter(accesses()).map(one), args).await?;
            more = json!({ "lru_reuse": lru_reuse(accesses(), args.cap) });
        }
        Shape::Rest => {
            let before = cpu()?;
            tokio::time::sleep(REST).await;
            more = json!({ "rest_us": micros(cpu()? - before), "start_us": micros(before) });
        }
    }
    let wall = begun.elapsed();
    let told = meter
        .into_inner()
        .tell(wall, client.handshakes().await, &more);
    println!("{}", told?);
    Ok(())
}

/// Makes these fetches, so many at once, until one fails.
async fn all<F>(fetches: impl Stream<Item = F>, args: &Args) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut answers = std::pin::pin!(fetches.buffer_unordered(args.in_flight));
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}

/// Resident memory in KiB, when what follows a handshake has come.
async fn settled() -> i64 {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let resident = memory("self", "VmRSS:");
    resident.and_then(|kib| kib.try_into().ok()).unwrap_or(0)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Meter {
    fn count(&mut self, fetched: Fetched, begun: Instant) -> Result<(), Failure> {
        if !fetched.is_whole(self.body) {
            return Err(format!("not what was asked for: {fetched:?}").into());
        }
        self.fetches += 1;
        self.bytes += fetched.body as u64;
        Ok(self.latencies.record(micros(begun.elapsed()).max(1))?)
    }

    fn tell(
        &self,
        wall: Duration,
        handshakes: Option<u64>,
        more: &serde_json::Value,
    ) -> Result<serde_json::Value, Failure> {
        Ok(json!({
            "fetches": self.fetches,
            "bytes": self.bytes,
            "wall_us": micros(wall),
            "cpu_us": micros(cpu()?),
            "peak_kib": memory("self", "VmHWM:"),
            "p50_us": self.latencies.value_at_quantile(0.5),
            "p99_us": self.latencies.value_at_quantile(0.99),
            "handshakes": handshakes,
            "more": more,
        }))
    }
}
