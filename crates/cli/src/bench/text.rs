//! The report as text.

use std::fmt::{self, Display, Formatter};

use indicatif::{HumanBytes, HumanCount};

use crate::bench::report::{Report, Spread};
use crate::bench::samples::Samples;

/// The report as it is printed.
pub(crate) struct Text<'a> {
    pub(crate) report: &'a Report,
    pub(crate) histogram: bool,
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        writeln!(f, "{}\n", load(report))?;
        writeln!(
            f,
            "requests     {} in {:.2} s: {}/s, {}/s",
            HumanCount(report.requests),
            report.seconds,
            HumanCount(report.requests_per_second.round() as u64),
            HumanBytes(report.body_bytes_per_second as u64),
        )?;
        writeln!(f, "outcome      {}", outcome(report))?;
        connections(report, f)?;
        if let Some(headers) = &report.headers {
            writeln!(
                f,
                "headers      {} came as {}: {:.1} % saved",
                HumanBytes(headers.decoded_bytes),
                HumanBytes(headers.wire_bytes),
                headers.saved * 100.0,
            )?;
        }
        writeln!(
            f,
            "client CPU   {:.1} µs a request, {:.0} % of a core",
            report.cpu.us_per_request,
            report.cpu.seconds / report.seconds * 100.0,
        )?;
        latencies(report, f)?;
        if self.histogram {
            histogram(report, f)?;
        }
        Ok(())
    }
}

pub(crate) fn load(report: &Report) -> String {
    let load = &report.load;
    let more = match load.urls {
        1 => String::new(),
        urls => format!(" and {} more", HumanCount(urls as u64 - 1)),
    };
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", HumanCount(count as u64)),
    };
    let rate = load
        .rate
        .map_or_else(String::new, |rate| format!(", {rate} requests a second"));
    format!(
        "{}{more}: {} of {}, {}{rate}",
        load.url,
        plural(load.connections, "connection"),
        plural(load.streams, "stream"),
        plural(load.threads, "thread"),
    )
}

/// What became of the requests.
pub(crate) fn outcome(report: &Report) -> String {
    let class = |class: u16| {
        let range = class * 100..class * 100 + 100;
        let count = report.statuses.range(range).map(|(_, count)| count).sum();
        (format!("{class}xx"), count)
    };
    let errors = report.errors.iter();
    let errors = errors.map(|(kind, count)| ((*kind).to_owned(), *count));
    let oldest = time(report.oldest_unfinished as f64);
    let unfinished = format!("cut off by the end (the oldest after {oldest})");
    let unfinished = (unfinished, report.unfinished);
    let never_begun = ("due but never begun".to_owned(), report.never_begun);
    let retries = ("retries".to_owned(), report.retries);
    let all = (1..6)
        .map(class)
        .chain(errors)
        .chain([unfinished, never_begun, retries]);
    let some = all.filter(|(_, count)| *count > 0);
    let parts: Vec<_> = some
        .map(|(what, count)| format!("{} {what}", HumanCount(count)))
        .collect();
    match parts.is_empty() {
        true => "nothing".to_owned(),
        false => parts.join(", "),
    }
}

fn connections(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let connections = &report.connections;
    write!(
        f,
        "connections  {} opened",
        HumanCount(connections.handshakes)
    )?;
    if connections.resumed > 0 {
        write!(f, " ({} resumed)", HumanCount(connections.resumed))?;
    }
    let lost = connections.dials.saturating_sub(connections.handshakes);
    if lost > 0 {
        write!(f, ", {} failed", HumanCount(lost))?;
    }
    write!(
        f,
        ", {:.2} % of responses on a used one",
        connections.reuse * 100.0
    )?;
    match connections.protocols.is_empty() {
        true => writeln!(f),
        false => writeln!(f, ", {}", connections.protocols.join(" and ")),
    }
}

