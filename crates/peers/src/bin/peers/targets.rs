//! What gannet is to reach, as data.

use crate::results::{Metric, Results};

/// One bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Of gannet, here.
    pub(crate) case: &'static str,
    pub(crate) what: &'static str,
    pub(crate) measure: Measure,
    /// Against what: a case and a client; `None`: the number itself counts.
    pub(crate) against: Option<(&'static str, &'static str)>,
    pub(crate) bound: Bound,
    /// What would be better still.
    pub(crate) stretch: Option<f64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Measure {
    /// Instructions where they were counted on both sides, else CPU time.
    Cost,
    One(Metric),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Reached { value: f64, stretch: bool },
    Missed { value: f64 },
    NotMeasured,
}

const H2: &str = "h2";
const REQWEST: &str = "reqwest";

const fn cost(case: &'static str, what: &'static str, peer: &'static str, most: f64) -> Target {
    Target {
        case,
        what,
        measure: Measure::Cost,
        against: Some((case, peer)),
        bound: Bound::AtMost(most),
        stretch: None,
    }
}

const fn plain(case: &'static str, what: &'static str, metric: Metric, most: f64) -> Target {
    Target {
        measure: Measure::One(metric),
        against: None,
        ..cost(case, what, H2, most)
    }
}

pub(crate) const TARGETS: [Target; 21] = [
    Target {
        stretch: Some(1.05),
        ..cost("W1", "the h2 crate", H2, 1.15)
    },
    cost("W1", "reqwest", REQWEST, 0.55),
    plain("W1", "allocations a request", Metric::Allocations, 20.0),
    plain("W1", "system calls a request", Metric::Syscalls, 0.2),
    Target {
        against: Some(("W1", "gannet")),
        ..plain("W9", "CPU time of its own W1", Metric::Cpu, 1.35)
    },
    cost("W5", "the h2 crate", H2, 1.03),
    Target {
        against: Some(("W2", REQWEST)),
        ..plain("W2", "CPU time of reqwest, by the byte", Metric::Cpu, 0.9)
    },
    Target {
        against: Some(("W2", "h2load")),
        ..plain("W2", "CPU time of h2load, by the byte", Metric::Cpu, 1.2)
    },
    Target {
        against: Some(("W2", REQWEST)),
        ..plain("W2", "peak memory of reqwest", Metric::Peak, 1.0)
    },
    cost("W3", "the h2 crate", H2, 1.03),
    Target {
        against: Some(("W3", REQWEST)),
        ..plain("W3", "peak memory of reqwest", Metric::Peak, 0.13)
    },
    Target {
        against: Some(("W4", H2)),
        ..plain(
            "W4",
            "memory of an idle connection of the h2 crate",
            Metric::Idle,
            1.05,
        )
    },
    Target {
        stretch: Some(1.10),
        ..cost("W6", "hyper's HTTP/1.1 connections", "hyper1", 1.20)
    },
    cost("W6", "reqwest", REQWEST, 0.60),
    Target {
        against: Some(("W1", "gannet")),
        ..cost("W7.10000", "10,000 in flight against 100", H2, 1.3)
    },
    cost("W7.1", "one at a time, the h2 crate", H2, 1.2),
    Target {
        bound: Bound::AtLeast(0.98),
        ..plain("W8", "reuse of an LRU cache of as many", Metric::Reuse, 0.0)
    },
    plain(
        "rest",
        "CPU µs of 3 s with one idle connection",
        Metric::Rest,
        1_000.0,
    ),
    plain("idle", "CPU µs of 3 s without one", Metric::Rest, 1_000.0),
    plain(
        "idle",
        "CPU µs until it is started",
        Metric::Start,
        10_000.0,
    ),
    plain(
        "rest",
        "CPU µs until it is started and has fetched once",
        Metric::Start,
        10_000.0,
    ),
];

