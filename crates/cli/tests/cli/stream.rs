//! Bodies that pass through, both ways.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Instant;

use gannet_testbed::{content, verify};
use serde_json::Value;

use crate::{code, feed, gannet, run, scratch, testbed, text};

/// What passes through in the ordinary run; `GANNET_TEST_BYTES` asks for more.
fn size() -> u64 {
    let told = env::var("GANNET_TEST_BYTES").ok();
    told.map_or(96 << 20, |told| told.parse().expect("a number"))
}

/// The most memory that the program has used, in KiB.
#[cfg(target_os = "linux")]
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits: String = line
        .expect("a peak")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_response_passes_in_little_memory() {
    let (testbed, size) = (testbed(), size());
    let path = format!("/bytes/{size}");
    for protocol in ["--http2", "--http1.1"] {
        let mut child = gannet(&["get", "-k", protocol, &testbed.url(&path)])
            .spawn()
            .expect("it runs");
        let mut stdout = child.stdout.take().expect("piped");
        let (mut read, mut peaks) = (0, 0);
        for piece in content(&path, size) {
            let mut got = vec![0; piece.len()];
            stdout
                .read_exact(&mut got)
                .expect("as much as was announced");
            assert!(got == piece, "it differs after {read} bytes");
            read += piece.len() as u64;
            // While there is more to come it is still there.
            if read + (1 << 20) < size {
                peaks = peak(&child).max(peaks);
            }
        }
        assert_eq!(stdout.read(&mut [0]).expect("the end"), 0);
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        eprintln!("{protocol}: {read} bytes, {peaks} KiB at most");
        assert!(peaks < 64 << 10, "{peaks} KiB");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_upload_passes_in_little_memory() {
    let (testbed, size) = (testbed(), size());
    let whole = format!("/bytes/{size}");
    let url = testbed.url("/sink");
    let mut child = gannet(&["get", "-k", "-T", "-", &url])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    let (mut peaks, mut sum) = (0, sha2::Sha256::default());
    for piece in content(&whole, size) {
        stdin.write_all(&piece).expect("it reads");
        sha2::Digest::update(&mut sum, &piece);
        peaks = peak(&child).max(peaks);
    }
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let digest = sha2::Digest::finalize(sum);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        text(&output.stdout),
        format!("{size} {digest}\n"),
        "{}",
        text(&output.stderr)
    );
    eprintln!("{size} bytes up, {peaks} KiB at most");
    assert!(peaks < 64 << 10, "{peaks} KiB");
}

#[test]
fn a_file_is_put_under_its_name_and_data_are_posted_as_they_are() {
    let testbed = testbed();
    let file = scratch("up.txt");
    fs::write(&file, "two\nlines\n").expect("writable");
    let path = file.display().to_string();
    let (echo, headers) = (testbed.url("/echo"), testbed.url("/"));
    let put = run(&["get", "-k", "-i", "-T", &path, &echo]);
    let told = text(&put.stdout);
    assert!(
        told.contains("x-method: PUT") && told.ends_with("two\nlines\n"),
        "{told}"
    );
    let named = run(&["get", "-k", "-v", "-T", &path, &headers]);
    let name = file.file_name().expect("a name").to_str().expect("text");
    assert!(
        text(&named.stderr).contains(&format!("> PUT /{name} ")),
        "{}",
        text(&named.stderr)
    );
    let binary = format!("@{path}");
    let post = run(&[
        "get",
        "-k",
        "-i",
        "--expect100",
        "0.2",
        "--data-binary",
        &binary,
        &echo,
    ]);
    let told = text(&post.stdout);
    assert!(
        told.contains("x-method: POST") && told.ends_with("two\nlines\n"),
        "{told}"
    );
    let gone = run(&["get", "-k", "-T", "/nonexistent/gannet", &echo]);
    assert_eq!(code(&gone), Some(3), "{}", text(&gone.stderr));
    for from in ["-", "/dev/stdin"] {
        for rate in ["0", "10M"] {
            let flags = ["get", "-k", "--limit-rate", rate, "-T", from, &echo];
            let piped = feed(&flags, "from a pipe");
            assert_eq!(text(&piped.stdout), "from a pipe", "{piped:?}");
        }
    }
    let form = feed(&["get", "-k", "-d", "a=1", "-d", "@-", &echo], "b=2\n");
    assert_eq!(text(&form.stdout), "a=1&b=2", "{form:?}");
    let folder = std::env::temp_dir().display().to_string();
    let folder = run(&["get", "-k", "-T", &folder, &echo]);
    assert_eq!(code(&folder), Some(3), "{}", text(&folder.stderr));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_while_it_waits_for_what_it_is_to_send() {
    use std::os::unix::process::ExitStatusExt;

    let mut child = gannet(&["get", "-d", "@-", "http://127.0.0.1:1/"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    // More than lies in a pipe, so that some of it has been read.
    stdin.write_all(&[b'x'; 4 << 20]).expect("it reads");
    crate::interrupt(&child);
    drop(stdin);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(2), "{status:?}");
}

#[test]
fn what_went_is_told_in_the_form_asked_for() {
    let testbed = testbed();
    let url = testbed.url("/bytes/100");
    let output = run(&[
        "get",
        "-k",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download}\\n",
        &url,
    ]);
    assert_eq!(text(&output.stdout), "200 100\n");
    let output = run(&["get", "-k", "-o", "/dev/null", "-w", "%{json}", &url]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&told["http_version"], &told["num_connects"]),
        (&"2".into(), &1.into())
    );
    assert!(
        told["time_total"].as_f64() >= told["time_starttransfer"].as_f64(),
        "{told}"
    );
    let failed = run(&[
        "get",
        "-s",
        "-w",
        "%{errorkind} %{http_code}",
        "http://127.0.0.1:1/",
    ]);
    assert_eq!(code(&failed), Some(2), "errorkind is in the JSON only");
    let failed = run(&[
        "get",
        "-s",
        "-w",
        "%{errormsg}|%{http_code}",
        "http://127.0.0.1:1/",
    ]);
    assert!(text(&failed.stdout).ends_with("|000") || text(&failed.stdout).ends_with("|0"));
    assert_eq!(code(&failed), Some(1));
}

#[test]
fn bodies_are_decoded_unless_told_otherwise() {
    let testbed = testbed();
    let path = "/gzip/50000";
    let plain = run(&["get", "-k", &testbed.url(path)]);
    assert!(verify(path, &plain.stdout));
    let raw = run(&[
        "get",
        "-k",
        "--raw",
        "-H",
        "Accept-Encoding: gzip",
        &testbed.url(path),
    ]);
    assert!(raw.stdout.starts_with(&[0x1f, 0x8b]) && raw.stdout.len() < 50_000);
    // Less comes than is allowed, but that is not what is handed out.
    let size = raw.stdout.len() + 1;
    let short = run(&[
        "get",
        "-k",
        "--max-size",
        &size.to_string(),
        &testbed.url(path),
    ]);
    assert_eq!((code(&short), short.stdout.len()), (Some(1), size));
    let told = text(&short.stderr);
    assert!(told.ends_with(&format!("after {size} bytes\n")), "{told}");
}

#[test]
fn a_rate_is_kept() {
    let testbed = testbed();
    let started = Instant::now();
    let output = run(&[
        "get",
        "-k",
        "--limit-rate",
        "100k",
        &testbed.url("/bytes/102400"),
    ]);
    assert_eq!(output.stdout.len(), 102_400);
    // Not a bound that a slow machine could miss.
    assert!(started.elapsed().as_millis() >= 700);
}

#[test]
fn only_bodies_of_the_type_asked_for_are_taken() {
    let testbed = testbed();
    let (page, bytes) = (testbed.url("/"), testbed.url("/bytes/1000000"));
    let output = run(&[
        "fetch",
        "-k",
        "-s",
        "--accept-type",
        "text/html",
        &page,
        &bytes,
    ]);
    let mut rows = crate::rows(&output.stdout);
    rows.sort_by_key(|row| row["id"].as_u64());
    assert!(
        rows[0]["cut"].is_null() && rows[0]["bytes"]["body"].as_u64() > Some(0),
        "{rows:?}"
    );
    assert_eq!(
        (&rows[1]["cut"], &rows[1]["bytes"]["body"]),
        (&"stopped".into(), &0.into())
    );
    assert_eq!(rows[1]["status"], 200);
}

#[test]
fn who_has_read_enough_ends_it_without_a_word() {
    let testbed = testbed();
    let url = testbed.url("/bytes/1000000000");
    let mut child = gannet(&["get", "-k", &url]).spawn().expect("it runs");
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut [0; 1000]).expect("some");
    drop(stdout);
    let reader = thread::spawn(move || child.wait_with_output().expect("it ends"));
    let output = reader.join().expect("no panic");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert_eq!(code(&output), Some(0));
    let short = run(&["get", "-k", "--max-size", "10", &testbed.url("/drip/20/1")]);
    assert!(
        text(&short.stderr).contains("too_large"),
        "{}",
        text(&short.stderr)
    );
    let path = scratch("part");
    let part = path.display().to_string();
    let cut = run(&[
        "get",
        "-k",
        "-m",
        "1",
        "-o",
        &part,
        &testbed.url("/drip/1000/100"),
    ]);
    assert_eq!(code(&cut), Some(1));
    assert!(
        text(&cut.stderr).contains("of 1000 bytes"),
        "{}",
        text(&cut.stderr)
    );
    assert!(!fs::read(&path).expect("what came").is_empty());
}

