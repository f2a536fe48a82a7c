//! How it ends when it does not end well.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use crate::{code, gannet, interrupt, rows, run, scratch, testbed, text};

#[test]
fn output_that_cannot_be_written_is_told() {
    let testbed = testbed();
    let url = testbed.url("/bytes/100");
    for path in ["/dev/full", "/nonexistent/out"] {
        for command in ["get", "fetch"] {
            let output = run(&[command, "-k", "-o", path, &url]);
            assert_eq!(code(&output), Some(4), "{command} {path}");
            let expected = format!("gannet: cannot write {path}: No ");
            assert!(
                text(&output.stderr).starts_with(&expected),
                "{}",
                text(&output.stderr)
            );
        }
    }
    // Told at once, though more input could come.
    let mut child = gannet(&["fetch", "-k", "-i", "-", "-o", "/dev/full"]);
    let mut child = child.stdin(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    writeln!(stdin, "{url}").expect("it reads");
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    let testbed = testbed();
    let mut child = gannet(&["get", "-k", &testbed.url("/bytes/3000000")]);
    let mut child = child.spawn().expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((code(&output), output.stderr.len()), (Some(0), 0));
    let mut child = gannet(&["fetch", "-k", "-i", "-"]);
    let mut child = child.stdin(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    writeln!(stdin, "{}", testbed.url("/bytes/1")).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), Some(4), "{}", text(&output.stderr));
}

#[test]
fn input_that_cannot_be_read_is_told() {
    for path in ["/nonexistent/urls", "/"] {
        let output = run(&["fetch", "-i", path]);
        assert_eq!(code(&output), Some(3));
        assert!(text(&output.stderr).starts_with(&format!("gannet: cannot read {path}: ")));
    }
    // A directory can be opened, and fails only when it is read.
    let directory = File::open("/").expect("a directory");
    let output = gannet(&["fetch", "-s", "-i", "-"])
        .stdin(directory)
        .output()
        .expect("it runs");
    assert_eq!(code(&output), Some(3));
    let told = text(&output.stderr);
    assert!(
        told.starts_with("gannet: cannot read standard input: "),
        "{told}"
    );
}

#[test]
fn wrong_usage_is_told() {
    for args in [
        &[][..],
        &["fetch"],
        &["get"],
        &["nonsense"],
        &["get", "-H", "x", "http://a/"],
    ] {
        assert_eq!(code(&run(args)), Some(2), "{args:?}");
    }
    let help = run(&["fetch", "--help"]);
    assert_eq!(code(&help), Some(0));
    assert!(text(&help.stdout).contains("Examples:"));
    assert!(text(&run(&["--help"]).stdout).contains("130  interrupted"));
}

#[test]
fn an_interrupt_finishes_what_is_open() {
    let testbed = testbed();
    let mut child = gannet(&["fetch", "-k", "-i", "-"]);
    let mut child = child.stdin(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    // The slow one is taken first, so that it is open when the fast one is answered.
    for path in ["/delay/1000/bytes/5", "/bytes/7"] {
        writeln!(stdin, "{}", testbed.url(path)).expect("it reads");
    }
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut all = String::new();
    stdout.read_line(&mut all).expect("a row");
    interrupt(&child);
    stdout.read_to_string(&mut all).expect("rows");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), Some(130), "{}", text(&output.stderr));
    let rows = rows(all.as_bytes());
    assert_eq!(rows.len(), 2);
    assert!(
        all.ends_with('\n') && rows.iter().all(|row| row["status"] == 200),
        "{all}"
    );
    drop(stdin);
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let testbed = testbed();
    let urls = ["/silent", "/bytes/7"].map(|path| testbed.url(path));
    let mut child = gannet(&["fetch", "-k", &urls[0], &urls[1]])
        .spawn()
        .expect("it runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a row");
    interrupt(&child);
    line.clear();
    stderr.read_line(&mut line).expect("a notice");
    assert!(line.starts_with("gannet: interrupted"), "{line}");
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn the_input_is_not_emptied_by_an_output_of_the_same_name() {
    let path = scratch("both.txt");
    std::fs::write(&path, "https://127.0.0.1:1/\n").expect("writable");
    let name = path.display().to_string();
    let output = run(&["fetch", "-i", &name, "-o", &name]);
    assert_eq!(code(&output), Some(2), "{}", text(&output.stderr));
    let kept = std::fs::read_to_string(&path).expect("still there");
    assert_eq!(kept, "https://127.0.0.1:1/\n");
}
