//! What a server pushes, on its way to the Pool, which keeps it.

use std::sync::Arc;

use actix::{Message, WeakRecipient};
use http::{HeaderMap, Method};

use crate::origin::{Origin, Target};
use crate::response::{Failure, Response};

/// Tells a Pool of a response that was promised and taken.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Pushed {
    pub(crate) promise: Arc<Promised>,
    pub(crate) news: PushNews,
}

/// The news itself.
#[derive(Debug)]
pub(crate) enum PushNews {
    /// It is on its way.
    Coming,
    /// It has come.
    Here(Box<Response>),
    /// It will not come.
    Lost,
}

/// The request that a server promises to answer, and which of all promises it is.
#[derive(Debug)]
pub(crate) struct Promised {
    pub(crate) key: PushKey,
    pub(crate) headers: HeaderMap,
    /// Number of the connection, and of the stream on it.
    pub(crate) on: (u64, u32),
}

/// What a fetch must have in common with a promise.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct PushKey {
    origin: Origin,
    method: Method,
    path: Box<str>,
}

impl PushKey {
    pub(crate) fn new(origin: &Origin, method: &Method, target: &Target) -> Self {
        Self {
            origin: origin.clone(),
            method: method.clone(),
            path: target.path_and_query().into(),
        }
    }
}

/// The wait of a Pool for what was promised. It hears once how that ended, dropping included.
#[derive(Debug)]
pub(crate) struct Awaited {
    promise: Arc<Promised>,
    pool: Option<WeakRecipient<Pushed>>,
}

impl Awaited {
    /// Tells the Pool what it is to wait for. Whoever fetches it after the response that it was
    /// promised with comes to the Pool later than this.
    pub(crate) fn new(promise: Promised, pool: &WeakRecipient<Pushed>) -> Self {
        let promise = Arc::new(promise);
        tell(pool, &promise, PushNews::Coming);
        Self {
            promise,
            pool: Some(pool.clone()),
        }
    }

    pub(crate) fn end(mut self, outcome: Result<Box<Response>, Failure>) {
        self.tell(match outcome {
            Ok(response) => PushNews::Here(response),
            Err(_) => PushNews::Lost,
        });
    }

    fn tell(&mut self, news: PushNews) {
        if let Some(pool) = self.pool.take() {
            tell(&pool, &self.promise, news);
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.tell(PushNews::Lost);
    }
}

fn tell(pool: &WeakRecipient<Pushed>, promise: &Arc<Promised>, news: PushNews) {
    if let Some(pool) = pool.upgrade() {
        let promise = Arc::clone(promise);
        pool.do_send(Pushed { promise, news });
    }
}
