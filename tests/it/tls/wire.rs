//! What is no handshake, or no proper one.

use std::time::Duration;

use gannet::Error;
use gannet::config::Trust;
use gannet::error::TlsFault;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::authority::root;
use super::server::{Server, drain, read_hello};
use super::{HOST, broken, error_of};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("short");
    let head = [kind, 3, 3];
    [&head[..], &length.to_be_bytes(), payload].concat()
}

fn alert(code: u8) -> Vec<u8> {
    record(ALERT, &[2, code])
}

/// A ServerHello of TLS 1.2 (RFC 5246 §7.4.1.3).
fn server_hello(version: [u8; 2], suite: [u8; 2], compression: u8, extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(suite);
    body.push(compression);
    if !extensions.is_empty() {
        let length = u16::try_from(extensions.len()).expect("short");
        body.extend(length.to_be_bytes());
        body.extend(extensions);
    }
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let head = [SERVER_HELLO, length[1], length[2], length[3]];
    record(HANDSHAKE, &[&head[..], &body].concat())
}

/// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
const GOOD_SUITE: [u8; 2] = [0xc0, 0x2f];

async fn answered(answer: Vec<u8>) -> TlsFault {
    broken(&Server::answering(answer).await).await
}

#[tokio::test]
async fn plain_http_on_the_port() {
    let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    assert_eq!(answered(answer.to_vec()).await, TlsFault::NotTls);
}

#[tokio::test]
async fn other_protocols_on_the_port() {
    for banner in ["SSH-2.0-OpenSSH_9.2\r\n", "220 mail.test ESMTP\r\n"] {
        let answer = banner.as_bytes().to_vec();
        assert_eq!(answered(answer).await, TlsFault::NotTls, "{banner}");
    }
}

#[tokio::test]
async fn an_http2_preface_on_the_port() {
    let settings = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    assert_eq!(answered(settings).await, TlsFault::NotTls);
}

#[tokio::test]
async fn garbage_on_the_port() {
    assert_eq!(answered(vec![0xa5; 40_000]).await, TlsFault::NotTls);
}

#[tokio::test]
async fn a_record_of_no_version() {
    let answer = vec![HANDSHAKE, 9, 9, 0, 1, 0];
    assert_eq!(answered(answer).await, TlsFault::NotTls);
}

