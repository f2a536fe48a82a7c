//! What a demonstration has come to, and whether it is what it has to be.

use std::collections::HashSet;
use std::fmt::Write as _;

use gannet::Response;
use gannet_testbed::Books;
use hdrhistogram::Histogram;
use indicatif::{HumanBytes, HumanCount};

use crate::row::{Trouble, micros};
use crate::run::Tally;

/// Longest latency that is told apart: an hour, in microseconds.
const LONGEST: u64 = 3_600_000_000;
/// Faults told one by one; the rest are in the result file.
const TOLD: usize = 5;

pub(crate) struct Report {
    pages: usize,
    origins: usize,
    tally: Tally,
    verified: u64,
    /// Which pages were answered.
    answered: Vec<bool>,
    /// Pages answered a second time, or never asked for.
    surplus: u64,
    /// Connections that responses came over, as the client numbers them.
    connections: HashSet<u64>,
    /// Microseconds until a response was complete. `None` if it cannot be made.
    latency: Option<Histogram<u64>>,
    faults: Vec<String>,
}

impl Report {
    pub(crate) fn start(pages: usize, origins: usize) -> Self {
        Self {
            pages,
            origins,
            tally: Tally::start(),
            verified: 0,
            answered: vec![false; pages],
            surplus: 0,
            connections: HashSet::new(),
            latency: Histogram::new_with_bounds(1, LONGEST, 3).ok(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn count(
        &mut self,
        id: u64,
        result: &Result<Response, gannet::Failure>,
        trouble: Option<&Trouble>,
    ) {
        self.tally.count(result);
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        match index.and_then(|index| self.answered.get_mut(index)) {
            Some(answered) if !*answered => *answered = true,
            _ => self.surplus += 1,
        }
        if let Ok(response) = result {
            self.connections.extend(response.receipt.connection);
            if let Some(latency) = &mut self.latency {
                latency.saturating_record(micros(response.receipt.done));
            }
        }
        let fault = match (result, trouble) {
            (Err(error), _) => format!("page {id}: {}: {error}", error.kind()),
            (Ok(_), Some(trouble)) => format!("page {id}: {}", trouble.detail),
            (Ok(_), None) => {
                self.verified += 1;
                return;
            }
        };
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }

    /// The summary. The last word on connections has the server.
    pub(crate) fn text(&self, books: &Books) -> String {
        let tally = &self.tally;
        let mut lines = vec![
            ("pages", HumanCount(self.pages as u64).to_string()),
            ("verified", HumanCount(self.verified).to_string()),
            (
                "failed",
                HumanCount(tally.fetches - self.verified).to_string(),
            ),
        ];
        let seen = self.connections.len();
        let connections = books.connections;
        lines.push((
            "connections",
            format!(
                "{connections} opened by the server's book, {seen} by the client's, {} origins",
                self.origins
            ),
        ));
        let reuse =
            100.0 * tally.fetches.saturating_sub(connections) as f64 / tally.fetches.max(1) as f64;
        lines.push((
            "reuse",
            format!("{reuse:.2} % of requests on an open connection"),
        ));
        lines.push(("requests/s", format!("{:.0}", tally.rate())));
        if let Some(latency) = &self.latency {
            let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
            let text = format!(
                "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms",
                at(0.5),
                at(0.9),
                at(0.99)
            );
            lines.push(("latency", text));
        }
        lines.push(("bytes", HumanBytes(tally.body_bytes).to_string()));
        lines.push(("time", format!("{:.2} s", tally.seconds())));
        lines.iter().fold(String::new(), |mut text, (name, value)| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<13}{value}");
            text
        })
    }

    /// Everything that is not as it has to be.
    pub(crate) fn amiss(&self, books: &Books) -> Vec<String> {
        let mut amiss = self.faults.clone();
        let failed = self.tally.fetches - self.verified;
        if failed > self.faults.len() as u64 {
            amiss.push(format!("{failed} pages failed in all"));
        }
        let missing = self.answered.iter().filter(|answered| !**answered).count();
        if missing > 0 {
            amiss.push(format!("{missing} pages were never answered"));
        }
        if self.surplus > 0 {
            amiss.push(format!(
                "{} answers were for no page or the second",
                self.surplus
            ));
        }
        let expected = self.origins.min(self.pages) as u64;
        for (whose, opened) in [
            ("server", books.connections),
            ("client", self.connections.len() as u64),
        ] {
            if opened != expected {
                amiss.push(format!(
                    "the {whose} counts {opened} connections, not {expected}"
                ));
            }
        }
        amiss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(connections: u64) -> Books {
        Books {
            connections,
            ..Books::default()
        }
    }

    #[test]
    fn nothing_amiss_goes_unsaid() {
        let mut report = Report::start(3, 2);
        let error = gannet::Request::get("x")
            .check()
            .map(|_| ())
            .expect_err("no URL");
        report.count(1, &Err(error.clone().into()), None);
        report.count(1, &Err(error.clone().into()), None);
        report.count(9, &Err(error.into()), None);
        let expected = [
            "page 1: bad_request: bad URL: it is not absolute",
            "page 1: bad_request: bad URL: it is not absolute",
            "page 9: bad_request: bad URL: it is not absolute",
            "2 pages were never answered",
            "2 answers were for no page or the second",
            "the server counts 3 connections, not 2",
            "the client counts 0 connections, not 2",
        ];
        assert_eq!(report.amiss(&books(3)), expected);
    }

    #[test]
    fn the_summary_has_a_line_for_each_figure() {
        let text = Report::start(3, 2).text(&books(2));
        for name in [
            "pages",
            "verified",
            "failed",
            "connections",
            "reuse",
            "latency",
            "bytes",
        ] {
            assert!(
                text.lines().any(|line| line.starts_with(name)),
                "{name} in {text}"
            );
        }
    }
}
