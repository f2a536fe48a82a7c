//! reqwest. It knows no limit on all its connections.

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use gannet_peers::{Args, Client, Failure, Fetched, WINDOWS, drive, tls};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

struct Reqwest {
    client: reqwest::Client,
    urls: Vec<Url>,
}

/// All names lead here.
struct Here(SocketAddr);

impl Resolve for Here {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(ready(Ok(addresses)))
    }
}

pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(args, &[args.alpn()])?)
        .dns_resolver(Arc::new(Here(args.address())))
        .no_proxy()
        .http2_initial_stream_window_size(WINDOWS.0)
        .http2_initial_connection_window_size(WINDOWS.1);
    if args.http1 {
        client = client.http1_only();
    }
    let urls = args.urls();
    let urls = urls.iter().map(|url| Url::parse(url));
    let (client, urls) = (client.build()?, urls.collect::<Result<_, _>>()?);
    drive(args, &Reqwest { client, urls }).await
}

impl Client for Reqwest {
    async fn fetch(&self, origin: usize) -> Result<Fetched, Failure> {
        let response = self.client.get(self.urls[origin].clone()).send().await?;
        let status = response.status().as_u16();
        let told = Fetched::told(response.headers());
        let body = response.bytes().await?.len();
        Ok(Fetched { status, told, body })
    }
}