fn latencies(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let columns = ["count", "min", "mean", "p50", "p90", "p99", "p99.9", "max"];
    let phases = &report.latency;
    let service = report.load.rate.map(|_| ("service", phases.service));
    let rows = [Some(("latency", phases.total)), service];
    let parts = [
        ("queue", phases.queue),
        ("connect", phases.connect),
        ("TLS", phases.tls),
        ("first byte", phases.first_byte),
        ("body", phases.body),
    ];
    write!(f, "\n{:<11}", "")?;
    columns
        .iter()
        .try_for_each(|column| write!(f, "{column:>9}"))?;
    writeln!(f)?;
    let rows = rows.into_iter().flatten().chain(parts);
    for (name, spread) in rows.filter(|(_, spread)| spread.count > 0) {
        let Spread { count, mean, .. } = spread;
        write!(f, "{name:<11}{:>9}{:>9}", count, time(spread.min as f64))?;
        write!(f, "{:>9}", time(mean))?;
        let rest = [spread.p50, spread.p90, spread.p99, spread.p999, spread.max];
        rest.iter()
            .try_for_each(|us| write!(f, "{:>9}", time(*us as f64)))?;
        writeln!(f)?;
    }
    Ok(())
}

/// Microseconds, in three digits and a unit.
pub(crate) fn time(us: f64) -> String {
    let digits = |value: f64, unit: &str| match value {
        v if v < 10.0 => format!("{v:.2} {unit}"),
        v if v < 100.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    };
    match us {
        us if us < 1.0 => "0".to_owned(),
        us if us < 999.5 => format!("{us:.0} µs"),
        us if us < 999_500.0 => digits(us / 1e3, "ms"),
        us => digits(us / 1e6, "s"),
    }
}

/// Bars of equal steps of the latency's logarithm, and the percentiles.
fn histogram(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    const WIDTH: f64 = 40.0;
    let times = &report.times;
    if times.is_empty() {
        return Ok(());
    }
    let (low, high) = (times.min().max(1) as f64, times.max().max(2) as f64);
    let steps = 12;
    let bound = |step: i32| low * (high / low).powf(f64::from(step) / f64::from(steps));
    let mut counts = Vec::new();
    let mut from = 0;
    for step in 1..=steps {
        let to = (bound(step).ceil() as u64).max(from);
        let count = times.count_between(from, to);
        counts.push((to, count));
        from = times.next_non_equivalent(to);
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1);
    writeln!(f, "\nlatency up to")?;
    for (to, count) in counts {
        let bar = "▇".repeat((count as f64 / most.max(1) as f64 * WIDTH).ceil() as usize);
        let line = format!("{:>11} {bar:<40} {count}", time(to as f64));
        writeln!(f, "{}", line.trim_end())?;
    }
    writeln!(f)?;
    for percent in [10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99] {
        let us = times.value_at_percentile(percent);
        writeln!(f, "{:>10} % {}", percent, time(us as f64))?;
    }
    Ok(())
}

/// The line that is shown while it runs.
pub(crate) fn live(samples: &Samples) -> String {
    let total = &samples.latency.total;
    let rate = total.len() as f64 / samples.started.elapsed().as_secs_f64().max(1e-3);
    let at = |quantile| time(total.value_at_quantile(quantile) as f64);
    let failed = match samples.failed() {
        0 => String::new(),
        failed => format!(", {} failed", HumanCount(failed)),
    };
    format!("{rate:.0}/s, p50 {}, p99 {}{failed}", at(0.5), at(0.99))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn times_have_three_digits() {
        let times = [
            0.4,
            7.0,
            999.0,
            1_000.0,
            12_345.0,
            123_456.0,
            1_500_000.0,
            90e6,
        ];
        let expected = [
            "0", "7 µs", "999 µs", "1.00 ms", "12.3 ms", "123 ms", "1.50 s", "90.0 s",
        ];
        assert_eq!(times.map(time), expected);
    }

    #[test]
    fn the_text_tells_what_there_is() {
        let report = report();
        let histogram = true;
        let text = Text {
            report: &report,
            histogram,
        }
        .to_string();
        for part in [
            "https://a.example/?<b>: 2 connections of 10 streams, 1 thread, 50 requests a second",
            "requests     100 in 2.00 s: 50/s",
            "outcome      90 2xx, 10 5xx",
            "client CPU   100.0 µs a request",
            "latency          100",
            "service          100",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("TLS") && !text.contains("headers"));
        let bars = text.lines().filter(|line| line.contains('▇'));
        let sum: u64 = bars
            .filter_map(|line| line.split(' ').next_back()?.parse::<u64>().ok())
            .sum();
        assert_eq!(sum, 100, "each response is in one bar\n{text}");
    }
}
