//! `gannet bench`: load for a server, and what came of it.

pub(crate) mod args;
mod child;
mod csv;
mod html;
mod load;
mod pace;
mod plot;
mod report;
mod samples;
mod text;
mod threshold;
mod timeline;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpu_time::ProcessTime;
use futures::{StreamExt, future, stream};
use gannet::{Config, Engine, Request, Target};

use crate::bench::args::BenchArgs;
use crate::bench::child::Server;
use crate::bench::csv::Table;
use crate::bench::load::Plan;
use crate::bench::report::{Around, Load, Report};
use crate::bench::samples::Samples;
use crate::bench::text::{Text, live};
use crate::exit::{Exit, Failure, say};
use crate::fetch::is_same;
use crate::input;
use crate::options::Template;
use crate::progress::Gauge;
use crate::serve;
use crate::signal::Interrupt;

/// Requests where neither their number nor a time is given.
const REQUESTS: usize = 20_000;
/// URLs that are read at most.
const MOST_URLS: usize = 1_000_000;
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
                let total = &samples.latency.total;
                let at = |quantile| total.value_at_quantile(quantile);
                gauge.show(answered, || {
                    live(
                        answered,
                        samples.failed(),
                        samples.started.elapsed(),
                        at(0.5),
                        at(0.99),
                    )
                });
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

/// The engine's limits and settings: what flags say, and what makes it do no more than is asked.
fn config(args: &BenchArgs) -> Result<Config, Failure> {
    let mut config = Config::default();
    if let Some(limit) = args.max_time {
        config.deadline = limit;
        let finer = [
            &mut config.acquire_timeout,
            &mut config.head_timeout,
            &mut config.body_timeout,
        ];
        for finer in finer {
            *finer = (*finer).max(limit);
        }
    }
    (config.conn_limit, config.conn_limit_http1) = (args.connections, args.connections);
    config.max_streams_per_connection = args.streams;
    // Connections are what was asked for, and not what is needed.
    config.spread_after = Duration::ZERO;
    config.max_attempts = args.retry.saturating_add(1);
    // A server that fails is part of what is measured.
    config.breaker_failures = 0;
    let waiting = load::MOST.max(args.connections.saturating_mul(args.streams));
    (config.max_pending, config.max_pending_per_origin) = (waiting, waiting);
    let window = |bits: u8| u32::try_from((1_u64 << bits) - 1).unwrap_or(u32::MAX);
    if let Some(bits) = args.window_bits {
        config.stream_window = window(bits);
    }
    if let Some(bits) = args.connection_window_bits {
        config.connection_window = window(bits);
        config.bodies.max_connection_window = window(bits);
    }
    args.way.apply(&mut config)?;
    Ok(config)
}

fn plan(args: &BenchArgs, urls: &[String]) -> Result<Plan, Failure> {
    let template = Template::new(&args.ask, false)?;
    let targets = urls.iter().map(|url| {
        Target::parse(url).map_err(|error| {
            let url = crate::row::without_credentials(url);
            Failure::new(Exit::Usage, format!("{url}: {error}"))
        })
    });
    let requests = targets.map(|target| Ok(template.request(target?)));
    let requests: Vec<Request> = requests.collect::<Result<_, Failure>>()?;
    if let Some(Err(error)) = requests.iter().map(Request::check).find(Result::is_err) {
        return Err(Failure::new(Exit::Usage, error.to_string()));
    }
    let is_serial = |request: &Request| {
        let target = request.check();
        target.is_ok_and(|target| args.way.reach.is_http1(target.origin().is_secure()))
    };
    let streams = match requests.iter().all(is_serial) {
        true => 1,
        false => args.streams,
    };
    let endless = args.requests.is_none() && args.duration.is_some();
    Ok(Plan {
        requests,
        count: (!endless).then(|| args.requests.unwrap_or(REQUESTS)),
        in_flight: args.connections.saturating_mul(streams),
        rate: args.rate,
        streams,
    })
}

/// How many different ones are asked.
fn origins(requests: &[Request]) -> usize {
    let origins = requests.iter().filter_map(|request| request.check().ok());
    let origins = origins.map(|target| target.origin().clone());
    origins.collect::<std::collections::HashSet<_>>().len()
}

/// Those of the command line, and then those of the input.
async fn urls(args: &BenchArgs) -> Result<Vec<String>, Failure> {
    let mut urls = args.urls.clone();
    let mut lines = match &args.input {
        Some(path) => input::open(path)?.left_stream(),
        None => stream::empty().right_stream(),
    };
    while let Some(line) = lines.next().await {
        let line = line?;
        let wrong = |reason: String| {
            Failure::new(
                Exit::Input,
                format!("line {} of the input: {reason}", line.number),
            )
        };
        let url = line.text.map_err(|fault| wrong(fault.reason.to_owned()))?;
        Target::parse(&url).map_err(|error| wrong(error.to_string()))?;
        urls.push(url);
        if urls.len() > MOST_URLS {
            return Err(wrong(format!("more than {MOST_URLS} URLs")));
        }
    }
    match urls.is_empty() {
        true => Err(Failure::new(Exit::Input, "there is no URL in the input")),
        false => Ok(urls),
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
