//! `gannet fetch`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::thread;

use gannet_testbed::verify;
use serde_json::Value;

use crate::{code, feed, gannet, rows, run, scratch, testbed, text};

#[test]
fn answers_each_of_a_thousand_lines() {
    let testbed = testbed();
    let lines = (1..=1000).map(|n| testbed.url(&format!("/bytes/{}/{n}", n % 50)) + "\n");
    let flags = [
        "fetch",
        "-k",
        "-i",
        "-",
        "--include-body",
        "--per-origin",
        "20",
    ];
    let output = feed(&flags, lines.collect::<String>());
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let rows = rows(&output.stdout);
    let mut ids: Vec<_> = rows.iter().filter_map(|row| row["id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=1000).collect::<Vec<_>>());
    for row in &rows {
        assert_eq!((&row["status"], &row["error"]), (&200.into(), &Value::Null));
        assert_eq!(
            (&row["id"], &row["proto"]),
            (&row["line"], &"HTTP/2".into())
        );
        assert!(row["bytes"]["body"].as_u64() == row["id"].as_u64().map(|id| id % 50));
        assert!(row["body"].is_string() && row["headers"].is_array());
    }
    assert_eq!(testbed.books().connections, 1);
    assert!(testbed.books().peak_streams <= 20, "{:?}", testbed.books());
    let told = text(&output.stderr);
    assert!(told.starts_with("gannet: 1,000 fetched; "), "{told}");
    let pool =
        "\ngannet: connections: 1 opened, 99.9 % of requests on an open one; waited for: p50 < ";
    assert!(told.contains(pool), "{told}");
}

#[test]
fn keeps_bodies_in_files() {
    let testbed = testbed();
    let (dir, out) = (scratch("bodies").join("deep"), scratch("rows"));
    let (dir_arg, out_arg) = (dir.display().to_string(), out.display().to_string());
    let urls = ["/bytes/70000/a", "/bytes/0"].map(|path| testbed.url(path));
    let flags = [
        "fetch",
        "-k",
        "-s",
        "--body-dir",
        &dir_arg,
        "-o",
        &out_arg,
        &urls[0],
        &urls[1],
    ];
    let output = run(&flags);
    assert_eq!(
        (code(&output), output.stderr.len()),
        (Some(0), 0),
        "{}",
        text(&output.stderr)
    );
    assert!(verify(
        "/bytes/70000/a",
        &fs::read(dir.join("000000001")).expect("a body")
    ));
    assert_eq!(fs::read(dir.join("000000002")).expect("a body").len(), 0);
    let rows = rows(&fs::read(out).expect("rows"));
    assert!(rows.iter().all(|row| row.get("line").is_none()));
    assert!(
        rows.iter()
            .any(|row| row["body_file"] == format!("{dir_arg}/000000001"))
    );
}

#[test]
fn rubbish_becomes_rows_and_the_run_goes_on() {
    let testbed = testbed();
    let url = testbed.url("/status/500");
    let long = "x".repeat(70_000);
    let mut input = format!("nonsense\n\n# no\n{long}\nhttp://me:s3cret@a/\n").into_bytes();
    input.extend_from_slice(b"http://a/\xff\n");
    input.extend_from_slice(format!("ftp://a/\n{url}").as_bytes());
    let output = feed(&["fetch", "-k", "-i", "-"], input.clone());
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("s3cret"));
    let mut rows = rows(&output.stdout);
    rows.sort_by_key(|row| row["id"].as_u64());
    let lines: Vec<_> = rows
        .iter()
        .map(|row| row["line"].as_u64().unwrap_or(0))
        .collect();
    assert_eq!(lines, [1, 4, 5, 6, 7, 8]);
    for row in &rows[..5] {
        assert_eq!(
            (&row["error"]["kind"], &row["conn"]),
            (&"bad_request".into(), &Value::Null)
        );
    }
    assert_eq!(rows[5]["status"], 500);
    assert_eq!(
        code(&feed(&["fetch", "-k", "--fail", "-i", "-"], input)),
        Some(1)
    );
    assert_eq!(code(&run(&["fetch", "-k", "--fail", &url])), Some(1));
    assert_eq!(
        code(&run(&["fetch", "-k", "--fail", &testbed.url("/bytes/1")])),
        Some(0)
    );
}

#[test]
fn statuses_are_retried_if_wanted_and_the_row_tells() {
    let testbed = testbed();
    let urls = ["/status/503", "/status/500", "/bytes/1"].map(|path| testbed.url(path));
    let mut args = vec!["fetch", "-k", "--retry-status", "429,503", "--retry", "1"];
    args.extend(urls.iter().map(String::as_str));
    let output = run(&args);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let mut rows = rows(&output.stdout);
    rows.sort_by_key(|row| row["id"].as_u64());
    assert_eq!(
        (&rows[0]["status"], &rows[0]["attempts"]),
        (&503.into(), &2.into())
    );
    assert_eq!(rows[0]["retries"], serde_json::json!(["503"]));
    for row in &rows[1..] {
        assert_eq!((&row["attempts"], row.get("retries")), (&1.into(), None));
    }
    assert_eq!(testbed.books().requests, 4);
    let told = text(&output.stderr);
    assert!(told.contains("\ngannet: retried: 1 status\n"), "{told}");
}

#[test]
fn a_tuned_pool_keeps_to_its_limits() {
    let testbed = testbed();
    let lines = (0..60).map(|n| testbed.url_named(n % 6, &format!("/bytes/{n}")) + "\n");
    let rule = format!("*:{}:127.0.0.1", testbed.port());
    let mut args = vec!["fetch", "-k", "-i", "-", "-j", "8", "--resolve", &rule];
    args.extend([
        "--max-connections",
        "2",
        "--eviction",
        "sieve",
        "--max-requests",
        "5",
    ]);
    let output = feed(&args, lines.collect::<String>());
    let told = text(&output.stderr);
    assert_eq!(code(&output), Some(0), "{told}");
    assert_eq!(rows(&output.stdout).len(), 60);
    assert!(testbed.books().peak_open <= 2, "{:?}", testbed.books());
    assert!(testbed.books().connections >= 12, "{:?}", testbed.books());
}

/// The most memory a program has needed so far, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("the peak");
    let number = line.split_whitespace().nth(1).map(str::parse);
    number.expect("a number").expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_input() {
    let testbed = testbed();
    let mut child = gannet(&["fetch", "-k", "-i", "-"]);
    let mut child = child.stdin(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut pass = |count: usize| {
        let url = testbed.url("/bytes/1000\n");
        thread::scope(|scope| {
            // Reads while it writes, or both sides would wait for each other.
            scope.spawn(|| {
                (0..count).for_each(|_| stdin.write_all(url.as_bytes()).expect("it reads"))
            });
            assert_eq!(stdout.by_ref().take(count).count(), count);
        });
        peak_memory(&child)
    };
    let (first, second) = (pass(2_000), pass(8_000));
    assert!(second < first + 8 * 1024, "from {first} to {second} KiB");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}
