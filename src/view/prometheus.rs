//! A [`Snapshot`] in Prometheus' text format (0.0.4), under the names of OpenTelemetry's HTTP client
//! metrics where these have one.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use crate::view::{ConnectionState, Counters, Ended, Histogram, Outcome, Snapshot};

/// The longest duration with a bucket of its own, as the index of its bound: 2^27 µs, two minutes.
const LAST_BOUND: usize = 28;

impl Snapshot {
    /// The snapshot as a scrape of Prometheus reads it. With `per_origin` there are series for each
    /// origin in use, too: as many as there are such origins.
    #[must_use]
    pub fn to_prometheus(&self, per_origin: bool) -> String {
        let mut page = Page(String::new());
        // Writing to a string cannot fail.
        let _ = page.all(self, per_origin);
        page.0
    }
}

struct Page(String);

impl Page {
    fn all(&mut self, snapshot: &Snapshot, per_origin: bool) -> fmt::Result {
        self.outcomes(&snapshot.counters.outcomes)?;
        self.now(snapshot)?;
        self.counters(snapshot)?;
        match per_origin {
            true => self.origins(snapshot),
            false => Ok(()),
        }
    }

    fn outcomes(&mut self, outcomes: &BTreeMap<Outcome, Ended>) -> fmt::Result {
        let name = "http_client_request_duration_seconds";
        self.head(
            name,
            "histogram",
            "How long fetches took, queueing and retries included.",
        )?;
        for (outcome, ended) in outcomes {
            self.histogram(
                name,
                &labels(outcome),
                &ended.took,
                ended.total.as_secs_f64(),
            )?;
        }
        let sent = "http_client_request_body_bytes_total";
        self.head(sent, "counter", "Bytes of request bodies sent.")?;
        for (outcome, ended) in outcomes {
            self.line(sent, &labels(outcome), ended.sent)?;
        }
        let received = "http_client_response_body_bytes_total";
        self.head(received, "counter", "Bytes of response bodies on the wire.")?;
        for (outcome, ended) in outcomes {
            self.line(received, &labels(outcome), ended.received)?;
        }
        Ok(())
    }

    fn now(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let gauges = [
            (
                "http_client_active_requests",
                "Fetches in flight.",
                snapshot.in_flight as u64,
            ),
            (
                "gannet_waiting_fetches",
                "Fetches that wait for a place.",
                snapshot.waiting as u64,
            ),
            ("gannet_sockets", "Sockets open.", snapshot.sockets as u64),
            (
                "gannet_origins_remembered",
                "Origins remembered.",
                snapshot.origins_remembered as u64,
            ),
            (
                "gannet_body_bytes_held",
                "Body bytes that lie in the engine.",
                snapshot.bytes.held,
            ),
            (
                "gannet_body_bytes_limit",
                "The most that may.",
                snapshot.bytes.limit,
            ),
        ];
        for (name, help, value) in gauges {
            self.head(name, "gauge", help)?;
            self.line(name, "", value)?;
        }
        let name = "http_client_open_connections";
        self.head(name, "gauge", "Connections, by whether they are at work.")?;
        let open = |is_idle: bool| {
            let of = |c: &&crate::view::ConnectionView| {
                c.state != ConnectionState::Dialing && (c.streams == 0) == is_idle
            };
            snapshot.connections.iter().filter(of).count()
        };
        self.line(name, "http_connection_state=\"active\"", open(false))?;
        self.line(name, "http_connection_state=\"idle\"", open(true))
    }

    fn counters(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let counters = &snapshot.counters;
        let plain = [
            (
                "gannet_fetches_total",
                "Fetches taken in.",
                counters.fetches,
            ),
            ("gannet_requests_total", "Requests sent.", counters.requests),
            (
                "gannet_requests_reused_total",
                "Those on a used connection.",
                counters.reused,
            ),
            ("gannet_dials_total", "Connections begun.", counters.dials),
            (
                "gannet_handshakes_total",
                "Connections opened.",
                counters.handshakes,
            ),
            (
                "gannet_retries_refused_total",
                "Retries over budget.",
                counters.retries_refused,
            ),
            (
                "gannet_overloaded_total",
                "Fetches turned away.",
                counters.overloaded,
            ),
            (
                "gannet_cancelled_streams_total",
                "Streams given up.",
                counters.cancelled,
            ),
            (
                "gannet_suspects_total",
                "Connections under suspicion.",
                counters.suspects,
            ),
        ];
        for (name, help, value) in plain {
            self.head(name, "counter", help)?;
            self.line(name, "", value)?;
        }
        self.reasons(counters)
    }

    fn reasons(&mut self, counters: &Counters) -> fmt::Result {
        let named = |name: &str, value: &dyn Display| format!("{name}=\"{value}\"");
        let retries = counters
            .retries
            .iter()
            .map(|(k, v)| (named("reason", k), *v));
        self.family("gannet_retries_total", "Retries.", retries)?;
        let closed = counters
            .closed
            .iter()
            .map(|(k, v)| (named("reason", &k.kind()), *v));
        self.family(
            "gannet_connections_closed_total",
            "Connections gone.",
            closed,
        )?;
        let goaways = counters.goaways.iter().map(|(k, v)| (named("code", k), *v));
        self.family("gannet_goaways_total", "GOAWAY frames received.", goaways)?;
        let resets = counters.resets.iter().map(|(k, v)| (named("code", k), *v));
        self.family(
            "gannet_resets_total",
            "RST_STREAM frames that ended a fetch.",
            resets,
        )?;
        let name = "gannet_queue_duration_seconds";
        self.head(
            name,
            "histogram",
            "How long requests waited for their place.",
        )?;
        self.histogram(name, "", &counters.queue, f64::NAN)
    }

