//! A cache of connections, simulated: one fetch at a time, each over in no time.

use std::time::{Duration, Instant};

use gannet::policy::eviction::{Entry, Eviction};

use crate::trace::Trace;

/// Every so manieth choice is timed, so that the clock does not weigh on the others.
const TIMED: u32 = 8;

/// What came of a replay.
pub(crate) struct Outcome {
    fetches: usize,
    reused: usize,
    /// The handshakes of all fetches that found no connection.
    pub(crate) spent: Duration,
    /// The handshakes that the others would have taken.
    pub(crate) saved: Duration,
    /// What one choice took, on average.
    pub(crate) choice: Duration,
    /// What the replay took for one fetch, on average.
    pub(crate) fetch: Duration,
}

impl Outcome {
    /// Per cent of the fetches.
    pub(crate) fn reuse(&self) -> f64 {
        100.0 * self.reused as f64 / self.fetches as f64
    }
}

struct Cache<'a> {
    policy: &'a mut dyn Eviction,
    capacity: usize,
    start: Instant,
    /// The connection of each origin, if it is open.
    open: Vec<Option<Entry>>,
    /// The origin of each connection that ever was.
    origins: Vec<usize>,
    count: usize,
    watch: Stopwatch,
}

pub(crate) fn replay(trace: &Trace, capacity: usize, policy: &mut dyn Eviction) -> Outcome {
    let start = Instant::now();
    let mut cache = Cache {
        policy,
        capacity,
        start,
        open: vec![None; trace.costs.len()],
        origins: Vec::new(),
        count: 0,
        watch: Stopwatch::default(),
    };
    let (mut reused, mut spent, mut saved) = (0, Duration::ZERO, Duration::ZERO);
    for (tick, origin) in (0..).zip(&trace.accesses) {
        let origin = *origin as usize;
        let cost = trace.costs[origin];
        if cache.fetch(origin, tick, cost) {
            reused += 1;
            saved += cost;
        } else {
            spent += cost;
        }
    }
    let fetches = trace.accesses.len();
    Outcome {
        fetches,
        reused,
        spent,
        saved,
        choice: cache.watch.mean(),
        fetch: start.elapsed() / fetches as u32,
    }
}

impl Cache<'_> {
    /// Whether a connection was open.
    fn fetch(&mut self, origin: usize, tick: u64, cost: Duration) -> bool {
        let found = self.open[origin];
        let mut entry = if let Some(entry) = found {
            self.policy.busy(entry.connection);
            entry
        } else {
            if self.count == self.capacity {
                self.evict();
            }
            self.open(origin, cost)
        };
        entry.uses += 1;
        entry.last_use = self.start + Duration::from_nanos(tick);
        self.open[origin] = Some(entry);
        self.policy.idle(entry);
        found.is_some()
    }

    fn open(&mut self, origin: usize, cost: Duration) -> Entry {
        let mut entry = Entry::new(self.origins.len() as u64, self.start);
        entry.handshake = cost;
        self.origins.push(origin);
        self.count += 1;
        entry
    }

    fn evict(&mut self) {
        let policy = &mut self.policy;
        let chosen = self.watch.time(|| policy.choose());
        let chosen = chosen.expect("the cache is full, and all are idle");
        self.policy.gone(chosen);
        self.open[self.origins[chosen as usize]] = None;
        self.count -= 1;
    }
}

#[derive(Default)]
struct Stopwatch {
    calls: u32,
    timed: u32,
    total: Duration,
}

impl Stopwatch {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.calls += 1;
        if !self.calls.is_multiple_of(TIMED) {
            return work();
        }
        let start = Instant::now();
        let done = work();
        self.total += start.elapsed();
        self.timed += 1;
        done
    }

    /// Less what the clock itself takes.
    fn mean(&self) -> Duration {
        const READINGS: u32 = 10_000;
        let start = Instant::now();
        for _ in 0..READINGS {
            std::hint::black_box(Instant::now());
        }
        let clock = start.elapsed() / READINGS;
        (self.total / self.timed.max(1)).saturating_sub(clock)
    }
}
