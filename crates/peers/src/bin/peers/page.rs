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
    let mut page = head(wish);
    table_of_targets(&mut page, results)?;
    page.push_str("![What a request costs](results.svg)\n\n");
    for case in &CASES {
        table(&mut page, case, results)?;
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

fn head(wish: &Wish) -> String {
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
    format!(
        "# Gannet and its peers\n\n\
         Written by `cargo run --release --manifest-path crates/peers/Cargo.toml`, {date}{quick}. \
         {machine}.\n\n\
         {versions}.\n\n\
         Each client is a process of its own on one core, the server ([lean](../crates/lean): canned \
         answers) on another; {rounds} rounds, the clients in turn. All verify the certificate (h2load \
         does not), read status, headers and the whole body, and check its length. TLS 1.3 by rustls \
         with ring and 1,000 sessions kept; HTTP/2 windows of {stream} MiB a stream and {connection} \
         MiB a connection. One fetch goes ahead where the origin is one. The engine has all its limits, \
         deadlines and receipts on. h2, hyper1, hyper-util, reqwest and gannet run on one thread; \
         reqwest-mt on tokio's default runtime, which sees one core.\n\n\
         CPU: of the process from start to end, median and range of the rounds. Instructions \
         (callgrind), allocations (dhat) and system calls (strace) are counted at two numbers of \
         fetches; the difference is what those between cost. The ratio is the median, round by round, \
         of the client's CPU time to gannet's.\n\n",
        machine = machine(),
        versions = versions(),
    )
}

fn table_of_targets(page: &mut String, results: &Results) -> Result<(), Failure> {
    page.push_str("## Targets\n\n");
    page.push_str("| | gannet against | of | target | measured | |\n|---|---|---|--:|--:|---|\n");
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
        let wanted = match target.bound {
            Bound::AtMost(most) => format!("≤ {}", shown(most)),
            Bound::AtLeast(least) => format!("≥ {}", shown(least)),
        };
        writeln!(
            page,
            "| {case} | {what} | {of} | {wanted} | {measured} | {mark} |"
        )?;
    }
    page.push('\n');
    Ok(())
}

fn table(page: &mut String, case: &Case, results: &Results) -> Result<(), Failure> {
    let cells = case.peers.iter().filter_map(|client| {
        let cell = results.cell(case.id, client)?;
        Some((*client, cell))
    });
    let cells: Vec<_> = cells.collect();
    if cells.is_empty() {
        return Ok(());
    }
    writeln!(page, "## {}: {}\n", case.id, case.what)?;
    if case.shape == "rest" {
        return rest(page, &cells);
    }
    let special = [
        (Metric::Idle, "idle connection, KiB"),
        (Metric::Reuse, "reuse, of LRU's"),
    ];
    let special = special
        .into_iter()
        .find(|(metric, _)| cells.iter().any(|(_, cell)| cell.get(*metric).is_some()));
    let title = special.map_or_else(String::new, |(_, title)| format!(" {title} |"));
    writeln!(
        page,
        "| client | CPU µs | instructions | allocations | system calls | requests/s | p99 ms | peak MiB | server's µs | ratio |{title}"
    )?;
    let column = if special.is_some() { "--:|" } else { "" };
    writeln!(page, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|{column}")?;
    let own = results.cell(case.id, "gannet");
    for (client, cell) in cells {
        let ratio = own.and_then(|own| cell.paired(Metric::Cpu, own));
        let get = |metric, by: f64| or_dash(cell.get(metric).map(|value| value / by));
        write!(
            page,
            "| {client} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            with_range(cell),
            get(Metric::Instructions, 1.0),
            get(Metric::Allocations, 1.0),
            get(Metric::Syscalls, 1.0),
            get(Metric::PerSecond, 1.0),
            get(Metric::P99, 1e3),
            get(Metric::Peak, 1_024.0),
            get(Metric::Server, 1.0),
            or_dash(ratio)
        )?;
        if let Some((metric, _)) = special {
            let by = if metric == Metric::Idle { 1_024.0 } else { 1.0 };
            write!(page, " {} |", get(metric, by))?;
        }
        page.push('\n');
    }
    page.push('\n');
    Ok(())
}

fn rest(page: &mut String, cells: &[(&str, &Cell)]) -> Result<(), Failure> {
    page.push_str("| client | CPU µs at its start | CPU µs of the rest |\n|---|--:|--:|\n");
    for (client, cell) in cells {
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
