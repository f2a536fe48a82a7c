//! Where a server may redirect to.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use gannet::request::Redirects;
use gannet::{Config, Request};
use tokio::net::TcpStream;
use url::Url;

use crate::server::{Bench, hear, judge, say, within};

thread_local! {
    static BENCH: Bench = Bench::new(|_| {
        let mut config = Config::default();
        config.redirects = Redirects::at_most(1);
        config.deadline = Duration::from_secs(10);
        config
    });
}

const SECRET: &str = "Bearer of-nobody-else";

/// The bytes are a `Location`. Whatever they are, the way leads where they say, or nowhere, and takes
/// no secret along to others.
pub fn run(data: &[u8]) {
    let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n' | 0);
    let location: Vec<u8> = data.iter().copied().filter(is_text).take(2_000).collect();
    BENCH.with(|bench| {
        bench.run(0, async |run| {
            let heads = Rc::new(RefCell::new(Vec::new()));
            let answer = [
                &b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: "[..],
                &location,
                b"\r\n\r\n",
            ]
            .concat();
            run.serve({
                let heads = Rc::clone(&heads);
                move |tcp| serve(tcp, answer.clone(), Rc::clone(&heads))
            });
            let request = Request::get(&run.url).header("authorization", SECRET);
            let from = Url::parse(&run.url).expect("a URL");
            let to = std::str::from_utf8(&location).ok();
            let to = to.and_then(|to| from.join(to).ok());
            match within("answer", run.engine.fetch(request)).await {
                Ok(response) if response.status == 200 => {
                    let to = to.expect("somewhere to go");
                    assert_eq!(response.receipt.hops.len(), 1);
                    let is_same = to.origin() == from.origin();
                    let second = heads.borrow()[1].clone();
                    assert_eq!(second.contains(SECRET), is_same, "{second}");
                    assert_eq!(to.password(), None);
                }
                // It said nothing of where to.
                Ok(response) => assert!(response.status == 302 && location.trim_ascii().is_empty()),
                Err(failure) => {
                    judge(&failure.error);
                    keeps_secret(&failure.to_string(), to.as_ref(), &location);
                }
            }
        });
    });
}

async fn serve(mut tcp: TcpStream, first: Vec<u8>, heads: Rc<RefCell<Vec<String>>>) {
    let mut heard = Vec::new();
    let is_all = |heard: &[u8]| {
        // TLS is not spoken here.
        heard.starts_with(&[0x16]) || heard.windows(4).any(|four| four == b"\r\n\r\n")
    };
    if !hear(&mut tcp, &mut heard, is_all).await || heard.starts_with(&[0x16]) {
        return;
    }
    heads
        .borrow_mut()
        .push(String::from_utf8_lossy(&heard).into_owned());
    let is_first = heads.borrow().len() == 1;
    let answer = match is_first {
        true => first,
        false => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".to_vec(),
    };
    say(tcp, &answer, usize::MAX).await;
}

/// A password that stands nowhere else does not stand in the error.
fn keeps_secret(error: &str, to: Option<&Url>, location: &[u8]) {
    let Some(password) = to.and_then(Url::password) else {
        return;
    };
    let stands = |text: &str| text.matches(password).count();
    let is_telling = password.len() > 4 && stands(&String::from_utf8_lossy(location)) == 1;
    assert!(!is_telling || stands(error) == 0, "{error}");
}
