//! `gannet bench`: load for a server, and what came of it.

pub(crate) mod args;
mod child;
mod csv;
mod html;
mod load;
mod pace;
mod plot;
mod prepare;
mod report;
mod samples;
mod text;
mod threshold;
mod timeline;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use cpu_time::ProcessTime;
use futures::future;
use gannet::Engine;

use crate::bench::args::BenchArgs;
use crate::bench::child::Server;
use crate::bench::csv::Table;
use crate::bench::load::Plan;
use crate::bench::prepare::{config, origins, plan, urls};
use crate::bench::report::{Around, Load, Report};
use crate::bench::samples::Samples;
use crate::bench::text::{Text, live};
use crate::exit::{Exit, Failure, say};
use crate::fetch::is_same;
use crate::progress::Gauge;
use crate::serve;
use crate::signal::Interrupt;

/// Answers between two looks at the live line.
const LOOK: u64 = 256;

/// On an arbiter of its own, where the engine can live beside its caller.
pub(crate) fn bench(args: &BenchArgs) -> Result<Exit, Failure> {
    actix_rt::System::new().block_on(run(args))
}

async fn run(args: &BenchArgs) -> Result<Exit, Failure> {
    let mut config = config(args)?;
    // What is wrong is told before an older report is overwritten, and before anything starts.
    let asked = match args.urls.is_empty() && args.input.is_none() {
        true => None,
        false => {
            let urls = urls(args).await?;
            Some((plan(args, &urls)?, urls))
        }
    };
    let mut outputs = Outputs::create(args)?;
    let server = match asked {
        None => Some(Server::start()?),
        Some(_) => None,
    };
    if let Some(server) = &server {
        config.tls.trust = crate::secure::authority(&server.authority)?;
    }
    let own = || {
        let urls: Vec<_> = server.iter().map(|server| server.url.clone()).collect();
        Ok((plan(args, &urls)?, urls))
    };
    let (plan, urls) = asked.map_or_else(own, Ok)?;
    let origins = origins(&plan.requests);
    config.max_connections = config
        .max_connections
        .max(origins.saturating_mul(args.connections));
    let engine = match args.threads {
        1 => Engine::builder().config(config).start_here(),
        threads => Engine::builder()
            .config(config)
            .arbiters(threads)
            .start()
            .map_err(Failure::start)?,
    };
    let interrupt = Interrupt::watch(|| ())?;
    if let Some(time) = args.warmup {
        plan.warm_up(&engine, time, interrupt.wait()).await?;
    }
    let report = measure(args, &plan, &engine, &interrupt, &mut outputs, &urls).await?;
    drop(server);
    outputs.write(&report)?;
    let text = Text {
        report: &report,
        histogram: args.histogram,
    };
    serve::print(&text.to_string())?;
    Ok(verdict(args, &report))
}

/// The run that counts.
async fn measure(
    args: &BenchArgs,
    plan: &Plan,
    engine: &Engine,
    interrupt: &Interrupt,
    outputs: &mut Outputs,
    urls: &[String],
) -> Result<Report, Failure> {
    let gauge = Gauge::new(
        !args.silent,
        plan.count.map(|count| count as u64),
        args.duration,
    );
    let before = engine.snapshot().await.counters;
    let (mut samples, cpu) = (Samples::start(), ProcessTime::now());
    let mut answered = 0_u64;
    let left = plan
        .run(engine, end(args, interrupt), |(answer, latency)| {
            samples.add(&answer, latency);
            if let Some(table) = &mut outputs.csv {
                table.add(samples.started.elapsed(), &answer, latency);
            }
            answered += 1;
            if answered.is_multiple_of(LOOK) {
                gauge.show(answered, || live(&samples));
            }
        })
        .await?;
    let (took, cpu) = (samples.started.elapsed(), cpu.elapsed());
    gauge.clear();
    let after = engine.snapshot().await.counters;
    let around = Around {
        load: load(args, plan, urls),
        interrupted: interrupt.has_come(),
        left,
        took,
        cpu,
        counters: (before, after),
    };
    Ok(Report::new(samples, around))
}

/// When the time is up, if there is a limit, or an interrupt comes.
async fn end(args: &BenchArgs, interrupt: &Interrupt) {
    match args.duration {
        None => interrupt.wait().await,
        Some(time) => {
            let (time, wait) = (tokio::time::sleep(time), interrupt.wait());
            drop(future::select(Box::pin(time), Box::pin(wait)).await);
        }
    }
}

/// What was asked for.
fn load(args: &BenchArgs, plan: &Plan, urls: &[String]) -> Load {
    Load {
        url: crate::row::without_credentials(urls.first().map_or("", String::as_str)),
        urls: urls.len(),
        connections: args.connections,
        streams: plan.streams,
        threads: args.threads,
        rate: args.rate,
    }
}

fn verdict(args: &BenchArgs, report: &Report) -> Exit {
    if report.interrupted {
        return Exit::Interrupted;
    }
    let missed = args.threshold.iter().filter_map(|limit| limit.miss(report));
    let missed: Vec<_> = missed.collect();
    for miss in &missed {
        say(format_args!("gannet: missed {miss}"));
    }
    match missed.is_empty() {
        false => Exit::Missed,
        true if report.responses() == 0 => Exit::Failed,
        true => Exit::Done,
    }
}

/// The files to write, opened before the run: who has waited for an hour is not to learn then that a
/// file cannot be written.
struct Outputs {
    csv: Option<Table>,
    json: Option<(PathBuf, File)>,
    html: Option<(PathBuf, File)>,
}

impl Outputs {
    fn create(args: &BenchArgs) -> Result<Self, Failure> {
        let input = args.input.as_deref();
        let mut outputs = [&args.csv, &args.json, &args.html].into_iter();
        if outputs.any(|path| is_same(input, path.as_deref())) {
            let message = "the input would be overwritten by a report";
            return Err(Failure::new(Exit::Usage, message));
        }
        let create = |path: &Option<PathBuf>| match path {
            None => Ok(None),
            Some(path) => match File::create(path) {
                Ok(file) => Ok(Some((path.clone(), file))),
                Err(error) => Err(Failure::output(path.display(), &error)),
            },
        };
        Ok(Self {
            csv: args.csv.as_deref().map(Table::create).transpose()?,
            json: create(&args.json)?,
            html: create(&args.html)?,
        })
    }

    fn write(self, report: &Report) -> Result<(), Failure> {
        let json = || serde_json::to_string_pretty(report).map_err(Failure::start);
        if let Some((path, file)) = self.json {
            put(&path, file, &format!("{}\n", json()?))?;
        }
        if let Some((path, file)) = self.html {
            put(&path, file, &html::page(report))?;
        }
        self.csv.map_or(Ok(()), Table::finish)
    }
}

fn put(path: &Path, mut file: File, text: &str) -> Result<(), Failure> {
    let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
    written.map_err(|error| Failure::output(path.display(), &error))
}
