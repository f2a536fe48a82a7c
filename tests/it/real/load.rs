//! GETs and POSTs mixed, while something happens to the server; and what became of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures::future::join;
use futures::{Stream, StreamExt, stream};
use gannet::response::Receipt;
use gannet::{Engine, Error, Request};
use tokio::sync::{oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};

use crate::real::documents::{DOCUMENTS, Document};
use crate::real::server::Entry;

/// How many of the documents have 1 KiB or less; larger ones would measure the wire.
const SMALL_ONES: usize = 28;
/// An open load comes in small crowds, for timers are coarse.
const TICK: Duration = Duration::from_millis(20);

/// So many GETs and POSTs, evenly mixed, each to a target of its own.
#[derive(Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) gets: usize,
    pub(crate) posts: usize,
}

/// A fetch of a mix. A POST has no document to expect.
pub(crate) struct Job {
    target: String,
    document: Option<&'static Document>,
}

/// How many fetches of a load have been answered.
pub(crate) struct Progress(pub(crate) watch::Receiver<usize>);

/// What became of a load.
pub(crate) struct Ledger {
    took: Duration,
    jobs: Vec<(Job, Result<Receipt, Error>)>,
}

/// How a server's books may differ from a ledger.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Books {
    /// What was answered is in them.
    Complete,
    /// The server was killed before it wrote down all that it had answered.
    Torn,
}

impl Mix {
    /// As fast as this many in flight go.
    pub(crate) fn closed(self, base: String) -> impl Stream<Item = (Job, Request)> + use<> {
        stream::iter((0..self.count()).map(move |i| self.job(&base, i)))
    }

    /// So many a second, whether the earlier ones are answered or not.
    pub(crate) fn open(
        self,
        base: String,
        per_second: usize,
    ) -> impl Stream<Item = (Job, Request)> + use<> {
        let crowd = per_second / 50;
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let ticks = stream::unfold(clock, |mut clock| async {
            clock.tick().await;
            Some(((), clock))
        });
        let crowds = ticks.map(move |()| stream::repeat(()).take(crowd));
        let numbers = crowds.flatten().enumerate().take(self.count());
        numbers.map(move |(i, ())| self.job(&base, i))
    }

    pub(crate) fn count(self) -> usize {
        self.gets + self.posts
    }

    fn job(self, base: &str, i: usize) -> (Job, Request) {
        let before = |i| i * self.posts / self.count();
        let is_post = before(i + 1) > before(i);
        let document = (!is_post).then(|| &DOCUMENTS[i % SMALL_ONES]);
        let path = document.map_or("/accept", |document| &document.path);
        let target = format!("{path}?id={i}");
        let url = format!("{base}{target}");
        let request = match document {
            Some(_) => Request::get(url),
            None => Request::post(url, format!("body {i}")),
        };
        (Job { target, document }, request)
    }
}

/// Fetches all, and says in `answered` how many have been. What arrives must be whole.
pub(crate) async fn fetch_mix(
    engine: &Engine,
    mix: impl Stream<Item = (Job, Request)>,
    in_flight: usize,
    answered: watch::Sender<usize>,
) -> Ledger {
    let (started, mut jobs) = (Instant::now(), Vec::new());
    let mut answers = engine.fetch_all(mix, in_flight);
    while let Some((job, answer)) = answers.next().await {
        let receipt = answer.map(|response| {
            let (status, body) = match job.document {
                Some(document) => (200, &document.body[..]),
                None => (204, &[][..]),
            };
            assert_eq!(response.status, status, "{}", job.target);
            assert!(response.body == body, "{} is not whole", job.target);
            response.receipt
        });
        let receipt = receipt.map_err(Error::from);
        jobs.push((job, receipt));
        answered.send_replace(jobs.len());
        // Answers come in crowds; who waits for this one shall act before the next.
        yield_now().await;
    }
    Ledger {
        took: started.elapsed(),
        jobs,
    }
}

