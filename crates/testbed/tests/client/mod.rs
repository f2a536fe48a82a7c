//! A small client to drive the testbed with.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use gannet_testbed::Testbed;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(crate) type Body = Full<Bytes>;

#[derive(Clone)]
pub(crate) enum Client {
    H1(Arc<tokio::sync::Mutex<http1::SendRequest<Body>>>),
    H2(http2::SendRequest<Body>),
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Fetched {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body with its content coding taken off.
    pub(crate) fn decoded(&self) -> Vec<u8> {
        let mut decoded = Vec::new();
        let body = &self.body[..];
        let read = match self.header("content-encoding") {
            "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut decoded),
            "br" => brotli::Decompressor::new(body, 4096).read_to_end(&mut decoded),
            "zstd" => zstd::Decoder::new(body)
                .expect("zstd")
                .read_to_end(&mut decoded),
            other => panic!("no such coding: {other:?}"),
        };
        read.expect("well encoded");
        decoded
    }
}

pub(crate) async fn tcp(testbed: &Testbed) -> TcpStream {
    TcpStream::connect(testbed.address())
        .await
        .expect("listening")
}

pub(crate) async fn tls(testbed: &Testbed, alpn: &[&str], name: &str) -> TlsStream<TcpStream> {
    try_tls(testbed, alpn, name).await.expect("a handshake")
}

pub(crate) async fn try_tls(
    testbed: &Testbed,
    alpn: &[&str],
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from(testbed.ca_der().to_vec());
    roots.add(ca).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp(testbed).await)
        .await
}

impl Client {
    pub(crate) async fn h2_tls(testbed: &Testbed) -> Self {
        Self::h2_over(tls(testbed, &["h2"], "localhost").await).await
    }

    pub(crate) async fn h1_tls(testbed: &Testbed) -> Self {
        Self::h1_over(tls(testbed, &["http/1.1"], "127.0.0.1").await).await
    }

    pub(crate) async fn h2_over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let made = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = made.expect("a handshake");
        tokio::spawn(connection);
        Self::H2(sender)
    }

    pub(crate) async fn h1_over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.expect("a handshake");
        tokio::spawn(connection);
        Self::H1(Arc::new(tokio::sync::Mutex::new(sender)))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::H1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::H2(sender) => sender.clone().send_request(request).await,
        }
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Body> {
        let builder = Request::builder().method(method);
        let builder = match self {
            Self::H1(_) => builder
                .uri(path)
                .header("host", "localhost")
                .header("te", "trailers"),
            Self::H2(_) => builder.uri(format!("https://localhost{path}")),
        };
        builder.body(Full::new(body)).expect("a good request")
    }

    pub(crate) async fn begin(&self, path: &str) -> Response<Incoming> {
        let request = self.request(Method::GET, path, Bytes::new());
        self.send(request).await.expect("a response")
    }

    pub(crate) async fn fetch(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Fetched {
        let request = self.request(method, path, body.into());
        let (head, body) = self.send(request).await.expect("a response").into_parts();
        let collected = body.collect().await.expect("a body to its end");
        let trailers = collected.trailers().cloned();
        Fetched {
            status: head.status.as_u16(),
            headers: head.headers,
            body: collected.to_bytes(),
            trailers,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Fetched {
        self.fetch(Method::GET, path, "").await
    }
}
