//! hyper-util's legacy client over hyper-rustls. It knows no limit on all its connections.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use gannet_peers::{Args, Client, Failure, Fetched, WINDOWS, drive, tls};
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

type Connector = HttpsConnector<HttpConnector<Here>>;

struct HyperUtil {
    client: legacy::Client<Connector, Empty<Bytes>>,
    uris: Vec<Uri>,
}

/// All names lead here.
#[derive(Clone)]
struct Here(SocketAddr);

impl Service<Name> for Here {
    type Response = std::iter::Once<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(std::iter::once(self.0)))
    }
}

pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    let mut http = HttpConnector::new_with_resolver(Here(args.address()));
    http.enforce_http(false);
    http.set_nodelay(true);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls(args, &[])?)
        .https_only();
    let https = match args.http1 {
        true => https.enable_http1().wrap_connector(http),
        false => https.enable_http2().wrap_connector(http),
    };
    let client = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .http2_initial_stream_window_size(WINDOWS.0)
        .http2_initial_connection_window_size(WINDOWS.1)
        .build(https);
    let uris = args.urls().into_iter().map(Uri::try_from);
    let uris = uris.collect::<Result<_, _>>()?;
    drive(args, &HyperUtil { client, uris }).await
}

impl Client for HyperUtil {
    async fn fetch(&self, origin: usize) -> Result<Fetched, Failure> {
        let (head, body) = self
            .client
            .get(self.uris[origin].clone())
            .await?
            .into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Fetched {
            status: head.status.as_u16(),
            told: Fetched::told(&head.headers),
            body: body.len(),
        })
    }
}
