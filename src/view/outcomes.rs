//! How fetches end, counted.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};

use crate::origin::Protocol;
use crate::response::Receipt;
use crate::view::histogram::{BUCKETS, Histogram, bucket_of};

/// Threads count apart from each other, as far as that goes.
const SHARDS: usize = 16;

/// What fetches that are counted together have in common; the attributes of OpenTelemetry's HTTP
/// client metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Outcome {
    /// The method; `_OTHER` for those that RFC 9110 does not know.
    pub method: &'static str,
    /// The status, if there was a response.
    pub status: Option<StatusCode>,
    /// [`Error::kind`](crate::Error::kind) if it failed, or `cancelled`.
    pub error: Option<&'static str>,
    /// The version of HTTP, if there was a response.
    pub version: Option<&'static str>,
}

/// The fetches of one [`Outcome`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Ended {
    /// How long they took, queueing and retries included.
    pub took: Histogram,
    /// Bytes of their responses' bodies on the wire.
    pub received: u64,
    /// Bytes of their requests' bodies.
    pub sent: u64,
    /// The sum of the times.
    pub total: Duration,
}

/// One entry, as it is counted.
#[derive(Debug)]
struct Entry {
    took: [u64; BUCKETS],
    received: u64,
    sent: u64,
    total: Duration,
}

/// Counts, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    shards: [Mutex<BTreeMap<Outcome, Entry>>; SHARDS],
}

impl Outcome {
    pub(crate) fn answered(method: &Method, status: StatusCode, protocol: Protocol) -> Self {
        Self {
            method: known(method),
            status: Some(status),
            error: None,
            version: Some(version(protocol)),
        }
    }

    pub(crate) fn failed(method: &Method, error: &'static str) -> Self {
        Self {
            method: known(method),
            status: None,
            error: Some(error),
            version: None,
        }
    }
}

impl Outcomes {
    pub(crate) fn count(&self, outcome: Outcome, receipt: &Receipt) {
        let mut entries = lock(&self.shards[own_shard()]);
        let entry = entries.entry(outcome).or_insert_with(|| Entry {
            took: [0; BUCKETS],
            received: 0,
            sent: 0,
            total: Duration::ZERO,
        });
        entry.took[bucket_of(receipt.done)] += 1;
        entry.received = entry.received.saturating_add(receipt.wire_bytes);
        entry.sent = entry.sent.saturating_add(receipt.sent_bytes);
        entry.total = entry.total.saturating_add(receipt.done);
    }

    pub(crate) fn sum(&self) -> BTreeMap<Outcome, Ended> {
        let mut sum = BTreeMap::<Outcome, Ended>::new();
        for shard in &self.shards {
            for (outcome, entry) in &*lock(shard) {
                let ended = sum.entry(*outcome).or_default();
                ended.took.add(&Histogram::new(entry.took.to_vec()));
                ended.received = ended.received.saturating_add(entry.received);
                ended.sent = ended.sent.saturating_add(entry.sent);
                ended.total = ended.total.saturating_add(entry.total);
            }
        }
        sum
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counting cannot panic half-way.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for all that a thread counts.
fn own_shard() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OWN.with(|own| {
        let shard = own
            .get()
            .unwrap_or_else(|| THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS);
        own.set(Some(shard));
        shard
    })
}

fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http10 => "1.0",
        Protocol::Http11 => "1.1",
        _ => "2",
    }
}

/// Callers may make up methods; the number of counters is not theirs to choose.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    let found = KNOWN.iter().find(|known| **known == method.as_str());
    found.copied().unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_on_any_thread_is_in_the_sum() {
        let outcomes = Outcomes::default();
        let receipt = Receipt {
            done: Duration::from_millis(5),
            wire_bytes: 10,
            ..Receipt::default()
        };
        let ok = Outcome::answered(&Method::GET, StatusCode::OK, Protocol::Http2);
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| outcomes.count(ok, &receipt));
            }
        });
        let odd = Method::from_bytes(b"ODD").expect("a token");
        outcomes.count(Outcome::failed(&odd, "timeout"), &receipt);
        let sum = outcomes.sum();
        assert_eq!(
            (sum.len(), sum[&ok].took.count(), sum[&ok].received),
            (2, 40, 400)
        );
        assert_eq!(sum[&ok].total, Duration::from_millis(200));
        assert!(sum.contains_key(&Outcome::failed(&odd, "timeout")));
        assert!(sum.keys().any(|outcome| outcome.method == "_OTHER"));
    }
}
