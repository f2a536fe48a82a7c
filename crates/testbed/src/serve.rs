//! Accepting connections, and speaking TLS and HTTP on them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::books::{Connection, Ledger};
use crate::content::Digests;
use crate::routes;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Rest after an accept that failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Rest while part of the HTTP/2 preface is there.
const PREFACE_PAUSE: Duration = Duration::from_millis(2);
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Clients that cancel a lot are what the testbed is for; the library's own limits would end
/// their connections.
const RESET_STREAMS: usize = 100_000;

/// What all connections have in common.
pub(crate) struct Server {
    ledger: Arc<Ledger>,
    digests: Arc<Digests>,
    tls: Option<TlsAcceptor>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Server {
    /// A server that speaks TLS if there is a configuration for it.
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        tls: Option<ServerConfig>,
        max_concurrent_streams: Option<u32>,
    ) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .max_local_error_reset_streams(RESET_STREAMS);
        if max_concurrent_streams.is_some() {
            http2.max_concurrent_streams(max_concurrent_streams);
        }
        Self {
            ledger,
            digests: Arc::default(),
            tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
            http1,
            http2,
        }
    }

    /// Accepts and serves connections until dropped.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(local) = stream.local_addr() else {
                continue;
            };
            let connection = Connection::opened(&self.ledger, local.ip());
            let stream = Counted::new(stream, &connection);
            tokio::spawn(Arc::clone(&self).serve(stream, connection));
        }
    }

    async fn serve(self: Arc<Self>, stream: Counted<TcpStream>, connection: Arc<Connection>) {
        // It only costs time if this fails.
        let _ = stream.inner.set_nodelay(true);
        let Some(tls) = &self.tls else {
            // Connections that say nothing, or break off, end here.
            if let Ok(Ok(http2)) = timeout(HEAD_TIMEOUT, begins_http2(&stream.inner)).await {
                self.speak(stream, &connection, http2).await;
            }
            return;
        };
        let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else {
            self.ledger.handshake(false);
            return;
        };
        self.ledger.handshake(true);
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        // Counted once more, as the end of the TLS stream comes before that of the TCP stream.
        let stream = Counted::new(stream, &connection);
        self.speak(stream, &connection, http2).await;
    }

    async fn speak<S>(&self, stream: S, connection: &Arc<Connection>, http2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            routes::answer(Arc::clone(connection), Arc::clone(&self.digests), request)
        });
        let stream = TokioIo::new(stream);
        // How a connection ends is the client's affair; there is nobody here to tell.
        let _ = if http2 {
            self.http2.serve_connection(stream, service).await
        } else {
            self.http1.serve_connection(stream, service).await
        };
    }
}

/// Whether the client begins with the preface of HTTP/2, without taking it from the stream.
async fn begins_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut head = [0; PREFACE.len()];
    loop {
        let len = stream.peek(&mut head).await?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head[..len] != PREFACE[..len] {
            return Ok(false);
        }
        if len == PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

/// A stream whose connection is counted as closed *before* its end is sent or its socket closed.
struct Counted<S> {
    inner: S,
    connection: Arc<Connection>,
}

impl<S> Counted<S> {
    fn new(inner: S, connection: &Arc<Connection>) -> Self {
        Self {
            inner,
            connection: Arc::clone(connection),
        }
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        // This runs before the stream itself is dropped.
        self.connection.closed();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.closed();
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
