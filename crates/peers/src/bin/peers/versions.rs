//! What was compared, on what.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use crate::CRATE;

const CRATES: [&str; 11] = [
    "gannet",
    "h2",
    "hyper",
    "hyper-util",
    "hyper-rustls",
    "reqwest",
    "rustls",
    "tokio-rustls",
    "ring",
    "tokio",
    "actix",
];

/// Versions from the lock files, and of the programs that are installed.
pub(crate) fn versions() -> String {
    let lock = |folder: &str| fs::read_to_string(Path::new(CRATE).join(folder).join("Cargo.lock"));
    let own = lock("").unwrap_or_default();
    let awc = lock("awc").unwrap_or_default();
    let mut found: Vec<_> = CRATES
        .iter()
        .filter_map(|name| Some(format!("{name} {}", locked(&own, name)?)))
        .collect();
    if let Some(version) = locked(&awc, "awc") {
        found.push(format!("awc {version}"));
    }
    for (program, argument) in [
        ("rustc", "-V"),
        ("h2load", "--version"),
        ("nginx", "-v"),
        ("nghttpd", "--version"),
        ("valgrind", "--version"),
    ] {
        found.extend(said(program, argument));
    }
    found.join(" · ")
}

fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let at = format!("name = \"{name}\"\nversion = \"");
    lock.split(&at).nth(1)?.split('"').next()
}

fn said(program: &str, argument: &str) -> Option<String> {
    let program = crate::server::find(program)?;
    let output = Command::new(program).arg(argument).output().ok()?;
    // nginx says it where errors go.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Some(text.lines().next()?.trim().to_owned())
}

/// The machine.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or("an unknown CPU");
    let cores = available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {model}, {}", std::env::consts::OS)
}

pub(crate) fn today() -> String {
    let date = Command::new("date").arg("+%Y-%m-%d").output();
    date.map_or_else(
        |_| "a day unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"hyper-util\"\nversion = \"0.1.2\"\n\
                    [[package]]\nname = \"hyper\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked(lock, "hyper"), Some("1.2.3"));
        assert_eq!(locked(lock, "awc"), None);
    }
}
