//! TLS, by rustls.

mod facts;
mod fault;
mod sessions;
mod setup;
mod verify;

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use crate::net::tls::fault::late_refusal;

use crate::config::TlsConfig;
use crate::error::{Error, TlsFault};
use crate::net::tls::facts::facts_of;
use crate::net::tls::fault::failed;
use crate::net::tls::setup::client;
use crate::origin::{Protocol, Protocols};
use crate::response::TlsFacts;

/// Shakes hands; one for a whole engine, so that its sessions are resumed.
#[derive(Debug)]
pub(crate) struct Tls {
    config: TlsConfig,
    /// Made at first use: reading the system's roots is slow, and an engine that never speaks TLS
    /// should start where there are none. A failure is not kept; the next dial tries again.
    client: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(config: TlsConfig) -> Self {
        Self {
            config,
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> Result<&Arc<ClientConfig>, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = client(&self.config).map_err(|e| unusable(io::Error::other(e)))?;
        Ok(self.client.get_or_init(|| Arc::new(made)))
    }

    /// Shakes hands over `tcp` with who is to prove that it is `name`, and agrees on one of `offered`.
    pub(crate) async fn shake_hands<T>(
        &self,
        name: &str,
        offered: Protocols,
        tcp: T,
    ) -> Result<(Box<TlsStream<T>>, TlsFacts, Protocol), Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(Arc::clone(self.client()?));
        // SNI names have no trailing dot (RFC 6066 §3).
        let name = name.strip_suffix('.').unwrap_or(name).to_owned();
        let name = ServerName::try_from(name)
            .map_err(|e| unusable(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let alpn = offered.iter().map(|p| p.alpn().into()).collect();
        let shaking = connector.with_alpn(alpn).connect(name, tcp);
        // Large, and on its way through several hands.
        let stream = Box::new(shaking.await.map_err(|e| failed(e, offered))?);
        let facts = facts_of(stream.get_ref().1);
        let chosen = match facts.alpn.as_deref() {
            Some(alpn) => offered.iter().find(|p| p.alpn() == alpn),
            // A server without ALPN does not speak HTTP/2 (RFC 9113 §3.3).
            None => Some(Protocol::Http11).filter(|p| offered.accept(*p)),
        };
        match chosen {
            Some(protocol) => Ok((stream, facts, protocol)),
            None => Err(Error::NoCommonProtocol {
                offered: offered.to_string().into(),
                chosen: facts.alpn,
            }),
        }
    }
}

fn unusable(source: io::Error) -> Error {
    Error::Tls {
        fault: TlsFault::Setup,
        source: Arc::new(source),
    }
}
