//! What is run, as data.

/// Everything that takes part.
pub(crate) const ALL: [&str; 8] = [
    "gannet",
    "h2",
    "hyper1",
    "hyper-util",
    "reqwest",
    "reqwest-mt",
    "awc",
    "h2load",
];

const HTTP2: &[&str] = &[
    "gannet",
    "h2",
    "hyper-util",
    "reqwest",
    "reqwest-mt",
    "awc",
    "h2load",
];
/// Those of which many origins can be asked for.
const MANY: &[&str] = &["gannet", "h2", "hyper-util", "reqwest", "awc"];
const HTTP1: &[&str] = &[
    "gannet",
    "hyper1",
    "hyper-util",
    "reqwest",
    "reqwest-mt",
    "awc",
    "h2load",
];
const PAIR: &[&str] = &["gannet", "h2"];
const DEPTH: &[&str] = &["gannet", "h2", "hyper-util", "reqwest"];

/// One workload, or one step of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name; a step has that of its workload before the dot.
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) peers: &'static [&'static str],
    pub(crate) server: Server,
    pub(crate) body: usize,
    pub(crate) count: usize,
    pub(crate) in_flight: usize,
    pub(crate) hosts: usize,
    pub(crate) cap: usize,
    pub(crate) http1: bool,
    pub(crate) apart: bool,
    pub(crate) shape: &'static str,
    /// Two numbers of fetches: what they differ by is what the fetches between cost.
    pub(crate) counted: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Server {
    Lean,
    Nginx,
    Nghttpd,
}

const W1: Case = Case {
    id: "W1",
    what: "1 KiB × 200,000, 100 streams on one connection",
    peers: HTTP2,
    server: Server::Lean,
    body: 1_024,
    count: 200_000,
    in_flight: 100,
    hosts: 1,
    cap: 256,
    http1: false,
    apart: false,
    shape: "steady",
    counted: Some((2_000, 12_000)),
};

const W6: Case = Case {
    id: "W6",
    what: "HTTP/1.1, 1 KiB × 100,000 over 50 connections",
    peers: HTTP1,
    count: 100_000,
    in_flight: 50,
    http1: true,
    ..W1
};

const W7: Case = Case { peers: DEPTH, ..W1 };

pub(crate) const CASES: [Case; 17] = [
    W1,
    Case {
        id: "W2",
        what: "10 MiB × 200, 10 streams on one connection",
        body: 10 << 20,
        count: 200,
        in_flight: 10,
        counted: Some((6, 12)),
        ..W1
    },
    Case {
        id: "W3",
        what: "5,000 origins × 4 requests one after the other, 256 origins at once, 256 connections at most",
        peers: MANY,
        count: 20_000,
        in_flight: 256,
        hosts: 5_000,
        shape: "visits",
        counted: Some((1_200, 2_400)),
        ..W1
    },
    Case {
        id: "W4",
        what: "2,000 idle TLS connections, one to each origin",
        peers: MANY,
        count: 2_000,
        in_flight: 64,
        hosts: 2_000,
        cap: 2_100,
        shape: "idle",
        counted: None,
        ..W1
    },
    Case {
        id: "W5",
        what: "64 KiB × 20,000, 50 streams on one connection",
        body: 64 << 10,
        count: 20_000,
        in_flight: 50,
        counted: Some((200, 800)),
        ..W1
    },
    W6,
    Case {
        id: "W7.1",
        what: "W1 with 1 in flight, 20,000 fetches",
        count: 20_000,
        in_flight: 1,
        ..W7
    },
    Case {
        id: "W7.10",
        what: "W1 with 10 in flight",
        in_flight: 10,
        ..W7
    },
    Case {
        id: "W7.1000",
        what: "W1 with 1,000 in flight",
        in_flight: 1_000,
        counted: Some((4_000, 10_000)),
        ..W7
    },
    Case {
        id: "W7.10000",
        what: "W1 with 10,000 in flight",
        in_flight: 10_000,
        counted: Some((20_000, 40_000)),
        ..W7
    },
    Case {
        id: "W8",
        what: "20,000 fetches, Zipf (0.9) over 10,000 origins, 32 at once, 256 connections at most",
        peers: PAIR,
        count: 20_000,
        in_flight: 32,
        hosts: 10_000,
        shape: "zipf",
        counted: None,
        ..W1
    },
    Case {
        id: "W9",
        what: "W1 with the connection on another thread than the caller",
        peers: PAIR,
        apart: true,
        ..W1
    },
    Case {
        id: "rest",
        what: "one fetch, then 3 s of nothing with its connection open",
        peers: PAIR,
        count: 1,
        shape: "rest",
        counted: None,
        ..W1
    },
    Case {
        id: "W1.nginx",
        what: "W1 from nginx",
        server: Server::Nginx,
        counted: None,
        ..W1
    },
    Case {
        id: "W1.nghttpd",
        what: "W1 from nghttpd",
        server: Server::Nghttpd,
        counted: None,
        ..W1
    },
    Case {
        id: "W6.nginx",
        what: "W6 from nginx",
        server: Server::Nginx,
        counted: None,
        ..W6
    },
    Case {
        id: "idle",
        what: "the engine started, then 3 s of nothing without a connection",
        peers: &["gannet"],
        count: 0,
        shape: "rest",
        counted: None,
        ..W1
    },
];

impl Case {
    /// Whether this is one of several that make a workload.
    pub(crate) fn is_step(&self) -> bool {
        self.workload() == "W7"
    }

    /// What a row of this begins with.
    pub(crate) fn step(&self) -> String {
        match self.is_step() {
            true => format!("{} in flight: ", self.in_flight),
            false => String::new(),
        }
    }

    pub(crate) fn title(&self) -> String {
        match self.is_step() {
            true => "W7: W1 with other numbers in flight than its 100".to_owned(),
            false => format!("{}: {}", self.id, self.what),
        }
    }

    /// The workload that this is, or is a step of.
    pub(crate) fn workload(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }

    /// With fewer fetches; what has an order or a memory of its own stays as it is.
    pub(crate) fn quick(mut self, by: usize) -> Self {
        match self.shape {
            "steady" => self.count = (self.count / by).max(self.in_flight),
            "visits" | "idle" => {
                let each = self.count / self.hosts;
                self.hosts = (self.hosts / by).max(100);
                self.count = self.hosts * each;
            }
            _ => {}
        }
        self
    }

    /// The arguments of a client that makes `count` fetches.
    pub(crate) fn arguments(&self, client: &str, count: usize) -> Vec<String> {
        // Each origin is visited as often, however many there are.
        let hosts = match self.shape {
            "visits" => count / (self.count / self.hosts),
            _ => self.hosts,
        };
        let mut arguments = vec![
            client.to_owned(),
            "--shape".to_owned(),
            self.shape.to_owned(),
        ];
        for (name, value) in [
            ("--count", count),
            ("--body", self.body),
            ("--in-flight", self.in_flight),
            ("--hosts", hosts),
            ("--cap", self.cap),
        ] {
            arguments.extend([name.to_owned(), value.to_string()]);
        }
        let flags = [("--http1", self.http1), ("--apart", self.apart)];
        let flags = flags.iter().filter(|(_, is_set)| *is_set);
        arguments.extend(flags.map(|(name, _)| (*name).to_owned()));
        arguments
    }
}
