//! The flags of `gannet bench`, named as in h2load and oha.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::ask::{Ask, Way};
use crate::bench::threshold::Threshold;
use crate::parse;

pub(crate) const EXAMPLES: &str = "\
Requests go the way of every fetch: through an Agent, the Pool, a Connection and a Stream of the
engine. Latencies count from the moment a request is asked for; with --rate from the moment at which
it was to be, so that a server which stalls cannot hide it, and `service` tells beside it how long a
request took once it had its place on a connection. Bodies are read whole and dropped; nothing is
decoded, and without --retry nothing is tried again but what the server refused unseen.

What --duration cuts off is told apart, and is no error; but to a limit on the latency it took no less
than it had been waited for. Connections open as they are needed: with --rate that can be fewer than
-c. All of an origin is on one thread. --threshold knows min, mean, p50, p90, p95,
p99, p99.9 and max of the latency, error (a share; no response, or a status of 400 or more) and rps.

Examples:
  gannet bench                                        the server of the demonstration, in a process apart
  gannet bench -n 100000 -c 10 -m 50 https://example.com/
  gannet bench -z 30s --warmup 5s -q 2000 --html report.html https://example.com/
  gannet bench -z 1m -i urls.txt --json result.json --threshold 'p99<200ms,error<1%'";

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// What to fetch, one after the other; without any, a page of 1 KiB of the server of the
    /// demonstration
    pub(crate) urls: Vec<String>,
    /// Read URLs, one a line, from a file or standard input (-); all of them before it starts
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Requests in all [default: 20000, or as many as --duration allows]
    #[arg(short = 'n', long, value_name = "N", value_parser = parse::count)]
    pub(crate) requests: Option<usize>,
    /// Stop after this time: 10s, 500ms, 2m
    #[arg(short = 'z', long, value_name = "TIME", value_parser = parse::duration)]
    pub(crate) duration: Option<Duration>,
    /// Go on for this time first, and count nothing of it
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    pub(crate) warmup: Option<Duration>,
    /// Connections of each origin, with --rate at most
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = parse::count)]
    pub(crate) connections: usize,
    /// Streams at once on each of them; HTTP/1.1 has one
    #[arg(short = 'm', long, value_name = "N", default_value_t = 100, value_parser = parse::count)]
    pub(crate) streams: usize,
    /// Start so many requests a second, whatever comes back
    #[arg(short = 'q', long, value_name = "N", value_parser = parse::rate)]
    pub(crate) rate: Option<f64>,
    /// Threads of the engine; with one, everything is on that
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = parse::count)]
    pub(crate) threads: usize,
    /// Window of each stream: 2 to the power of this, less 1 bytes [default: that of the engine]
    #[arg(short = 'w', long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(16..=31))]
    pub(crate) window_bits: Option<u8>,
    /// Window of each connection, likewise [default: grows as needed]
    #[arg(short = 'W', long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(16..=31))]
    pub(crate) connection_window_bits: Option<u8>,
    /// Longest time for a request, queueing included [default: 180]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    pub(crate) max_time: Option<Duration>,
    /// Try again so often, where that can help and is safe; the latency includes it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Show the distribution of the latency
    #[arg(long, help_heading = "Report")]
    pub(crate) histogram: bool,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) json: Option<PathBuf>,
    /// Write a line for each request
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the report as a page with plots, complete in itself
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) html: Option<PathBuf>,
    /// Exit with 99 if this is missed, such as p99<200ms or error<1%
    #[arg(long, value_name = "LIMIT[,LIMIT]", value_delimiter = ',', value_parser = Threshold::parse, help_heading = "Report")]
    pub(crate) threshold: Vec<Threshold>,
    /// No progress bar
    #[arg(short, long)]
    pub(crate) silent: bool,
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) way: Way,
}
