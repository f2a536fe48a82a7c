//! The layering of `ARCHITECTURE.md`, checked against the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module may use only modules named before it; `lib.rs` is the façade and exempt. `event` and
/// `decode` are rooms kept for what is to come.
const ORDER: &[&str] = &[
    "error",
    "origin",
    "upload",
    "event",
    "request",
    "response",
    "config",
    "policy",
    "decode",
    "view",
    "log",
    "clock",
    "body",
    "message",
    "net",
    "session",
    "stream",
    "connection",
    "pool",
    "agent",
    "engine",
];
const TO_COME: &[&str] = &[];

/// Modules that only compute, and what they may not name.
const PURE: &[&str] = &[
    "error", "origin", "event", "request", "response", "config", "policy",
];
const IMPURE: &[&str] = &[
    "actix",
    "tokio::",
    "h2::",
    "Instant::now",
    "SystemTime",
    "rand",
];
/// What opens sockets.
const SOCKETS: &[&str] = &["tokio::net", "std::net::Tcp", "std::net::Udp", "TcpStream"];

const MAX_FILE: usize = 400;
const MAX_FUNCTION: usize = 60;

#[test]
fn modules_use_only_what_stands_before_them() {
    let mut wrong = Vec::new();
    for source in library() {
        for used in source.uses() {
            if used != source.module && rank(&used) > rank(&source.module) {
                wrong.push(format!(
                    "{} must not use crate::{used}",
                    source.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_is_in_the_order_and_lib_declares_them_in_it() {
    let seen: BTreeSet<_> = library().into_iter().map(|s| s.module).collect();
    let named: BTreeSet<_> = ORDER
        .iter()
        .filter(|m| !TO_COME.contains(m))
        .map(|m| (*m).to_owned())
        .collect();
    assert_eq!(seen, named);
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("readable");
    let declared: Vec<_> = lib
        .lines()
        .filter_map(|l| {
            l.trim_start_matches("pub ")
                .strip_prefix("mod ")?
                .strip_suffix(';')
        })
        .collect();
    assert!(declared.is_sorted_by_key(|m| rank(m)), "{declared:?}");
}

#[test]
fn pure_modules_name_no_actor_socket_or_clock() {
    let wrong = named_in(|module| PURE.contains(&module), IMPURE);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_net_opens_sockets() {
    let wrong = named_in(|module| module != "net", SOCKETS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_clock_reads_the_clock() {
    let wrong = named_in(|module| module != "clock", &["Instant::now", "SystemTime"]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An actor is handed only weak recipients of those above it: it can name none of their types, so
/// it is enough that none keeps a strong recipient, but for these.
#[test]
fn no_strong_address_upward() {
    const ALLOWED: [&str; 2] = [
        // The way home of an attempt is a reply, and those to be closed are below.
        "Recipient<Failed>",
        "Recipient<Close>",
    ];
    let is_strong = |line: &str| {
        let count = |what: &str| line.matches(what).count();
        count("Recipient<") > count("WeakRecipient<") + count("Weak<Recipient<")
    };
    let wrong: Vec<_> = library()
        .into_iter()
        .filter(|s| ["message", "stream", "connection", "pool"].contains(&s.module.as_str()))
        .flat_map(|s| s.lines_with("Recipient<"))
        .filter(|line| is_strong(line) && !ALLOWED.iter().any(|allowed| line.contains(allowed)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_agent_judges_retries() {
    let wrong = named_in(|m| !["agent", "policy"].contains(&m), &["judge"]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_stay_short() {
    let mut wrong = Vec::new();
    for path in rust_files(&["src", "tests", "examples", "benches", "crates", "fuzz"]) {
        let text = fs::read_to_string(&path).expect("readable");
        let lines = text.lines().count();
        if lines > MAX_FILE {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
        for (name, length) in functions(&text) {
            if length > MAX_FUNCTION {
                wrong.push(format!("{}: {name} has {length} lines", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every invariant in `ARCHITECTURE.md` names its test, and that test exists.
#[test]
fn every_invariant_names_a_test_that_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("readable");
    assert!(
        page.lines().count() <= 165,
        "the page is too long to be read"
    );
    let tests: String = rust_files(&["src", "tests"])
        .iter()
        .map(|path| fs::read_to_string(path).expect("readable"))
        .collect();
    let invariants: Vec<_> = page
        .lines()
        .skip_while(|l| !l.starts_with("## Invariants"))
        .skip(1)
        .take_while(|l| !l.starts_with("## "))
        .filter(|l| l.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(invariants.len(), 12);
    for line in invariants {
        let name = line
            .rsplit('`')
            .nth(1)
            .expect("a test in backquotes ends the line");
        let name = name.rsplit("::").next().expect("a name");
        assert!(
            tests.contains(&format!("fn {name}(")),
            "no test {name}, of: {line}"
        );
    }
}

/// `rust-version` is the highest that any dependency asks for: neither more than needed, nor less.
#[test]
fn the_rust_version_is_what_the_dependencies_need() {
    let tree = cargo(&[
        "tree", "-e", "normal", "-p", "gannet", "--prefix", "none", "-f", "{p}",
    ]);
    let used = |package: &serde_json::Value| {
        let name = format!("{} v{}", text(&package["name"]), text(&package["version"]));
        tree.lines()
            .any(|l| l == name || l.starts_with(&format!("{name} ")))
    };
    let about = cargo(&["-vV"]);
    let host = about
        .lines()
        .find_map(|l| l.strip_prefix("host: "))
        .expect("a host");
    let metadata = cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let version = |package: &serde_json::Value| {
        let mut parts = text(&package["rust_version"])
            .split('.')
            .map(|n| n.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    let (own, others): (Vec<_>, Vec<_>) = packages
        .iter()
        .filter(|p| used(p))
        .partition(|p| p["name"] == "gannet");
    let needed = others
        .into_iter()
        .max_by_key(|p| version(p))
        .expect("dependencies");
    assert_eq!(version(own[0]), version(needed), "for {}", needed["name"]);
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = std::process::Command::new(cargo);
    let output = command
        .args(arguments)
        .arg("--offline")
        .current_dir(root())
        .output();
    let output = output.expect("cargo runs the tests, so it is there");
    String::from_utf8(output.stdout).expect("text")
}

struct Source {
    /// The top-level module it belongs to.
    module: String,
    path: PathBuf,
    /// Without comments and unit tests.
    code: String,
}

impl Source {
    /// Top-level modules named after `crate::`.
    fn uses(&self) -> BTreeSet<String> {
        let name = |rest: &str| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        self.code
            .split("crate::")
            .skip(1)
            .map(name)
            .filter(|n| !n.is_empty())
            .collect()
    }

    fn lines_with(&self, word: &str) -> Vec<String> {
        self.code
            .lines()
            .filter(|line| line.contains(word))
            .map(|line| format!("{}: {}", self.path.display(), line.trim()))
            .collect()
    }
}

fn named_in(is_checked: impl Fn(&str) -> bool, words: &[&str]) -> Vec<String> {
    let sources = library().into_iter().filter(|s| is_checked(&s.module));
    sources
        .flat_map(|s| {
            words
                .iter()
                .flat_map(|w| s.lines_with(w))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn rank(module: &str) -> usize {
    let place = ORDER.iter().position(|m| *m == module);
    place.unwrap_or_else(|| panic!("{module} is not in ORDER"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the library but `lib.rs`.
fn library() -> Vec<Source> {
    let src = root().join("src");
    let files = rust_files(&["src"])
        .into_iter()
        .filter(|p| !p.ends_with("lib.rs"));
    files
        .map(|path| {
            let first = path.strip_prefix(&src).expect("under src").iter().next();
            let module = first
                .and_then(|f| f.to_str())
                .expect("a name")
                .trim_end_matches(".rs")
                .to_owned();
            let text = fs::read_to_string(&path).expect("readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = code.lines().filter(|l| !l.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            Source { module, path, code }
        })
        .collect()
}

fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut files);
    }
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The name and length of every function: from its `fn` to the brace at the same indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let is_function = trimmed.split(['(', '<']).next().is_some_and(|head| {
            head.split(' ').rev().nth(1) == Some("fn") && !head.starts_with("//")
        });
        if !is_function {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|l| *l == close) {
            found.push((trimmed.to_owned(), length + 1));
        }
    }
    found
}
