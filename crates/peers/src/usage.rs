//! What a process has used.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeVal;

use crate::Failure;

/// CPU time of this process, all threads.
///
/// # Errors
///
/// The system's.
pub fn cpu() -> Result<Duration, Failure> {
    of(UsageWho::RUSAGE_SELF)
}

/// CPU time of all children that have ended.
///
/// # Errors
///
/// The system's.
pub fn children_cpu() -> Result<Duration, Failure> {
    of(UsageWho::RUSAGE_CHILDREN)
}

fn of(who: UsageWho) -> Result<Duration, Failure> {
    let used = getrusage(who)?;
    let time = |t: TimeVal| -> Result<Duration, Failure> {
        Ok(Duration::from_secs(t.tv_sec().try_into()?)
            + Duration::from_micros(t.tv_usec().try_into()?))
    };
    Ok(time(used.user_time())? + time(used.system_time())?)
}

/// A line of a process's status, such as `VmHWM`, in KiB.
#[must_use]
pub fn memory(process: &str, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(line))?;
    line.trim_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .ok()
}

/// Allows as many open files as the system lets this process have.
///
/// # Errors
///
/// The system's.
pub fn raise_files() -> Result<(), Failure> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
