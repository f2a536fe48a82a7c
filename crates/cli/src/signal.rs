//! Interrupts: the first asks a run to finish, the second ends the program.

use std::io;
use std::process;

use tokio::sync::watch;

use crate::exit::{Exit, Failure};

/// Whether an interrupt has come.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    came: watch::Receiver<bool>,
}

#[cfg(unix)]
fn interrupts() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn interrupts() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

impl Interrupt {
    /// Watches for interrupts from now on. `notice` is called at the first.
    pub(crate) fn watch(notice: impl FnOnce() + Send + 'static) -> Result<Self, Failure> {
        // One source for both, so that a second one right after the first is not missed.
        let mut interrupts = interrupts().map_err(Failure::start)?;
        let (sender, came) = watch::channel(false);
        tokio::spawn(async move {
            if interrupts.recv().await.is_some() {
                sender.send_replace(true);
                notice();
            }
            if interrupts.recv().await.is_some() {
                process::exit(Exit::Interrupted as i32);
            }
        });
        Ok(Self { came })
    }

    pub(crate) fn has_come(&self) -> bool {
        *self.came.borrow()
    }

    /// Ends at the first interrupt.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut came = self.came.clone();
        async move {
            if came.wait_for(|came| *came).await.is_err() {
                // Nobody watches any more, so that none will come.
                std::future::pending::<()>().await;
            }
        }
    }
}
