//! The threads of an engine.

use std::io;
use std::sync::mpsc;
use std::thread;

use actix_rt::{Arbiter, ArbiterHandle, System};

/// An actix `System` of the engine's own, on threads of its own.
///
/// Its own in every case, so that an engine works alike inside an actix system, inside any tokio
/// runtime and in synchronous code, and outlives none of its users' decisions to stop theirs.
/// Dropping it stops the threads.
#[derive(Debug)]
pub(crate) struct Threads {
    system: System,
    arbiters: Vec<ArbiterHandle>,
}

impl Threads {
    /// Starts `count` threads, each an arbiter.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let (ready, started) = mpsc::channel();
        thread::Builder::new()
            .name("gannet".to_owned())
            .spawn(move || run(count, &ready))?;
        let gone = || Err(io::Error::other("the engine's thread ended at its start"));
        started.recv().unwrap_or_else(|_| gone())
    }

    pub(crate) fn arbiters(&self) -> &[ArbiterHandle] {
        &self.arbiters
    }

    /// Stops them; what their actors held is answered on the way out.
    pub(crate) fn stop(&self) {
        self.system.stop();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The first arbiter is the system's own thread; the others are started by it.
fn run(count: usize, ready: &mpsc::Sender<io::Result<Threads>>) {
    let runner = System::new();
    let mut others = Vec::new();
    for _ in 1..count {
        match Arbiter::try_new() {
            Ok(arbiter) => others.push(arbiter),
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        }
    }
    let system = System::current();
    let mut arbiters = vec![system.arbiter().clone()];
    arbiters.extend(others.iter().map(Arbiter::handle));
    if ready.send(Ok(Threads { system, arbiters })).is_ok() {
        // Returns when the system is stopped, which stops the other arbiters too.
        let _ = runner.run();
    }
    for arbiter in others {
        let _ = arbiter.join();
    }
}
