//! The thread on which questions are asked.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::config::Config;
use crate::net::dns::source::Source;
use crate::net::dns::{Flight, timed_out};

/// Names asked for at once; the others wait. A question takes up to four sockets while it waits:
/// two families, two servers.
const AT_ONCE: usize = 100;
/// Threads in `getaddrinfo` at once, for it cannot be cancelled.
const THREADS: usize = 16;

/// Where questions are handed in. The thread ends with the last of these.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    questions: mpsc::UnboundedSender<Flight>,
}

impl Desk {
    /// Starts the thread.
    pub(super) fn open(config: Arc<Config>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(THREADS)
            .build()?;
        let (questions, asked) = mpsc::unbounded_channel();
        thread::Builder::new()
            .name("gannet-names".to_owned())
            .spawn(move || run(runtime, &config, asked))?;
        Ok(Self { questions })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.questions.is_closed()
    }

    pub(super) fn ask(&self, flight: Flight) {
        // Where nobody takes it, it is dropped, and tells so.
        let _ = self.questions.send(flight);
    }
}

fn run(runtime: Runtime, config: &Config, mut asked: mpsc::UnboundedReceiver<Flight>) {
    runtime.block_on(async {
        let source = Arc::new(Source::new(config));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        while let Some(flight) = asked.recv().await {
            let (source, places) = (Arc::clone(&source), Arc::clone(&places));
            tokio::spawn(answer(flight, source, places, config.dns_timeout));
        }
    });
    // A thread that hangs in `getaddrinfo` is not waited for.
    runtime.shutdown_background();
}

async fn answer(flight: Flight, source: Arc<Source>, places: Arc<Semaphore>, limit: Duration) {
    let finding = timeout(limit, async {
        let _place = places.acquire().await;
        source.find(&flight.name).await
    });
    let finding = finding.await.unwrap_or_else(|_| timed_out());
    flight.land(finding);
}
