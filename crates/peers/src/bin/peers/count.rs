//! What is counted rather than timed: instructions, allocations, system calls. Each at two numbers of
//! fetches, so that what comes once falls out.

use std::ffi::OsStr;
use std::fs;

use gannet_peers::Failure;

use crate::plan::Case;
use crate::run::Bench;
use crate::server::find;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tool {
    Callgrind,
    Dhat,
    Strace,
}

/// How many of what `tool` counts there are to a fetch; `None` without the tool.
pub(crate) fn per_fetch(
    tool: Tool,
    bench: &Bench,
    client: &str,
    case: &Case,
    port: u16,
) -> Result<Option<f64>, Failure> {
    let (Some((few, many)), true) = (case.counted, tool.is_there()) else {
        return Ok(None);
    };
    // Allocations are the same each time: a fourth will do.
    let many = match tool {
        Tool::Dhat => few + (many - few) / 4,
        _ => many,
    };
    let count = |fetches| count(tool, bench, client, case, fetches, port);
    let between = count(many)? - count(few)?;
    Ok(Some(between / (many - few) as f64))
}

fn count(
    tool: Tool,
    bench: &Bench,
    client: &str,
    case: &Case,
    fetches: usize,
    port: u16,
) -> Result<f64, Failure> {
    let log = bench.folder.join("tool.log");
    let log_file = match tool {
        Tool::Strace => format!("--output={}", log.display()),
        _ => format!("--log-file={}", log.display()),
    };
    let by: Vec<&OsStr> = tool.command().iter().map(OsStr::new).collect();
    let by = [&by[..], &[OsStr::new(&log_file)]].concat();
    let mut command = bench.client(&by, client, case, fetches, port)?;
    bench.finish(&mut command)?;
    let text = fs::read_to_string(&log)?;
    let read = tool.read(&text);
    read.ok_or_else(|| format!("nothing counted: {text}").into())
}

impl Tool {
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Callgrind => &[
                "valgrind",
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
            ],
            Self::Dhat => &["valgrind", "--tool=dhat", "--dhat-out-file=/dev/null"],
            Self::Strace => &["strace", "-f", "-c"],
        }
    }

    pub(crate) fn is_there(self) -> bool {
        find(self.command()[0]).is_some()
    }

    fn read(self, log: &str) -> Option<f64> {
        let number = |text: &str| text.replace(',', "").parse().ok();
        let words = |line: &'static str| {
            let line = log.lines().find(|l| l.contains(line));
            line.map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        match self {
            // ==1== Collected : 123
            Self::Callgrind => number(words("Collected :")?.last()?),
            // ==1== Total:     1,234 bytes in 56 blocks
            Self::Dhat => number(words("Total:")?.iter().rev().nth(1)?),
            // 100.00    0.012345           3      4567        12 total
            Self::Strace => number(words(" total")?.get(3)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_say_is_understood() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n";
        assert_eq!(Tool::Callgrind.read(log), Some(123_456.0));
        let log = "==7== Total:     1,234 bytes in 56 blocks\n==7== At t-gmax: 1 bytes\n";
        assert_eq!(Tool::Dhat.read(log), Some(56.0));
        let log = "------ ----------- ----------- --------- --------- ----------------\n\
                   100.00    0.012345           3      4567        12 total\n";
        assert_eq!(Tool::Strace.read(log), Some(4_567.0));
        assert_eq!(Tool::Strace.read(""), None);
    }
}
