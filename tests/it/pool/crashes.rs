//! A thousand panics under load: everyone is answered, and nothing is left behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic;
use std::sync::Once;
use std::time::Duration;

use futures::future::{join, join_all};
use gannet::message::{Drill, Fault, Victim};
use gannet::{Engine, Error, Failure, Origin, Request, Response, Target};
use gannet_testbed::Testbed;

use super::{plain, snapshot};
use crate::support::peer::plain as config;

const ORIGINS: usize = 50;
const PANICS: u32 = 1_000;
const VICTIMS: [Victim; 4] = [
    Victim::Agent,
    Victim::Pool,
    Victim::Connection,
    Victim::Stream,
];

thread_local! {
    /// Drills that this thread has panicked in.
    static DRILLED: Cell<u32> = const { Cell::new(0) };
}

/// Counts the panics that are drills instead of printing them; all others are told as ever.
fn count_drills() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            match info.payload().downcast_ref::<&str>().copied() {
                Some("a drill") => DRILLED.set(DRILLED.get() + 1),
                _ => usual(info),
            }
        }));
    });
}

/// Strikes one actor after the other, each behind a fetch of its origin and before another.
async fn strike(engine: &Engine, testbed: &Testbed) -> BTreeMap<String, u32> {
    let mut struck = BTreeMap::new();
    let mut rounds = 0;
    while DRILLED.get() < PANICS {
        let (victim, index) = (VICTIMS[rounds % 4], rounds / 4 % ORIGINS);
        rounds += 1;
        let url = testbed.url_at(index, "/bytes/10");
        let before = DRILLED.get();
        let origin: Origin = Target::parse(&url).expect("a URL").origin().clone();
        engine.drill(Drill {
            origin,
            victim,
            fault: Fault::Panic,
        });
        check(engine.fetch(Request::get(url)).await);
        *struck.entry(format!("{victim:?}")).or_default() += DRILLED.get() - before;
    }
    struck
}

/// What may come of a fetch: a response, or that an actor failed once too often under it. `Closed`
/// is what a fetch hears that was about to go again when its Agent failed.
fn check(answer: Result<Response, Failure>) -> bool {
    match answer.map_err(Error::from) {
        Ok(_) => true,
        Err(Error::Internal { .. } | Error::Closed { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

#[actix_rt::test]
async fn a_thousand_panics_under_load_leave_nothing_behind() {
    count_drills();
    let testbed = plain(ORIGINS as u8, None);
    let mut config = config();
    config.retry_reserve = 100_000;
    let engine = Engine::builder().config(config).start_here();
    let is_over = Cell::new(false);
    let load = (0..ORIGINS).map(|i| {
        let (url, engine, is_over) = (testbed.url_at(i, "/delay/2/bytes/10"), &engine, &is_over);
        async move {
            let (mut asked, mut got) = (0, 0);
            while !is_over.get() {
                asked += 1;
                got += u32::from(check(engine.fetch(Request::get(&url)).await));
            }
            (asked, got)
        }
    });
    let strikes = async {
        let struck = strike(&engine, &testbed).await;
        is_over.set(true);
        struck
    };
    let (load, struck) = join(join_all(load), strikes).await;
    let (asked, got) = load
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(
        struck.len() == 4 && struck.values().all(|n| *n > 50),
        "{struck:?}"
    );
    assert!(asked > PANICS && got * 10 > asked * 9, "{got} of {asked}");

    testbed.until(|books| books.streams_open == 0).await;
    let answers = (0..ORIGINS).map(|i| engine.fetch(Request::get(testbed.url_at(i, "/bytes/1"))));
    for answer in join_all(answers).await {
        assert!(answer.is_ok(), "{answer:?}");
    }
    // An answer is told before the end of its stream is.
    snapshot(&engine, |seen| {
        (seen.in_flight, seen.waiting, seen.waiting_origins) == (0, 0, 0)
            && seen.connections.iter().all(|c| c.streams == 0)
            && seen
                .origins
                .iter()
                .all(|o| (o.on_wire, o.waiting) == (0, 0))
    })
    .await;
    engine.shutdown(Duration::from_secs(5)).await;
    testbed.until(|books| books.open == 0).await;
    let seen = engine.snapshot().await;
    assert_eq!(
        (seen.sockets, seen.in_flight, seen.waiting_origins),
        (0, 0, 0)
    );
}
