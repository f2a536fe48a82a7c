use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join_all, pending};
use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::config::{Answer, Resolve, Resolver, Resolving};

/// Answers when it is let to, and as the name says.
#[derive(Debug)]
struct Slow {
    asked: AtomicUsize,
    gate: Arc<Semaphore>,
    /// Closed once no question is left.
    held: mpsc::Sender<()>,
}

impl Resolve for Slow {
    fn resolve(&self, host: &str) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_ne!(host, "rude.test", "as one that panics");
        let (host, gate, held) = (host.to_owned(), Arc::clone(&self.gate), self.held.clone());
        Box::pin(async move {
            let _held = held;
            let _pass = gate.acquire().await;
            match host.as_str() {
                "never.test" => pending().await,
                "panic.test" => panic!("as one that panics"),
                "unknown.test" => Err(io::ErrorKind::NotFound.into()),
                "refused.test" => Err(io::ErrorKind::ConnectionRefused.into()),
                _ => Ok(Answer {
                    addresses: vec![[192, 0, 2, 1].into(), [192, 0, 2, 1].into()],
                    ttl: None,
                }),
            }
        })
    }
}

struct Rig {
    names: Names,
    slow: Arc<Slow>,
    held: mpsc::Receiver<()>,
}

fn rig(change: impl FnOnce(&mut Config)) -> Rig {
    let (held, watched) = mpsc::channel(1);
    let slow = Arc::new(Slow {
        asked: AtomicUsize::new(0),
        gate: Arc::new(Semaphore::new(0)),
        held,
    });
    let mut config = Config {
        resolver: Resolver::Custom(Arc::clone(&slow) as Arc<dyn Resolve>),
        ..Config::default()
    };
    change(&mut config);
    Rig {
        names: Names::new(Arc::new(config)),
        slow,
        held: watched,
    }
}

impl Rig {
    fn asked(&self) -> usize {
        self.slow.asked.load(Ordering::SeqCst)
    }

    fn open(&self) {
        self.slow.gate.add_permits(1_000);
    }

    async fn kind(&self, host: &str) -> io::ErrorKind {
        match self.names.resolve(host, 80).await {
            Err(Error::Resolve { source, .. }) => source.kind(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn those_who_ask_at_once_share_a_question_and_outlive_the_first() {
    let rig = rig(|config| config.dns_cache = 0);
    let mut first = Box::pin(rig.names.resolve("a.test", 80));
    assert!(first.as_mut().now_or_never().is_none());
    let mut rest: Vec<_> = (0..10)
        .map(|port| Box::pin(rig.names.resolve("A.test", port)))
        .collect();
    for one in &mut rest {
        assert!(one.as_mut().now_or_never().is_none());
    }
    drop(first);
    rig.open();
    for (answer, port) in join_all(rest).await.into_iter().zip(0..) {
        let resolved = answer.expect("an address");
        assert_eq!(resolved.addresses, [([192, 0, 2, 1], port).into()]);
        assert!(!resolved.cached);
    }
    assert_eq!(rig.asked(), 1);
    // Nothing is kept, so that the next asks again.
    rig.names.resolve("a.test", 80).await.expect("an address");
    assert_eq!(rig.asked(), 2);
}

#[tokio::test]
async fn a_runtime_that_ends_takes_no_answer_from_the_others() {
    let rig = Arc::new(rig(|_| ()));
    let theirs = Arc::clone(&rig);
    let asker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let asking = Box::pin(theirs.names.resolve("a.test", 80));
            assert!(asking.now_or_never().is_none());
        });
    });
    asker.join().expect("no panic");
    let mut waiting = Box::pin(rig.names.resolve("a.test", 80));
    assert!(waiting.as_mut().now_or_never().is_none());
    rig.open();
    waiting.await.expect("an address");
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn a_resolver_that_panics_fails_those_who_wait_and_no_others() {
    let rig = rig(|_| ());
    rig.open();
    assert_eq!(rig.kind("panic.test").await, io::ErrorKind::Other);
    assert_eq!(rig.kind("rude.test").await, io::ErrorKind::Other);
    rig.names.resolve("a.test", 80).await.expect("an address");
}

#[tokio::test]
async fn a_resolver_says_by_the_kind_of_its_error_what_is_remembered() {
    let rig = rig(|_| ());
    rig.open();
    for _ in 0..2 {
        assert_eq!(rig.kind("unknown.test").await, io::ErrorKind::NotFound);
    }
    assert_eq!(rig.asked(), 1);
    for _ in 0..2 {
        let kind = rig.kind("refused.test").await;
        assert_eq!(kind, io::ErrorKind::ConnectionRefused);
    }
    assert_eq!(rig.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_is_silent_costs_the_deadline() {
    let rig = rig(|_| ());
    rig.open();
    let start = now();
    assert_eq!(rig.kind("never.test").await, io::ErrorKind::TimedOut);
    assert_eq!((now() - start).as_secs(), 5);
}

#[tokio::test]
async fn the_thread_ends_with_the_engine_and_drops_what_it_asks() {
    let Rig {
        names,
        slow,
        mut held,
    } = rig(|config| config.dns_timeout = Duration::from_secs(3_600));
    let mut waiting = Box::pin(names.resolve("never.test", 80));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(waiting);
    drop(slow);
    drop(names);
    assert_eq!(held.recv().await, None);
}

#[tokio::test]
async fn names_of_this_machine_and_addresses_are_not_asked_for() {
    let rig = rig(|_| ());
    for host in ["localhost", "a.localhost.", "127.0.0.1", "::1"] {
        let resolved = rig.names.resolve(host, 80).await.expect("an address");
        let is_here = |address: &SocketAddr| address.ip().is_loopback();
        assert!(resolved.addresses.iter().all(is_here), "{host}");
    }
    assert_eq!(rig.asked(), 0);
}
