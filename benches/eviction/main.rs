//! Compares the eviction policies: replays traces of accesses to origins through a simulated cache
//! of connections, and tells how many fetches found one open, and what the others cost.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use gannet::policy::eviction::{Eviction, GreedyDual, Lfu, Lru, Sieve};

use optimal::Optimal;
use replay::{Outcome, replay};
use trace::Trace;

mod optimal;
mod plot;
mod replay;
mod scale;
mod trace;

const HELP: &str = "\
Compares the eviction policies over three traces and three capacities.

Usage: cargo bench --bench eviction [-- --svg [FILE]]

  --svg [FILE]  also draw the reuse ratios; FILE is target/eviction.svg if not given
  --help        this text

reuse    fetches that found an open connection
spent    what the handshakes of all others took, one after the other
saved    what reuse spared, against a handshake for each fetch
choice   one decision what to close
fetch    the whole replay, by fetch: what a policy does for uses, too

optimal knows the future and closes what is used again last (Belady). It is the ceiling of reuse,
not of what is saved: it does not look at what a handshake costs.";

const CAPACITIES: [usize; 3] = [64, 256, 1024];

/// Makes a policy, for a trace that only the optimal one looks at.
type Make = fn(&Trace) -> Box<dyn Eviction>;

const POLICIES: [(&str, Make); 5] = [
    ("lru", |_| Box::<Lru>::default()),
    ("lfu", |_| Box::<Lfu>::default()),
    ("sieve", |_| Box::<Sieve>::default()),
    ("greedy-dual", |_| Box::<GreedyDual>::default()),
    ("optimal", |trace| Box::new(Optimal::new(&trace.accesses))),
];

/// One line of the table.
struct Row {
    trace: &'static str,
    capacity: usize,
    policy: &'static str,
    outcome: Outcome,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace,
            capacity,
            policy,
            outcome,
        } = self;
        let (reuse, spent, saved) = (
            outcome.reuse(),
            outcome.spent.as_secs(),
            outcome.saved.as_secs(),
        );
        let (choice, fetch) = (outcome.choice.as_nanos(), outcome.fetch.as_nanos());
        write!(f, "{trace:<10} {capacity:>8}  {policy:<11} ")?;
        write!(
            f,
            "{reuse:>5.1} % {spent:>7} s {saved:>7} s {choice:>6} ns {fetch:>5} ns"
        )
    }
}

/// What the command line asks for.
enum Wish {
    Help,
    Run { svg: Option<PathBuf> },
}

fn main() -> Result<(), Box<dyn Error>> {
    let Wish::Run { svg } = wish(std::env::args().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    let rows = compare();
    scale::print();
    if let Some(path) = svg {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, plot::draw(&rows))?;
        println!("\ndrawn in {}", path.display());
    }
    Ok(())
}

fn wish(arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
    let (mut arguments, mut svg) = (arguments.peekable(), None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--help" | "-h" => return Ok(Wish::Help),
            "--svg" => {
                let path = arguments.next_if(|next| !next.starts_with("--"));
                svg = Some(path.map_or_else(|| "target/eviction.svg".into(), PathBuf::from));
            }
            other => return Err(format!("{other} is not known; try --help")),
        }
    }
    Ok(Wish::Run { svg })
}

fn compare() -> Vec<Row> {
    println!(
        "{:<10} {:>8}  {:<11} {:>7} {:>9} {:>9} {:>9} {:>8}",
        "trace", "capacity", "policy", "reuse", "spent", "saved", "choice", "fetch"
    );
    let mut rows = Vec::new();
    for trace in trace::all() {
        for capacity in CAPACITIES {
            for (policy, make) in POLICIES {
                let outcome = replay(&trace, capacity, make(&trace).as_mut());
                let trace = trace.name;
                let row = Row {
                    trace,
                    capacity,
                    policy,
                    outcome,
                };
                println!("{row}");
                rows.push(row);
            }
        }
    }
    rows
}
