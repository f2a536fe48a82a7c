//! `--metrics-listen`: what the engine counts, as Prometheus scrapes it, while a run lasts.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gannet::Engine;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::exit::{Exit, Failure, reason, say};

/// Scrapes at once. Prometheus has one.
const CONNECTIONS: usize = 16;
/// For one scrape, from the connection to its end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until dropped.
pub(crate) struct Metrics(AbortHandle);

impl Drop for Metrics {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An address to listen on; a bare port is one of this machine's own.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(([127, 0, 0, 1], port).into());
    }
    let text = text.replace("localhost", "127.0.0.1");
    text.parse()
        .map_err(|_| "expected ADDRESS:PORT, or a port".to_owned())
}

/// Listens, if that is wanted, and tells where.
pub(crate) async fn serve(
    address: Option<SocketAddr>,
    per_origin: bool,
    silent: bool,
    engine: &Engine,
) -> Result<Option<Metrics>, Failure> {
    let Some(address) = address else {
        return Ok(None);
    };
    let told = |error: &io::Error| {
        let message = format!("cannot listen on {address}: {}", reason(error));
        Failure::new(Exit::Failed, message)
    };
    let listener = TcpListener::bind(address).await.map_err(|e| told(&e))?;
    let bound = listener.local_addr().map_err(|e| told(&e))?;
    if !silent {
        say(format_args!("gannet: metrics at http://{bound}/metrics"));
    }
    let task = tokio::spawn(accept(listener, engine.clone(), per_origin));
    Ok(Some(Metrics(task.abort_handle())))
}

async fn accept(listener: TcpListener, engine: Engine, per_origin: bool) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((tcp, _)) => {
                let engine = engine.clone();
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, answer(tcp, engine, per_origin)).await;
                    drop(place);
                });
            }
            // Out of descriptors, perhaps: not at full speed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(tcp: TcpStream, engine: Engine, per_origin: bool) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let engine = engine.clone();
        async move { Ok::<_, Infallible>(page(&request, &engine, per_origin).await) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false);
    http.serve_connection(TokioIo::new(tcp), service).await
}

async fn page(
    request: &Request<Incoming>,
    engine: &Engine,
    per_origin: bool,
) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let snapshot = engine.snapshot().await;
            (StatusCode::OK, snapshot.to_prometheus(per_origin))
        }
        _ => (StatusCode::NOT_FOUND, "there is /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_port_is_one_of_this_machines_own() {
        assert_eq!(address("9100"), Ok(([127, 0, 0, 1], 9100).into()));
        assert_eq!(address(":9100"), address("localhost:9100"));
        assert_eq!(address("[::1]:1").map(|a| a.port()), Ok(1));
        assert!(address("example.com").is_err() && address("70000").is_err());
    }
}
