//! Heads of many fields, of which hyper is not shown all.

use std::sync::{Arc, Mutex};

use gannet::event::{EventHandler, On};
use gannet::{Error, Request};
use http::{HeaderMap, StatusCode};

use super::{ask, engine, got, told};
use crate::support::script::{Host, OK, Then};

/// So many fields with a name of their own.
fn fields(count: usize) -> String {
    (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect()
}

#[tokio::test]
async fn as_many_fields_as_may_be_come_whole_and_one_more_is_refused() {
    for length_first in [false, true] {
        let (seen, url) = Host::bind().await.serve(move |_, _, asked| {
            let count = asked.path()[1..].parse().expect("a number");
            let (length, fields) = ("Content-Length: 2\r\n", fields(count));
            let fields = match length_first {
                true => format!("{length}{fields}"),
                false => format!("{fields}{length}"),
            };
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\nok");
            (head.into_bytes(), Then::Keep)
        });
        let engine = engine();
        let url = url.trim_end_matches('/').to_owned();
        for count in [0, 88, 89, 90, 91, 99, 100, 101, 150, 255] {
            let response = got(ask(&engine, Request::get(format!("{url}/{count}")))).await;
            assert_eq!(response.headers.len(), count + 1, "{count}");
            for n in 0..count {
                assert_eq!(response.headers[&format!("x-{n}")], *n.to_string());
            }
            let raw = response.raw_head.expect("a head");
            assert_eq!(raw.iter().filter(|b| **b == b'\n').count(), count + 3);
            assert_eq!(&response.body[..], b"ok");
        }
        assert_eq!(seen.connections(), 1);
        let beyond = told(ask(&engine, Request::get(format!("{url}/256")))).await;
        assert!(matches!(beyond, Err(Error::Protocol { .. })), "{beyond:?}");
        let after = got(ask(&engine, Request::get(format!("{url}/1")))).await;
        assert_eq!(&after.body[..], b"ok");
        assert_eq!(seen.connections(), 2);
    }
}

#[tokio::test]
async fn what_frames_a_response_counts_wherever_it_stands() {
    for (late, is_fine) in [
        ("Transfer-Encoding: chunked\r\n", true),
        ("Connection: close\r\nTransfer-Encoding: chunked\r\n", true),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", false),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            false,
        ),
        ("Transfer-Encoding : chunked\r\n", false),
        ("Transfer-Encoding: chunked\r\n folded\r\n", false),
        ("Transfer-Encoding: chunked\r\nX: a\0b\r\n", false),
        ("Transfer-Encoding: chunked\r\nno field\r\n", false),
    ] {
        let (seen, url) = Host::bind().await.serve(move |_, _, _| {
            let head = format!("HTTP/1.1 200 OK\r\n{}{late}{}\r\n", fields(120), fields(3));
            (
                [&head, "2\r\nok\r\n0\r\n\r\n"].concat().into_bytes(),
                Then::Keep,
            )
        });
        let engine = engine();
        for n in 1..=2 {
            let answer = told(ask(&engine, Request::get(&url[..]))).await;
            match (is_fine, answer) {
                (true, Ok(response)) => assert_eq!(&response.body[..], b"ok", "{late}"),
                (false, Err(Error::Protocol { .. })) => {}
                (_, answer) => panic!("{late}: {answer:?}"),
            }
            let is_kept = is_fine && !late.contains("close");
            assert_eq!(seen.connections(), if is_kept { 1 } else { n }, "{late}");
        }
    }
}

#[tokio::test]
async fn a_long_head_in_many_pieces_is_the_same() {
    let host = Host::bind().await;
    let engine = engine();
    let asked = ask(&engine, host.get("/"));
    let mut line = host.accept().await;
    line.request().await;
    let head = format!(
        "HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n{}\r\n",
        fields(150),
        fields(20)
    );
    for piece in format!("{head}ok").as_bytes().chunks(37) {
        line.say(piece).await;
        tokio::task::yield_now().await;
    }
    let response = got(asked).await;
    assert_eq!(response.raw_head.as_deref(), Some(head.as_bytes()));
    assert_eq!(response.headers.len(), 171);
    assert_eq!(&response.body[..], b"ok");
}

#[derive(Default)]
struct Scribe(Mutex<Vec<usize>>);

impl EventHandler for Scribe {
    fn informational_received(&self, _: &On<'_>, _: StatusCode, headers: &HeaderMap) {
        self.0.lock().expect("no panic").push(headers.len());
    }
}

#[tokio::test]
async fn interim_responses_of_many_fields_are_told_whole() {
    let counts = [3, 120, 4, 200];
    let (_, url) = Host::bind().await.serve(move |_, _, _| {
        let interims = counts.map(|n| format!("HTTP/1.1 103 Early Hints\r\n{}\r\n", fields(n)));
        ([&interims.concat(), OK].concat().into_bytes(), Then::Keep)
    });
    let engine = engine();
    for _ in 0..2 {
        let scribe = Arc::new(Scribe::default());
        let heard: Arc<dyn EventHandler> = Arc::clone(&scribe) as _;
        let request = Request::get(&url[..]).events(heard);
        assert_eq!(&got(ask(&engine, request)).await.body[..], b"ok");
        assert_eq!(*scribe.0.lock().expect("no panic"), counts);
    }
}
