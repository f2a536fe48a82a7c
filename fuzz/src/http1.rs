//! What a server may say in HTTP/1.1.

use std::time::Duration;

use gannet::{Config, Request, Response};
use http::{Method, header};

use crate::server::{Bench, hear, judge, say, within};
use crate::take;

thread_local! {
    static BENCH: Bench = Bench::new(configure);
}

fn configure(kind: u8) -> Config {
    let mut config = Config::default();
    config.bodies.decode = kind & 1 != 0;
    config.max_head = 4 << 10;
    config.max_body = 64 << 10;
    config.deadline = Duration::from_secs(10);
    config
}

/// The first bytes choose the request and how the rest is split, which is all that the server says.
pub fn run(mut data: &[u8]) {
    let [kind, split] = take(&mut data);
    let said = data.to_vec();
    let method = match kind >> 1 & 3 {
        0 | 1 => Method::GET,
        2 => Method::HEAD,
        _ => Method::POST,
    };
    BENCH.with(|bench| {
        bench.run(kind & 1, async |run| {
            let pieces = said.clone();
            run.serve(move |mut tcp| {
                let pieces = pieces.clone();
                async move {
                    let mut heard = Vec::new();
                    let is_all = |heard: &[u8]| heard.windows(4).any(|four| four == b"\r\n\r\n");
                    if hear(&mut tcp, &mut heard, is_all).await {
                        let size = if split == 0 { usize::MAX } else { split.into() };
                        say(tcp, &pieces, size).await;
                    }
                }
            });
            let request = Request::new(method.clone(), &run.url);
            let request = match method {
                Method::POST => request.body("some"),
                _ => request,
            };
            match within("answer", run.engine.fetch(request)).await {
                Ok(response) => check(&response, &method, &said),
                Err(failure) => judge(&failure.error),
            }
        });
    });
}

/// What is told must have been said.
fn check(response: &Response, method: &Method, said: &[u8]) {
    let head = response.raw_head.as_ref().expect("HTTP/1.1 has one");
    let at = said
        .windows(head.len())
        .position(|window| window == &head[..]);
    let behind = &said[at.expect("a head that was said") + head.len()..];
    let receipt = &response.receipt;
    assert!(receipt.wire_bytes <= behind.len() as u64);
    assert_eq!(receipt.head_bytes, Some(head.len() as u64));
    if *method == Method::HEAD || matches!(response.status.as_u16(), 204 | 304) {
        assert!(response.body.is_empty());
        return;
    }
    let lengths: Vec<_> = response
        .headers
        .get_all(header::CONTENT_LENGTH)
        .iter()
        .collect();
    let is_chunked = response.headers.contains_key(header::TRANSFER_ENCODING);
    assert!(lengths.is_empty() || !is_chunked, "two ways to read it");
    if let Some(length) = lengths.first() {
        let length: u64 = length.to_str().expect("digits").parse().expect("a number");
        assert_eq!(receipt.wire_bytes, length);
        assert!(lengths.iter().all(|other| *other == lengths[0]));
    }
    let is_plain = !receipt.decoded;
    if is_plain && !is_chunked {
        assert!(behind.starts_with(&response.body));
    }
    if is_plain {
        assert_eq!(response.body.len() as u64, receipt.wire_bytes);
    }
}
