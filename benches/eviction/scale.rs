//! What each policy takes with many connections.

use std::time::{Duration, Instant};

use gannet::policy::eviction::{Entry, Eviction};

use crate::POLICIES;
use crate::trace::{Trace, mix};

const CONNECTIONS: u64 = 100_000;

/// Prints one line per policy but the optimal one, which is of no use without a trace.
pub(crate) fn print() {
    println!("\nwith {CONNECTIONS} idle connections, on average");
    println!("{:<11} {:>9} {:>9}", "policy", "use", "choice");
    let trace = Trace::empty();
    for (name, make) in POLICIES.iter().filter(|(name, _)| *name != "optimal") {
        let (used, chosen) = measure(make(&trace).as_mut());
        let (used, chosen) = (used.as_nanos(), chosen.as_nanos());
        println!("{name:<11} {used:>6} ns {chosen:>6} ns");
    }
}

/// What a use takes (busy, and idle again), and what a choice does, with a new connection in the
/// place of the one chosen.
fn measure(policy: &mut dyn Eviction) -> (Duration, Duration) {
    let start = Instant::now();
    let entry = |connection: u64| {
        let mut entry = Entry::new(connection, start + Duration::from_nanos(connection));
        (entry.uses, entry.handshake) = (1, Duration::from_millis(5 + mix(connection) % 295));
        entry
    };
    let mut entries: Vec<_> = (0..CONNECTIONS).map(entry).collect();
    entries.iter().for_each(|entry| policy.idle(*entry));

    let uses = 2 * CONNECTIONS;
    let clock = Instant::now();
    for n in 0..uses {
        let entry = &mut entries[(mix(n) % CONNECTIONS) as usize];
        policy.busy(entry.connection);
        entry.uses += 1;
        entry.last_use = start + Duration::from_nanos(CONNECTIONS + n);
        policy.idle(*entry);
    }
    let used = clock.elapsed() / uses as u32;

    let clock = Instant::now();
    for n in 0..CONNECTIONS {
        policy.choose();
        let mut entry = entry(CONNECTIONS + n);
        entry.last_use = start + Duration::from_nanos(CONNECTIONS + uses + n);
        policy.idle(entry);
    }
    (used, clock.elapsed() / CONNECTIONS as u32)
}
