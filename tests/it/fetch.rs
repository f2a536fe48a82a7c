//! The three ways in, over TLS and HTTP/2.

use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use gannet::error::Part;
use gannet::response::Protocol;
use gannet::{Engine, Error, Failure, Fetch, Protocols, Request};
use gannet_testbed::{Testbed, verify};

use crate::support::{config, engine, engine_with, testbed};

#[tokio::test]
async fn a_fetch_goes_out_and_comes_back() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let path = "/bytes/5000/a;v=1/b%2Fc?q=%20x";
    let url = testbed.url(path);
    let response = engine
        .fetch(Request::get(url + "#top"))
        .await
        .expect("a response");
    assert_eq!(response.status, 200);
    assert!(
        verify(path, &response.body),
        "the body is not that of {path}"
    );
    assert_eq!(response.protocol, Protocol::Http2);
    assert_eq!(response.remote_address(), Some(testbed.address()));
    let receipt = response.receipt;
    assert!(Some(receipt.queued) <= receipt.first_byte && receipt.first_byte <= Some(receipt.done));
    assert_eq!(
        (receipt.attempts, receipt.reused, receipt.wire_bytes),
        (1, false, 5000)
    );
    let tls = receipt
        .peer
        .as_ref()
        .and_then(|peer| peer.tls.clone())
        .expect("it was TLS");
    assert_eq!(tls.alpn.as_deref(), Some("h2"));
    engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(testbed.books().open, 0, "a shutdown closes what it opened");
}

#[tokio::test]
async fn the_second_fetch_reuses_the_connection_of_the_first() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let fetch = || engine.fetch(Request::get(testbed.url("/bytes/1")));
    let (first, second) = (fetch().await.expect("one"), fetch().await.expect("two"));
    assert!(!first.receipt.reused && second.receipt.reused);
    assert_eq!(first.receipt.connection, second.receipt.connection);
    assert!(second.receipt.stream > first.receipt.stream);
    assert_eq!(testbed.books().connections, 1);
}

#[actix_rt::test]
async fn an_agent_answers_fetch_messages_on_the_callers_arbiter() {
    let testbed = testbed();
    let agent = engine(&testbed).agent();
    let fetches = (0..200).map(|i| agent.send(Fetch::get(testbed.url(&format!("/bytes/{i}")))));
    for (i, answer) in join_all(fetches).await.into_iter().enumerate() {
        let response = answer.expect("the Agent lives").expect("a response");
        assert!(verify(&format!("/bytes/{i}"), &response.body));
    }
    let recipient: actix::Recipient<Fetch> = agent.recipient();
    let answer = recipient.send(Fetch::get(testbed.url("/status/404"))).await;
    assert_eq!(answer.expect("alive").expect("a response").status, 404);
    assert_eq!(testbed.books().connections, 1);
}

#[actix_rt::test]
async fn an_engine_may_live_on_the_callers_arbiter() {
    let testbed = testbed();
    let engine = Engine::builder().config(config(&testbed)).start_here();
    let response = engine.fetch(Request::get(testbed.url("/bytes/10"))).await;
    assert_eq!(response.expect("a response").body.len(), 10);
    engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(testbed.books().open, 0);
    let late = engine.fetch(Request::get(testbed.url("/bytes/10"))).await;
    assert!(
        matches!(
            late,
            Err(Failure {
                error: Error::Closed { sent: false },
                ..
            })
        ),
        "{late:?}"
    );
}

#[test]
fn it_works_from_synchronous_code() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let response = futures::executor::block_on(engine.fetch(Request::get(testbed.url("/bytes/9"))));
    assert_eq!(response.expect("a response").body.len(), 9);
    futures::executor::block_on(engine.shutdown(Duration::from_secs(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_may_come_from_any_thread() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let tasks = (0..8).map(|_| {
        let (engine, url) = (engine.clone(), testbed.url("/bytes/100"));
        tokio::spawn(async move { engine.fetch(Request::get(url)).await })
    });
    for task in join_all(tasks).await {
        assert_eq!(task.expect("no panic").expect("a response").body.len(), 100);
    }
}

#[tokio::test]
async fn fetch_all_pulls_only_as_room_appears() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let pulled = std::cell::Cell::new(0);
    let requests = stream::iter(0..500).map(|i| {
        pulled.set(pulled.get() + 1);
        (i, Request::get(testbed.url(&format!("/bytes/{i}"))))
    });
    let mut responses = engine.fetch_all(requests, 20);
    let mut seen = vec![false; 500];
    let mut done = 0;
    while let Some((i, result)) = responses.next().await {
        let response = result.expect("a response");
        assert!(verify(&format!("/bytes/{i}"), &response.body));
        assert!(!std::mem::replace(&mut seen[i], true), "{i} came twice");
        done += 1;
        assert!(
            pulled.get() <= done + 20,
            "{} pulled, {done} done",
            pulled.get()
        );
    }
    assert_eq!(done, 500);
}

#[tokio::test]
async fn bad_requests_are_refused_before_any_socket_opens() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let port = testbed.port();
    let good = testbed.url("/");
    for (request, part) in [
        (Request::get("/relative"), Part::Url),
        (Request::get("gopher://a/"), Part::Scheme),
        (
            Request::get(format!("https://u:p@127.0.0.1:{port}/")),
            Part::UserInfo,
        ),
        (
            Request::get(&good).header("x", "a\r\nb: c"),
            Part::HeaderValue,
        ),
        (Request::get(&good).header("x y", "a"), Part::HeaderName),
        (
            Request::get(format!("https://{}/", "a".repeat(300))),
            Part::Host,
        ),
    ] {
        let answer = engine.fetch(request).await;
        assert!(
            matches!(&answer, Err(Failure { error: Error::BadRequest { part: p, .. }, .. }) if *p == part),
            "{part}: {answer:?}"
        );
    }
    assert_eq!(testbed.books().connections, 0);
}