#[tokio::test]
async fn a_record_that_is_too_large() {
    let answer = vec![HANDSHAKE, 3, 3, 0xff, 0xff];
    assert_eq!(answered(answer).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn a_message_that_is_too_large() {
    let answer = record(HANDSHAKE, &[SERVER_HELLO, 0xff, 0xff, 0xff]);
    assert_eq!(answered(answer).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn an_empty_message() {
    let answer = record(HANDSHAKE, &[SERVER_HELLO, 0, 0, 0]);
    assert_eq!(answered(answer).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn data_before_the_handshake() {
    let answer = record(23, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(answered(answer).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn a_suite_that_was_not_offered() {
    let hello = server_hello([3, 3], [0, 0x2f], 0, &[]);
    assert_eq!(answered(hello).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn a_compression_that_was_not_offered() {
    let hello = server_hello([3, 3], GOOD_SUITE, 1, &[]);
    assert_eq!(answered(hello).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn a_protocol_that_was_not_offered() {
    let alpn = [0, 16, 0, 9, 0, 7, 6, b's', b'p', b'd', b'y', b'/', b'1'];
    let hello = server_hello([3, 3], GOOD_SUITE, 0, &alpn);
    assert_eq!(answered(hello).await, TlsFault::Misbehaved);
}

#[tokio::test]
async fn versions_that_nobody_should_speak() {
    for version in [[3, 0], [3, 1], [3, 2]] {
        let hello = server_hello(version, GOOD_SUITE, 0, &[]);
        let fault = answered(hello).await;
        assert_eq!(fault, TlsFault::Incompatible, "{version:?}");
    }
}

#[tokio::test]
async fn alerts_are_told_by_name() {
    for (code, name) in [
        (40, "handshake_failure"),
        (80, "internal_error"),
        (112, "unrecognized_name"),
        (49, "access_denied"),
        (200, "unknown (200)"),
    ] {
        let fault = answered(alert(code)).await;
        assert_eq!(fault, TlsFault::Alert(name.into()));
    }
}

#[tokio::test]
async fn alerts_that_say_what_is_missing() {
    for code in [70, 71] {
        assert_eq!(
            answered(alert(code)).await,
            TlsFault::Incompatible,
            "{code}"
        );
    }
}

#[tokio::test]
async fn the_alert_for_no_common_protocol() {
    let server = Server::answering(alert(120)).await;
    let config = server.config(Trust::DangerAcceptAnyCertificate);
    let error = error_of(&server, config, HOST).await;
    assert!(matches!(error, Error::NoCommonProtocol { .. }), "{error:?}");
}

#[tokio::test]
async fn warnings_without_end() {
    let answer = record(ALERT, &[1, 90]).repeat(10_000);
    let fault = answered(answer).await;
    assert!(fault.is_settled(), "{fault:?}");
}

#[tokio::test]
async fn a_connection_closed_at_once() {
    let server = Server::raw(|tcp| async { drop(tcp) }).await;
    assert_eq!(broken(&server).await, TlsFault::CutShort);
}

#[tokio::test]
async fn a_connection_closed_after_the_first_message() {
    let script = |mut tcp: TcpStream| async move { read_hello(&mut tcp).await };
    let server = Server::raw(script).await;
    assert_eq!(broken(&server).await, TlsFault::CutShort);
}

#[tokio::test]
async fn a_connection_closed_within_a_message() {
    let script = |mut tcp: TcpStream| async move {
        read_hello(&mut tcp).await;
        let hello = server_hello([3, 3], GOOD_SUITE, 0, &[]);
        let _ = tcp.write_all(&hello[..20]).await;
        let _ = tcp.shutdown().await;
        drain(tcp).await;
    };
    let server = Server::raw(script).await;
    assert_eq!(broken(&server).await, TlsFault::CutShort);
}

#[tokio::test]
async fn a_connection_reset() {
    let script = |mut tcp: TcpStream| async move {
        read_hello(&mut tcp).await;
        let reset = SockRef::from(&tcp).set_linger(Some(Duration::ZERO));
        reset.expect("a socket");
    };
    let server = Server::raw(script).await;
    assert_eq!(broken(&server).await, TlsFault::CutShort);
}

/// The server acts as `script` has it, and then says nothing more.
async fn is_given_up_on(first: Vec<u8>) {
    let server = Server::answering(first).await;
    let mut config = server.config(Trust::DangerAcceptAnyCertificate);
    config.connect_timeout = Duration::from_millis(200);
    let answer = super::fetch(config, server.url(HOST)).await;
    let after = Duration::from_millis(200);
    assert!(
        matches!(answer, Err(Error::ConnectTimeout { after: told }) if told == after),
        "{answer:?}"
    );
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn silence_after_the_first_message() {
    is_given_up_on(Vec::new()).await;
}

#[tokio::test]
async fn silence_within_a_message() {
    let hello = server_hello([3, 3], GOOD_SUITE, 0, &[]);
    is_given_up_on(hello[..20].to_vec()).await;
}

#[tokio::test]
async fn silence_after_the_servers_first_message() {
    is_given_up_on(server_hello([3, 3], GOOD_SUITE, 0, &[])).await;
}

/// Rustls says what it knows, and it can be asked for.
#[tokio::test]
async fn the_error_of_rustls_can_be_reached() {
    let root = root();
    let server = Server::showing(&root.server(&["other.test"], |_| {})).await;
    let config = server.config(super::trust(&[&root]));
    let error = error_of(&server, config, HOST).await;
    let text = error.to_string();
    assert!(
        text.starts_with("the certificate is for other names: "),
        "{text}"
    );
    assert!(text.contains("other.test"), "{text}");
    let Error::Tls { source, .. } = error else {
        panic!("{error:?}");
    };
    let cause = source.get_ref().and_then(|e| e.downcast_ref());
    let is_it = matches!(
        cause,
        Some(rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForNameContext { .. }
        ))
    );
    assert!(is_it, "{cause:?}");
}
