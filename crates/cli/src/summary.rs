//! What the pool of a run has done, in a line or two.

use gannet::view::{Counters, Histogram};
use indicatif::HumanCount;

/// Connections, reuse and waiting; then retries and closed connections, if there were any.
pub(crate) fn lines(counters: &Counters) -> Vec<String> {
    if counters.dials == 0 {
        return Vec::new();
    }
    let reuse = 100.0 * counters.reused as f64 / counters.requests.max(1) as f64;
    let mut lines = vec![format!(
        "connections: {} opened, {reuse:.1} % of requests on an open one{}",
        HumanCount(counters.handshakes),
        waits(&counters.queue),
    )];
    let retries = list(counters.retries.iter().map(|(kind, n)| (*kind, *n)));
    let closed = list(counters.closed.iter().map(|(r, n)| (r.kind(), *n)));
    let refused = match counters.retries_refused {
        0 => String::new(),
        refused => format!(
            "not retried, for the budget was spent: {}",
            HumanCount(refused)
        ),
    };
    let parts = [("retried: ", retries), ("", refused), ("closed: ", closed)];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(title, list)| format!("{title}{list}"))
        .collect();
    if !parts.is_empty() {
        lines.push(parts.join("; "));
    }
    lines
}

/// Bounds, for a histogram knows no more.
fn waits(queue: &Histogram) -> String {
    match queue.count() {
        0 => String::new(),
        _ => format!(
            "; waited for: p50 < {:.0?}, p99 < {:.0?}",
            queue.quantile(0.5),
            queue.quantile(0.99)
        ),
    }
}

fn list<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let items = counts.map(|(name, count)| format!("{} {name}", HumanCount(count)));
    items.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use gannet::view::Reason;

    use super::*;

    #[test]
    fn a_run_that_sent_nothing_says_nothing_of_connections() {
        assert!(lines(&Counters::default()).is_empty());
    }

    #[test]
    fn retries_and_closes_are_told_only_if_there_were_any() {
        let mut counters = Counters::default();
        (counters.dials, counters.handshakes) = (2, 2);
        (counters.requests, counters.reused) = (1_000, 998);
        let plain = "connections: 2 opened, 99.8 % of requests on an open one";
        assert_eq!(lines(&counters), [plain]);
        counters.retries = [("goaway", 3), ("status", 1_200)].into();
        counters.retries_refused = 4;
        counters.closed = [(Reason::GoAway, 1), (Reason::Evicted, 2)].into();
        let trouble = "retried: 3 goaway, 1,200 status; not retried, for the budget was spent: 4; \
                       closed: 2 evicted, 1 goaway";
        assert_eq!(lines(&counters), [plain, trouble]);
    }
}
