//! awc: one workload, in a process of its own. Prints what it took as one line of JSON.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_tls::connect::{Connector, Resolve, Resolver};
use awc::http::Uri;
use futures::future::{LocalBoxFuture, ready};
use gannet_peers::{Args, Client, Failure, Fetched, WINDOWS, drive, raise_files, tls};

/// Larger bodies are refused; gannet's default.
const MAX_BODY: usize = 32 << 20;

struct Awc {
    client: awc::Client,
    uris: Vec<Uri>,
}

/// All names lead here.
struct Here(SocketAddr);

impl Resolve for Here {
    fn lookup<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(ready(Ok(vec![self.0])))
    }
}

fn main() -> Result<(), Failure> {
    raise_files()?;
    let args = Args::parse()?;
    actix_rt::System::new().block_on(async {
        let (stream, connection) = WINDOWS;
        let tcp = Connector::new(Resolver::custom(Here(args.address())));
        let connector = awc::Connector::new()
            .connector(tcp.service())
            .rustls_0_23(Arc::new(tls(&args, &[args.alpn()])?))
            .initial_window_size(stream)
            .initial_connection_window_size(connection)
            // It counts fetches, not connections: with fewer, some would wait.
            .limit(args.cap.max(args.in_flight));
        let client = awc::Client::builder().connector(connector).finish();
        let uris = args.urls().into_iter().map(Uri::try_from);
        let uris = uris.collect::<Result<_, _>>()?;
        drive(&args, &Awc { client, uris }).await
    })
}

impl Client for Awc {
    async fn fetch(&self, origin: usize) -> Result<Fetched, Failure> {
        let request = self.client.get(self.uris[origin].clone()).send();
        let mut response = request.await.map_err(|error| error.to_string())?;
        let told = response.headers().get("content-length");
        let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response.body().limit(MAX_BODY).await;
        let body = body.map_err(|error| error.to_string())?.len();
        Ok(Fetched { status, told, body })
    }
}