/// Where a number stands.
pub(crate) fn judge(value: Option<f64>, bound: Bound, stretch: Option<f64>) -> Verdict {
    let Some(value) = value else {
        return Verdict::NotMeasured;
    };
    let is_within = |limit: f64| match bound {
        Bound::AtMost(_) => value <= limit,
        Bound::AtLeast(_) => value >= limit,
    };
    let (Bound::AtMost(limit) | Bound::AtLeast(limit)) = bound;
    match is_within(limit) {
        true => Verdict::Reached {
            value,
            stretch: stretch.is_some_and(is_within),
        },
        false => Verdict::Missed { value },
    }
}

impl Target {
    /// The number that counts, and what it is of.
    pub(crate) fn value(&self, results: &Results) -> (Option<f64>, &'static str) {
        let metrics = match self.measure {
            Measure::Cost => &[Metric::Instructions, Metric::Cpu][..],
            Measure::One(ref metric) => std::slice::from_ref(metric),
        };
        for metric in metrics {
            if let Some(value) = self.by(results, *metric) {
                return (Some(value), name(*metric));
            }
        }
        (None, name(metrics[0]))
    }

    /// The same in CPU time, where something else decides: instructions know nothing of the kernel's
    /// work and of caches.
    pub(crate) fn in_time(&self, results: &Results) -> Option<f64> {
        match self.measure {
            Measure::Cost => self.by(results, Metric::Cpu),
            Measure::One(_) => None,
        }
    }

    fn by(&self, results: &Results, metric: Metric) -> Option<f64> {
        let own = results.cell(self.case, "gannet")?;
        let Some((case, client)) = self.against else {
            return own.get(metric);
        };
        let other = results.cell(case, client)?;
        match own.paired(metric, other) {
            Some(ratio) if case == self.case => Some(ratio),
            _ => Some(own.get(metric)? / other.get(metric)?),
        }
    }
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cpu | Metric::Server => "CPU time",
        Metric::Instructions => "instructions",
        Metric::Allocations => "allocations",
        Metric::Syscalls => "system calls",
        Metric::PerSecond => "requests a second",
        Metric::P99 => "p99",
        Metric::Peak | Metric::Idle => "memory",
        Metric::Rest | Metric::Start => "CPU µs",
        Metric::Reuse => "reuse",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::CASES;
    use crate::results::Cell;

    #[test]
    fn a_target_is_reached_at_its_bound_and_missed_beyond() {
        let most = |value, stretch| judge(Some(value), Bound::AtMost(1.15), stretch);
        let reached = |value, stretch| Verdict::Reached { value, stretch };
        assert_eq!(most(1.15, None), reached(1.15, false));
        assert_eq!(most(1.10, Some(1.05)), reached(1.10, false));
        assert_eq!(most(1.05, Some(1.05)), reached(1.05, true));
        assert_eq!(most(1.16, Some(1.05)), Verdict::Missed { value: 1.16 });
        let least = |value| judge(Some(value), Bound::AtLeast(0.98), None);
        assert_eq!(least(0.98), reached(0.98, false));
        assert_eq!(least(0.97), Verdict::Missed { value: 0.97 });
        assert_eq!(judge(None, Bound::AtMost(1.0), None), Verdict::NotMeasured);
    }

    #[test]
    fn instructions_count_before_time() {
        let mut results = Results::default();
        for (client, instructions) in [("gannet", 30.0), ("h2", 20.0)] {
            let cell = Cell {
                instructions: vec![instructions],
                ..Cell::default()
            };
            results.cells.insert(("W1", client), cell);
        }
        let (value, of) = TARGETS[0].value(&results);
        assert_eq!((value, of), (Some(1.5), "instructions"));
        assert_eq!(TARGETS[1].value(&results).0, None);
    }

    #[test]
    fn every_target_is_of_a_case_that_runs() {
        let runs = |case, client| {
            let case = CASES.iter().find(|c| c.id == case);
            case.is_some_and(|case| case.peers.contains(&client))
        };
        for target in TARGETS {
            assert!(runs(target.case, "gannet"), "{target:?}");
            assert!(
                target
                    .against
                    .is_none_or(|(case, client)| runs(case, client)),
                "{target:?}"
            );
        }
    }
}
