//! From names to addresses, against a DNS server of our own.

use std::io::ErrorKind;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use gannet::config::{Families, PriorKnowledge, Resolver};
use gannet::{Config, Engine, Error, Failure, Request, Response};
use gannet_testbed::Testbed;

use crate::support::dns::DnsServer;
use crate::support::{config, engine_with};

fn origin() -> Testbed {
    let testbed = Testbed::builder().plain(true).start();
    testbed.expect("a free port")
}

/// Asks `dns`, and speaks to all in cleartext; each fetch has one attempt.
fn asking(dns: &DnsServer, testbed: &Testbed) -> Config {
    let mut config = config(testbed);
    config.resolver = Resolver::Servers(vec![dns.address()]);
    config.prior_knowledge = PriorKnowledge::All;
    config.max_attempts = 1;
    config.breaker_failures = 0;
    config
}

/// Each fetch by a connection of its own.
async fn fetch(engine: &Engine, name: &str, testbed: &Testbed) -> Result<Response, Error> {
    let url = format!("http://{name}:{}/bytes/1", testbed.port());
    engine.fetch(Request::get(url)).await.map_err(Error::from)
}

#[track_caller]
fn resolve_error(answer: Result<Response, Error>) -> (ErrorKind, String) {
    match answer {
        Err(Error::Resolve { source, .. }) => (source.kind(), source.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Done when 7, first half. Nobody listens at the port, so each fetch is a dial.
#[tokio::test]
async fn ten_thousand_names_cost_one_question_for_each_family() {
    let (dns, testbed) = (DnsServer::start(), origin());
    let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    closed.bind(any).expect("a free port");
    let port = closed.local_addr().expect("bound").port();
    let mut config = asking(&dns, &testbed);
    config.dns_timeout = Duration::from_secs(60);
    config.connect_timeout = Duration::from_secs(60);
    let engine = engine_with(config);
    let fetches = (0..3).flat_map(|_| 0..10_000).map(|i| {
        let url = format!("http://site-{i}.test:{port}/");
        engine.fetch(Request::get(url))
    });
    let mut answers = futures::stream::iter(fetches).buffer_unordered(500);
    let mut refused = 0;
    while let Some(answer) = answers.next().await {
        assert!(
            matches!(
                answer,
                Err(Failure {
                    error: Error::Connect { .. },
                    ..
                })
            ),
            "{answer:?}"
        );
        refused += 1;
    }
    assert_eq!(refused, 30_000);
    assert_eq!(dns.totals(), (20_000, 1));
}

/// Done when 7, second half.
#[tokio::test]
async fn a_silent_dns_server_costs_its_deadline_and_those_who_need_no_name_nothing() {
    let (dns, testbed) = (DnsServer::start(), origin());
    let mut config = asking(&dns, &testbed);
    config.dns_timeout = Duration::from_millis(700);
    let engine = engine_with(config);
    let names: Vec<_> = (0..300).map(|i| format!("silent-{i}.test")).collect();
    let waiting = join_all(names.iter().map(|name| fetch(&engine, name, &testbed)));
    let literal = async {
        for _ in 0..20 {
            let answer = fetch(&engine, "127.0.0.1", &testbed).await;
            assert_eq!(answer.expect("a response").status, 200);
            let answer = fetch(&engine, "a.localhost", &testbed).await;
            assert_eq!(answer.expect("a response").status, 200);
        }
    };
    let (answers, ()) = tokio::join!(waiting, literal);
    for answer in answers {
        assert_eq!(answer.as_ref().expect_err("no address").kind(), "resolve");
        assert_eq!(resolve_error(answer).0, ErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn what_a_server_says_is_remembered_and_what_it_cannot_say_is_not() {
    let (dns, testbed) = (DnsServer::start(), origin());
    let mut config = asking(&dns, &testbed);
    config.max_requests = Some(1);
    let engine = engine_with(config);
    for cached in [false, true, true] {
        let answer = fetch(&engine, "good.test", &testbed).await;
        let receipt = answer.expect("a response").receipt;
        assert_eq!(receipt.peer.expect("a peer").dial.cached, cached);
    }
    assert_eq!(dns.asked("good.test"), 2);
    for _ in 0..2 {
        let error = resolve_error(fetch(&engine, "nx.test", &testbed).await);
        assert_eq!(error.0, ErrorKind::NotFound);
        assert_eq!(error.1, "the name does not exist");
        let error = resolve_error(fetch(&engine, "none.test", &testbed).await);
        assert_eq!(error.0, ErrorKind::NotFound);
        assert_eq!(error.1, "the name has no address");
    }
    assert_eq!((dns.asked("nx.test"), dns.asked("none.test")), (2, 2));
    let error = resolve_error(fetch(&engine, "servfail.test", &testbed).await);
    assert_eq!(error.0, ErrorKind::Other, "{}", error.1);
    let before = dns.asked("servfail.test");
    resolve_error(fetch(&engine, "servfail.test", &testbed).await);
    assert!(dns.asked("servfail.test") > before);
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_believed() {
    let (dns, testbed) = (DnsServer::start(), origin());
    let mut config = asking(&dns, &testbed);
    config.dns_timeout = Duration::from_millis(700);
    let engine = engine_with(config);
    for name in ["wrongid.test", "other.test"] {
        let error = resolve_error(fetch(&engine, name, &testbed).await);
        assert_eq!(error.0, ErrorKind::TimedOut, "{name}: {}", error.1);
    }
    // The address of another name is this machine's, its own is one where nobody listens.
    let answer = fetch(&engine, "stray.test", &testbed).await;
    let own = std::net::SocketAddr::from(([127, 0, 0, 9], testbed.port()));
    assert!(
        matches!(answer, Err(Error::Connect { peer, .. }) if peer == own),
        "{answer:?}"
    );
    let error = resolve_error(fetch(&engine, "strayonly.test", &testbed).await);
    assert_eq!(error.1, "the name has no address");
}

#[tokio::test]
async fn odd_answers_lead_to_the_address_in_them() {
    let (dns, testbed) = (DnsServer::start(), origin());
    let engine = engine_with(asking(&dns, &testbed));
    let names = [
        "fifty.test",
        "brief.test",
        "truncated.test",
        "broken6.test",
        "silent6.test",
        "two.test",
        "absolute.test.",
        "UPPER.test",
    ];
    for name in names {
        let answer = fetch(&engine, name, &testbed).await;
        let response = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(response.remote_address(), Some(testbed.address()), "{name}");
    }
}

#[tokio::test]
async fn only_the_families_wanted_are_asked_for_and_used() {
    let (dns, testbed) = (DnsServer::start(), origin());
    let mut config = asking(&dns, &testbed);
    config.families = Families::Ipv4;
    let four = engine_with(config.clone());
    let answer = fetch(&four, "two.test", &testbed).await;
    assert_eq!(answer.expect("a response").status, 200);
    assert_eq!(dns.asked("two.test"), 1);
    let error = resolve_error(fetch(&four, "[::1]", &testbed).await);
    assert_eq!(error.1, "no address of that family");
    config.families = Families::Ipv6;
    config.fixed_addresses.push(gannet::config::FixedAddresses {
        host: "fixed.test".into(),
        port: testbed.port(),
        addresses: vec![testbed.address().ip()],
    });
    let six = engine_with(config);
    for name in ["127.0.0.1", "fixed.test"] {
        let error = resolve_error(fetch(&six, name, &testbed).await);
        assert_eq!(error.1, "no address of that family");
    }
    let error = resolve_error(fetch(&six, "a.test", &testbed).await);
    assert_eq!(error.1, "the name has no address");
    assert_eq!((dns.asked("a.test"), dns.asked("fixed.test")), (1, 0));
}
