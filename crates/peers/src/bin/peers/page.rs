//! Writes the page.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use gannet_peers::{Failure, WINDOWS};

use crate::plan::{CASES, Case};
use crate::plot;
use crate::results::{Cell, Metric, Results};
use crate::targets::{Bound, TARGETS, Target, Verdict, judge};
use crate::versions::{machine, today, versions};
use crate::wish::Wish;

const KEEP: [&str; 2] = ["<!-- keep -->", "<!-- /keep -->"];

/// Writes page and plot into a folder; the page.
pub(crate) fn write(folder: &Path, wish: &Wish, results: &Results) -> Result<String, Failure> {
    fs::create_dir_all(folder)?;
    let path = folder.join("RESULTS.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut page = head(wish, results);
    table_of_targets(&mut page, results)?;
    page.push_str("![What a request costs](results.svg)\n\n");
    for cases in CASES.chunk_by(|one, next| one.is_step() && one.workload() == next.workload()) {
        table(&mut page, cases, results)?;
    }
    if !results.faults.is_empty() {
        page.push_str("## What failed\n\n");
        for fault in &results.faults {
            writeln!(page, "- {}", fault.lines().next().unwrap_or_default())?;
        }
        page.push('\n');
    }
    page.push_str(&kept(&before));
    fs::write(path, &page)?;
    fs::write(folder.join("results.svg"), plot::draw(results))?;
    Ok(page)
}

fn head(wish: &Wish, results: &Results) -> String {
    let date = wish.date.clone().unwrap_or_else(today);
    let (stream, connection) = (WINDOWS.0 >> 20, WINDOWS.1 >> 20);
    let (rounds, quick) = (
        wish.rounds,
        if wish.quick {
            ", a tenth of the fetches"
        } else {
            ""
        },
    );
    let spread = results.spread();
    let spread = spread.map_or_else(String::new, |(case, client, part)| {
        let percent = part * 100.0;
        format!(" Two counts of instructions differ most at {client} in {case}: by {percent:.1} %.")
    });
    format!(
        "# Gannet and its peers\n\n\
         Written by `cargo run --release --manifest-path crates/peers/Cargo.toml`, {date}{quick}. \
         {machine}.\n\n\
         {versions}.\n\n\
         Each client is a process of its own on one core, the server ([lean](../crates/lean): canned \
         answers) on another; rounds: {rounds}, the clients in turn. All verify the certificate (h2load \
         does not), read status, headers and the whole body, and check its length. TLS 1.3 by rustls \
         with ring (h2load: OpenSSL) and 1,000 sessions kept; HTTP/2 windows of {stream} MiB a stream \
         and {connection} MiB a connection. Where the origin is one, a first fetch goes ahead alone. \
         The engine has all its limits, deadlines and receipts on. All run on one thread but \
         reqwest-mt, on tokio's default runtime, which sees one core, and W9. hyper-util and reqwest \
         know no limit on all their connections, awc limits fetches: they keep every one. awc opens \
         further HTTP/2 connections when many fetches begin at once. h2 has around it what the \
         workloads need: a connection an origin, the 256 used last kept.\n\n\
         CPU: of the process from start to end, median and range of the rounds; the server's beside \
         it, which shows where it is the server that is measured. Instructions (callgrind), \
         allocations (dhat) and system calls (strace) are counted at two numbers of fetches; the \
         difference is what those between cost.{spread} The ratio is the median, round by round, of the \
         client's CPU time to gannet's.\n\n",
        machine = machine(),
        versions = versions(),
    )
}

fn table_of_targets(page: &mut String, results: &Results) -> Result<(), Failure> {
    page.push_str("## Targets\n\n");
    page.push_str("| | gannet against | of | target | measured | | in CPU time |\n|---|---|---|--:|--:|---|--:|\n");
    for target in &TARGETS {
        let (value, of) = target.value(results);
        let (measured, mark) = match judge(value, target.bound, target.stretch) {
            Verdict::NotMeasured => ("–".to_owned(), "not measured"),
            Verdict::Missed { value } => (shown(value), "**missed**"),
            Verdict::Reached {
                value,
                stretch: true,
            } => (shown(value), "reached, stretch too"),
            Verdict::Reached { value, .. } => (shown(value), "reached"),
        };
        let Target { case, what, .. } = target;
        let time = target.in_time(results).map_or_else(String::new, shown);
        let wanted = match target.bound {
            Bound::AtMost(most) => format!("≤ {}", shown(most)),
            Bound::AtLeast(least) => format!("≥ {}", shown(least)),
        };
        writeln!(
            page,
            "| {case} | {what} | {of} | {wanted} | {measured} | {mark} | {time} |"
        )?;
    }
    page.push('\n');
    Ok(())
}

/// One table: of a case, or of all steps of a workload.
fn table(page: &mut String, cases: &[Case], results: &Results) -> Result<(), Failure> {
    let cells = cases.iter().flat_map(|case| {
        let cell =
            move |client: &&'static str| Some((case, *client, results.cell(case.id, client)?));
        case.peers.iter().filter_map(cell)
    });
    let cells: Vec<_> = cells.collect();
    let Some((case, ..)) = cells.first() else {
        return Ok(());
    };
    writeln!(page, "## {}\n", case.title())?;
    if case.shape == "rest" {
        return rest(page, &cells);
    }
    let special = [
        (Metric::Idle, " idle connection, KiB |"),
        (Metric::Reuse, " reuse, of LRU's |"),
    ];
    let special = special
        .into_iter()
        .find(|(metric, _)| cells.iter().any(|(.., cell)| cell.get(*metric).is_some()));
    let (title, column) = special.map_or(("", ""), |(_, title)| (title, "--:|"));
    writeln!(
        page,
        "| client | CPU µs | instructions | allocations | system calls | requests/s | p99 ms | peak MiB | \
         server's µs | ratio |{title}\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|{column}"
    )?;
    for (case, client, cell) in cells {
        let own = results.cell(case.id, "gannet");
        let ratio = own.and_then(|own| cell.paired(Metric::Cpu, own));
        write!(page, "| {}{client} | {} |", case.step(), with_range(cell))?;
        for metric in [
            Metric::Instructions,
            Metric::Allocations,
            Metric::Syscalls,
            Metric::PerSecond,
            Metric::P99,
            Metric::Peak,
            Metric::Server,
        ] {
            write!(page, " {} |", scaled(cell, metric))?;
        }
        write!(page, " {} |", or_dash(ratio))?;
        if let Some((metric, _)) = special {
            write!(page, " {} |", scaled(cell, metric))?;
        }
        page.push('\n');
    }
    page.push('\n');
    Ok(())
}

/// In the unit of its column.
fn scaled(cell: &Cell, metric: Metric) -> String {
    let by = match metric {
        Metric::P99 => 1e3,
        Metric::Peak | Metric::Idle => 1_024.0,
        _ => 1.0,
    };
    or_dash(cell.get(metric).map(|value| value / by))
}

fn rest(page: &mut String, cells: &[(&Case, &str, &Cell)]) -> Result<(), Failure> {
    page.push_str("| client | CPU µs at its start | CPU µs of the rest |\n|---|--:|--:|\n");
    for (_, client, cell) in cells {
        let [start, rest] = [Metric::Start, Metric::Rest].map(|metric| or_dash(cell.get(metric)));
        writeln!(page, "| {client} | {start} | {rest} |")?;
    }
    page.push('\n');
    Ok(())
}

fn with_range(cell: &Cell) -> String {
    let rounds = cell.rounds(Metric::Cpu);
    let least = rounds.iter().copied().reduce(f64::min);
    let most = rounds.iter().copied().reduce(f64::max);
    format!(
        "{} [{}–{}]",
        or_dash(cell.get(Metric::Cpu)),
        or_dash(least),
        or_dash(most)
    )
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), shown)
}

/// Three digits or all before the point, with commas.
fn shown(value: f64) -> String {
    let digits = match value.abs() {
        small if small < 10.0 => 2,
        middle if middle < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if i > 0 && left.is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// What stands between the marks of the page before, marks included.
fn kept(before: &str) -> String {
    let [begin, end] = KEEP;
    let between = before
        .split_once(begin)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("\n", |(between, _)| between);
    format!("{begin}{between}{end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let all = [0.123, 1.0, 12.34, 123.4, 47_610.2, 1_234_567.0].map(shown);
        assert_eq!(all, ["0.12", "1.00", "12.3", "123", "47,610", "1,234,567"]);
    }

    #[test]
    fn what_is_marked_is_kept() {
        let page = "old\n<!-- keep -->\nnotes\n<!-- /keep -->\n";
        assert_eq!(kept(page), "<!-- keep -->\nnotes\n<!-- /keep -->\n");
        assert_eq!(kept("old"), "<!-- keep -->\n<!-- /keep -->\n");
    }
}
