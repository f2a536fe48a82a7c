//! A server that does next to nothing: every request has the same answer, its head canned, and what
//! one read asks for is answered with one write. So that it is the client that is measured.

mod args;
mod http1;
mod http2;

pub use args::Args;

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Read at once.
const READ: usize = 64 << 10;

/// What speaks on one connection: bytes in, bytes out.
trait Talk {
    /// Takes what it can off the front of `heard`, and puts what there is to say for it behind `said`.
    /// How many bytes were taken; `None` when there is nothing more to talk about.
    fn talk(&mut self, heard: &[u8], said: &mut Vec<u8>) -> Option<usize>;
}

/// How to speak TLS, as whom.
///
/// # Errors
///
/// Of a chain or a key that is none.
pub fn acceptor(chain_pem: &str, key_pem: &str) -> Result<TlsAcceptor, rustls::Error> {
    let bad = |error| rustls::Error::General(format!("{error}"));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(bad)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain.map_err(bad)?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers every request with a body of this size, until the listener fails. To be called on a
/// `LocalSet`.
///
/// # Errors
///
/// The listener's.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, body: usize) -> io::Result<()> {
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            // What is wrong with a connection is for its client to say.
            let Ok(io) = tls.accept(tcp).await else {
                return;
            };
            let is_http2 = io.get_ref().1.alpn_protocol() == Some(b"h2");
            let _ = match is_http2 {
                true => converse(io, http2::Connection::new(body)).await,
                false => converse(io, http1::Connection::new(body)).await,
            };
        });
    }
}

async fn converse<T>(mut io: T, mut talk: impl Talk) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (mut heard, mut said) = (Vec::with_capacity(READ), Vec::new());
    loop {
        let Some(taken) = talk.talk(&heard, &mut said) else {
            return io.shutdown().await;
        };
        heard.drain(..taken);
        if !said.is_empty() {
            io.write_all(&said).await?;
            io.flush().await?;
            said.clear();
        }
        heard.reserve(READ);
        if io.read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
    }
}
