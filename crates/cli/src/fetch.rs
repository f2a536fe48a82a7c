//! `gannet fetch`: many URLs, a line of JSON for each.

use std::future;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, stream};
use gannet::error::Part;
use gannet::event::Events;
use gannet::{Error, Origin, Request};

use crate::accept::Accepted;
use crate::args::FetchArgs;
use crate::exit::{Exit, Failure, is_standard, say};
use crate::input::{self, Fault, Line};
use crate::limit::Limited;
use crate::metrics;
use crate::options::{self, Refused, Template};
use crate::output::{Bodies, Sink, Writer};
use crate::progress::Progress;
use crate::row::{Job, without_credentials};
use crate::run::{self, Tally, Ticket};
use crate::signal::Interrupt;
use crate::summary;

type Jobs = Pin<Box<dyn Stream<Item = (Ticket, Request)> + Send>>;
type Lines = Pin<Box<dyn Stream<Item = Result<Line, Failure>> + Send>>;

/// Where the input leaves the failure that ended it.
type Broken = Arc<Mutex<Option<Failure>>>;

pub(crate) async fn fetch(args: FetchArgs) -> Result<Exit, Failure> {
    let mut config = options::config(&args.shared)?;
    args.tuning.apply(&mut config);
    if !args.accept_type.is_empty() {
        config.events = Events::to(Accepted(args.accept_type.clone()));
    }
    let template = Template::new(&args.shared.ask, false)?;
    let lines: Lines = match &args.input {
        Some(path) => Box::pin(input::open(path)?),
        None => Box::pin(stream::empty()),
    };
    let writer = writer(&args)?;
    let progress = progress(&args);
    let interrupt = Interrupt::watch(notice(&args, &progress))?;
    let broken = Broken::default();
    let jobs = jobs(args.urls, lines, template, &broken);
    let jobs = limited(jobs, args.per_origin, args.concurrency).take_until(interrupt.wait());
    let engine = run::engine(
        config,
        args.concurrency,
        args.tuning.eviction.unwrap_or_default(),
    )?;

    let shared = &args.shared;
    let (listen, per_origin) = (shared.metrics_listen, shared.metrics_per_origin);
    let _metrics = metrics::serve(listen, per_origin, shared.silent, &engine).await?;
    let (mut tally, mut progress) = (Tally::start(), progress);
    let look = |_: &Job, result: &_| {
        progress.count(tally.count(result));
        None
    };
    let ended = run::drive(&engine, jobs, args.concurrency, writer, look).await;
    progress.clear();
    let counters = ended?;
    if !args.shared.silent {
        say(format_args!("gannet: {tally}"));
        for line in summary::lines(&counters) {
            say(format_args!("gannet: {line}"));
        }
    }
    let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
    match broken {
        _ if interrupt.has_come() => Ok(Exit::Interrupted),
        Some(failure) => Err(failure),
        None if args.fail && tally.failed + tally.refused > 0 => Ok(Exit::Failed),
        None => Ok(Exit::Done),
    }
}

fn writer(args: &FetchArgs) -> Result<Writer, Failure> {
    if is_same(args.input.as_deref(), args.shared.output.as_deref()) {
        // Opening the output would empty the input before a line of it was read.
        let message = "--input and --output are the same file";
        return Err(Failure::new(Exit::Usage, message.to_owned()));
    }
    let bodies = match &args.body_dir {
        Some(path) => Bodies::Directory(path.clone()),
        None if args.include_body => Bodies::Inline,
        None => Bodies::Dropped,
    };
    Writer::start(Sink::open(args.shared.output.as_deref())?, bodies)
}

/// Whether both are names of one file.
pub(crate) fn is_same(input: Option<&Path>, output: Option<&Path>) -> bool {
    let real = |path: Option<&Path>| path.filter(|p| !is_standard(p))?.canonicalize().ok();
    real(output).is_some_and(|output| real(input) == Some(output))
}

/// No bar where the rows themselves are on the terminal: each would overwrite the other.
fn progress(args: &FetchArgs) -> Progress {
    let to_stdout = args.shared.output.as_deref().is_none_or(is_standard);
    let rows_shown = to_stdout && io::stdout().is_terminal();
    let total = args.input.is_none().then_some(args.urls.len() as u64);
    Progress::new(!args.shared.silent && !rows_shown, total)
}

fn notice(args: &FetchArgs, progress: &Progress) -> impl FnOnce() + Send + use<> {
    let (silent, bar) = (args.shared.silent, progress.handle());
    move || {
        if !silent {
            let text = "gannet: interrupted; finishing what is open (again to quit at once)";
            bar.suspend(|| say(text));
        }
    }
}

/// All URLs, numbered from 1 on, with what is to be sent for each.
fn jobs(
    urls: Vec<String>,
    lines: Lines,
    template: Template,
    broken: &Broken,
) -> impl Stream<Item = (Job, Request)> + Send + use<> {
    let broken = Arc::clone(broken);
    let lines = lines.scan((), move |(), line| {
        future::ready(match line {
            Ok(line) => Some((Some(line.number), line.text)),
            Err(failure) => {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                None
            }
        })
    });
    let urls = stream::iter(urls.into_iter().map(|url| (None, Ok(url))));
    urls.chain(lines)
        .zip(stream::iter(1..))
        .map(move |((line, text), id)| {
            let (url, request) = request(&template, text);
            let method = template.method.to_string();
            (
                Job {
                    id,
                    line,
                    url,
                    method,
                },
                request,
            )
        })
}

/// The URL as it goes into the row, and its request.
fn request(template: &Template, text: Result<String, Fault>) -> (String, Request) {
    match text {
        Ok(url) => (without_credentials(&url), template.request(url.as_str())),
        Err(Fault { shown, reason }) => {
            let reason = reason.into();
            let error = Error::BadRequest {
                part: Part::Url,
                reason,
            };
            (
                without_credentials(&shown),
                template.request(Refused(error)),
            )
        }
    }
}

/// Limits the fetches of each origin, if wanted.
fn limited(
    jobs: impl Stream<Item = (Job, Request)> + Send + 'static,
    per_origin: Option<usize>,
    hold_at_most: usize,
) -> Jobs {
    let Some(most) = per_origin else {
        let ticket = |(job, request)| (Ticket { job, permit: None }, request);
        return Box::pin(jobs.map(ticket));
    };
    let by_origin = jobs.map(|(job, request)| (origin(&request), (job, request)));
    let limited = Limited::new(by_origin, most, hold_at_most);
    Box::pin(limited.map(|(permit, (job, request))| {
        let permit = Some(permit);
        (Ticket { job, permit }, request)
    }))
}

/// What a request counts against; nothing if it will not be sent.
fn origin(request: &Request) -> Option<Origin> {
    request.check().ok().map(|target| target.origin().clone())
}
