//! hyper's HTTP/1.1 connections and rustls, those that are free in a stack.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use bytes::Bytes;
use gannet_peers::{Args, Client, Failure, Fetched, drive, tls};
use http::header::{HOST, HeaderValue};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Hyper1 {
    args: Args,
    /// Of the one origin that there is.
    host: HeaderValue,
    tls: TlsConnector,
    free: RefCell<Vec<SendRequest<Empty<Bytes>>>>,
    dialled: Cell<u64>,
}

pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    let client = Hyper1 {
        args: args.clone(),
        host: format!("o0.bench.test:{}", args.port).try_into()?,
        tls: TlsConnector::from(Arc::new(tls(args, &["http/1.1"])?)),
        free: RefCell::default(),
        dialled: Cell::new(0),
    };
    drive(args, &client).await
}

impl Hyper1 {
    async fn dial(&self) -> Result<SendRequest<Empty<Bytes>>, Failure> {
        self.dialled.set(self.dialled.get() + 1);
        let tcp = TcpStream::connect(self.args.address()).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("o0.bench.test")?;
        let io = self.tls.connect(name, tcp).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Client for Hyper1 {
    async fn fetch(&self, _: usize) -> Result<Fetched, Failure> {
        let free = self.free.borrow_mut().pop();
        let mut sender = match free {
            Some(sender) => sender,
            None => self.dial().await?,
        };
        sender.ready().await?;
        let request = http::Request::get("/").header(HOST, self.host.clone());
        let response = sender.send_request(request.body(Empty::new())?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.free.borrow_mut().push(sender);
        Ok(Fetched {
            status: head.status.as_u16(),
            told: Fetched::told(&head.headers),
            body: body.len(),
        })
    }

    async fn handshakes(&self) -> Option<u64> {
        Some(self.dialled.get())
    }
}
