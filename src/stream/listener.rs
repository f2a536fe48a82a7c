//! Those who want to hear of the events of a fetch.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::error::Error;
use crate::event::{EventHandler, Flow, On};
use crate::origin::Target;
use crate::stream::Work;

/// The engine's handler and the request's, as far as there are any.
pub(super) struct Listener {
    stream: u32,
    is_heard: bool,
}

impl Listener {
    pub(super) fn new(work: &Work, stream: u32) -> Self {
        let is_heard = work.common.config.events.handler().is_some()
            || work.attempt.request().listener().handler().is_some();
        Self { stream, is_heard }
    }

    pub(super) fn response(
        &self,
        work: &Work,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Flow, Error> {
        self.ask(work, |handler, on| {
            handler.response_received(on, status, headers)
        })
    }

    pub(super) fn informational(
        &self,
        work: &Work,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        self.tell(work, |handler, on| {
            handler.informational_received(on, status, headers)
        })
    }

    pub(super) fn data(&self, work: &Work, data: &Bytes) -> Result<Flow, Error> {
        self.ask(work, |handler, on| handler.data_received(on, data))
    }

    pub(super) fn large(&self, work: &Work, bytes: u64) -> Result<(), Error> {
        self.tell(work, |handler, on| handler.body_grew_large(on, bytes))
    }

    pub(super) fn trailers(&self, work: &Work, trailers: &HeaderMap) -> Result<(), Error> {
        self.tell(work, |handler, on| handler.trailers_received(on, trailers))
    }

    pub(super) fn window(&self, work: &Work, bytes: usize) -> Result<(), Error> {
        self.tell(work, |handler, on| handler.window_updated(on, bytes))
    }

    /// Whether somebody takes what is promised. All are asked.
    pub(super) fn promise(
        &self,
        work: &Work,
        promised: &Target,
        headers: &HeaderMap,
    ) -> Result<bool, Error> {
        let is_taken = Cell::new(false);
        self.tell(work, |handler, on| {
            is_taken.set(handler.push_promised(on, promised, headers) | is_taken.get());
        })?;
        Ok(is_taken.get())
    }

    /// The last that is heard of an work.attempt.
    pub(super) fn over(&self, work: &Work, error: Option<&Error>) -> Result<(), Error> {
        match error {
            None => self.tell(work, |handler, on| handler.stream_ended(on)),
            Some(Error::Reset { code, by_server }) => self.tell(work, |handler, on| {
                handler.stream_reset(on, *code, *by_server)
            }),
            Some(
                error @ (Error::GoAway { .. }
                | Error::Disconnected { .. }
                | Error::Unresponsive { .. }),
            ) => self.terminated(work, error),
            Some(_) => Ok(()),
        }
    }

    /// The engine's handler hears of it from the connection itself.
    fn terminated(&self, work: &Work, error: &Error) -> Result<(), Error> {
        let Some(handler) = work.attempt.request().listener().handler() else {
            return Ok(());
        };
        let (origin, connection) = (work.attempt.origin(), work.common.connection);
        guarded(|| handler.connection_terminated(origin, connection, Some(error)))
    }

    fn tell(&self, work: &Work, tell: impl Fn(&dyn EventHandler, &On<'_>)) -> Result<(), Error> {
        let told = self.ask(work, |handler, on| {
            tell(handler, on);
            Flow::Continue
        });
        told.map(|_| ())
    }

    /// Both are asked, whatever the first says.
    fn ask(
        &self,
        work: &Work,
        ask: impl Fn(&dyn EventHandler, &On<'_>) -> Flow,
    ) -> Result<Flow, Error> {
        if !self.is_heard {
            return Ok(Flow::Continue);
        }
        let on = On {
            method: work.attempt.request().method(),
            target: work.attempt.target(),
            connection: work.common.connection,
            stream: self.stream,
        };
        let mut flow = Flow::Continue;
        let handlers = [
            work.common.config.events.handler(),
            work.attempt.request().listener().handler(),
        ];
        for handler in handlers.into_iter().flatten() {
            if guarded(|| ask(handler, &on))? == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        Ok(flow)
    }
}

/// A panic in what is not the engine's own code ends one fetch, and nothing else.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Error> {
    // What the handler may leave behind half-done is its own.
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Error::Handler)
}
