//! `gannet demo`: the main job, on a server within the program.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::thread;

use futures::{Stream, StreamExt, stream};
use gannet::config::{FixedAddresses, Trust};
use gannet::{Config, Request, Response};
use gannet_testbed::Testbed;
use rustls_pki_types::CertificateDer;

use crate::args::DemoArgs;
use crate::exit::{Exit, Failure, say};
use crate::output::{Bodies, Sink, Writer, fresh_file};
use crate::progress::Progress;
use crate::report::Report;
use crate::row::{Job, Trouble};
use crate::run::{self, Ticket};
use crate::signal::Interrupt;
use crate::tuning::Policy;

pub(crate) async fn demo(args: DemoArgs) -> Result<Exit, Failure> {
    let (sink, result_file) = sink(args.output.as_deref())?;
    let testbed = Testbed::builder()
        .threads(thread::available_parallelism().map_or(1, usize::from))
        .start()
        .map_err(|error| Failure::listen(&error))?;
    let engine = run::engine(
        config(&testbed, args.origins),
        args.concurrency,
        Policy::Lru,
    )?;
    let writer = Writer::start(sink, Bodies::Dropped)?;
    let mut progress = Progress::new(!args.silent, Some(args.pages as u64));
    let interrupt = Interrupt::watch(|| ())?;
    let jobs = jobs(args.pages, args.origins, testbed.port()).take_until(interrupt.wait());
    let mut report = Report::start(args.pages, args.origins);
    let look = |job: &Job, result: &Result<Response, gannet::Failure>| {
        let trouble = look(job, result);
        report.count(job.id, result, trouble.as_ref());
        progress.count(result.is_ok() && trouble.is_none());
        trouble
    };
    let ended = run::drive(&engine, jobs, args.concurrency, writer, look).await;
    progress.clear();
    ended?;
    let books = testbed.books();
    testbed.stop();
    crate::serve::print(&format!(
        "{}result       {result_file}\n",
        report.text(&books)
    ))?;
    if interrupt.has_come() {
        return Ok(Exit::Interrupted);
    }
    let amiss = report.amiss(&books);
    for fault in &amiss {
        say(format_args!("gannet: {fault}"));
    }
    Ok(if amiss.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Where the result goes, and the name of it.
fn sink(path: Option<&Path>) -> Result<(Sink, String), Failure> {
    let sink = match path {
        Some(path) => Sink::open(Some(path))?,
        None => {
            let (file, path) = fresh_file("gannet-demo", "jsonl")?;
            Sink::file(file, &path)
        }
    };
    let name = sink.name.clone();
    Ok((sink, name))
}

/// Trust in the server's authority alone, and its address for every name.
fn config(testbed: &Testbed, origins: usize) -> Config {
    let mut config = Config::default();
    let authority = CertificateDer::from(testbed.ca_der().to_vec());
    config.tls.trust = Trust::Roots(vec![authority]);
    config.fixed_addresses = vec![FixedAddresses {
        host: "*".to_owned(),
        port: testbed.port(),
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    }];
    // Each origin needs a connection, and none of them is to be closed for another.
    config.max_connections = config.max_connections.max(origins);
    config
}

fn jobs(
    pages: usize,
    origins: usize,
    port: u16,
) -> impl Stream<Item = (Ticket, Request)> + Send + use<> {
    stream::iter(0..pages).map(move |page| {
        let (site, path) = (page % origins, path(page as u64));
        let url = format!("https://site-{site}.gannet.test:{port}{path}");
        let request = Request::get(url.as_str());
        let job = Job {
            id: page as u64 + 1,
            line: None,
            url,
            method: request.method().to_string(),
        };
        (Ticket { job, permit: None }, request)
    })
}

/// Where a page is. Its content derives from this, so that each page differs from all others.
fn path(page: u64) -> String {
    format!("/bytes/{}/page-{page}?of=demo", size(page))
}

/// How large a page is: of a thousand, three have 1 MiB, 37 from 100 to 300 KiB, the rest from 1
/// to 32 KiB.
fn size(page: u64) -> u64 {
    // splitmix64: the same sizes in every run, in no visible order.
    let mixed = (page + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let (kind, spread) = (mixed % 1_000, (mixed >> 32) & 0xffff_ffff);
    match kind {
        0..3 => 1 << 20,
        3..40 => (100 << 10) + spread % (200 << 10),
        _ => (1 << 10) + spread % (31 << 10),
    }
}

/// What is wrong with a response: anything but status 200 and the very bytes that were sent.
fn look(job: &Job, result: &Result<Response, gannet::Failure>) -> Option<Trouble> {
    let response = result.as_ref().ok()?;
    let detail = if response.status != 200 {
        format!("the status is {}, not 200", response.status.as_u16())
    } else if !gannet_testbed::verify(&path(job.id - 1), &response.body) {
        "the body is not what the server sent".to_owned()
    } else {
        return None;
    };
    Some(Trouble {
        kind: "mismatch",
        detail,
        retryable: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_of_mixed_sizes_and_not_too_large_in_all() {
        let sizes: Vec<u64> = (0..20_000).map(size).collect();
        let count = |range: std::ops::RangeInclusive<u64>| {
            sizes.iter().filter(|size| range.contains(size)).count()
        };
        assert_eq!(count(1 << 10..=1 << 20), 20_000);
        assert!(count(1 << 10..=32 << 10) > 19_000);
        assert!(count(100 << 10..=300 << 10) > 500);
        assert!(count(1 << 20..=1 << 20) > 20);
        let total: u64 = sizes.iter().sum();
        assert!((400 << 20..600 << 20).contains(&total), "{total}");
    }
}
