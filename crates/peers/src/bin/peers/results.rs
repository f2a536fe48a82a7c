//! All that was measured, and what is asked of it.

use std::collections::BTreeMap;
use std::error::Error;

use crate::count::Tool;
use crate::run::Sample;

/// By case and client.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) cells: BTreeMap<(&'static str, &'static str), Cell>,
    /// What went wrong.
    pub(crate) faults: Vec<String>,
}

/// One client in one case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// A round each.
    pub(crate) samples: Vec<Sample>,
    /// Counted more than once.
    pub(crate) instructions: Vec<f64>,
    pub(crate) allocations: Option<f64>,
    pub(crate) syscalls: Option<f64>,
}

/// One number of a cell: the median of its rounds, where there are some.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Metric {
    Cpu,
    /// CPU time of the server.
    Server,
    Instructions,
    Allocations,
    Syscalls,
    PerSecond,
    P99,
    Peak,
    /// Bytes of an idle connection.
    Idle,
    /// CPU time of three seconds of rest, in µs.
    Rest,
    /// CPU time until the first fetch could be asked for, in µs.
    Start,
    /// The part of fetches that found a connection open, against an LRU cache of as many.
    Reuse,
}

impl Metric {
    fn of(self, sample: &Sample) -> Option<f64> {
        let more = |name: &str| sample.more[name].as_f64();
        match self {
            Self::Cpu => Some(sample.cpu),
            Self::Server => sample.server_cpu,
            Self::PerSecond => Some(sample.per_second),
            Self::P99 => sample.p99_us,
            Self::Peak => sample.peak_kib,
            Self::Idle => more("idle_bytes"),
            Self::Rest => more("rest_us"),
            Self::Start => more("start_us"),
            Self::Reuse => Some(sample.reuse? / more("lru_reuse")?),
            Self::Instructions | Self::Allocations | Self::Syscalls => None,
        }
    }
}

impl Cell {
    pub(crate) fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Instructions => median(self.instructions.clone()),
            Metric::Allocations => self.allocations,
            Metric::Syscalls => self.syscalls,
            _ => median(self.rounds(metric)),
        }
    }

    /// Takes in what a tool has counted.
    pub(crate) fn add(&mut self, tool: Tool, count: Option<f64>) {
        match tool {
            Tool::Callgrind => self.instructions.extend(count),
            Tool::Dhat => self.allocations = count,
            Tool::Strace => self.syscalls = count,
        }
    }

    pub(crate) fn rounds(&self, metric: Metric) -> Vec<f64> {
        self.samples
            .iter()
            .filter_map(|sample| metric.of(sample))
            .collect()
    }

    /// The median of this against another, round by round.
    pub(crate) fn paired(&self, metric: Metric, other: &Self) -> Option<f64> {
        let pairs = self.samples.iter().zip(&other.samples);
        median(
            pairs
                .filter_map(|(one, two)| Some(metric.of(one)? / metric.of(two)?))
                .collect(),
        )
    }
}

impl Results {
    pub(crate) fn fault(&mut self, case: &str, client: &str, error: &dyn Error) {
        let fault = format!("{case}, {client}: {error}");
        eprintln!("  {fault}");
        self.faults.push(fault);
    }

    /// Where counts of the same instructions differ most, and by which part.
    pub(crate) fn spread(&self) -> Option<(&'static str, &'static str, f64)> {
        let spread = |(name, cell): (&(&'static str, &'static str), &Cell)| {
            let counts = &cell.instructions;
            let most = counts.iter().copied().reduce(f64::max)?;
            let least = counts.iter().copied().reduce(f64::min)?;
            (counts.len() > 1).then_some((name.0, name.1, most / least - 1.0))
        };
        let spreads = self.cells.iter().filter_map(spread);
        spreads.max_by(|one, two| one.2.total_cmp(&two.2))
    }

    pub(crate) fn cell(&self, case: &str, client: &str) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells
            .find(|((c, p), _)| *c == case && *p == client)
            .map(|(_, cell)| cell)
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
    }

    #[test]
    fn the_spread_is_that_of_the_worst() {
        let mut results = Results::default();
        for (client, instructions) in [
            ("a", vec![100.0, 101.0]),
            ("b", vec![7.0]),
            ("c", vec![4.0, 5.0]),
        ] {
            let cell = Cell {
                instructions,
                ..Cell::default()
            };
            results.cells.insert(("W1", client), cell);
        }
        assert_eq!(results.spread(), Some(("W1", "c", 0.25)));
        assert_eq!(Results::default().spread(), None);
    }

    #[test]
    fn pairs_are_of_one_round() {
        let cell = |cpus: [f64; 3]| Cell {
            samples: cpus
                .into_iter()
                .map(|cpu| Sample {
                    cpu,
                    ..Sample::default()
                })
                .collect(),
            ..Cell::default()
        };
        let (one, two) = (cell([2.0, 8.0, 30.0]), cell([1.0, 4.0, 10.0]));
        assert_eq!(one.paired(Metric::Cpu, &two), Some(2.0));
    }
}
