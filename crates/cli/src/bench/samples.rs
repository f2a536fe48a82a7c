//! What is noted of each answer while the load runs: no more than counting, for it is part of what is
//! measured.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use gannet::response::{Protocol, Receipt};
use gannet::{Failure, Response};
use hdrhistogram::Histogram;

use crate::bench::timeline::Timeline;
use crate::row::micros;

/// The longest latency that is told apart, in microseconds.
const LONGEST: u64 = 3_600_000_000;
/// Connections that are listed; all others share a line.
const LISTED: usize = 1_000;

/// Times in microseconds.
pub(crate) type Times = Histogram<u64>;

#[derive(Debug)]
pub(crate) struct Samples {
    pub(crate) started: Instant,
    pub(crate) latency: Latency,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) errors: BTreeMap<&'static str, u64>,
    pub(crate) body_bytes: u64,
    /// Of the heads of responses on HTTP/2, decoded.
    pub(crate) head_bytes: u64,
    pub(crate) reused: u64,
    pub(crate) attempts: u64,
    pub(crate) timeline: Timeline,
    pub(crate) connections: HashMap<u64, Line>,
}

/// Of responses, by phase.
#[derive(Debug)]
pub(crate) struct Latency {
    pub(crate) total: Times,
    /// Without the wait for a place on a connection.
    pub(crate) service: Times,
    pub(crate) queue: Times,
    /// Of those that opened a connection.
    pub(crate) connect: Times,
    pub(crate) tls: Times,
    pub(crate) first_byte: Times,
    pub(crate) body: Times,
}

/// What went over one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) peer: String,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) resumed: bool,
    /// In this run, and not before.
    pub(crate) opened: bool,
    /// What it took to open.
    pub(crate) connect: Duration,
    pub(crate) tls: Duration,
    /// When its first and its latest response were complete.
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// The times of one fetch, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Phases {
    pub(crate) queue: u64,
    pub(crate) dial: Option<(u64, u64)>,
    pub(crate) first_byte: u64,
    pub(crate) body: u64,
    pub(crate) service: u64,
}

impl Phases {
    /// Whoever opens a connection waits for it in the queue: what that took is told apart.
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let dial = receipt.peer.as_ref().filter(|_| !receipt.reused);
        let dial = dial.map(|peer| peer.dial);
        let took = dial.map_or(Duration::ZERO, |dial| dial.total);
        let first = receipt.first_byte.unwrap_or(receipt.done);
        let between = |from: Duration, to: Duration| micros(to.saturating_sub(from));
        Self {
            queue: between(took, receipt.queued),
            dial: dial.map(|dial| (between(dial.tls, dial.total), micros(dial.tls))),
            first_byte: between(receipt.queued, first),
            body: between(first, receipt.done),
            service: between(receipt.queued, receipt.done),
        }
    }
}

fn times() -> Times {
    // The bounds are sound: these are all that could be wrong.
    Histogram::new_with_bounds(1, LONGEST, 3).unwrap_or_else(|_| unreachable!())
}

fn note(times: &mut Times, micros: u64) {
    times.saturating_record(micros);
}

impl Samples {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            latency: Latency {
                total: times(),
                service: times(),
                queue: times(),
                connect: times(),
                tls: times(),
                first_byte: times(),
                body: times(),
            },
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            body_bytes: 0,
            head_bytes: 0,
            reused: 0,
            attempts: 0,
            timeline: Timeline::default(),
            connections: HashMap::new(),
        }
    }

    /// Notes an answer that was wanted for `latency`.
    pub(crate) fn add(&mut self, answer: &Result<Response, Failure>, latency: Duration) {
        let at = self.started.elapsed();
        let slot = self.timeline.at(at.as_secs_f64());
        match answer {
            Ok(response) => {
                let bytes = response.body.len() as u64;
                slot.responses += 1;
                slot.bytes += bytes;
                slot.errors += u64::from(response.status.as_u16() >= 400);
                self.body_bytes += bytes;
                *self.statuses.entry(response.status.as_u16()).or_default() += 1;
                self.add_response(response, latency, at);
            }
            Err(failure) => {
                slot.errors += 1;
                *self.errors.entry(failure.kind()).or_default() += 1;
                self.attempts += u64::from(failure.receipt.attempts);
            }
        }
    }

    fn add_response(&mut self, response: &Response, latency: Duration, at: Duration) {
        let receipt = &response.receipt;
        let phases = Phases::of(receipt);
        let all = &mut self.latency;
        note(&mut all.total, micros(latency));
        note(&mut all.service, phases.service);
        note(&mut all.queue, phases.queue);
        note(&mut all.first_byte, phases.first_byte);
        note(&mut all.body, phases.body);
        if let Some((connect, tls)) = phases.dial {
            note(&mut all.connect, connect);
            if receipt.peer.as_ref().is_some_and(|peer| peer.tls.is_some()) {
                note(&mut all.tls, tls);
            }
        }
        self.reused += u64::from(receipt.reused);
        self.attempts += u64::from(receipt.attempts);
        if response.protocol == Protocol::Http2 {
            self.head_bytes += head_size(response);
        }
        self.add_connection(response, at);
    }

    fn add_connection(&mut self, response: &Response, at: Duration) {
        let number = response.receipt.connection.unwrap_or(0);
        let is_listed = self.connections.len() < LISTED || self.connections.contains_key(&number);
        let number = if is_listed { number } else { u64::MAX };
        let line = self
            .connections
            .entry(number)
            .or_insert_with(|| Line::of(response, at));
        line.requests += 1;
        line.bytes += response.receipt.wire_bytes;
        line.last = at;
        line.opened |= !response.receipt.reused;
    }

    pub(crate) fn responses(&self) -> u64 {
        self.latency.total.len()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl Line {
    fn of(response: &Response, at: Duration) -> Self {
        let peer = response.receipt.peer.as_deref();
        let dial = peer.map(|peer| peer.dial).unwrap_or_default();
        let tls = peer.and_then(|peer| peer.tls.as_ref());
        Self {
            peer: peer.map_or_else(String::new, |peer| peer.address.to_string()),
            protocol: Some(response.protocol),
            resumed: tls.is_some_and(|tls| tls.resumed),
            connect: dial.total.saturating_sub(dial.tls),
            tls: dial.tls,
            first: at,
            ..Self::default()
        }
    }
}

/// Names and values, as h2load counts them: the status is a field, too.
fn head_size(response: &Response) -> u64 {
    let status = ":status".len() + "200".len();
    let fields = response.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len());
    (status + fields.sum::<usize>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_of_a_fetch_make_up_its_time() {
        let mut receipt = Receipt::default();
        let at = Duration::from_micros;
        (receipt.queued, receipt.first_byte, receipt.done) = (at(300), Some(at(700)), at(1_000));
        receipt.reused = true;
        let phases = Phases::of(&receipt);
        let sum = phases.queue + phases.first_byte + phases.body;
        assert_eq!((sum, phases.service, phases.dial), (1_000, 700, None));
        // It broke before there was a head.
        receipt.first_byte = None;
        assert_eq!(Phases::of(&receipt).first_byte, 700);
    }
}
