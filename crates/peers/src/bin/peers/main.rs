//! Runs the same workloads through gannet and its peers, and writes down what each took.

mod count;
mod page;
mod plan;
mod plot;
mod results;
mod run;
mod server;
mod targets;
mod versions;
mod wish;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Instant;

use gannet_peers::{Failure, raise_files};

use count::{Tool, per_fetch};
use plan::{CASES, Case};
use results::Results;
use run::Bench;
use wish::Wish;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> Result<(), Failure> {
    let Some(wish) = Wish::parse()? else {
        println!("{}", wish::HELP);
        return Ok(());
    };
    raise_files()?;
    let bench = bench(&wish)?;
    server::certify(&bench.folder)?;
    let outcome = all(&wish, &bench);
    fs::remove_dir_all(&bench.folder)?;
    outcome
}

fn bench(wish: &Wish) -> Result<Bench, Failure> {
    let programs = std::env::current_exe()?;
    let programs = programs.parent().ok_or("no folder")?.to_owned();
    let awc = wish.clients.contains(&"awc").then(|| build_awc(&programs));
    let is_split = available_parallelism()?.get() > 1;
    if !is_split {
        eprintln!("there is one core only: client and server share it");
    }
    Ok(Bench {
        folder: std::env::temp_dir().join(format!("gannet-peers-{}", std::process::id())),
        awc: awc.transpose()?.flatten(),
        programs,
        client_core: is_split.then_some(0),
        server_core: is_split.then_some(1),
    })
}

/// awc has to be built apart: with it, features of others' dependencies are on that cost them time.
fn build_awc(programs: &Path) -> Result<Option<PathBuf>, Failure> {
    let manifest = Path::new(CRATE).join("awc/Cargo.toml");
    if !manifest.exists() {
        return Ok(None);
    }
    let target = programs.join("awc-target");
    eprintln!("building awc's client apart, if it is not built");
    let status = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err("awc's client does not build".into());
    }
    Ok(Some(target.join("release/awc-client")))
}

fn all(wish: &Wish, bench: &Bench) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut results = Results::default();
    let cases: Vec<_> = CASES.iter().filter(|case| wish.wants(case)).collect();
    for (i, case) in cases.iter().enumerate() {
        let case = match wish.quick {
            true => case.quick(10),
            false => **case,
        };
        eprintln!(
            "[{}/{}, {} s] {}: {}",
            i + 1,
            cases.len(),
            begun.elapsed().as_secs(),
            case.id,
            case.what
        );
        if server::program(case.server, bench).is_none() {
            eprintln!("  its server is not installed");
            continue;
        }
        one(wish, bench, &case, &mut results)?;
        // So that what has been measured is there, whatever happens next.
        page::write(&wish.out, wish, &results)?;
    }
    let page = page::write(&wish.out, wish, &results)?;
    println!("{page}");
    eprintln!("took {} s", begun.elapsed().as_secs());
    Ok(())
}

fn one(wish: &Wish, bench: &Bench, case: &Case, results: &mut Results) -> Result<(), Failure> {
    let server = server::start(case, bench)?;
    let here = |client: &&&str| wish.clients.contains(*client) && bench.has(client);
    let mut peers: Vec<&'static str> = case.peers.iter().filter(here).copied().collect();
    for round in 0..wish.rounds {
        eprintln!(
            "  round {} of {}: {}",
            round + 1,
            wish.rounds,
            peers.join(", ")
        );
        let mut failed = Vec::new();
        for client in &peers {
            match bench.measure(client, case, &server) {
                Ok(sample) => {
                    let cell = results.cells.entry((case.id, client)).or_default();
                    cell.samples.push(sample);
                }
                Err(error) => {
                    results.fault(case.id, client, &*error);
                    failed.push(*client);
                }
            }
        }
        peers.retain(|client| !failed.contains(client));
    }
    if case.counted.is_some() {
        count(wish, bench, case, results, (&peers, server.port));
    }
    Ok(())
}

fn count(
    wish: &Wish,
    bench: &Bench,
    case: &Case,
    results: &mut Results,
    (peers, port): (&[&'static str], u16),
) {
    // Instructions twice, to see how well they repeat; not where it takes long.
    let tools = [Tool::Callgrind, Tool::Callgrind, Tool::Dhat, Tool::Strace];
    let skipped = usize::from(case.body > 1 << 20 || case.is_step());
    for tool in tools.into_iter().skip(skipped) {
        if wish.no_valgrind && tool != Tool::Strace || !tool.is_there() {
            continue;
        }
        eprintln!("  {tool:?}, to a fetch:");
        for client in peers {
            match per_fetch(tool, bench, client, case, port) {
                Ok(count) => {
                    let shown = count.map_or_else(String::new, |count| format!("{count:.2}"));
                    eprintln!("    {client} {shown}");
                    let cell = results.cells.entry((case.id, client)).or_default();
                    cell.add(tool, count);
                }
                Err(error) => results.fault(case.id, client, &*error),
            }
        }
    }
}