    fn origins(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let of = |value: fn(&crate::view::OriginView) -> u64| {
            let series = snapshot.origins.iter().map(move |origin| {
                let label = format!("origin=\"{}\"", escaped(&origin.origin.to_string()));
                (label, value(origin))
            });
            // Two ways to one origin are one series.
            let mut sums = BTreeMap::<String, u64>::new();
            for (label, value) in series {
                *sums.entry(label).or_default() += value;
            }
            sums
        };
        let name = "gannet_origin_waiting_fetches";
        self.head(name, "gauge", "Fetches that wait for an origin.")?;
        for (label, value) in of(|origin| origin.waiting as u64) {
            self.line(name, &label, value)?;
        }
        let name = "gannet_origin_active_requests";
        self.head(name, "gauge", "Fetches of an origin on the wire.")?;
        for (label, value) in of(|origin| origin.on_wire as u64) {
            self.line(name, &label, value)?;
        }
        Ok(())
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        series: impl Iterator<Item = (String, u64)>,
    ) -> fmt::Result {
        self.head(name, "counter", help)?;
        series
            .into_iter()
            .try_for_each(|(labels, value)| self.line(name, &labels, value))
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}")
    }

    fn line(&mut self, name: &str, labels: &str, value: impl Display) -> fmt::Result {
        match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{labels}}} {value}"),
        }
    }

    /// `sum` is left out where it is not known.
    fn histogram(&mut self, name: &str, labels: &str, of: &Histogram, sum: f64) -> fmt::Result {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0;
        for (bound, here) in of.buckets().take(LAST_BOUND) {
            count += here;
            let le = bound.as_secs_f64();
            writeln!(
                self.0,
                "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {count}"
            )?;
        }
        let count = of.count();
        writeln!(
            self.0,
            "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}"
        )?;
        if !sum.is_nan() {
            self.line(&format!("{name}_sum"), labels, sum)?;
        }
        self.line(&format!("{name}_count"), labels, count)
    }
}

fn labels(outcome: &Outcome) -> String {
    let mut labels = format!("http_request_method=\"{}\"", outcome.method);
    let status = outcome.status.map(|status| status.as_u16());
    // A string cannot fail to be written to.
    let _ = match (status, outcome.error) {
        (Some(status), _) => write!(labels, ",http_response_status_code=\"{status}\""),
        (None, Some(error)) => write!(labels, ",error_type=\"{error}\""),
        (None, None) => Ok(()),
    };
    if let Some(version) = outcome.version {
        let _ = write!(labels, ",network_protocol_version=\"{version}\"");
    }
    labels
}

/// As the format asks of label values.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, StatusCode};

    use super::*;
    use crate::origin::Protocol;
    use crate::response::Receipt;
    use crate::view::outcomes::Outcomes;

    /// Name with labels, and value.
    fn series(page: &str) -> BTreeMap<String, f64> {
        let mut series = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let value = value.parse().expect("a number");
            assert!(
                series.insert(name.to_owned(), value).is_none(),
                "{name} twice"
            );
        }
        series
    }

    #[test]
    fn each_series_has_a_type_and_buckets_add_up() {
        let outcomes = Outcomes::default();
        let ok = Outcome::answered(&Method::GET, StatusCode::OK, Protocol::Http2);
        for millis in [1, 3, 400_000] {
            let done = Duration::from_millis(millis);
            let wire_bytes = 10;
            outcomes.count(
                ok,
                &Receipt {
                    done,
                    wire_bytes,
                    ..Receipt::default()
                },
            );
        }
        let mut snapshot = Snapshot::default();
        snapshot.counters.outcomes = outcomes.sum();
        snapshot.counters.retries.insert("goaway", 4);
        let page = snapshot.to_prometheus(true);
        let series = series(&page);
        let at = |name: &str| series[name];
        let labels = "http_request_method=\"GET\",http_response_status_code=\"200\",network_protocol_version=\"2\"";
        let name = "http_client_request_duration_seconds";
        assert_eq!(at(&format!("{name}_bucket{{{labels},le=\"+Inf\"}}")), 3.0);
        assert_eq!(
            at(&format!("{name}_bucket{{{labels},le=\"0.001024\"}}")),
            1.0
        );
        assert_eq!(
            at(&format!("{name}_bucket{{{labels},le=\"0.004096\"}}")),
            2.0
        );
        assert_eq!(at(&format!("{name}_count{{{labels}}}")), 3.0);
        assert!((at(&format!("{name}_sum{{{labels}}}")) - 400.004).abs() < 1e-9);
        assert_eq!(
            at(&format!(
                "http_client_response_body_bytes_total{{{labels}}}"
            )),
            30.0
        );
        assert_eq!(at("gannet_retries_total{reason=\"goaway\"}"), 4.0);
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let bare = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let is_typed = |name: &str| page.contains(&format!("# TYPE {name} "));
            assert!(is_typed(name) || bare.is_some_and(is_typed), "{line}");
        }
    }

    #[test]
    fn a_label_cannot_break_out() {
        assert_eq!(escaped("a\"} 1\n\\"), "a\\\"} 1\\n\\\\");
    }
}