#[test]
fn what_is_counted_can_be_scraped_while_it_runs_and_agrees() {
    let testbed = testbed();
    let mut child = gannet(&[
        "fetch",
        "-k",
        "-i",
        "-",
        "--metrics-listen",
        "0",
        "--metrics-per-origin",
    ])
    .stdin(Stdio::piped())
    .spawn()
    .expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    let mut rows = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut told = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = told.next().expect("a line").expect("text");
    let url = line
        .strip_prefix("gannet: metrics at ")
        .expect("an address");
    for _ in 0..7 {
        writeln!(stdin, "{}", testbed.url("/bytes/1000")).expect("it reads");
    }
    writeln!(stdin, "{}", testbed.url("/status/404")).expect("it reads");
    for _ in 0..8 {
        rows.next().expect("a row").expect("text");
    }
    let scraped = text(&run(&["get", "-f", url]).stdout);
    let series = |name: &str| {
        let line = scraped.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {scraped}"));
        line.rsplit(' ').next().expect("a value").to_owned()
    };
    let count = |status| {
        series(&format!(
            "http_client_request_duration_seconds_count{{http_request_method=\"GET\",http_response_status_code=\"{status}\""
        ))
    };
    assert_eq!((count(200), count(404)), ("7".to_owned(), "1".to_owned()));
    assert_eq!(
        series("gannet_handshakes_total"),
        testbed.books().connections.to_string()
    );
    assert_eq!(series("gannet_origin_waiting_fetches{origin="), "0");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let port = url
        .trim_end_matches("/metrics")
        .rsplit(':')
        .next()
        .expect("a port");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let refused = run(&["get", "-k", "--metrics-listen", &address, &testbed.url("/")]);
    assert!(text(&refused.stderr).contains("cannot listen on"), "{port}");
}
