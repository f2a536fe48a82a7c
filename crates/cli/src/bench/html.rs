//! The report as a page, complete in itself.

use std::fmt::Write as _;

use indicatif::{HumanBytes, HumanCount};

use crate::bench::plot::{Curve, Plot, escape, marks};
use crate::bench::report::{Point, Report, Row, Spread};
use crate::bench::text::{load, outcome, time};
use crate::bench::timeline::Slot;

const STYLE: &str = include_str!("report.css");
/// Rows of the table of connections.
const ROWS: usize = 100;

pub(crate) fn page(report: &Report) -> String {
    let title = format!("gannet bench: {}", report.load.url);
    let sections = [
        numbers(report),
        figure(
            "Latency by percentile (%)",
            &percentiles(report),
            &keys(
                &[("one", "latency"), ("two", "service")]
                    [..if has_service(report) { 2 } else { 1 }],
            ),
        ),
        figure(
            "Responses a second",
            &rate(report),
            &keys(&[("one", "responses"), ("bad", "errors")]),
        ),
        phases(report),
        latencies(report),
        connections(report),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n<main>\n<header><h1>gannet bench</h1>\n\
         <p>{}</p></header>\n{}\n<footer>gannet {}</footer>\n</main>\n</html>\n",
        escape(&title),
        escape(&load(report)),
        sections.join("\n"),
        report.gannet,
    )
}

fn has_service(report: &Report) -> bool {
    report.load.rate.is_some()
}

/// The figures at the top.
fn numbers(report: &Report) -> String {
    let latency = report.latency.total;
    let tiles = [
        (
            "requests a second",
            HumanCount(report.requests_per_second.round() as u64).to_string(),
        ),
        (
            "of body a second",
            HumanBytes(report.body_bytes_per_second as u64).to_string(),
        ),
        ("median latency", time(latency.p50 as f64)),
        ("99 % are below", time(latency.p99 as f64)),
        ("errors", format!("{:.2} %", report.error_share() * 100.0)),
        (
            "client CPU a request",
            format!("{:.1} µs", report.cpu.us_per_request),
        ),
    ];
    let mut html = "<section class=\"wide\"><div class=\"tiles\">".to_owned();
    for (label, value) in tiles {
        let _ = write!(
            html,
            "<div><b>{}</b><span>{label}</span></div>",
            escape(&value)
        );
    }
    let cut = if report.interrupted {
        "Interrupted. "
    } else {
        ""
    };
    let headers = report.headers.as_ref().map_or_else(String::new, |headers| {
        format!(" Header compression saved {:.1} %.", headers.saved * 100.0)
    });
    let _ = write!(
        html,
        "</div><p>{cut}{} requests in {:.2} s: {}. {} opened, {:.2} % of responses on a used \
         one.{headers}</p></section>",
        HumanCount(report.requests),
        report.seconds,
        escape(&outcome(report)),
        match report.connections.handshakes {
            1 => "1 connection".to_owned(),
            n => format!("{} connections", HumanCount(n)),
        },
        report.connections.reuse * 100.0,
    );
    html
}

fn figure(title: &str, plot: &Plot, keys: &str) -> String {
    format!("<section><h2>{title}</h2>{}{keys}</section>", plot.svg())
}

fn keys(keys: &[(&str, &str)]) -> String {
    let keys = keys
        .iter()
        .map(|(class, name)| format!("<span class=\"{class}\">{name}</span>"));
    format!("<p class=\"keys\">{}</p>", keys.collect::<String>())
}

/// Each nine as far from the next: 1 − 10⁻ˣ.
fn percentiles(report: &Report) -> Plot {
    let nines = (report.responses().max(10) as f64)
        .log10()
        .ceil()
        .clamp(2.0, 6.0);
    let most = marks(report.latency.total.max.max(1) as f64 / 1e3);
    let top = most.last().copied().unwrap_or(1.0);
    let points = |points: &[Point]| {
        let place = |point: &Point| {
            let x = -(1.0 - point.quantile).max(1e-9).log10() / nines;
            (x.min(1.0), point.us as f64 / 1e3 / top)
        };
        points.iter().map(place).collect()
    };
    let curve = |class, of: &[Point]| Curve {
        class,
        points: points(of),
        filled: false,
    };
    let mut curves = vec![curve("one", &report.percentiles)];
    if has_service(report) {
        curves.push(curve("two", &report.service_percentiles));
    }
    let labels = ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999"];
    let x = labels.iter().take(nines as usize + 1).enumerate();
    Plot {
        title: "latency by percentile".to_owned(),
        x: x.map(|(n, label)| (n as f64 / nines, (*label).to_owned()))
            .collect(),
        y: most
            .iter()
            .map(|ms| (ms / top, format!("{} ms", short(*ms))))
            .collect(),
        curves,
    }
}

fn rate(report: &Report) -> Plot {
    let timeline = &report.timeline;
    let end = report.seconds.max(timeline.width);
    // The last slot is not over when the run is, and what comes in a moment is no rate.
    let width = |n: usize| (end - n as f64 * timeline.width).min(timeline.width);
    let rates = |count: fn(&Slot) -> u64| -> Vec<_> {
        let slots = timeline.slots.iter().enumerate();
        let slots = slots.filter(|(n, _)| *n == 0 || width(*n) > timeline.width / 2.0);
        slots
            .map(|(n, slot)| count(slot) as f64 / width(n))
            .collect()
    };
    let (responses, errors) = (rates(|slot| slot.responses), rates(|slot| slot.errors));
    let most = responses.iter().chain(&errors).copied().fold(1.0, f64::max);
    let most = marks(most);
    let top = most.last().copied().unwrap_or(1.0);
    let points = |rates: &[f64]| {
        let steps = rates.iter().enumerate().flat_map(|(n, rate)| {
            let from = n as f64 * timeline.width / end;
            let to = (n + 1) as f64 * timeline.width / end;
            [(from, rate / top), (to.min(1.0), rate / top)]
        });
        steps.collect()
    };
    let curve = |class, of: &[f64]| Curve {
        class,
        points: points(of),
        filled: true,
    };
    let seconds = marks(end);
    let x = seconds.iter().filter(|second| **second <= end);
    Plot {
        title: "responses and errors over time".to_owned(),
        x: x.map(|second| (second / end, format!("{} s", short(*second))))
            .collect(),
        y: most.iter().map(|rate| (rate / top, short(*rate))).collect(),
        curves: vec![curve("one", &responses), curve("bad", &errors)],
    }
}

