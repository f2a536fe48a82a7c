//! One run of one client.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use gannet_peers::{Failure, children_cpu, memory};
use serde_json::Value;

use crate::plan::Case;
use crate::server::{Running, find};

/// Longer takes nothing; what does, hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// Where all is, and who runs where.
pub(crate) struct Bench {
    /// For certificates and output.
    pub(crate) folder: PathBuf,
    /// Of this package.
    pub(crate) programs: PathBuf,
    pub(crate) awc: Option<PathBuf>,
    pub(crate) client_core: Option<usize>,
    pub(crate) server_core: Option<usize>,
}

/// What one run took. What a client does not tell is not there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// CPU time of the process from its start to its end, per fetch, in µs.
    pub(crate) cpu: f64,
    /// The server's, in the same time.
    pub(crate) server_cpu: Option<f64>,
    pub(crate) per_second: f64,
    pub(crate) p99_us: Option<f64>,
    pub(crate) peak_kib: Option<f64>,
    /// The part of fetches that found a connection open, where the client counts what it opens.
    pub(crate) reuse: Option<f64>,
    /// What only some workloads have.
    pub(crate) more: Value,
}

/// A command that runs on one core.
pub(crate) fn pinned(program: &Path, core: Option<usize>) -> Command {
    match (core, find("taskset")) {
        (Some(core), Some(taskset)) => {
            let mut command = Command::new(taskset);
            command.arg("-c").arg(core.to_string()).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

impl Bench {
    /// Whether a client is there.
    pub(crate) fn has(&self, client: &str) -> bool {
        match client {
            "awc" => self.awc.is_some(),
            "h2load" => find("h2load").is_some(),
            _ => true,
        }
    }

    /// The client's own command line, behind what it is run by.
    pub(crate) fn client(
        &self,
        by: &[&OsStr],
        client: &str,
        case: &Case,
        count: usize,
        port: u16,
    ) -> Result<Command, Failure> {
        let program = match client {
            "h2load" => find("h2load").ok_or("no h2load")?,
            "awc" => self.awc.clone().ok_or("no awc")?,
            _ => self.programs.join("client"),
        };
        let mut command = match by {
            [] => pinned(&program, self.client_core),
            [first, rest @ ..] => {
                let mut command = pinned(Path::new(first), self.client_core);
                command.args(rest).arg(program);
                command
            }
        };
        if client == "h2load" {
            h2load(&mut command, case, count, port);
        } else {
            command.args(case.arguments(client, count));
            command.arg("--ca").arg(self.folder.join("ca.pem"));
            command.arg("--port").arg(port.to_string());
        }
        Ok(command)
    }

    /// Runs it once, as it is.
    pub(crate) fn measure(
        &self,
        client: &str,
        case: &Case,
        server: &Running,
    ) -> Result<Sample, Failure> {
        let mut command = self.client(&[], client, case, case.count, server.port)?;
        let (before, server_before) = (children_cpu()?, server.cpu());
        let (out, peak) = self.finish(&mut command)?;
        let fetches = case.count.max(1) as f64;
        let each = |used: Duration| used.as_secs_f64() * 1e6 / fetches;
        let cpu = each(children_cpu()? - before);
        let server_cpu = server.cpu().zip(server_before);
        let server_cpu = server_cpu.map(|(after, before)| each(after.saturating_sub(before)));
        if client == "h2load" {
            let per_second = h2load_rate(&out, case.count)?;
            let peak_kib = peak.map(|kib| kib as f64);
            return Ok(Sample {
                cpu,
                server_cpu,
                per_second,
                peak_kib,
                ..Sample::default()
            });
        }
        let told: Value = serde_json::from_str(&out)?;
        let number = |name: &str| told[name].as_f64();
        if number("fetches") != Some(case.count as f64) {
            return Err(format!("not all that was asked for: {out}").into());
        }
        let wall = number("wall_us").unwrap_or(0.0).max(1.0);
        Ok(Sample {
            cpu,
            server_cpu,
            per_second: fetches * 1e6 / wall,
            p99_us: number("p99_us"),
            peak_kib: number("peak_kib"),
            reuse: number("handshakes").map(|opened| 1.0 - opened / fetches),
            more: told["more"].clone(),
        })
    }

    /// Waits for its end; what it printed, and the most memory that was seen.
    pub(crate) fn finish(&self, command: &mut Command) -> Result<(String, Option<u64>), Failure> {
        let [out, err] = ["out", "err"].map(|name| self.folder.join(name));
        command.stdout(File::create(&out)?);
        command.stderr(File::create(&err)?).stdin(Stdio::null());
        let mut child = command.spawn()?;
        let (status, peak) = watch(&mut child)?;
        if !status.success() {
            let said = fs::read_to_string(&err)?;
            return Err(format!("{command:?}: {status}: {}", said.trim()).into());
        }
        Ok((fs::read_to_string(&out)?, peak))
    }
}

fn watch(child: &mut Child) -> Result<(ExitStatus, Option<u64>), Failure> {
    let (begun, process, mut peak) = (Instant::now(), child.id().to_string(), None);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, peak));
        }
        // The kernel keeps the highest, so the last look suffices.
        peak = memory(&process, "VmHWM:").or(peak);
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err("it took too long".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn h2load(command: &mut Command, case: &Case, count: usize, port: u16) {
    let (clients, streams) = match case.http1 {
        true => (case.in_flight, 1),
        false => (1, case.in_flight),
    };
    for (name, value) in [("-n", count), ("-c", clients), ("-m", streams)] {
        command.arg(name).arg(value.to_string());
    }
    // Powers of two: the windows of all others.
    command.args(["-w", "21", "-W", "24"]);
    if case.http1 {
        command.arg("--h1");
    }
    command.arg(format!("--connect-to=127.0.0.1:{port}"));
    command.arg(format!("https://o0.bench.test:{port}/"));
}

/// Requests a second, if all succeeded.
fn h2load_rate(out: &str, count: usize) -> Result<f64, Failure> {
    let succeeded = format!(" {count} succeeded,");
    let rate = out
        .lines()
        .find_map(|line| line.strip_prefix("finished in ")?.split(' ').nth(1));
    match rate {
        Some(rate) if out.contains(&succeeded) => Ok(rate.parse()?),
        _ => Err(format!("not all that was asked for: {out}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_h2load_says_is_understood() {
        let out = "finished in 312.08ms, 64086.50 req/s, 64.24MB/s\n\
                   requests: 20 total, 20 started, 20 done, 20 succeeded, 0 failed, 0 errored\n";
        assert_eq!(h2load_rate(out, 20).expect("all"), 64_086.5);
        assert!(h2load_rate(out, 21).is_err());
    }
}