/// Fetches, a tenth of them POSTs, as long as `trouble` takes, and yields what that does.
pub(crate) async fn fetch_during<T>(
    engine: &Engine,
    base: String,
    in_flight: usize,
    trouble: impl AsyncFnOnce(Progress) -> T,
) -> (Ledger, T) {
    let (answered, progress) = watch::channel(0);
    let (done, end) = oneshot::channel::<()>();
    let endless = Mix {
        gets: 9 << 20,
        posts: 1 << 20,
    };
    let load = endless.closed(base).take_until(end);
    let load = fetch_mix(engine, load, in_flight, answered);
    let trouble = async {
        let outcome = trouble(Progress(progress)).await;
        // Refused if the load has panicked.
        let _ = done.send(());
        outcome
    };
    join(load, trouble).await
}

impl Progress {
    /// Until so many have been answered in all.
    pub(crate) async fn until(&mut self, count: usize) {
        let reached = self.0.wait_for(|answered| *answered >= count).await;
        reached.expect("the load goes on");
    }

    /// Until so many more have been answered.
    pub(crate) async fn more(&mut self, count: usize) {
        let before = *self.0.borrow();
        self.until(before + count).await;
    }
}

impl Ledger {
    /// One line of figures for people.
    pub(crate) fn print(&self, name: &str) {
        let receipts = || self.receipts();
        let repeated = receipts().filter(|receipt| receipt.attempts > 1).count();
        let most = receipts()
            .map(|receipt| receipt.attempts)
            .max()
            .unwrap_or(0);
        let longest = receipts().map(|receipt| receipt.done).max();
        let mut failed = BTreeMap::<_, usize>::new();
        for (_, error) in self.failures() {
            *failed.entry(error.kind()).or_default() += 1;
        }
        eprintln!(
            "{name}: {} answered in {:.1?}, {failed:?} failed, {} connections, {repeated} repeated, \
             at most {most} attempts, longest {:.0?}",
            receipts().count(),
            self.took,
            self.connections(),
            longest.unwrap_or_default(),
        );
    }

    pub(crate) fn connections(&self) -> usize {
        let numbers = self.receipts().map(|receipt| receipt.connection);
        numbers.collect::<BTreeSet<_>>().len()
    }

    fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.jobs
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().ok())
    }

    fn failures<'a>(&'a self) -> impl Iterator<Item = (&'a Job, &'a Error)> {
        let failure =
            |(job, answer): &'a (Job, Result<Receipt, Error>)| Some((job, answer.as_ref().err()?));
        self.jobs.iter().filter_map(failure)
    }

    pub(crate) fn all_are_answered(&self) {
        if let Some((job, error)) = self.failures().next() {
            panic!("{}: {error:?}", job.target);
        }
    }

    /// Every GET was answered, and every POST of which it can be known what became of it: none
    /// failed but those that the server may have acted on.
    pub(crate) fn only_doubtful_posts_fail(&self) {
        for (job, error) in self.failures() {
            let is_get = job.document.is_some();
            assert!(
                !is_get && !error.is_unprocessed(),
                "{}: {error:?}",
                job.target
            );
        }
    }

    /// No POST was executed twice; what was answered was executed.
    pub(crate) fn agrees_with(&self, books: &[Entry], extent: Books) {
        let mut executed = HashMap::<&str, usize>::new();
        for entry in books {
            *executed.entry(&entry.target).or_default() += 1;
        }
        for (job, answer) in &self.jobs {
            let times = executed.remove(&job.target[..]).unwrap_or(0);
            let is_post = job.document.is_none();
            assert!(!is_post || times <= 1, "{}: {times} times", job.target);
            let may_lack = extent == Books::Torn || answer.is_err();
            assert!(times >= 1 || may_lack, "{} was not executed", job.target);
        }
        assert!(executed.is_empty(), "never asked for: {executed:?}");
    }
}
