//! The handle that starts everything, and the ways in that need no actor.

mod builder;
mod residents;
mod shard;
mod threads;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use futures::stream::{Stream, StreamExt};
use futures::{FutureExt, TryFutureExt};
use tokio::sync::oneshot;

pub use crate::engine::builder::Builder;

use crate::agent::Agent;
use crate::body::OpenResponse;
use crate::clock::now;
use crate::engine::shard::Shard;
use crate::engine::threads::Threads;
use crate::error::Error;
use crate::message::caller::Caller;
use crate::message::tray::Tray;
use crate::message::{Shutdown, Submit, Tidy};
use crate::origin::Origin;
use crate::request::Request;
use crate::response::{Failure, Response};
use crate::view::{Lifecycles, Snapshot};

/// A running fetch engine. Cloning copies a handle.
///
/// The engine stops when the last handle and the last [`Agent`] address are gone, and nothing is
/// in flight. To stop it in order, [`shutdown`](Self::shutdown).
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use gannet::{Engine, Request};
///
/// let engine = Engine::builder().start()?;
/// let response = engine.fetch(Request::get("https://example.com/")).await?;
/// println!("{} with {} bytes", response.status, response.body.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    with: shard::With,
    shards: Vec<Addr<Shard>>,
    /// `None` where the engine lives on its starter's arbiter. Dropped last.
    threads: Option<Threads>,
}

