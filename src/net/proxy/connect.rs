//! CONNECT over HTTP/1.1 (RFC 9110 §9.3.6).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::Error;
use crate::net::proxy::{authorization, broken, closed, failed};
use crate::origin::Proxy;

/// Most bytes of heads, interim ones included: far more than any proxy says.
pub(crate) const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 128;

/// What the bytes so far say.
#[derive(Debug)]
enum Answer {
    /// The head is not complete.
    Partial,
    /// An interim answer of so many bytes (RFC 9110 §15.2).
    Interim(usize),
    /// The tunnel is open; its first byte is the one after so many.
    Open(usize),
}

/// Has `proxy`, to which `io` leads, connect to a place. Gives back what has come through the
/// tunnel already.
pub(crate) async fn connect<T>(
    io: &mut T,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<Bytes, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(&request(proxy, host, port))
        .await
        .map_err(broken)?;
    io.flush().await.map_err(broken)?;
    let (mut head, mut interim, mut piece) = (BytesMut::new(), 0, [0; 2048]);
    loop {
        let read = io.read(&mut piece).await.map_err(broken)?;
        if read == 0 {
            return Err(closed());
        }
        let is_first = head.is_empty();
        head.extend_from_slice(&piece[..read]);
        // Nothing is decided within a line, and a proxy that drips shall not cost much.
        if !is_first && !piece[..read].contains(&b'\n') {
            within_limit(interim + head.len())?;
            continue;
        }
        loop {
            match answer(&head)? {
                Answer::Open(size) => return Ok(head.split_off(size).freeze()),
                Answer::Interim(size) => {
                    head.advance(size);
                    interim += size;
                }
                Answer::Partial => break,
            }
        }
        within_limit(interim + head.len())?;
    }
}

fn within_limit(size: usize) -> Result<(), Error> {
    match size > MAX_HEAD {
        true => Err(failed("the head of its answer exceeds 16 KiB")),
        false => Ok(()),
    }
}

/// Host and port as a URL has them.
pub(crate) fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn request(proxy: &Proxy, host: &str, port: u16) -> Vec<u8> {
    let place = authority(host, port);
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
    if let Some(value) = authorization(proxy) {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(HeaderValue::as_bytes(&value));
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// # Errors
///
/// The proxy refuses, or speaks no HTTP. Its words are not repeated: they may repeat ours.
fn answer(head: &[u8]) -> Result<Answer, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(head);
    let parsed = parsed.map_err(|e| failed(format!("its answer is no HTTP: {e}")))?;
    let (httparse::Status::Complete(size), Some(code)) = (parsed, response.code) else {
        return Ok(Answer::Partial);
    };
    let Ok(status) = StatusCode::from_u16(code) else {
        return Err(failed(format!("its answer has the status {code}")));
    };
    match status {
        // Whatever the head says of a body: there is none.
        status if status.is_success() => Ok(Answer::Open(size)),
        StatusCode::SWITCHING_PROTOCOLS => Err(refused(status)),
        status if status.is_informational() => Ok(Answer::Interim(size)),
        status => Err(refused(status)),
    }
}

pub(crate) fn refused(status: StatusCode) -> Error {
    let detail = match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "it wants credentials, or other ones",
        status if status.is_server_error() => "it could not reach the origin",
        _ => "it refuses to connect to the origin",
    };
    Error::Proxy {
        status: Some(status),
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::duplex;

    fn proxy() -> Proxy {
        Proxy::parse("http://u:secret@h").expect("a proxy")
    }

    /// Plays a proxy that says `answer` in pieces of this size, then closes. What comes through
    /// the tunnel, and what the proxy was asked.
    async fn played(answer: &[u8], piece: usize) -> (Result<Vec<u8>, Error>, Vec<u8>) {
        let (mut near, mut far) = duplex(1 << 20);
        let asked = request(&proxy(), "::1", 443);
        let proxy_side = async {
            let mut seen = vec![0; asked.len()];
            far.read_exact(&mut seen).await.expect("a request");
            for piece in answer.chunks(piece) {
                // An error says that it has made up its mind.
                let _ = far.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            drop(far);
            seen
        };
        let proxy = proxy();
        let asking = async {
            let ahead = connect(&mut near, &proxy, "::1", 443).await?;
            let mut through = ahead.to_vec();
            near.read_to_end(&mut through).await.expect("the rest");
            Ok(through)
        };
        futures::join!(asking, proxy_side)
    }

    async fn told(answer: &[u8]) -> (Option<u16>, String) {
        let (outcome, _) = played(answer, 4096).await;
        match outcome.expect_err("no tunnel") {
            Error::Proxy { status, detail } => (status.map(|s| s.as_u16()), detail.into_owned()),
            error => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn it_asks_by_name_and_keeps_what_follows_the_head() {
        for piece in [1, 2, 7, 4096] {
            let answer = b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.0 200 OK\r\n\
                           Content-Length: 5\r\n\r\nfirst";
            let (outcome, seen) = played(answer, piece).await;
            assert_eq!(outcome.expect("a tunnel"), b"first");
            let seen = String::from_utf8(seen).expect("text");
            assert_eq!(
                seen,
                "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\
                 Proxy-Authorization: Basic dTpzZWNyZXQ=\r\n\r\n"
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_has_its_status_and_repeats_nothing() {
        for code in [101, 301, 400, 403, 407, 500, 502, 503, 504, 999] {
            let answer = format!("HTTP/1.1 {code} secret dTpzZWNyZXQ=\r\nX: secret\r\n\r\nsecret");
            let (status, detail) = told(answer.as_bytes()).await;
            assert_eq!(status, Some(code));
            assert!(
                !detail.contains("ecret") && !detail.contains("dTpz"),
                "{detail}"
            );
        }
    }

    #[tokio::test]
    async fn rubbish_and_silence_at_the_end_are_failures_without_a_status() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(40_000));
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n",
            "\u{15}\u{3}\u{3}\0\u{2}\u{2}F",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            &many,
            &endless,
            &interim,
        ] {
            let (status, detail) = told(answer.as_bytes()).await;
            assert_eq!(status, None, "{answer:.20}: {detail}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), is_http: bool) {
            let mut head = if is_http { b"HTTP/1.1 ".to_vec() } else { Vec::new() };
            head.extend(bytes);
            if let Ok(Answer::Interim(size) | Answer::Open(size)) = answer(&head) {
                prop_assert!(size > 0 && size <= head.len());
            }
        }
    }
}
