//! The traces: which origin is asked for, fetch after fetch. The same in every run.

use std::f64::consts::TAU;
use std::time::Duration;

/// How many accesses a trace has. Unoptimised, a tenth will do.
pub(crate) const LENGTH: usize = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

const ORIGINS: usize = 10_000;
const EXPONENT: f64 = 0.9;

/// Accesses to origins, by number.
pub(crate) struct Trace {
    pub(crate) name: &'static str,
    pub(crate) accesses: Vec<u32>,
    /// What a handshake with each origin takes.
    pub(crate) costs: Vec<Duration>,
}

pub(crate) fn all() -> [Trace; 3] {
    [
        Trace::new("zipf", zipf()),
        Trace::new("crawl", crawl()),
        Trace::new("shifting", shifting()),
    ]
}

impl Trace {
    /// Of no accesses.
    pub(crate) fn empty() -> Self {
        Self::new("empty", Vec::new())
    }

    fn new(name: &'static str, accesses: Vec<u32>) -> Self {
        let origins = accesses.iter().max().map_or(0, |last| last + 1);
        let costs = (0..origins)
            .map(|origin| handshake(u64::from(origin)))
            .collect();
        Self {
            name,
            accesses,
            costs,
        }
    }
}

/// Some origins are asked for much more often than others.
fn zipf() -> Vec<u32> {
    let mut popular = Zipf::new(1);
    (0..LENGTH).map(|_| popular.draw()).collect()
}

/// Others are popular after each tenth of the trace.
fn shifting() -> Vec<u32> {
    let (mut popular, phase) = (Zipf::new(2), LENGTH / 10);
    let shifted = |i| (popular.draw() as usize + i / phase * 997) % ORIGINS;
    (0..LENGTH)
        .map(shifted)
        .map(|origin| origin as u32)
        .collect()
}

/// Popular origins all the time. For three tenths of each 10,000 accesses, every other goes to an
/// origin that is asked for but once; for three tenths, to those of a crawl: 16 at a time, each
/// asked for 20 times in turn with the others, and never again.
fn crawl() -> Vec<u32> {
    const AT_A_TIME: u32 = 16;
    const FETCHES: u32 = 20;
    let (mut popular, mut next, mut crawled) = (Zipf::new(3), ORIGINS as u32, 0);
    let mut access = |i: usize| match i % 10_000 {
        4_000..7_000 if i.is_multiple_of(2) => {
            next += 1;
            next - 1
        }
        7_000.. if i.is_multiple_of(2) => {
            let turn = crawled % (AT_A_TIME * FETCHES);
            if turn == 0 {
                next += AT_A_TIME;
            }
            crawled += 1;
            next - AT_A_TIME + turn % AT_A_TIME
        }
        _ => popular.draw(),
    };
    (0..LENGTH).map(&mut access).collect()
}

/// Draws origins, the n-th with a weight of 1/n^[`EXPONENT`].
struct Zipf {
    sums: Vec<f64>,
    state: u64,
}

impl Zipf {
    fn new(seed: u64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=ORIGINS).map(|n| (n as f64).powf(-EXPONENT));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        let (sums, state) = (sums.collect(), mix(seed));
        Self { sums, state }
    }

    fn draw(&mut self) -> u32 {
        self.state = self.state.wrapping_add(1);
        let point = unit(mix(self.state)) * self.sums[ORIGINS - 1];
        self.sums
            .partition_point(|sum| *sum <= point)
            .min(ORIGINS - 1) as u32
    }
}

/// Log-normal about 40 ms, cut off at 5 and 300 ms; by origin, whatever its popularity.
fn handshake(origin: u64) -> Duration {
    let radius = (-2.0 * (1.0 - unit(mix(2 * origin))).ln()).sqrt();
    let normal = radius * (TAU * unit(mix(2 * origin + 1))).cos();
    let millis = 40.0 * (0.9 * normal).exp();
    Duration::from_secs_f64(millis.clamp(5.0, 300.0) / 1000.0)
}

/// A number in 0..1.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// `SplitMix64`: neighbours have nothing to do with each other.
pub(crate) fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
