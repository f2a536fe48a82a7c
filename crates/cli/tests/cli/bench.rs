//! `gannet bench`, held against what the server saw.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;

use gannet_testbed::Testbed;
use serde_json::Value;

use crate::{code, gannet, interrupt, run, scratch, testbed, text};

/// Runs it against `testbed`, and returns the report.
fn bench(testbed: &Testbed, args: &[&str]) -> Value {
    let (ca, json) = (scratch("ca.pem"), scratch("bench.json"));
    fs::write(&ca, testbed.ca_pem()).expect("written");
    let (ca, path) = (ca.display().to_string(), json.display().to_string());
    let output = run(&[&["bench", "--cacert", &ca, "--json", &path], args].concat());
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&fs::read(json).expect("written")).expect("JSON")
}

#[test]
fn the_report_agrees_with_what_the_server_saw() {
    let testbed = testbed();
    let (page, lost) = (testbed.url("/bytes/1000"), testbed.url("/status/404"));
    let urls = scratch("urls.txt");
    fs::write(&urls, format!("# two\n{page}\n{lost}\n")).expect("written");
    let urls = urls.display().to_string();
    let report = bench(
        &testbed,
        &["-n", "1000", "-c", "4", "-m", "25", "-i", &urls],
    );
    let books = testbed.books();
    assert_eq!((books.requests, books.connections), (1_000, 4));
    assert_eq!(report["requests"], 1_000);
    assert_eq!(report["statuses"]["200"], 500);
    assert_eq!(report["statuses"]["404"], 500);
    assert_eq!(report["connections"]["handshakes"], 4);
    assert_eq!(report["by_connection"].as_array().map(Vec::len), Some(4));
    let by_connection = report["by_connection"].as_array().expect("rows").iter();
    let sum: u64 = by_connection
        .filter_map(|row| row["requests"].as_u64())
        .sum();
    assert_eq!(sum, 1_000);
    assert_eq!(report["latency"]["total"]["count"], 1_000);
    assert_eq!(report["latency"]["tls"]["count"], 4);
    assert_eq!(report["body_bytes"].as_u64(), Some(books.body_bytes));
    let saved = report["headers"]["saved"].as_f64().expect("HTTP/2");
    assert!((0.5..1.0).contains(&saved), "{saved}");
    assert!(report["cpu"]["us_per_request"].as_f64() > Some(0.0));
}

#[test]
fn http_1_has_one_request_at_a_time_on_each_connection() {
    let testbed = testbed();
    let url = testbed.url("/bytes/10");
    let report = bench(&testbed, &["-n", "300", "-c", "3", "--http1.1", &url]);
    assert_eq!(
        (testbed.books().requests, testbed.books().connections),
        (300, 3)
    );
    assert_eq!(report["load"]["streams"], 1);
    assert_eq!(report["connections"]["protocols"][0], "HTTP/1.1");
    assert!(report["headers"].is_null());
}

#[test]
fn the_server_of_the_demonstration_is_there_without_a_url() {
    let html = scratch("bench.html");
    let path = html.display().to_string();
    let output = run(&[
        "bench",
        "-n",
        "500",
        "--histogram",
        "--html",
        &path,
        "-t",
        "2",
    ]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "no bar where nobody looks");
    let shown = text(&output.stdout);
    assert!(
        shown.contains("outcome      500 2xx\n") && shown.contains('▇'),
        "{shown}"
    );
    let page = fs::read_to_string(html).expect("written");
    assert!(page.contains("</html>") && page.contains("<polyline"));
}

#[test]
fn the_rate_is_that_of_the_plan_and_latency_counts_from_it() {
    let testbed = testbed();
    // One at a time takes 50 ms, and one is to start every 10.
    let url = testbed.url("/delay/50/bytes/10");
    let args = ["-n", "20", "-q", "100", "-c", "1", "-m", "1", &url];
    let report = bench(&testbed, &args);
    assert_eq!(report["requests"], 20);
    let of = |phase: &str| report["latency"][phase]["max"].as_u64().expect("a time");
    // The last is to start after 190 ms, and ends after 20 · 50 ms: it waited for those before it.
    assert!(of("total") >= 800_000, "{report:#}");
    assert!(of("service") < of("total"));
}

/// Of two pages one never comes: what is answered is fast, and what is not must be told.
#[test]
fn a_stall_until_the_end_is_not_hidden() {
    let testbed = testbed();
    let (page, never) = (testbed.url("/bytes/10"), testbed.url("/silent"));
    for load in [&["-q", "100"][..], &["-m", "50"]] {
        let limits = ["-z", "1s", "--threshold", "p99<500ms", &page, &never];
        let output = run(&[&["bench", "-k"], load, &limits].concat());
        assert_eq!(code(&output), Some(99), "{}", text(&output.stdout));
        let said = text(&output.stderr);
        assert!(said.starts_with("gannet: missed p99<500ms"), "{said}");
        assert!(text(&output.stdout).contains(" cut off by the end (the oldest after "));
    }
}

