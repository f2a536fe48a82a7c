//! Which addresses are connected to, and from where.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use gannet::config::{AddressPolicy, FixedAddresses, PriorKnowledge};
use gannet::{Config, Engine, Error, Failure, Request};

use crate::support::{config, engine_with, testbed};

/// Listens on one port of both loopback addresses, and counts who comes.
struct Trap {
    port: u16,
    listeners: Vec<TcpListener>,
}

impl Trap {
    fn set() -> Self {
        loop {
            let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = four.local_addr().expect("bound").port();
            // Taken by chance: another port then. A system without IPv6 has only the one.
            let six = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(six) => Some(six),
                Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => continue,
                Err(_) => None,
            };
            let listeners = [Some(four), six].into_iter().flatten().collect();
            return Self { port, listeners };
        }
    }

    fn caught(&self) -> usize {
        let of = |listener: &TcpListener| {
            listener.set_nonblocking(true).expect("a socket");
            std::iter::from_fn(|| listener.accept().ok()).count()
        };
        self.listeners.iter().map(of).sum()
    }
}

/// Spellings of hosts that lead to this machine or its network. `%p` is the port of the trap.
const INSIDE: &[&str] = &[
    "http://127.0.0.1:%p/",
    "https://127.0.0.1:%p/",
    "http://127.1:%p/",
    "http://127.0.1:%p/",
    "http://127.255.255.254:%p/",
    "http://2130706433:%p/",
    "http://0x7f000001:%p/",
    "http://0x7f.1:%p/",
    "http://0x7F.0x0.0x0.0x1:%p/",
    "http://0177.0.0.1:%p/",
    "http://017700000001:%p/",
    "http://0177.1:%p/",
    "http://00000177.0.0.1:%p/",
    "http://127.0.0.1.:%p/",
    "http://127.0.0.0x1:%p/",
    "http://0:%p/",
    "http://0.0.0.0:%p/",
    "http://0x0:%p/",
    "http://00:%p/",
    "http://127。0。0。1:%p/",
    "http://127．0．0．1:%p/",
    "http://127｡0｡0｡1:%p/",
    "http://１２７.0.0.1:%p/",
    "http://①②⑦.⓪.⓪.①:%p/",
    "http://%31%32%37.0.0.1:%p/",
    "http://127%2e0%2e0%2e1:%p/",
    "http://[::1]:%p/",
    "http://[0:0:0:0:0:0:0:1]:%p/",
    "http://[0000::0001]:%p/",
    "http://[::]:%p/",
    "http://[::127.0.0.1]:%p/",
    "http://[::7f00:1]:%p/",
    "http://[::ffff:127.0.0.1]:%p/",
    "http://[::ffff:7f00:1]:%p/",
    "http://[::FFFF:7F00:0001]:%p/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:%p/",
    "http://[::ffff:0:127.0.0.1]:%p/",
    "http://[64:ff9b::127.0.0.1]:%p/",
    "http://[64:ff9b:1::7f00:1]:%p/",
    "http://[2002:7f00:1::]:%p/",
    "http://[2001:0:7f00:1::]:%p/",
    "http://[fe80::1]:%p/",
    "http://[fe80::1%25lo]:%p/",
    "http://[fc00::1]:%p/",
    "http://[fd00:ec2::254]:%p/",
    "http://[fec0::1]:%p/",
    "http://[ff02::1]:%p/",
    "http://localhost:%p/",
    "http://LOCALHOST:%p/",
    "http://localhost.:%p/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:%p/",
    "http://loc%61lhost:%p/",
    "http://inside.test:%p/",
    "http://inside-six.test:%p/",
    "http://mapped.test:%p/",
    "http://10.0.0.1:%p/",
    "http://172.16.0.1:%p/",
    "http://192.168.0.1:%p/",
    "http://169.254.169.254:%p/latest/meta-data/",
    "http://0xa9fea9fe:%p/",
    "http://2852039166:%p/",
    "http://[::ffff:169.254.169.254]:%p/",
    "http://100.64.0.1:%p/",
    "http://198.18.0.1:%p/",
    "http://224.0.0.1:%p/",
    "http://255.255.255.255:%p/",
    "http://user@127.0.0.1:%p/",
    "http://example.com@127.0.0.1:%p/",
    "http://127.0.0.1:%p#@example.com/",
    "http://127.0.0.1\\@example.com:%p/",
    "http:\\\\127.0.0.1:%p/",
    "http:/127.0.0.1:%p/",
    "http:127.0.0.1:%p/",
    "http://127.0.0.1\t:%p/",
];

fn fixed(host: &str, port: u16, addresses: &[&str]) -> FixedAddresses {
    FixedAddresses {
        host: host.into(),
        port,
        addresses: addresses
            .iter()
            .map(|a| a.parse().expect("an address"))
            .collect(),
    }
}

