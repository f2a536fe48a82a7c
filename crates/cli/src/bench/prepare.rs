//! From flags to what the load and the engine take.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use gannet::{Config, Request, Target};

use crate::bench::args::BenchArgs;
use crate::bench::load::{MOST, Plan};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::options::{Template, allow};

/// Requests where neither their number nor a time is given.
const REQUESTS: usize = 20_000;
/// URLs that are read at most.
const MOST_URLS: usize = 1_000_000;

/// The engine's limits and settings: what flags say, and what makes it do no more than is asked.
pub(super) fn config(args: &BenchArgs) -> Result<Config, Failure> {
    let mut config = Config::default();
    if let Some(limit) = args.max_time {
        allow(&mut config, limit);
    }
    (config.conn_limit, config.conn_limit_http1) = (args.connections, args.connections);
    config.max_streams_per_connection = args.streams;
    // Connections are what was asked for, and not what is needed.
    config.spread_after = Duration::ZERO;
    config.max_attempts = args.retry.saturating_add(1);
    // A server that fails is part of what is measured.
    config.breaker_failures = 0;
    let waiting = MOST.max(args.connections.saturating_mul(args.streams));
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

pub(super) fn plan(args: &BenchArgs, urls: &[String]) -> Result<Plan, Failure> {
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
pub(super) fn origins(requests: &[Request]) -> usize {
    let origins = requests.iter().filter_map(|request| request.check().ok());
    let origins = origins.map(|target| target.origin().clone());
    origins.collect::<HashSet<_>>().len()
}

/// Those of the command line, and then those of the input.
pub(super) async fn urls(args: &BenchArgs) -> Result<Vec<String>, Failure> {
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