#[test]
fn the_warm_up_is_not_counted_and_leaves_its_connections() {
    let testbed = testbed();
    let url = testbed.url("/delay/20/bytes/10");
    for protocol in ["--http1.1", "--http2"] {
        let before = testbed.books().connections;
        let args = ["-n", "50", "-c", "2", "--warmup", "300ms", protocol, &url];
        let report = bench(&testbed, &args);
        assert_eq!(report["requests"], 50);
        assert_eq!(report["connections"]["handshakes"], 0, "{report:#}");
        assert_eq!(report["connections"]["resumed"], 0);
        assert_eq!(testbed.books().connections - before, 2, "{protocol}");
    }
    assert!(testbed.books().requests > 100);
    assert_eq!(testbed.books().cancelled, 0);
}

#[test]
fn nothing_is_overwritten_by_a_run_that_does_not_start() {
    let testbed = testbed();
    let urls = scratch("kept-urls.txt");
    let line = format!("{}\n", testbed.url("/"));
    fs::write(&urls, &line).expect("written");
    let name = urls.display().to_string();
    for report in ["--json", "--csv", "--html"] {
        let output = run(&["bench", "-k", "-i", &name, report, &name]);
        assert_eq!(code(&output), Some(2), "{report}");
        let output = run(&["bench", report, &name, "nonsense"]);
        assert_eq!(code(&output), Some(2), "{report}");
        assert_eq!(fs::read_to_string(&urls).expect("kept"), line);
    }
    assert_eq!(testbed.books().requests, 0);
}

#[test]
fn a_missed_threshold_has_an_exit_code_of_its_own() {
    let testbed = testbed();
    let url = testbed.url("/status/503");
    let limits = "p99<100s,error<1%";
    let output = run(&["bench", "-k", "-n", "20", "--threshold", limits, &url]);
    assert_eq!(code(&output), Some(99));
    let said = "gannet: missed error<1%: it is 100.00 %\n";
    assert_eq!(text(&output.stderr), said);
    assert!(text(&output.stdout).contains("20 5xx"));
    let kept = run(&["bench", "-k", "-n", "20", "--threshold", "rps>0.001", &url]);
    assert_eq!(code(&kept), Some(0));
    let wrong = run(&["bench", "--threshold", "p99", &url]);
    assert_eq!(code(&wrong), Some(2));
}

#[test]
fn an_interrupt_gives_what_there_is() {
    let testbed = testbed();
    let (csv, url) = (scratch("bench.csv"), testbed.url("/bytes/10"));
    let path = csv.display().to_string();
    let mut child = gannet(&["bench", "-k", "-z", "1h", "--csv", &path, &url]);
    let mut child = child.spawn().expect("it runs");
    // Those in flight at the interrupt have no rows.
    let seen = testbed.wait_until(
        |books| books.requests > 1_000,
        std::time::Duration::from_secs(30),
    );
    assert!(seen);
    interrupt(&child);
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let (mut first, mut rest) = (String::new(), String::new());
    stdout.read_line(&mut first).expect("text");
    stdout.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(
        first.starts_with(&url) && rest.contains(" 2xx"),
        "{first}{rest}"
    );
    let table = fs::read_to_string(csv).expect("written");
    let rows = table.lines().count() - 1;
    let columns = |line: &str| line.split(',').count();
    let head = columns(table.lines().next().expect("a head"));
    assert!(rows > 100 && table.lines().all(|line| columns(line) == head));
}

#[test]
fn what_is_wrong_is_told_before_it_starts() {
    let testbed = testbed();
    let url = testbed.url("/");
    let rubbish = scratch("rubbish.txt");
    fs::write(&rubbish, format!("{url}\nnot a URL\n")).expect("written");
    let rubbish = rubbish.display().to_string();
    for (args, expected, said) in [
        (&["not a URL"][..], 2, "not a URL: "),
        (&["-i", &rubbish], 3, "line 2 of the input: "),
        (&["-i", "/nonexistent/urls"], 3, "cannot read "),
        (&["-i", "/dev/null"], 3, "there is no URL in the input"),
        (
            &["--json", "/nonexistent/a", &url],
            4,
            "cannot write /nonexistent/a",
        ),
        (&["--csv", "/dev/full", &url], 4, "cannot write /dev/full"),
    ] {
        let output = run(&[&["bench", "-k"], args].concat());
        assert_eq!(code(&output), Some(expected), "{args:?}");
        let expected = format!("gannet: {said}");
        assert!(
            text(&output.stderr).starts_with(&expected),
            "{}",
            text(&output.stderr)
        );
    }
    assert_eq!(testbed.books().requests, 0);
}

#[test]
fn a_dead_server_is_counted() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("https://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let output = run(&["bench", "-n", "50", &url]);
    assert_eq!(code(&output), Some(1));
    assert!(
        text(&output.stdout).contains("outcome      50 connect\n"),
        "{}",
        text(&output.stdout)
    );
}