#[tokio::test]
async fn no_spelling_of_an_address_inside_gets_a_packet_out() {
    assert!(INSIDE.len() >= 60, "only {}", INSIDE.len());
    let trap = Trap::set();
    let mut config = Config::default();
    config.address_policy = AddressPolicy::public_only();
    config.prior_knowledge = PriorKnowledge::All;
    config.fixed_addresses = vec![
        fixed("inside.test", trap.port, &["127.0.0.1", "10.0.0.1"]),
        fixed("inside-six.test", trap.port, &["::1"]),
        fixed("mapped.test", trap.port, &["::ffff:127.0.0.1"]),
    ];
    let engine = engine_with(config);
    for spelling in INSIDE {
        let url = spelling.replace("%p", &trap.port.to_string());
        let outcome = engine.fetch(Request::get(&*url)).await;
        let is_refused = matches!(
            &outcome,
            Err(Failure {
                error: Error::Blocked { .. } | Error::BadRequest { .. } | Error::Resolve { .. },
                ..
            })
        );
        assert!(is_refused, "{url}: {outcome:?}");
        // A second time as well: no breaker takes over with another answer.
        let again = engine.fetch(Request::get(&*url)).await;
        let kinds = [outcome, again].map(|o| o.err().map(|e| e.kind()));
        assert_eq!(kinds[0], kinds[1], "{url}");
    }
    assert_eq!(trap.caught(), 0);
}

/// An engine that knows a name by these addresses on the testbed's port.
fn engine_by(
    testbed: &gannet_testbed::Testbed,
    addresses: &[&str],
    set: impl Fn(&mut Config),
) -> (Engine, String) {
    let port = testbed.address().port();
    let mut config = config(testbed);
    config.fixed_addresses = vec![fixed("localhost", port, addresses)];
    set(&mut config);
    (
        engine_with(config),
        format!("https://localhost:{port}/bytes/10"),
    )
}

#[tokio::test]
async fn a_name_with_dead_addresses_is_reached_by_the_live_one() {
    let testbed = testbed();
    let dead = [
        "127.0.0.2",
        "127.0.0.3",
        "127.0.0.4",
        "127.0.0.5",
        "127.0.0.1",
    ];
    let (engine, url) = engine_by(&testbed, &dead, |_| {});
    let response = engine.fetch(Request::get(url)).await.expect("one is alive");
    let peer = response.receipt.peer.as_ref().expect("a peer");
    assert_eq!(peer.address, testbed.address());
    let passed: Vec<_> = peer
        .passed
        .iter()
        .map(|p| p.address.ip().to_string())
        .collect();
    assert_eq!(passed, dead[..4]);
    assert!(peer.passed.iter().all(|passed| passed.failure.is_some()));
}

#[tokio::test]
async fn what_is_forbidden_is_passed_over_and_asked_of_the_address_not_the_name() {
    let testbed = testbed();
    let (engine, url) = engine_by(&testbed, &["127.0.0.2", "127.0.0.1"], |config| {
        let second = IpAddr::from([127, 0, 0, 2]);
        config.address_policy = AddressPolicy::custom(move |address| address != second);
    });
    let response = engine
        .fetch(Request::get(url))
        .await
        .expect("one is allowed");
    assert!(response.receipt.peer.expect("a peer").passed.is_empty());
    let literal = engine.fetch(Request::get("https://127.0.0.2:1/")).await;
    assert!(
        matches!(
            literal,
            Err(Failure {
                error: Error::Blocked { .. },
                ..
            })
        ),
        "{literal:?}"
    );
}

#[tokio::test]
async fn a_fetch_may_say_where_it_comes_from_and_keeps_to_connections_from_there() {
    let testbed = testbed();
    let (engine, url) = engine_by(&testbed, &["::1", "127.0.0.1"], |config| {
        config.local_address = Some([127, 0, 0, 8].into());
    });
    let fetch = |request: Request| engine.fetch(request);
    let local = |response: gannet::Response| {
        response
            .receipt
            .peer
            .expect("a peer")
            .local
            .expect("known")
            .ip()
    };
    let usual = fetch(Request::get(&*url)).await.expect("an answer");
    assert_eq!(local(usual), IpAddr::from([127, 0, 0, 8]));
    let own = Request::get(&*url).local_address([127, 0, 0, 9].into());
    let own = fetch(own).await.expect("an answer");
    assert!(!own.receipt.reused);
    assert_eq!(local(own), IpAddr::from([127, 0, 0, 9]));
    assert_eq!(testbed.books().connections, 2);
    let six = Request::get(&*url).local_address(Ipv6Addr::LOCALHOST.into());
    let outcome = fetch(six.deadline(Duration::from_secs(9))).await;
    assert!(
        matches!(
            outcome,
            Err(Failure {
                error: Error::Connect { .. },
                ..
            })
        ),
        "the testbed has no IPv6: {outcome:?}"
    );
}
