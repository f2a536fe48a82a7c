//! The more urgent go first.

use gannet::Request;
use gannet::config::PriorKnowledge;

use crate::support::engine_with;
use crate::support::peer::{Host, MAX_STREAMS, plain};
use crate::support::script;

#[tokio::test]
async fn the_more_urgent_leave_the_queue_first_and_the_others_have_turns() {
    let (host, engine) = (Host::bind().await, engine_with(plain()));
    let numbered = |number: u32, urgency| host.post(number.to_string()).priority(urgency, false);
    let first = tokio::spawn(engine.fetch(host.get()));
    let mut peer = host.welcome(&[(MAX_STREAMS, 1)]).await;
    let held = peer.expect_request().await;
    let mut asked = Vec::new();
    for (number, urgency) in [(0, 7), (1, 3), (2, 7), (3, 0)] {
        asked.push(tokio::spawn(engine.fetch(numbered(number, urgency))));
    }
    for number in 4..16 {
        asked.push(tokio::spawn(engine.fetch(numbered(number, 0))));
    }
    while engine.snapshot().await.waiting < asked.len() {
        tokio::task::yield_now().await;
    }
    peer.respond(held, b"ok").await;
    let mut order = Vec::new();
    for _ in &asked {
        let stream = peer.expect_requests(1).await[0];
        let body = String::from_utf8_lossy(&peer.books.streams[&stream].body).into_owned();
        order.push(body.parse::<u32>().expect("a number"));
        peer.respond(stream, b"ok").await;
    }
    first.await.expect("no panic").expect("a response");
    for asked in asked {
        asked.await.expect("no panic").expect("a response");
    }
    // Twelve and one are urgent; after ten of them the lane after the last that had a turn has one.
    let at = |number| order.iter().position(|n| *n == number).expect("it came");
    assert_eq!(at(1), 10, "{order:?}");
    assert!(at(0) < at(2) && at(0) > 12, "{order:?}");
    let urgent: Vec<_> = order.iter().filter(|n| **n >= 3).collect();
    assert_eq!(urgent.len(), 13);
    assert!(order[..10].iter().all(|n| *n >= 3));
}

#[tokio::test]
async fn the_server_is_told_unless_it_goes_without_saying() {
    let mut config = plain();
    config.prior_knowledge = PriorKnowledge::None;
    let (host, engine) = (script::Host::bind().await, engine_with(config));
    let get = || Request::get(host.url("/"));
    let requests = [
        (get(), None),
        (get().priority(3, false), None),
        (get().priority(1, true), Some("u=1, i")),
        (
            get().priority(1, true).header("priority", "u=6"),
            Some("u=6"),
        ),
    ];
    let mut line = None;
    for (request, told) in requests {
        let asked = tokio::spawn(engine.fetch(request));
        let mut open = match line.take() {
            Some(open) => open,
            None => host.accept().await,
        };
        assert_eq!(open.request().await.field("priority"), told);
        open.say(script::OK).await;
        asked.await.expect("no panic").expect("a response");
        line = Some(open);
    }
}