/// Without needless digits, and with a k for a thousand.
fn short(number: f64) -> String {
    let trimmed = |number: f64| {
        let text = format!("{number:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match number {
        n if n >= 10_000.0 => format!("{} k", trimmed(n / 1e3)),
        n => trimmed(n),
    }
}

/// What a response took on average, by what it was waited for.
fn phases(report: &Report) -> String {
    let of = &report.latency;
    let all = of.total.count.max(1) as f64;
    let mean = |spread: Spread| spread.mean * spread.count as f64 / all;
    let parts = [
        ("queue", "p1", mean(of.queue)),
        ("connect", "p2", mean(of.connect)),
        ("TLS", "p3", mean(of.tls)),
        ("first byte", "p4", mean(of.first_byte)),
        ("body", "p5", mean(of.body)),
    ];
    let sum: f64 = parts.iter().map(|(.., mean)| mean).sum();
    let mut bar = String::new();
    let mut list = String::new();
    for (name, class, mean) in parts {
        let share = mean / sum.max(1e-9) * 100.0;
        let _ = write!(bar, "<i class=\"{class}\" style=\"width:{share:.2}%\"></i>");
        let _ = write!(
            list,
            "<li><i class=\"{class}\"></i>{name}<b>{}</b><span>{share:.1} %</span></li>",
            time(mean)
        );
    }
    format!(
        "<section class=\"wide\"><h2>Where the time goes</h2><div class=\"stack\">{bar}</div><ul>{list}</ul>\
         <p class=\"note\">On average over all responses. Only those that opened a connection waited \
         for connect and TLS.</p></section>"
    )
}

fn latencies(report: &Report) -> String {
    let of = &report.latency;
    let service = has_service(report).then_some(("service", of.service));
    let rows = [
        Some(("latency", of.total)),
        service,
        Some(("queue", of.queue)),
        Some(("connect", of.connect)),
        Some(("TLS", of.tls)),
        Some(("first byte", of.first_byte)),
        Some(("body", of.body)),
    ];
    let mut html = String::new();
    for (name, spread) in rows.into_iter().flatten().filter(|(_, s)| s.count > 0) {
        let _ = write!(html, "<tr><th>{name}<td>{}", HumanCount(spread.count));
        let Spread {
            min,
            mean,
            p50,
            p90,
            p99,
            p999,
            max,
            ..
        } = spread;
        let times = [
            min as f64,
            mean,
            p50 as f64,
            p90 as f64,
            p99 as f64,
            p999 as f64,
            max as f64,
        ];
        for us in times {
            let _ = write!(html, "<td>{}", time(us));
        }
    }
    let head = [
        "", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "max",
    ];
    table("Times by phase", &head, &html)
}

fn table(title: &str, head: &[&str], rows: &str) -> String {
    let head: String = head.iter().map(|name| format!("<th>{name}")).collect();
    format!(
        "<section class=\"wide\"><h2>{title}</h2><div class=\"scroll\"><table><thead><tr>{head}</thead>\
         <tbody>{rows}</tbody></table></div></section>"
    )
}

fn connections(report: &Report) -> String {
    let mut rows = String::new();
    for row in report.by_connection.iter().take(ROWS) {
        let Row {
            number,
            peer,
            protocol,
            requests,
            bytes,
            ..
        } = row;
        let number = number.map_or_else(|| "others".to_owned(), |number| number.to_string());
        let rate = *requests as f64 / ((row.last - row.first) as f64 / 1e6).max(1e-3);
        let resumed = if row.resumed { " (resumed)" } else { "" };
        let _ = write!(
            rows,
            "<tr><th>{number}<td>{}<td>{protocol}<td>{}<td>{}<td>{}<td>{}<td>{}{resumed}",
            escape(peer),
            HumanCount(*requests),
            if *requests > 1 {
                short(rate.round())
            } else {
                "–".to_owned()
            },
            HumanBytes(*bytes),
            time(row.connect as f64),
            time(row.tls as f64),
        );
    }
    let head = [
        "", "peer", "protocol", "requests", "a second", "body", "connect", "TLS",
    ];
    let left = report.by_connection.len().saturating_sub(ROWS);
    let title = match left {
        0 => "Connections".to_owned(),
        left => format!(
            "Connections (the first {ROWS}; {} more)",
            HumanCount(left as u64)
        ),
    };
    table(&title, &head, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn the_page_is_whole_and_takes_nothing_for_markup() {
        let page = page(&report());
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
        assert!(page.contains("https://a.example/?&lt;b&gt;") && !page.contains("<b>: "));
        assert_eq!(page.matches("<svg").count(), 2);
        // Nothing is loaded from elsewhere.
        for outside in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.2, 1.0, 2.5, 400.0, 10_000.0, 12_500.0].map(short);
        assert_eq!(numbers, ["0.2", "1", "2.5", "400", "10 k", "12.5 k"]);
    }
}
