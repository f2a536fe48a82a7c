//! The server of the demonstration, in a process of its own, so that it does not count as the client.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::{env, fs};

use crate::exit::{Failure, reason};
use crate::output::fresh_file;

/// A server that ends with this.
pub(crate) struct Server {
    process: Child,
    /// It ends when this is closed, and so when this process ends, in whatever way.
    stdin: Option<ChildStdin>,
    /// Of a page of 1 KiB.
    pub(crate) url: String,
    /// The certificate to trust.
    pub(crate) authority: PathBuf,
}

impl Server {
    pub(crate) fn start() -> Result<Self, Failure> {
        let (_, authority) = fresh_file("gannet-bench-ca", "pem")?;
        let start = || -> Result<Child, std::io::Error> {
            let mut command = Command::new(env::current_exe()?);
            command
                .args(["serve", "--with-stdin", "--ca-file"])
                .arg(&authority)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            // An interrupt from a terminal is for all of a group; the server is still needed then.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.spawn()
        };
        let failed = |error: &std::io::Error| {
            let reason = reason(error);
            Failure::start(format_args!("the server: {reason}"))
        };
        let mut process = start().map_err(|error| failed(&error))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(|error| failed(&error))?;
        }
        let server = Self {
            stdin: process.stdin.take(),
            process,
            url: line
                .trim()
                .strip_prefix("listening on ")
                .map_or_else(String::new, |url| format!("{url}bytes/1024")),
            authority,
        };
        match server.url.is_empty() {
            true => Err(Failure::start("the server has ended")),
            false => Ok(server),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stdin = None;
        // It ends by itself; should it not, nobody is to wait for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.authority);
    }
}
