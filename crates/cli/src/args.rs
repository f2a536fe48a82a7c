//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use http::StatusCode;

use crate::accept;
use crate::ask::{Ask, Way};
use crate::bench::{self, args::BenchArgs};
use crate::exit::EXIT_CODES;
use crate::metrics;
use crate::parse;
use crate::tuning::Tuning;
use crate::writeout::Format;

const GET_EXAMPLES: &str = "\
Examples:
  gannet get https://example.com/                    the body
  gannet get -I https://example.com/                 the head alone
  gannet get -v -o page.html https://example.com/    the exchange on standard error
  gannet get -d 'a=1' -H 'Accept: application/json' https://example.com/form";

const FETCH_EXAMPLES: &str = "\
Each line of the result is one JSON object, in the order in which fetches end. `id` counts the
URLs from 1, `line` is that of the input, and the times in `t` are microseconds since the fetch was
accepted (`queue`: when it got its stream; `connect`: the dial alone, 0 on a connection that was
open). `retries`, there only if there is more than one of the `attempts`, tells why each but the
last was not enough: the kind of an error, or a status; `redirects`, where any was followed, the
URLs that it led to. A line that is no URL becomes an object with
an `error`, and the run goes on.

With --per-origin, up to -j URLs are held back while their origin is at its limit. When that many
wait, no more input is read: mix the origins of long lists.

--eviction closes an idle connection when another origin needs its place: `lru` the one unused for
longest, `lfu` the least used, `sieve` the next that was not used again, `greedy-dual` the cheapest
to open again and least used. What `lfu` and `greedy-dual` count fades.

Examples:
  gannet fetch https://example.com/a https://example.com/b
  gannet fetch -i urls.txt -o result.jsonl --body-dir bodies
  sort -R urls.txt | gannet fetch -i - -j 500 --per-origin 20 --retry 5 -m 30 > result.jsonl
  gannet fetch -i urls.txt --retry-status 429,503 --connections-per-origin 4 > result.jsonl
  gannet fetch -i urls.txt | jq -r 'select(.error) | .url'";

const DEMO_EXAMPLES: &str = "\
Needs no network: the server runs within the program, on 127.0.0.1, and each origin has its own
name. Every body is checked against what the server must have sent, and the connections that the
server has counted against the number of origins.

Examples:
  gannet demo
  gannet demo --pages 100000 --origins 200 -j 1000";

const SERVE_EXAMPLES: &str = "\
Examples:
  gannet serve --port 8443 --ca-file ca.pem
  gannet get --cacert ca.pem https://127.0.0.1:8443/    the list of routes";

/// Fetches many URLs at once over HTTP/2 and HTTP/1.1.
#[derive(Debug, Parser)]
#[command(name = "gannet", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch one URL and print the body, as curl does
    #[command(after_help = GET_EXAMPLES)]
    Get(Box<GetArgs>),
    /// Fetch many URLs and print a line of JSON for each
    #[command(after_help = FETCH_EXAMPLES)]
    Fetch(Box<FetchArgs>),
    /// Put load on a server, and tell how fast it answers
    #[command(after_help = bench::args::EXAMPLES)]
    Bench(Box<BenchArgs>),
    /// Fetch 20,000 pages of 64 origins from a server within, and check them
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Run the server of the demonstration, to fetch from
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
}

#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// What to fetch
    pub(crate) url: String,
    /// Print the head of the response, too
    #[arg(short, long)]
    pub(crate) include: bool,
    /// Fetch and print the head alone
    #[arg(short = 'I', long, conflicts_with = "data")]
    pub(crate) head: bool,
    /// Tell on standard error how it went; credentials are left out
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Fail on a status of 400 or more, without the body
    #[arg(short, long)]
    pub(crate) fail: bool,
    /// Send a file's content, or what comes on standard input (-), with PUT; to a URL that ends with /
    /// under the file's name
    #[arg(short = 'T', long, value_name = "FILE", conflicts_with_all = ["data", "head"], help_heading = "Request")]
    pub(crate) upload_file: Option<PathBuf>,
    /// POST this, or a file's content (@FILE) as it is, without reading all of it first
    #[arg(long, value_name = "DATA", conflicts_with_all = ["data", "head", "upload_file"], help_heading = "Request")]
    pub(crate) data_binary: Option<String>,
    /// Wait so long for the server to agree to the body (Expect: 100-continue)
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds, help_heading = "Request")]
    pub(crate) expect100: Option<Duration>,
    /// At most so many bytes a second, with k, M or G for powers of 1024, either way; 0 is no limit
    #[arg(long, value_name = "BYTES", value_parser = parse::size)]
    pub(crate) limit_rate: Option<u64>,
    /// Print this when it is over, with %{http_code}, %{json} and so on; a wrong name lists all
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub(crate) write_out: Option<Format>,
    #[command(flatten)]
    pub(crate) shared: Shared,
}

