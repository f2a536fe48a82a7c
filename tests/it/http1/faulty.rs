//! A table of faulty responses: each comes to the end that it is due, in its time, and is the last on
//! its connection.

mod table;

use std::sync::Arc;
use std::time::Duration;

use gannet::{Config, Request, Response};
use http::Method;
use tokio::time::timeout;

use super::Answer;
use crate::support::engine_with;
use crate::support::script::{Host, OK, Then};
use table::{Case, Due, cases};

fn config() -> Config {
    let mut config = Config::default();
    config.head_timeout = Duration::from_millis(150);
    config.body_timeout = Duration::from_millis(150);
    config.max_body = 100_000;
    config.max_head = 20_000;
    // What a reset does to those who wait for the same origin is tested elsewhere.
    config.breaker_failures = 0;
    config
}

fn request(method: &Method, url: &str) -> Request {
    Request::new(method.clone(), url)
}

fn check(case: &Case, answer: &Answer) {
    let name = case.name;
    match (case.due, answer) {
        (Due::Error(kind), Err(error)) => assert_eq!(error.kind(), kind, "{name}: {error}"),
        (Due::Body(body), Ok(response)) => assert_eq!(&response.body[..], body, "{name}"),
        (Due::Partial(body), Ok(response)) => {
            assert!(response.partial, "{name}");
            assert_eq!(&response.body[..], body, "{name}");
        }
        (due, answer) => panic!("{name}: {answer:?} in place of {due:?}"),
    }
}

/// Each case on an engine of its own: a fresh connection, and one that has served before.
#[tokio::test]
async fn each_faulty_response_is_told_as_what_it_is_and_its_connection_never_used_again() {
    assert!(cases().len() >= 60, "{}", cases().len());
    for case in cases() {
        for is_reused in [false, true] {
            let (says, then) = (case.says.clone(), case.then);
            let faulty = usize::from(is_reused) + 1;
            let (seen, url) = Host::bind().await.serve(move |connection, request, _| {
                match (connection, request) {
                    (1, n) if n == faulty => (says.clone(), then),
                    _ => (OK.into(), Then::Keep),
                }
            });
            let engine = engine_with(config());
            if is_reused {
                engine
                    .fetch(Request::get(&url[..]))
                    .await
                    .expect("a response");
            }
            // POST is not repeated, so that what is seen is what came of this very response.
            let method = case.method.clone().unwrap_or(Method::POST);
            let fetch = engine.fetch(request(&method, &url));
            let answer = timeout(Duration::from_secs(20), fetch).await;
            let answer = answer.unwrap_or_else(|_| panic!("{} hangs", case.name));
            let answer = answer.map_err(gannet::Error::from);
            check(&case, &answer);
            let after = timeout(
                Duration::from_secs(20),
                engine.fetch(request(&Method::GET, &url)),
            );
            let after: Response = after.await.expect("it hangs").expect("a response");
            assert_eq!(&after.body[..], b"ok", "{}: a wrong success", case.name);
            assert_eq!(
                after.receipt.stream,
                Some(1),
                "{}: it was used again",
                case.name
            );
            assert_eq!(seen.connections(), 2, "{}: as the server counts", case.name);
        }
    }
}

/// All at once on one engine: none is answered with another's bytes.
#[tokio::test]
async fn no_faulty_response_is_another_ones() {
    let table: Arc<Vec<_>> = Arc::new(cases().into_iter().filter(|c| c.method.is_none()).collect());
    let answers = Arc::clone(&table);
    let (_, url) = Host::bind().await.serve(move |_, _, asked| {
        let path = asked.path().trim_start_matches('/');
        let (number, is_good) = (path.trim_end_matches("/good"), path.ends_with("/good"));
        match number.parse::<usize>() {
            Ok(number) if !is_good => (answers[number].says.clone(), answers[number].then),
            _ => {
                let length = path.len();
                let says = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{path}");
                (says.into(), Then::Keep)
            }
        }
    });
    let engine = engine_with(config());
    let fetches = (0..table.len()).flat_map(|number| {
        let faulty = Request::post(format!("{url}/{number}"), "");
        [
            (number, false, engine.fetch(faulty)),
            (
                number,
                true,
                engine.fetch(Request::get(format!("{url}/{number}/good"))),
            ),
        ]
    });
    let asked: Vec<_> = fetches
        .map(|(number, is_good, fetch)| (number, is_good, tokio::spawn(fetch)))
        .collect();
    for (number, is_good, answer) in asked {
        let answer = timeout(Duration::from_secs(60), answer).await;
        let answer = answer.expect("it hangs").expect("no panic");
        let answer = answer.map_err(gannet::Error::from);
        match is_good {
            true => {
                let body = answer.expect("a response").body;
                assert_eq!(&body[..], format!("{number}/good").as_bytes());
            }
            false => check(&table[number], &answer),
        }
    }
}
