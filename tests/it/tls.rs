//! TLS, right and wrong. Every fault has its own error, is met by one connection, and is over soon.

mod authority;
mod chains;
mod identity;
mod openssl;
mod server;
mod settings;
mod wire;

use std::time::Duration;

use gannet::config::Trust;
use gannet::error::TlsFault;
use gannet::{Config, Error, Request, Response};
use tokio::time::timeout;

use self::authority::{Authority, Shown};
use self::server::{Server, trust};
use crate::support::engine_with;

const HOST: &str = "site.gannet.test";
/// More than any shutdown here needs.
const GRACE: Duration = Duration::from_secs(5);

/// What a fetch of this URL comes to, and the dials made, once the engine that made them is gone.
async fn fetch_counting(config: Config, url: String) -> (Result<Response, Error>, u64) {
    let engine = engine_with(config);
    let answer = timeout(Duration::from_secs(30), engine.fetch(Request::get(url))).await;
    let dials = engine.snapshot().await.counters.dials;
    engine.shutdown(GRACE).await;
    (answer.expect("it hangs").map_err(Error::from), dials)
}

async fn fetch(config: Config, url: String) -> Result<Response, Error> {
    fetch_counting(config, url).await.0
}

/// The error of the one connection that a fetch makes.
async fn error_of(server: &Server, config: Config, host: &str) -> Error {
    let (answer, dials) = fetch_counting(config, server.url(host)).await;
    let error = answer.expect_err("it was accepted");
    eprintln!("{}: {error}", error.kind());
    assert_eq!(dials, 1, "it was tried again");
    let fault = match &error {
        Error::Tls { fault, .. } => Some(fault),
        _ => None,
    };
    assert_eq!(error.is_retryable(), fault == Some(&TlsFault::CutShort));
    // A server need not notice one that leaves without a word.
    if fault != Some(&TlsFault::Setup) {
        assert_eq!(server.accepted(), 1, "it was tried again");
    }
    error
}

/// What was wrong with the one handshake that a fetch makes.
async fn fault_of(server: &Server, config: Config, host: &str) -> TlsFault {
    match error_of(server, config, host).await {
        Error::Tls { fault, .. } => fault,
        error => panic!("{error:?}"),
    }
}

/// What is wrong with a server that shows this, for who trusts this authority.
async fn refused(shown: &Shown, root: &Authority) -> TlsFault {
    refused_as(HOST, shown, root).await
}

async fn refused_as(host: &str, shown: &Shown, root: &Authority) -> TlsFault {
    let server = Server::showing(shown).await;
    fault_of(&server, server.config(trust(&[root])), host).await
}

/// A fault of the wire, whatever is trusted.
async fn broken(server: &Server) -> TlsFault {
    fault_of(
        server,
        server.config(Trust::DangerAcceptAnyCertificate),
        HOST,
    )
    .await
}
