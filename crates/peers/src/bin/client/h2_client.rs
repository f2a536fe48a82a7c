//! The h2 crate and rustls alone, with no more around them than the workloads need: a connection for
//! each origin, those used last kept.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gannet_peers::{Args, Client, Failure, Fetched, WINDOWS, drive, tls};
use h2::client::SendRequest;
use http::Uri;
use lru::LruCache;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

type Place = Rc<OnceCell<SendRequest<Bytes>>>;

struct H2 {
    args: Args,
    uris: Vec<Uri>,
    tls: TlsConnector,
    open: RefCell<LruCache<usize, Place>>,
    dialled: Cell<u64>,
    /// Where connections are driven.
    driver: Handle,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_io()
        .build();
    let elsewhere = args.apart.then_some(runtime).transpose()?;
    crate::here(async {
        let uris = args.urls().into_iter().map(Uri::try_from);
        let cap = NonZeroUsize::new(args.cap).ok_or("a cap of none")?;
        let client = H2 {
            args: args.clone(),
            uris: uris.collect::<Result<_, _>>()?,
            tls: TlsConnector::from(Arc::new(tls(args, &["h2"])?)),
            open: RefCell::new(LruCache::new(cap)),
            dialled: Cell::new(0),
            driver: elsewhere
                .as_ref()
                .map_or_else(Handle::current, |runtime| runtime.handle().clone()),
        };
        drive(args, &client).await
    })
}

impl H2 {
    async fn sender(&self, origin: usize) -> Result<SendRequest<Bytes>, Failure> {
        // The one whose turn it is to go is closed when its last stream has ended.
        let place = {
            let mut open = self.open.borrow_mut();
            Rc::clone(open.get_or_insert(origin, Place::default))
        };
        let sender = place.get_or_try_init(|| self.dial(origin)).await?;
        Ok(sender.clone().ready().await?)
    }

    async fn dial(&self, origin: usize) -> Result<SendRequest<Bytes>, Failure> {
        self.dialled.set(self.dialled.get() + 1);
        let host = self.uris[origin].host().unwrap_or_default().to_owned();
        let (tls, address) = (self.tls.clone(), self.args.address());
        let streams = self.args.in_flight;
        let dialled = self.driver.spawn(async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            let io = tls.connect(ServerName::try_from(host)?, tcp).await?;
            let (sender, connection) = h2::client::Builder::new()
                .initial_window_size(WINDOWS.0)
                .initial_connection_window_size(WINDOWS.1)
                .initial_max_send_streams(streams)
                .enable_push(false)
                .handshake(io)
                .await?;
            tokio::spawn(connection);
            Ok::<_, Failure>(sender)
        });
        dialled.await?
    }
}

impl Client for H2 {
    async fn fetch(&self, origin: usize) -> Result<Fetched, Failure> {
        let mut sender = self.sender(origin).await?;
        let request = http::Request::get(self.uris[origin].clone()).body(())?;
        let (response, _) = sender.send_request(request, true)?;
        let (head, mut body) = response.await?.into_parts();
        let told = Fetched::told(&head.headers);
        let mut whole = BytesMut::with_capacity(told.unwrap_or(0));
        while let Some(piece) = body.data().await {
            let piece = piece?;
            whole.extend_from_slice(&piece);
            body.flow_control().release_capacity(piece.len())?;
        }
        Ok(Fetched {
            status: head.status.as_u16(),
            told,
            body: whole.len(),
        })
    }

    async fn handshakes(&self) -> Option<u64> {
        Some(self.dialled.get())
    }
}
