//! What a run came to, as a value: what is shown, written and judged.

use std::collections::BTreeMap;
use std::time::Duration;

use gannet::response::Protocol;
use gannet::view::Counters;
use serde::Serialize;

use crate::bench::load::Left;
use crate::bench::samples::{Latency, Line, Samples, Times};
use crate::bench::timeline::Timeline;
use crate::row::micros;

/// All that a run came to. Times are in microseconds unless their name says otherwise.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) gannet: &'static str,
    pub(crate) load: Load,
    pub(crate) seconds: f64,
    pub(crate) interrupted: bool,
    /// Of requests that have ended; what `unfinished` counts is not in it.
    pub(crate) requests: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Under way when the time was up.
    pub(crate) unfinished: u64,
    /// How long the one waited for longest had been waited for.
    pub(crate) oldest_unfinished: u64,
    /// Due by the rate, but not begun: too many were under way.
    pub(crate) never_begun: u64,
    pub(crate) retries: u64,
    /// Of those that were answered.
    pub(crate) requests_per_second: f64,
    pub(crate) body_bytes: u64,
    pub(crate) body_bytes_per_second: f64,
    pub(crate) connections: Connections,
    pub(crate) headers: Option<Headers>,
    pub(crate) cpu: Cpu,
    pub(crate) latency: Phases,
    /// Of the latency: its value below which a share of the responses are.
    pub(crate) percentiles: Vec<Point>,
    /// The same without the wait for a place.
    pub(crate) service_percentiles: Vec<Point>,
    pub(crate) timeline: Timeline,
    pub(crate) by_connection: Vec<Row>,
    #[serde(skip)]
    pub(crate) times: Times,
    /// With those that were cut off, as long as they had been waited for: they took no less.
    #[serde(skip)]
    at_least: Times,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Load {
    /// The first of the URLs, and how many there are.
    pub(crate) url: String,
    pub(crate) urls: usize,
    pub(crate) connections: usize,
    pub(crate) streams: usize,
    pub(crate) threads: usize,
    pub(crate) rate: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Connections {
    pub(crate) dials: u64,
    pub(crate) handshakes: u64,
    pub(crate) resumed: u64,
    /// Of all responses, those that came on one that had been used before.
    pub(crate) reuse: f64,
    pub(crate) protocols: Vec<&'static str>,
}

/// Of responses on HTTP/2.
#[derive(Debug, Serialize)]
pub(crate) struct Headers {
    pub(crate) decoded_bytes: u64,
    pub(crate) wire_bytes: u64,
    /// The share that compression saved.
    pub(crate) saved: f64,
}

/// Of this program.
#[derive(Debug, Serialize)]
pub(crate) struct Cpu {
    pub(crate) seconds: f64,
    pub(crate) us_per_request: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Phases {
    pub(crate) total: Spread,
    pub(crate) service: Spread,
    pub(crate) queue: Spread,
    pub(crate) connect: Spread,
    pub(crate) tls: Spread,
    pub(crate) first_byte: Spread,
    pub(crate) body: Spread,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    #[serde(rename = "p99.9")]
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) quantile: f64,
    pub(crate) us: u64,
}

/// One connection.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// `None`: all that are not listed.
    pub(crate) number: Option<u64>,
    pub(crate) peer: String,
    pub(crate) protocol: &'static str,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) connect: u64,
    pub(crate) tls: u64,
    pub(crate) resumed: bool,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// What is known besides the answers.
pub(crate) struct Around {
    pub(crate) load: Load,
    pub(crate) interrupted: bool,
    pub(crate) left: Left,
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
    /// The engine's, before and after.
    pub(crate) counters: (Counters, Counters),
}

impl Report {
    pub(crate) fn new(samples: Samples, around: Around) -> Self {
        let seconds = around.took.as_secs_f64().max(1e-9);
        let requests = samples.responses() + samples.failed();
        let cpu = around.cpu.as_secs_f64();
        let Latency { total, service, .. } = &samples.latency;
        let mut at_least = total.clone();
        for age in around.left.under_way.iter().chain(&around.left.never_begun) {
            at_least.saturating_record(micros(*age));
        }
        Self {
            gannet: env!("CARGO_PKG_VERSION"),
            seconds,
            interrupted: around.interrupted,
            requests,
            unfinished: around.left.under_way.len() as u64,
            oldest_unfinished: around.left.oldest().map_or(0, micros),
            never_begun: around.left.never_begun.len() as u64,
            retries: samples.attempts.saturating_sub(requests),
            requests_per_second: samples.responses() as f64 / seconds,
            body_bytes: samples.body_bytes,
            body_bytes_per_second: samples.body_bytes as f64 / seconds,
            connections: connections(&samples, &around.counters),
            headers: headers(samples.head_bytes, &around.counters),
            cpu: Cpu {
                seconds: cpu,
                us_per_request: cpu * 1e6 / requests.max(1) as f64,
            },
            latency: Phases::of(&samples.latency),
            percentiles: curve(total),
            service_percentiles: curve(service),
            by_connection: rows(samples.connections),
            statuses: samples.statuses,
            errors: samples.errors,
            timeline: samples.timeline,
            times: samples.latency.total,
            at_least,
            load: around.load,
        }
    }

    /// Of all that has ended: what failed, or was answered 400 or more.
    pub(crate) fn error_share(&self) -> f64 {
        let refused = self.statuses.range(400..).map(|(_, count)| count);
        let failed: u64 = refused.chain(self.errors.values()).sum();
        failed as f64 / self.requests.max(1) as f64
    }

    /// A figure of the latency, no better for what was cut off: a server that stalls until the end
    /// has answered only what was fast.
    pub(crate) fn no_better(&self, figure: impl Fn(&Times) -> f64) -> f64 {
        figure(&self.times).max(figure(&self.at_least))
    }

    pub(crate) fn responses(&self) -> u64 {
        self.statuses.values().sum()
    }
}

impl Phases {
    fn of(latency: &Latency) -> Self {
        Self {
            total: Spread::of(&latency.total),
            service: Spread::of(&latency.service),
            queue: Spread::of(&latency.queue),
            connect: Spread::of(&latency.connect),
            tls: Spread::of(&latency.tls),
            first_byte: Spread::of(&latency.first_byte),
            body: Spread::of(&latency.body),
        }
    }
}

impl Spread {
    fn of(times: &Times) -> Self {
        if times.is_empty() {
            return Self::default();
        }
        let at = |quantile| times.value_at_quantile(quantile);
        Self {
            count: times.len(),
            min: times.min(),
            mean: times.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: times.max(),
        }
    }
}

fn connections(samples: &Samples, (before, after): &(Counters, Counters)) -> Connections {
    let lines = samples.connections.values();
    let mut protocols: Vec<_> = lines.filter_map(|line| line.protocol).collect();
    protocols.sort_by_key(|protocol| protocol_name(*protocol));
    protocols.dedup();
    let resumed = samples
        .connections
        .values()
        .filter(|line| line.opened && line.resumed);
    Connections {
        dials: after.dials - before.dials,
        handshakes: after.handshakes - before.handshakes,
        resumed: resumed.count() as u64,
        reuse: samples.reused as f64 / samples.responses().max(1) as f64,
        protocols: protocols.into_iter().map(protocol_name).collect(),
    }
}

fn headers(decoded: u64, (before, after): &(Counters, Counters)) -> Option<Headers> {
    let wire_bytes = after.head_bytes.saturating_sub(before.head_bytes);
    (decoded > 0 && wire_bytes > 0).then(|| Headers {
        decoded_bytes: decoded,
        wire_bytes,
        saved: 1.0 - wire_bytes as f64 / decoded as f64,
    })
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http2 => "HTTP/2",
        Protocol::Http11 => "HTTP/1.1",
        Protocol::Http10 => "HTTP/1.0",
        _ => "HTTP",
    }
}