impl Engine {
    /// Sets an engine up.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn new(with: shard::With, shards: Vec<Addr<Shard>>, threads: Option<Threads>) -> Self {
        let inner = Inner {
            with,
            shards,
            threads,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Starts an [`Agent`] on the caller's arbiter, to be sent [`Fetch`](crate::Fetch) messages.
    ///
    /// # Panics
    ///
    /// Outside an actix system or a tokio `LocalSet`.
    #[must_use]
    pub fn agent(&self) -> Addr<Agent> {
        let mut with = self.inner.with.agent();
        with.keep = Some(self.inner.clone());
        Agent::new(with, Tray::default()).start()
    }

    /// Fetches. The future may be awaited on any executor; dropping it cancels the fetch, wherever
    /// that is: a stream already open is reset with CANCEL.
    ///
    /// # Errors
    ///
    /// Why there is no response. A response of any status is no error.
    pub fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Failure>> + Send + use<> {
        self.boxed(request).map_ok(|response| *response)
    }

    /// The response in a box: it is large, and whoever passes it on moves it.
    fn boxed(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Box<Response>, Failure>> + Send + use<> {
        self.ask(request, Caller::Whole)
    }

    /// Fetches, and answers as soon as there is a head; the [`Body`](crate::Body) follows, to be read
    /// piece by piece, on any executor. Dropping the future, or the body, cancels.
    ///
    /// The deadline is one for the head, unless the request sets one itself, which then is for all;
    /// [`Config::max_body`](crate::Config::max_body) likewise holds only if the request sets it.
    ///
    /// # Errors
    ///
    /// Why there is no response. What goes wrong after its head is an error of the body.
    pub fn open(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<OpenResponse, Failure>> + Send + use<> {
        self.ask(request, Caller::AtHead)
    }

    fn ask<T: Send + 'static>(
        &self,
        request: Request,
        asks: fn(oneshot::Sender<Result<T, Failure>>) -> Caller,
    ) -> impl Future<Output = Result<T, Failure>> + Send + use<T> {
        let (inner, request) = (Arc::clone(&self.inner), Arc::new(request));
        async move {
            let Inner { with, .. } = &*inner;
            let accepted = now();
            let origin = with.config.origin_of(&request);
            // A faulty request has no origin; any Agent can tell its sender so.
            let shard = origin
                .as_ref()
                .map_or(0, |origin| with.inside.routes.shard_of(origin));
            while let Some(agent) = with.residents.of(shard) {
                let (caller, answer) = oneshot::channel();
                agent.hatch.put(Submit {
                    request: Arc::clone(&request),
                    origin: origin.clone(),
                    caller: asks(caller),
                    accepted,
                });
                if let Ok(answer) = answer.await {
                    return answer;
                }
                // No answer at all: the Agent ended with the fetch still in its mailbox.
                // In a box: in nearly every fetch it would be room for nothing.
                Box::pin(with.residents.succeeds(shard, &agent)).await;
            }
            Err(Error::Closed { sent: false }.into())
        }
    }

    /// Fetches all of `requests`, `in_flight` at a time (0 counts as 1), and yields the responses
    /// as they complete, each with the key its request came with.
    ///
    /// A request is pulled only when there is room for it, so the input may be endless. Dropping
    /// the stream cancels what is in flight.
    ///
    /// ```no_run
    /// # async fn run(engine: gannet::Engine, urls: Vec<String>) {
    /// use futures::{StreamExt, stream};
    /// use gannet::Request;
    ///
    /// let requests = stream::iter(urls).map(|url| (url.clone(), Request::get(url)));
    /// let mut pages = engine.fetch_all(requests, 100);
    /// while let Some((url, result)) = pages.next().await {
    ///     match result {
    ///         Ok(response) => println!("{url}: {}", response.status),
    ///         Err(error) => println!("{url}: {error}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn fetch_all<K, S>(
        &self,
        requests: S,
        in_flight: usize,
    ) -> impl Stream<Item = (K, Result<Response, Failure>)> + Unpin + use<K, S>
    where
        S: Stream<Item = (K, Request)>,
    {
        let engine = self.clone();
        let fetches = requests
            .map(move |(key, request)| engine.boxed(request).map(|response| (key, response)));
        let answers = fetches.buffer_unordered(in_flight.max(1));
        Box::pin(answers.map(|(key, response)| (key, response.map(|response| *response))))
    }

    /// Stops: takes no more fetches, lets the open ones finish within `grace`, says goodbye to
    /// every server, closes. Every fetch is answered; those that the grace does not suffice for
    /// with [`Error::Closed`]. May be called again, and on any handle; of several graces the one that
    /// ends first counts.
    pub async fn shutdown(&self, grace: Duration) {
        let gate = &self.inner.with.inside.gate;
        gate.shut();
        let mut leaving = Vec::new();
        for shard in &self.inner.shards {
            let (done, left) = oneshot::channel();
            shard.do_send(Shutdown { grace, done });
            leaving.push(left);
        }
        for left in leaving {
            // An error says that the shard had left before.
            let _ = left.await;
        }
        // What the threads' actors still hold is answered on the way out.
        if let Some(threads) = &self.inner.threads {
            threads.stop();
        }
    }

    /// What is inside at this moment: every connection, every origin in use, every counter. The
    /// future may be awaited on any executor.
    ///
    /// ```no_run
    /// # async fn run(engine: gannet::Engine) {
    /// let snapshot = engine.snapshot().await;
    /// for connection in &snapshot.connections {
    ///     println!("{} {:?}: {} streams", connection.origin, connection.state, connection.streams);
    /// }
    /// println!("{} handshakes", snapshot.counters.handshakes);
    /// # }
    /// ```
    pub fn snapshot(&self) -> impl Future<Output = Snapshot> + Send + use<> {
        let inside = Arc::clone(&self.inner.with.inside);
        async move { inside.snapshot().await }
    }

    /// What happens to connections from now on.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycles {
        let changes = self.inner.with.changes.subscribe();
        Lifecycles { changes }
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        self.inner.with.inside.tidy(&Tidy::Idle);
    }

    /// Closes the connections of one origin, once their streams have ended. A later fetch opens
    /// another.
    pub fn close_origin(&self, origin: &Origin) {
        self.inner.with.inside.tidy(&Tidy::Origin(origin.clone()));
    }

    /// Closes every connection, once its streams have ended, as after a change of networks.
    /// Fetches go on, on connections of their own.
    pub fn drain(&self) {
        self.inner.with.inside.tidy(&Tidy::All);
    }

    #[cfg(feature = "fault-injection")]
    /// Makes an actor fail.
    pub fn drill(&self, drill: crate::message::Drill) {
        let shard = self.inner.with.inside.routes.shard_of(&drill.origin);
        if let Some(agent) = self.inner.with.residents.of(shard) {
            agent.address.do_send(drill);
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("arbiters", &self.inner.shards.len())
            .field("fetches", &self.inner.with.inside.gate.inside())
            .finish_non_exhaustive()
    }
}
