//! `gannet get`.

use std::fs;

use gannet_testbed::{Testbed, verify};

use crate::{code, run, scratch, testbed, text};

#[test]
fn prints_the_body() {
    let testbed = testbed();
    let output = run(&["get", "-k", &testbed.url("/bytes/100000/a?b")]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert!(verify("/bytes/100000/a?b", &output.stdout));
    assert!(output.stderr.is_empty());
}

#[test]
fn prints_the_head_if_wanted() {
    let testbed = testbed();
    let url = testbed.url("/bytes/10");
    let output = run(&["get", "-k", "-i", &url]);
    let start = output
        .stdout
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let head = text(&output.stdout[..start]);
    assert!(
        head.starts_with("HTTP/2 200\r\n") && head.contains("\r\nx-sha256: "),
        "{head}"
    );
    assert!(verify("/bytes/10", &output.stdout[start..]));
    let output = run(&["get", "-k", "-I", &url]);
    assert_eq!(
        (code(&output), output.stdout.ends_with(b"\r\n\r\n")),
        (Some(0), true)
    );
}

#[test]
fn verbose_tells_the_exchange_without_credentials() {
    let testbed = testbed();
    let secrets = [
        "-H",
        "Authorization: Bearer s3cret",
        "-H",
        "Cookie: id=s3cret",
    ];
    let url = testbed.url("/headers");
    let mut args = vec!["get", "-k", "-v", &url];
    args.extend(secrets);
    let output = run(&args);
    let told = text(&output.stderr);
    for piece in [
        "ALPN h2",
        "> GET /headers HTTP/2",
        "authorization: [redacted]",
        "< HTTP/2 200",
    ] {
        assert!(told.contains(piece), "{piece} in {told}");
    }
    assert!(!told.contains("s3cret"), "{told}");
    assert!(
        text(&output.stdout).contains("Bearer s3cret"),
        "but they are sent"
    );
}

#[test]
fn verbose_tells_the_attempts_before() {
    let testbed = testbed();
    let url = testbed.url("/status/503");
    let output = run(&[
        "get",
        "-k",
        "-v",
        "--retry-status",
        "503",
        "--retry",
        "2",
        &url,
    ]);
    let told = text(&output.stderr);
    let before: Vec<_> = told
        .lines()
        .filter(|l| l.ends_with(": status 503"))
        .collect();
    assert_eq!(before.len(), 2, "{told}");
    assert!(
        before[1].starts_with("* attempt 2 on connection "),
        "{told}"
    );
    assert!(told.contains(", attempt 3: "), "{told}");
    assert_eq!((code(&output), testbed.books().requests), (Some(0), 3));
}

#[test]
fn certificates_are_checked_unless_told_otherwise() {
    let testbed = testbed();
    let url = testbed.url("/bytes/10");
    let untrusted = run(&["get", &url]);
    assert_eq!(code(&untrusted), Some(1));
    assert!(
        text(&untrusted.stderr).starts_with("gannet: tls: "),
        "{}",
        text(&untrusted.stderr)
    );
    assert!(run(&["get", "-s", &url]).stderr.is_empty());
    let file = scratch("ca.pem");
    fs::write(&file, testbed.ca_pem()).expect("writable");
    let path = file.display().to_string();
    assert_eq!(code(&run(&["get", "--cacert", &path, &url])), Some(0));
    let rule = format!("*:{}:127.0.0.1", testbed.port());
    let named = testbed.url_named(3, "/bytes/10");
    let output = run(&["get", "--cacert", &path, "--resolve", &rule, &named]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let rule = format!("::127.0.0.1:{}", testbed.port());
    let named = "https://localhost:1/bytes/10";
    let output = run(&["get", "--cacert", &path, "--connect-to", &rule, named]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        code(&run(&["get", "--cacert", "/nonexistent/ca.pem", &url])),
        Some(3)
    );
}

#[test]
fn cleartext_is_http_1_unless_it_is_known_to_be_http_2() {
    let testbed = Testbed::builder().plain(true).start().expect("a server");
    let url = testbed.url("/bytes/10");
    for (flags, line) in [
        (&[][..], "HTTP/1.1 200"),
        (&["--http2-prior-knowledge"], "HTTP/2 200"),
        (&["--http2"], "HTTP/2 200"),
    ] {
        let output = run(&[&["get", "-i", &url], flags].concat());
        let told = text(&output.stdout);
        assert!(told.starts_with(line), "{flags:?}: {told}");
    }
}

#[test]
fn data_and_methods_are_sent() {
    let testbed = testbed();
    let output = run(&[
        "get",
        "-k",
        "-i",
        "-d",
        "a=1",
        "-d",
        "b=2",
        &testbed.url("/echo"),
    ]);
    let answer = text(&output.stdout);
    assert!(
        answer.ends_with("\r\n\r\na=1&b=2") && answer.contains("x-method: POST"),
        "{answer}"
    );
    let output = run(&["get", "-k", "-i", "-X", "DELETE", &testbed.url("/echo")]);
    assert!(text(&output.stdout).contains("x-method: DELETE"));
}

#[test]
fn fails_as_it_is_told_to() {
    let testbed = testbed();
    let url = testbed.url("/status/404");
    assert_eq!(code(&run(&["get", "-k", &url])), Some(0));
    let failed = run(&["get", "-k", "-f", &url]);
    assert_eq!((code(&failed), failed.stdout.len()), (Some(1), 0));
    assert!(text(&failed.stderr).contains("404"));
    let large = run(&["get", "-k", "--max-size", "1k", &testbed.url("/bytes/2000")]);
    assert!(
        text(&large.stderr).starts_with("gannet: too_large: "),
        "{}",
        text(&large.stderr)
    );
    let slow = run(&["get", "-k", "-m", "0.2", &testbed.url("/silent")]);
    assert!(
        text(&slow.stderr).starts_with("gannet: deadline: "),
        "{}",
        text(&slow.stderr)
    );
    let bad = run(&["get", "nonsense"]);
    assert_eq!(
        text(&bad.stderr),
        "gannet: bad_request: bad URL: it is not absolute\n"
    );
}

#[test]
fn redirects_are_followed_when_asked() {
    let testbed = testbed();
    let url = testbed.url("/redirect/2");
    let output = run(&["get", "-k", "-i", &url]);
    assert!(text(&output.stdout).starts_with("HTTP/2 302"), "{output:?}");
    let output = run(&["get", "-k", "-L", "-i", "-v", &url]);
    assert!(text(&output.stdout).starts_with("HTTP/2 200"), "{output:?}");
    let told = text(&output.stderr);
    assert!(
        told.contains("* 302 on connection") && told.contains("/redirect/0"),
        "{told}"
    );
    let output = run(&["get", "-k", "-L", "--max-redirs", "1", &url]);
    assert_eq!(code(&output), Some(1));
    assert!(text(&output.stderr).contains("redirect: "), "{output:?}");
}
