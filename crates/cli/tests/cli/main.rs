//! The program as it is run, against a server of its own.

mod bench;
mod ends;
mod fetch;
mod get;
mod stream;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use gannet_testbed::Testbed;
use serde_json::Value;

fn gannet(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gannet"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Output {
    gannet(args).output().expect("it runs")
}

/// Runs it with `input` as its standard input.
fn feed(args: &[&str], input: impl Into<Vec<u8>>) -> Output {
    let mut child = gannet(args).stdin(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.into();
    // It may end without having read it all.
    let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    feeder.join().expect("no panic");
    output
}

fn testbed() -> Testbed {
    Testbed::builder().start().expect("a server")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn rows(bytes: &[u8]) -> Vec<Value> {
    let row = |line: &str| serde_json::from_str(line).expect("a row of JSON");
    text(bytes).lines().map(row).collect()
}

/// A path for a file or directory of this test alone.
fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{count}-{name}", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn interrupt(child: &Child) {
    // The shell's own `kill`: the program of that name is not everywhere.
    let status = Command::new("sh")
        .args(["-c", "kill -s INT \"$0\"", &child.id().to_string()])
        .status()
        .expect("a shell");
    assert!(status.success());
}

#[test]
fn the_demonstration_checks_itself() {
    let path = scratch("demo.jsonl").display().to_string();
    let output = run(&[
        "demo",
        "--pages",
        "500",
        "--origins",
        "8",
        "--output",
        &path,
    ]);
    let told = text(&output.stdout);
    assert_eq!(code(&output), Some(0), "{told}{}", text(&output.stderr));
    assert!(
        told.contains("8 opened by the server's book, 8 by the client's"),
        "{told}"
    );
    assert!(
        told.contains("verified     500\n") && told.contains(&path),
        "{told}"
    );
    assert_eq!(rows(&fs::read(path).expect("rows")).len(), 500);
}

#[test]
fn the_server_tells_how_to_reach_it() {
    let mut child = gannet(&["serve"]).spawn().expect("it runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut told = String::new();
    while !told.contains("/headers") {
        assert_ne!(stdout.read_line(&mut told).expect("text"), 0, "{told}");
    }
    let line = told
        .lines()
        .find(|line| line.contains("/headers"))
        .expect("an example");
    let words = line
        .split_whitespace()
        .skip(1)
        .map(|word| word.trim_matches('\''));
    let output = run(&words.collect::<Vec<_>>());
    assert_eq!(code(&output), Some(0), "{line}: {}", text(&output.stderr));
    interrupt(&child);
    stdout.read_to_string(&mut told).expect("text");
    assert!(told.contains("\nrequests     1 "), "{told}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
