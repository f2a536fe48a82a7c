//! A server's process and those that it starts in turn: none of them outlives a test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tokio::time::sleep;

use crate::real::recipe::find;
use crate::real::server::{LOOKS, PAUSE};

/// A child that leads a process group of its own, so that a master takes its workers with it.
/// The group is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    has_left: bool,
}

impl Process {
    /// Starts a program in this folder, and writes down there what it says.
    pub(crate) fn start(program: &Path, arguments: &[String], folder: &Path) -> Self {
        // No drop runs where the tests themselves are killed; a child in a group of its own does
        // not even hear of Ctrl-C. So it asks the system to be told, if it can be.
        let mut command = match find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "TERM"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let output = |name| File::create(folder.join(name)).expect("a log");
        let child = command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .process_group(0)
            .spawn()
            .expect("the program was found a moment ago");
        Self {
            child,
            has_left: false,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child");
        self.has_left |= status.is_some();
        status
    }

    /// Until it has ended.
    ///
    /// # Panics
    ///
    /// It does not.
    pub(crate) async fn left(&mut self) {
        for _ in 0..LOOKS {
            if self.status().is_some() {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("process {} does not leave", self.id());
    }

    /// Sends a signal to the child alone.
    pub(crate) fn signal(&self, name: &str) {
        let was_sent = send(name, &self.id().to_string());
        assert!(was_sent, "no {name} for {}", self.id());
    }

    /// Ends the whole group at once, without any goodbye.
    pub(crate) fn kill(&mut self) {
        // Until it is waited for, its number is no one else's. One that left in order has taken
        // its workers with it.
        if !self.has_left {
            // Errors say that they had ended before.
            let _ = self.child.kill();
            send("KILL", &format!("-{}", self.id()));
            let _ = self.child.wait();
            self.has_left = true;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether there was a process, or a group, to send the signal to.
fn send(signal: &str, to: &str) -> bool {
    let shell = Command::new("sh")
        .args(["-c", "kill -s \"$0\" -- \"$1\"", signal, to])
        .stderr(Stdio::null())
        .status();
    shell.is_ok_and(|status| status.success())
}