#[tokio::test]
async fn prior_knowledge_speaks_http2_in_cleartext() {
    let testbed = Testbed::builder().plain(true).start().expect("a free port");
    let mut config = config(&testbed);
    config.prior_knowledge = gannet::config::PriorKnowledge::All;
    let engine = engine_with(config);
    let response = engine
        .fetch(Request::get(testbed.url("/bytes/77")))
        .await
        .expect("a response");
    assert!(verify("/bytes/77", &response.body));
    assert_eq!(response.receipt.peer.expect("a peer").tls, None);
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked_for() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let request = Request::get(testbed.url("/headers?a=1"))
        .header("x-b", "1")
        .header("connection", "close")
        .header("x-a", "2")
        .header("host", "other.test")
        .header("x-c", "3");
    let response = engine.fetch(request).await.expect("a response");
    let text = String::from_utf8(response.body.to_vec()).expect("JSON");
    assert!(
        text.contains("\"/headers?a=1\"") && text.contains("\"other.test\""),
        "{text}"
    );
    assert!(!text.contains("connection"), "{text}");
    let at = |name: &str| {
        text.find(name)
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    assert!(at("x-b") < at("x-a") && at("x-a") < at("x-c"), "{text}");
}

#[tokio::test]
async fn bodies_go_up_and_trailers_come_down() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let body: Vec<u8> = (0..3_000_000u32).map(|i| i as u8).collect();
    let response = engine
        .fetch(Request::post(testbed.url("/echo"), body.clone()))
        .await;
    assert!(
        response.expect("a response").body == body,
        "the echo differs"
    );
    let response = engine
        .fetch(Request::get(testbed.url("/trailers")))
        .await
        .expect("a response");
    assert_eq!(response.trailers.expect("trailers")["x-trailer"], "yes");
    let head = Request::new(http::Method::HEAD, testbed.url("/bytes/500"));
    let response = engine.fetch(head).await.expect("a response");
    assert_eq!(
        (
            response.headers["content-length"].as_bytes(),
            response.body.len()
        ),
        (&b"500"[..], 0)
    );
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_and_a_wrong_name_too() {
    let (testbed, stranger) = (testbed(), testbed());
    let engine = engine_with(config(&stranger));
    let answer = engine.fetch(Request::get(testbed.url("/"))).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::Tls { .. },
                ..
            })
        ),
        "{answer:?}"
    );
    let mut config = config(&testbed);
    config.fixed_addresses.push(gannet::config::FixedAddresses {
        host: "wrong.test".into(),
        port: testbed.port(),
        addresses: vec![testbed.address().ip()],
    });
    let url = format!("https://wrong.test:{}/", testbed.port());
    let answer = engine_with(config.clone()).fetch(Request::get(&url)).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::Tls { .. },
                ..
            })
        ),
        "{answer:?}"
    );
    config.tls.trust = gannet::config::Trust::DangerAcceptAnyCertificate;
    let answer = engine_with(config).fetch(Request::get(&url)).await;
    assert_eq!(answer.expect("anything goes").status, 200);
}

#[tokio::test]
async fn a_server_without_http2_is_asked_in_http_1_or_told_from_one_that_fails() {
    let testbed = Testbed::builder()
        .alpn(&["http/1.1"])
        .start()
        .expect("a free port");
    let engine = engine(&testbed);
    let get = || Request::get(testbed.url("/bytes/100"));
    let response = engine.fetch(get()).await.expect("HTTP/1.1 will do");
    assert_eq!(response.protocol, Protocol::Http11);
    assert!(verify("/bytes/100", &response.body));
    let answer = engine.fetch(get().protocols(Protocols::HTTP2)).await;
    let Err(Failure {
        error: Error::NoCommonProtocol { offered, chosen },
        ..
    }) = &answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!((&**offered, chosen), ("h2", &None));
}
