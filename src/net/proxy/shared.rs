//! CONNECT over HTTP/2 (RFC 9113 §8.5): many tunnels on one connection to a proxy.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::FutureExt;
use h2::client::SendRequest;
use http::header::PROXY_AUTHORIZATION;
use http::{Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Config;
use crate::error::Error;
use crate::net::connect::Leg;
use crate::net::proxy::connect::{MAX_HEAD, authority, refused};
use crate::net::proxy::tunnel::Tunnel;
use crate::net::proxy::{authorization, failed};
use crate::origin::Proxy;

/// The proxies that are spoken to in TLS, and what is known of each.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    slots: Mutex<HashMap<Key, Slot>>,
}

/// A proxy, and the local address to connect to it from.
type Key = (Proxy, Option<IpAddr>);

/// Locked while a connection to the proxy is being opened, so that the others wait for it.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Known>>;

/// What is known of a proxy.
#[derive(Debug, Default)]
pub(crate) enum Known {
    #[default]
    Nothing,
    /// It speaks HTTP/1.1: one tunnel a connection.
    Http11,
    /// It speaks HTTP/2; the connection ends with its last tunnel.
    Http2(Weak<Session>),
}

/// A connection to a proxy.
#[derive(Debug)]
pub(crate) struct Session {
    requests: SendRequest<Bytes>,
    leg: Leg,
    tunnels: AtomicUsize,
    /// Whether it has ended, or was silent when it was asked for a tunnel.
    is_spent: Arc<AtomicBool>,
}

impl Shared {
    pub(crate) fn slot(&self, proxy: &Proxy, local: Option<IpAddr>) -> Slot {
        let key = (proxy.clone(), local);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        // There are as many as are in use, and no more.
        slots.retain(|_, slot| {
            let is_idle = Arc::strong_count(slot) == 1;
            !is_idle || slot.try_lock().is_ok_and(|known| known.is_in_use())
        });
        let slot = Slot::default();
        slots.insert(key, Arc::clone(&slot));
        slot
    }
}

impl Known {
    /// A place on a connection that takes one more tunnel.
    pub(crate) fn seat(&self) -> Option<Seat> {
        match self {
            Self::Http2(session) => {
                let session = session.upgrade().filter(|session| session.has_room());
                session.map(Seat::of)
            }
            Self::Nothing | Self::Http11 => None,
        }
    }

    fn is_in_use(&self) -> bool {
        matches!(self, Self::Http2(session) if session.strong_count() > 0)
    }
}

impl Session {
    /// Starts to speak HTTP/2 on `io`, in a task of its own on this thread.
    pub(crate) async fn start<T>(io: T, leg: Leg, config: &Config) -> Result<Arc<Self>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(config.stream_window.min(i32::MAX as u32))
            .initial_connection_window_size(config.connection_window.min(i32::MAX as u32))
            .max_header_list_size(MAX_HEAD as u32);
        let (requests, connection) = builder.handshake(io).await.map_err(broken)?;
        let is_spent = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&is_spent);
        actix_rt::spawn(async move {
            // What went wrong is told to each tunnel.
            let _ = connection.await;
            ended.store(true, Ordering::Relaxed);
        });
        Ok(Arc::new(Self {
            requests,
            leg,
            tunnels: AtomicUsize::new(0),
            is_spent,
        }))
    }

    fn has_room(&self) -> bool {
        let open = self.tunnels.load(Ordering::Relaxed);
        let is_ready = self.requests.clone().ready().now_or_never();
        !self.is_spent.load(Ordering::Relaxed)
            && open < self.requests.current_max_send_streams()
            && is_ready.is_some_and(|ready| ready.is_ok())
    }
}

/// A place for one tunnel.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Session>);

impl Seat {
    pub(crate) fn of(session: Arc<Session>) -> Self {
        session.tunnels.fetch_add(1, Ordering::Relaxed);
        Self(session)
    }

    /// The ends of the connection to the proxy.
    pub(crate) fn leg(&self) -> Leg {
        self.0.leg.clone()
    }

    /// Has the proxy connect to a place.
    pub(crate) async fn connect(
        self,
        proxy: &Proxy,
        host: &str,
        port: u16,
    ) -> Result<Tunnel, Error> {
        let head = request(proxy, host, port)?;
        let mut doubt = Doubt(Some(Arc::clone(&self.0.is_spent)));
        let requests = self.0.requests.clone().ready().await;
        let mut requests = requests.map_err(broken)?;
        let (response, outgoing) = requests.send_request(head, false).map_err(broken)?;
        let response = response.await.map_err(|error| {
            // Of this tunnel alone (RFC 9113 §8.5): the proxy answers, if not kindly.
            if error.is_reset() {
                doubt.0 = None;
            }
            broken(error)
        })?;
        doubt.0 = None;
        match response.status() {
            status if status.is_success() => Ok(Tunnel::new(response.into_body(), outgoing, self)),
            status => Err(refused(status)),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.tunnels.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Gives up a connection on which a proxy was asked and did not answer, so that the next dial does
/// not wait for it too.
struct Doubt(Option<Arc<AtomicBool>>);

impl Drop for Doubt {
    fn drop(&mut self) {
        if let Some(is_spent) = &self.0 {
            is_spent.store(true, Ordering::Relaxed);
        }
    }
}

fn request(proxy: &Proxy, host: &str, port: u16) -> Result<Request<()>, Error> {
    let place = Uri::try_from(authority(host, port));
    let place = place.map_err(|e| failed(format!("it cannot be asked for this host: {e}")))?;
    let mut head = Request::new(());
    *head.method_mut() = Method::CONNECT;
    *head.uri_mut() = place;
    if let Some(value) = authorization(proxy) {
        head.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    Ok(head)
}

/// Without the words of a GOAWAY: they may repeat ours.
fn broken(error: h2::Error) -> Error {
    match error.reason() {
        Some(reason) if error.is_reset() => failed(format!("it reset the tunnel: {reason}")),
        Some(reason) => failed(format!("its HTTP/2 session ended: {reason}")),
        None => failed(format!("its HTTP/2 session ended: {error}")),
    }
}
