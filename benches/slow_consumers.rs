//! What a thousand slow readers cost those who are fast: 1,000 bodies of 10 MB, each read at 10 kB/s,
//! over 10 connections, beside fetches of 16 KiB. Prints the rate of these with and without the
//! slow, by the clock and by CPU time, and the memory of it. The server is a process of its own.
//!
//! ```text
//! cargo bench --bench slow_consumers
//! ```

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use gannet::config::PriorKnowledge;
use gannet::{Config, Engine, Request};
use gannet_testbed::Testbed;
use tokio::task::JoinSet;

const ORIGINS: usize = 10;
const SLOW: usize = 1_000;
const FAST: usize = 60_000;
const SERVER: &str = "GANNET_BENCH_SERVER";

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    if env::var_os(SERVER).is_some() {
        return serve();
    }
    let mut server = Command::new(env::current_exe()?)
        .env(SERVER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let told = measure(&mut server);
    server.kill()?;
    server.wait()?;
    told
}

/// Tells where, and serves until its input ends.
fn serve() -> Result<(), Fault> {
    let testbed = Testbed::builder()
        .addresses(ORIGINS as u8)
        .plain(true)
        .max_concurrent_streams(500)
        .start()?;
    for origin in 0..ORIGINS {
        println!("{}", testbed.url_at(origin, ""));
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn measure(server: &mut Child) -> Result<(), Fault> {
    let stdout = server.stdout.take().ok_or("no output")?;
    let origins: Vec<String> = BufReader::new(stdout)
        .lines()
        .take(ORIGINS)
        .collect::<Result<_, _>>()?;
    let mut config = Config::default();
    config.prior_knowledge = PriorKnowledge::All;
    let budget = config.bodies.budget;
    let engine = Engine::builder().config(config).arbiters(1).start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut alone = rates(&engine, &origins).await?;
        let mut slow = JoinSet::new();
        for number in 0..SLOW {
            let url = format!("{}/bytes/10000000", origins[number % ORIGINS]);
            slow.spawn(crawl(engine.clone(), url));
        }
        // Until all have as much ahead of them as they may.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let beside = rates(&engine, &origins).await?;
        let bytes = engine.snapshot().await.bytes;
        slow.shutdown().await;
        // Before and after, so that what the machine does besides is in both.
        alone.extend(rates(&engine, &origins).await?);
        for (at, of) in ["", " of its own CPU time"].iter().enumerate() {
            let median = |rates: &[Rate]| median(rates.iter().map(|rate| rate[at]).collect());
            let (alone, beside) = (median(&alone), median(&beside));
            let ratio = beside / alone;
            println!("alone {alone:.0}, beside {SLOW} {beside:.0} a second{of}: {ratio:.3}");
        }
        println!("held       {} of {} bytes at most", bytes.most, budget);
        println!("peak       {}", peak()?);
        Ok(())
    })
}

/// Reads 10 kB/s.
async fn crawl(engine: Engine, url: String) {
    let Ok(mut response) = engine.open(Request::get(url)).await else {
        return;
    };
    while let Some(Ok(piece)) = response.body.next().await {
        tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / 10_000.0)).await;
    }
}

/// Fetches a second, and a second of this process' CPU time, which another at work does not change.
type Rate = [f64; 2];

async fn rates(engine: &Engine, origins: &[String]) -> Result<Vec<Rate>, Fault> {
    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(rate(engine, origins).await?);
    }
    Ok(rates)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn rate(engine: &Engine, origins: &[String]) -> Result<Rate, Fault> {
    let (started, before) = (Instant::now(), cpu_time()?);
    let requests = stream::iter(0..FAST).map(|number| {
        let origin = &origins[number % origins.len()];
        ((), Request::get(format!("{origin}/bytes/16384")))
    });
    let mut answers = engine.fetch_all(requests, 100);
    while let Some(((), answer)) = answers.next().await {
        answer?;
    }
    let (took, used) = (started.elapsed().as_secs_f64(), cpu_time()? - before);
    Ok([took, used].map(|time| FAST as f64 / time))
}

/// Seconds that this process has computed, as Linux counts them: in hundredths.
fn cpu_time() -> Result<f64, Fault> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, behind) = stat.rsplit_once(')').ok_or("no name")?;
    let ticks = behind.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.map(str::parse::<f64>).sum::<Result<_, _>>()?;
    Ok(ticks / 100.0)
}

/// The most memory that this process has had.
fn peak() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    Ok(line
        .unwrap_or("unknown")
        .trim_start_matches("VmHWM:")
        .trim()
        .to_owned())
}
