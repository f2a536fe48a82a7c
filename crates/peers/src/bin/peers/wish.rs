//! What the command line asks for.

use std::path::{Path, PathBuf};

use gannet_peers::Failure;

use crate::CRATE;
use crate::plan::{ALL, CASES, Case};

pub(crate) const HELP: &str = "\
Runs the same fetches through gannet and its peers, each in a process of its own, the client on one
core and the server on another; prints what each took and writes it to benches/RESULTS.md, with a plot.

Usage: cargo run --release --manifest-path crates/peers/Cargo.toml -- [OPTIONS]

  --only W1,W6      these workloads alone: W1 to W9, rest, idle; a step as W7.10 or W1.nginx
  --clients A,B     these clients alone: gannet, h2, hyper1, hyper-util, reqwest, reqwest-mt, awc, h2load
  --rounds N        how often each is timed, in turn with the others; 5 if not given
  --quick           a tenth of the fetches, to see whether all works
  --no-valgrind     counts neither instructions nor allocations
  --out DIR         where RESULTS.md and results.svg go; benches if not given
  --date TEXT       what the page says of when; today if not given
  --help            this text

All of it takes about half an hour, W1 by itself 3 minutes. Other work on the machine disturbs times, but no counts.
Between <!-- keep --> and <!-- /keep --> the page keeps what it says.";

pub(crate) struct Wish {
    only: Option<Vec<String>>,
    pub(crate) clients: Vec<&'static str>,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    pub(crate) no_valgrind: bool,
    pub(crate) out: PathBuf,
    pub(crate) date: Option<String>,
}

impl Wish {
    /// That of this program; `None` if it is for help.
    pub(crate) fn parse() -> Result<Option<Self>, Failure> {
        let mut args = pico_args::Arguments::from_env();
        if args.contains(["-h", "--help"]) {
            return Ok(None);
        }
        let list = |text: String| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let only: Option<String> = args.opt_value_from_str("--only")?;
        let clients: Option<String> = args.opt_value_from_str("--clients")?;
        let quick = args.contains("--quick");
        let rounds = args.opt_value_from_str("--rounds")?;
        let out: Option<PathBuf> = args.opt_value_from_str("--out")?;
        let wish = Self {
            only: only.map(list),
            clients: known(clients.map(list))?,
            rounds: rounds.unwrap_or(if quick { 2 } else { 5 }).max(1),
            quick,
            no_valgrind: args.contains("--no-valgrind"),
            out: out.unwrap_or_else(|| Path::new(CRATE).join("../../benches")),
            date: args.opt_value_from_str("--date")?,
        };
        if let Some(other) = args.finish().first() {
            return Err(format!("{} is not known; try --help", other.display()).into());
        }
        match CASES.iter().any(|case| wish.wants(case)) {
            true => Ok(Some(wish)),
            false => Err("there is no such workload; try --help".into()),
        }
    }

    pub(crate) fn wants(&self, case: &Case) -> bool {
        let Some(only) = &self.only else {
            return true;
        };
        only.iter()
            .any(|name| name == case.id || name == case.workload())
    }
}

fn known(names: Option<Vec<String>>) -> Result<Vec<&'static str>, Failure> {
    let Some(names) = names else {
        return Ok(ALL.to_vec());
    };
    let known = |name: String| ALL.into_iter().find(|client| *client == name).ok_or(name);
    let known: Result<_, _> = names.into_iter().map(known).collect();
    known.map_err(|name| format!("no client: {name}; try --help").into())
}