#[derive(Args, Debug)]
pub(crate) struct FetchArgs {
    /// What to fetch, before any --input
    #[arg(required_unless_present = "input")]
    pub(crate) urls: Vec<String>,
    /// Read URLs, one a line, from a file or standard input (-)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Write each body to a file in this directory, named by the id
    #[arg(long, value_name = "DIR")]
    pub(crate) body_dir: Option<PathBuf>,
    /// Take only bodies of this type (text/html, text/*); others are stopped at their heads
    #[arg(long, value_name = "TYPE", value_parser = accept::pattern)]
    pub(crate) accept_type: Vec<String>,
    /// Put each body, in base64, into the JSON as `body`
    #[arg(long, conflicts_with = "body_dir")]
    pub(crate) include_body: bool,
    /// Most fetches in flight at once
    #[arg(short = 'j', long, value_name = "N", default_value_t = 100, value_parser = parse::count)]
    pub(crate) concurrency: usize,
    /// Most fetches in flight at once from one origin
    #[arg(long, value_name = "N", value_parser = parse::count)]
    pub(crate) per_origin: Option<usize>,
    /// Exit with 1 if any fetch failed or was answered 400 or more
    #[arg(short, long)]
    pub(crate) fail: bool,
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How many pages to fetch
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = pages)]
    pub(crate) pages: usize,
    /// Over how many origins they are spread
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = parse::count)]
    pub(crate) origins: usize,
    /// Most fetches in flight at once
    #[arg(short = 'j', long, value_name = "N", default_value_t = 256, value_parser = parse::count)]
    pub(crate) concurrency: usize,
    /// Where to write the result, a line of JSON for each page [default: a new temporary file]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// No progress bar
    #[arg(short, long)]
    pub(crate) silent: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How many addresses to listen on, from 127.0.0.1 on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=254))]
    pub(crate) addresses: u8,
    /// Cleartext instead of TLS
    #[arg(long)]
    pub(crate) plain: bool,
    /// Where to write the certificate to trust [default: a new temporary file]
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    pub(crate) ca_file: Option<PathBuf>,
    /// End with standard input: for a program that starts this one
    #[arg(long, hide = true)]
    pub(crate) with_stdin: bool,
}

/// What `get` and `fetch` have in common, spelled as in curl.
#[derive(Args, Debug)]
pub(crate) struct Shared {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// Longest time for each URL, queueing and retries included [default: 180; none for get]
    #[arg(short, long, value_name = "SECONDS", value_parser = parse::seconds)]
    pub(crate) max_time: Option<Duration>,
    /// Largest body, as it comes and as it is decoded, with k, M or G for powers of 1024 [default: 32M,
    /// and 128M decoded; any for get]
    #[arg(long, value_name = "BYTES", value_parser = parse::size)]
    pub(crate) max_size: Option<u64>,
    /// Try again so often, where that can help and is safe [default: 2]
    #[arg(long, value_name = "N", help_heading = "Retries")]
    pub(crate) retry: Option<u32>,
    /// Try again on these statuses, too, if the method is idempotent, after as long as the server
    /// asks (Retry-After)
    #[arg(long, value_name = "STATUS[,STATUS]", value_delimiter = ',', value_parser = parse::retried_status, help_heading = "Retries")]
    pub(crate) retry_status: Vec<StatusCode>,
    /// Ask for bodies in gzip, deflate, br or zstd, and decode them: what happens without --raw, too
    #[arg(long, overrides_with = "raw")]
    pub(crate) compressed: bool,
    /// Keep bodies as they come, and ask for no coding
    #[arg(long, overrides_with = "compressed")]
    pub(crate) raw: bool,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// No progress bar, no summary, and no messages about fetches that fail
    #[arg(short, long)]
    pub(crate) silent: bool,
    /// Serve counters to Prometheus at http://ADDR/metrics while it runs; a bare port is one of
    /// 127.0.0.1
    #[arg(long, value_name = "ADDR", value_parser = metrics::address, help_heading = "Metrics")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Count for each origin in use apart, too
    #[arg(long, requires = "metrics_listen", help_heading = "Metrics")]
    pub(crate) metrics_per_origin: bool,
    #[command(flatten)]
    pub(crate) way: Way,
}

/// Each page is remembered, in one byte, until the end.
fn pages(text: &str) -> Result<usize, String> {
    const MOST: usize = 100_000_000;
    let number = parse::count(text)?;
    let few = (number <= MOST).then_some(number);
    few.ok_or_else(|| format!("expected a number from 1 to {MOST}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use http::Method;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_are_spelled_as_in_curl() {
        let line = "gannet get -k -i -v -f -s -H a:b -H c; -X PUT -d x -m 1.5 -A me -o out \
                    --connect-timeout 2 --cacert ca --resolve a:1:127.0.0.1 --connect-to ::b: \
                    --http2-prior-knowledge --max-size 1k --retry 0 https://a/";
        let cli = Cli::try_parse_from(line.split_whitespace()).expect("known flags");
        let Command::Get(get) = cli.command else {
            panic!("not get")
        };
        assert_eq!(get.shared.ask.headers.len(), 2);
        assert_eq!(get.shared.ask.method, Some(Method::PUT));
    }

    #[test]
    fn a_source_of_urls_is_required_and_counts_start_at_one() {
        for line in [
            "gannet fetch",
            "gannet get",
            "gannet fetch -j 0 x",
            "gannet fetch -i - -m 0",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
