//! Over TLS, where an end can be told from a cut.

use std::sync::Arc;

use gannet::config::Trust;
use gannet::{Config, Engine, Error, Failure, Request};
use gannet_testbed::Certificates;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::engine_with;

/// How a server ends a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// With close_notify (RFC 8446 §6.1).
    Told,
    /// Without.
    Cut,
}

/// A server without ALPN that gives each request one answer and ends the connection.
async fn serve(answer: &'static str, end: End) -> (Engine, String) {
    let made = Certificates::new(&[], &[[127, 0, 0, 1].into()]).expect("good names");
    let chain = CertificateDer::pem_slice_iter(made.chain_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mut tls = acceptor.accept(tcp).await.expect("a handshake");
            let (mut seen, mut piece) = (Vec::new(), [0; 1024]);
            while !seen.ends_with(b"\r\n\r\n") {
                let read = tls.read(&mut piece).await.expect("a request");
                seen.extend_from_slice(&piece[..read]);
            }
            tls.write_all(answer.as_bytes()).await.expect("open");
            tls.flush().await.expect("open");
            match end {
                End::Told => tls.shutdown().await.expect("open"),
                End::Cut => tls.get_mut().0.shutdown().await.expect("open"),
            }
            while matches!(tls.get_mut().0.read(&mut piece).await, Ok(1..)) {}
        }
    });
    let mut config = Config::default();
    config.tls.trust = Trust::Roots(vec![made.ca_der.into()]);
    (engine_with(config), format!("https://127.0.0.1:{port}/"))
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole_only_if_that_was_told() {
    let answer = "HTTP/1.1 200 OK\r\n\r\nhello";
    let (engine, url) = serve(answer, End::Told).await;
    let response = engine.fetch(Request::get(&url[..])).await;
    let response = response.expect("a response");
    assert_eq!(
        (&response.body[..], response.partial),
        (&b"hello"[..], true)
    );
    let (engine, url) = serve(answer, End::Cut).await;
    let answer = engine.fetch(Request::get(&url[..])).await;
    assert!(
        matches!(
            answer,
            Err(Failure {
                error: Error::Truncated {
                    got: 5,
                    expected: None
                },
                ..
            })
        ),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_body_of_known_length_is_whole_whether_that_was_told_or_not() {
    for end in [End::Told, End::Cut] {
        for (answer, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                "ok",
            ),
        ] {
            let (engine, url) = serve(answer, end).await;
            for _ in 0..3 {
                let response = engine.fetch(Request::get(&url[..])).await;
                let response = response.expect("a response");
                assert_eq!(
                    (&response.body[..], response.partial),
                    (body.as_bytes(), false)
                );
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_short_is_cut_whether_that_was_told_or_not() {
    for end in [End::Told, End::Cut] {
        let (engine, url) = serve("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", end).await;
        let answer = engine.fetch(Request::get(&url[..])).await;
        assert!(
            matches!(
                answer,
                Err(Failure {
                    error: Error::Truncated {
                        got: 5,
                        expected: Some(9)
                    },
                    ..
                })
            ),
            "{answer:?}"
        );
    }
}
