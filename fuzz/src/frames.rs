//! What a server may say in HTTP/2.

use std::time::Duration;

use gannet::config::{PriorKnowledge, Pushes};
use gannet::event::{EventHandler, Events, On};
use gannet::{Config, Engine, Error, Request, Target};
use http::{HeaderMap, Method};
use tokio::io::AsyncReadExt;

use crate::server::{Bench, hear, judge, say, within};
use crate::{take, take_slice};

thread_local! {
    static BENCH: Bench = Bench::new(configure);
}

/// Takes what is promised.
struct Taker;

impl EventHandler for Taker {
    fn push_promised(&self, _: &On<'_>, _: &Target, _: &HeaderMap) -> bool {
        true
    }
}

fn configure(kind: u8) -> Config {
    let mut config = Config::default();
    config.prior_knowledge = PriorKnowledge::All;
    config.bodies.decode = kind & 1 != 0;
    if kind & 2 != 0 {
        let mut pushes = Pushes::default();
        (pushes.at_once, pushes.keep_for) = (3, Duration::ZERO);
        config.bodies.pushes = Some(pushes);
        config.events = Events::to(Taker);
    }
    config.max_head = 4 << 10;
    config.max_body = 64 << 10;
    config.max_idle_frames = 200;
    config.deadline = Duration::from_secs(10);
    config
}

/// How a run goes, from its first bytes.
#[derive(Clone, Copy)]
struct Plan {
    kind: u8,
    fetches: u8,
    is_open: bool,
    method: u8,
    split: u8,
}

/// The first bytes choose requests and configuration, the rest is what the server says, frame by frame.
pub fn run(mut data: &[u8]) {
    let [how, split] = take(&mut data);
    let plan = Plan {
        kind: how & 3,
        fetches: if how & 4 == 0 { 1 } else { 3 },
        is_open: how & 8 != 0,
        method: how >> 4 & 3,
        split,
    };
    let said = script(data);
    BENCH.with(|bench| {
        bench.run(plan.kind, async |run| {
            run.serve(move |mut tcp| {
                let said = said.clone();
                async move {
                    let mut heard = Vec::new();
                    if hear(&mut tcp, &mut heard, has_request).await {
                        let size = if plan.split == 0 {
                            usize::MAX
                        } else {
                            plan.split.into()
                        };
                        say(tcp, &said, size).await;
                    }
                }
            });
            let fetches = (0..plan.fetches).map(|_| {
                let (engine, url) = (run.engine.clone(), run.url.clone());
                actix_rt::spawn(async move { fetch(&engine, &url, plan).await })
            });
            for fetch in fetches.collect::<Vec<_>>() {
                let answer = within("answer", fetch).await.expect("no panic");
                if let Err(error) = answer {
                    judge(&error);
                }
            }
        });
    });
}

const PREFACE: usize = 24;
const HEAD: usize = 9;

/// Whether a HEADERS frame has begun.
fn has_request(heard: &[u8]) -> bool {
    let mut left = heard.get(PREFACE..).unwrap_or_default();
    while let Some(head) = left.first_chunk::<HEAD>() {
        if head[3] == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        left = left.get(HEAD + length..).unwrap_or_default();
    }
    false
}

async fn fetch(engine: &Engine, url: &str, plan: Plan) -> Result<(), Error> {
    let method =
        [Method::GET, Method::HEAD, Method::POST, Method::GET][usize::from(plan.method)].clone();
    let request = Request::new(method.clone(), url);
    let request = match method {
        Method::POST => request.body(vec![b'u'; 100_000]),
        _ => request,
    };
    if !plan.is_open {
        let response = engine.fetch(request).await?;
        assert!(response.body.len() <= 64 << 10 || response.receipt.decoded);
        assert!(method != Method::HEAD || response.body.is_empty());
        return Ok(());
    }
    let mut response = engine.open(request).await?;
    let mut sink = [0; 1000];
    while let Ok(1..) = response.body.read(&mut sink).await {}
    Ok(())
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// `:status 200`.
const OK: &[u8] = &[0x88];
/// `GET http://a/`: the authority is nobody's.
const PROMISE: &[u8] = b"\x82\x86\x84\x41\x01a";
/// As much is said in all.
const SAID: usize = 200 << 10;

/// The bytes as frames: most are sound by themselves, in whatever order.
fn script(mut data: &[u8]) -> Vec<u8> {
    let mut said = frame(SETTINGS, 0, 0, &[]);
    let mut last = Vec::new();
    while !data.is_empty() && said.len() < SAID {
        let next = next(&mut data, &last);
        said.extend_from_slice(&next);
        last = next;
    }
    said.truncate(SAID);
    said
}

/// The next frame, or another time the one before it.
fn next(data: &mut &[u8], last: &[u8]) -> Vec<u8> {
    let [op, place] = take(data);
    let stream = [1, 0, 3, 2, 4, 5][usize::from(place) % 6];
    let flags = place >> 4;
    match op % 16 {
        0 => frame(HEADERS, END_HEADERS, stream, OK),
        1 => frame(HEADERS, END_HEADERS | END_STREAM, stream, OK),
        2 => frame(
            DATA,
            flags & END_STREAM,
            stream,
            &vec![b'x'; usize::from(place) * 8],
        ),
        3 => frame(DATA, flags & END_STREAM, stream, payload(data)),
        4 => {
            let [kind, flags] = take(data);
            frame(kind, flags, stream, payload(data))
        }
        5 => {
            let [name, value, shift] = take(data);
            let value = u32::from(value) << (shift % 25);
            let pair = [&[0, name % 10][..], &value.to_be_bytes()].concat();
            frame(SETTINGS, 0, 0, &pair)
        }
        6 => frame(WINDOW_UPDATE, 0, stream, &take::<4>(data)),
        7 => frame(RST_STREAM, 0, stream, &[0, 0, 0, flags]),
        8 => frame(GOAWAY, 0, 0, &[0, 0, 0, place % 8, 0, 0, 0, flags]),
        9 => frame(PING, flags & 1, 0, &take::<8>(data)),
        10 => {
            let promised = [0, 0, 0, 2 + 2 * (flags % 4)];
            frame(
                PUSH_PROMISE,
                END_HEADERS,
                stream,
                &[&promised, PROMISE].concat(),
            )
        }
        11 => {
            let block = [OK, payload(data)].concat();
            frame(HEADERS, flags & (END_STREAM | END_HEADERS), stream, &block)
        }
        12 => payload(data).to_vec(),
        13 => frame(CONTINUATION, flags & END_HEADERS, stream, payload(data)),
        14 => frame(DATA, PADDED | flags & END_STREAM, stream, payload(data)),
        _ => last.repeat(usize::from(place).min(SAID / last.len().max(1))),
    }
}

fn payload<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let [length] = take(data);
    take_slice(data, length.into())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