/// Points ever closer to 1, as far as there are responses to tell them apart.
fn curve(times: &Times) -> Vec<Point> {
    let mut points = Vec::new();
    for value in times.iter_quantiles(5) {
        let (quantile, us) = (value.quantile_iterated_to(), value.value_iterated_to());
        points.push(Point { quantile, us });
    }
    points
}

fn rows(connections: impl IntoIterator<Item = (u64, Line)>) -> Vec<Row> {
    let mut rows: Vec<_> = connections
        .into_iter()
        .map(|(number, line)| Row {
            number: (number != u64::MAX).then_some(number),
            peer: line.peer,
            protocol: line.protocol.map_or("", protocol_name),
            requests: line.requests,
            bytes: line.bytes,
            connect: micros(line.connect),
            tls: micros(line.tls),
            resumed: line.resumed,
            first: micros(line.first),
            last: micros(line.last),
        })
        .collect();
    rows.sort_by_key(|row| row.number.unwrap_or(u64::MAX));
    rows
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 90 responses of 1 to 90 ms and 10 of 91 to 100 ms that are answered 503, in 2 s.
    pub(crate) fn report() -> Report {
        let mut samples = Samples::start();
        for ms in 1..=100 {
            let status = if ms <= 90 { 200 } else { 503 };
            *samples.statuses.entry(status).or_default() += 1;
            for times in [&mut samples.latency.total, &mut samples.latency.service] {
                times.saturating_record(ms * 1_000);
            }
            let slot = samples.timeline.at(ms as f64 / 50.0);
            (slot.responses, slot.errors) = (slot.responses + 1, u64::from(ms > 90));
        }
        let load = Load {
            url: "https://a.example/?<b>".to_owned(),
            urls: 1,
            connections: 2,
            streams: 10,
            threads: 1,
            rate: Some(50.0),
        };
        let around = Around {
            load,
            interrupted: false,
            left: Left::default(),
            took: Duration::from_secs(2),
            cpu: Duration::from_millis(10),
            counters: Default::default(),
        };
        Report::new(samples, around)
    }

    #[test]
    fn a_report_counts_what_was_noted() {
        let report = report();
        assert_eq!((report.requests, report.requests_per_second), (100, 50.0));
        assert_eq!(report.error_share(), 0.1);
        assert_eq!(report.cpu.us_per_request, 100.0);
        let total = report.latency.total;
        let near = |us: u64, ms: u64| us.abs_diff(ms * 1_000) <= ms;
        assert!(near(total.p50, 50) && near(total.p99, 99) && near(total.max, 100));
        assert_eq!(report.latency.tls.count, 0);
        let last = report.percentiles.last().expect("points");
        assert_eq!(last.quantile, 1.0);
        assert!(report.percentiles.is_sorted_by_key(|point| point.us));
    }
}
