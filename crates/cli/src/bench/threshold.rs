//! What a run must reach: `p99<200ms`, `error<1%`, `rps>1000`.

use std::fmt;
use std::time::Duration;

use crate::bench::report::Report;
use crate::bench::samples::Times;
use crate::parse;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Threshold {
    text: String,
    metric: Metric,
    comparison: Comparison,
    /// Microseconds, a share, or requests a second.
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Min,
    Mean,
    Max,
    Quantile(f64),
    Error,
    Rate,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

const COMPARISONS: [(&str, Comparison); 4] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Threshold {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let split = COMPARISONS
            .iter()
            .find_map(|(sign, comparison)| Some((text.split_once(sign)?, *comparison)));
        let Some(((name, limit), comparison)) = split else {
            return Err("expected a comparison, such as p99<200ms".to_owned());
        };
        let (metric, limit) = (metric(name.trim())?, limit.trim());
        let limit = match metric {
            Metric::Error => share(limit)?,
            Metric::Rate => parse::rate(limit)?,
            _ => micros(parse::duration(limit)?),
        };
        Ok(Self {
            text: text.trim().to_owned(),
            metric,
            comparison,
            limit,
        })
    }

    /// What is said of it if the run has missed it. Without a response there is no latency, which
    /// misses any limit on it.
    pub(crate) fn miss(&self, report: &Report) -> Option<String> {
        let latency = &report.latency.total;
        let got = match self.metric {
            Metric::Error => report.error_share(),
            Metric::Rate => report.requests_per_second,
            _ if latency.count == 0 => return Some(format!("{self}: there was no response")),
            Metric::Min => latency.min as f64,
            Metric::Mean => report.no_better(Times::mean),
            Metric::Max => report.no_better(|times| times.max() as f64),
            Metric::Quantile(quantile) => {
                report.no_better(|times| times.value_at_quantile(quantile) as f64)
            }
        };
        let holds = match self.comparison {
            Comparison::Below => got < self.limit,
            Comparison::AtMost => got <= self.limit,
            Comparison::Above => got > self.limit,
            Comparison::AtLeast => got >= self.limit,
        };
        (!holds).then(|| format!("{self}: it is {}", self.shown(got)))
    }

    fn shown(&self, value: f64) -> String {
        match self.metric {
            Metric::Error => format!("{:.2} %", value * 100.0),
            Metric::Rate => format!("{value:.0}"),
            _ => format!("{:.2?}", Duration::from_secs_f64(value / 1e6)),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    Ok(match name {
        "min" => Metric::Min,
        "mean" | "avg" => Metric::Mean,
        "max" => Metric::Max,
        "error" | "errors" => Metric::Error,
        "rps" => Metric::Rate,
        _ => {
            let percent = name.strip_prefix('p').and_then(|n| n.parse::<f64>().ok());
            let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
            let known = "min, mean, max, a percentile such as p99, error, rps";
            Metric::Quantile(percent.ok_or_else(|| format!("expected {known}"))? / 100.0)
        }
    })
}

fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let number = number.trim().parse::<f64>().ok();
    let number = number.filter(|share| (0.0..=unit).contains(share));
    Ok(number.ok_or("expected a share such as 1% or 0.01")? / unit)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    fn miss(text: &str) -> Option<String> {
        Threshold::parse(text).expect(text).miss(&report())
    }

    #[test]
    fn limits_are_held_against_what_was_measured() {
        // 1 to 100 ms, 90 answered of 100, in 2 s.
        for kept in [
            "p99<200ms",
            "p50<=51ms",
            "max<0.2s",
            "error<=10%",
            "error<0.2",
            "rps>44",
            "min>500us",
        ] {
            assert_eq!(miss(kept), None, "{kept}");
        }
        for missed in ["p99<50ms", "mean<1ms", "error<10%", "rps>=51", "max<90ms"] {
            assert!(miss(missed).expect(missed).starts_with(missed));
        }
        assert_eq!(miss("error<1%").expect("missed"), "error<1%: it is 10.00 %");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "p99",
            "p99<",
            "p101<1s",
            "pp<1s",
            "error<2",
            "error<200%",
            "rps>-1",
            "p9<1x",
        ] {
            assert!(Threshold::parse(text).is_err(), "{text}");
        }
    }
}
