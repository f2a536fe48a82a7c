//! Who waits for the answer of a fetch.

use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::body::OpenResponse;
use crate::message::pushed::Awaited;
use crate::response::{Failure, Response};

/// Where the answer goes.
#[derive(Debug)]
pub(crate) enum Caller {
    /// Nobody wants it, or it has been given.
    Nobody,
    /// It has the head already, and the body follows.
    Given,
    /// It is wanted whole. In a box, for it is large, and passes through many hands.
    Whole(oneshot::Sender<Result<Box<Response>, Failure>>),
    /// It is wanted whole, by a message.
    Asker(oneshot::Sender<Result<Response, Failure>>),
    /// It is wanted as soon as there is a head.
    AtHead(oneshot::Sender<Result<OpenResponse, Failure>>),
    /// The server promised it, and the Pool keeps it.
    Pool(Awaited),
}

impl Caller {
    /// Answers. A caller that is gone does not mind.
    pub(crate) fn answer(self, outcome: Result<Box<Response>, Failure>) {
        match self {
            Self::Nobody | Self::Given => {}
            Self::Whole(caller) => {
                let _ = caller.send(outcome);
            }
            Self::Asker(caller) => {
                let _ = caller.send(outcome.map(|response| *response));
            }
            Self::AtHead(caller) => {
                let _ = caller.send(outcome.map(|response| OpenResponse::from(*response)));
            }
            Self::Pool(awaited) => awaited.end(outcome),
        }
    }

    /// Answers with a response whose body is yet to come. Whether somebody takes it.
    pub(crate) fn open(self, response: OpenResponse) -> bool {
        match self {
            Self::AtHead(caller) => caller.send(Ok(response)).is_ok(),
            Self::Nobody | Self::Given | Self::Whole(_) | Self::Asker(_) | Self::Pool(_) => false,
        }
    }

    /// Whether it has stopped waiting.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Nobody | Self::Given | Self::Pool(_) => false,
            Self::Whole(caller) => caller.is_closed(),
            Self::Asker(caller) => caller.is_closed(),
            Self::AtHead(caller) => caller.is_closed(),
        }
    }

    /// Ready when it stops waiting.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Nobody | Self::Given | Self::Pool(_) => Poll::Pending,
            Self::Whole(caller) => caller.poll_closed(cx),
            Self::Asker(caller) => caller.poll_closed(cx),
            Self::AtHead(caller) => caller.poll_closed(cx),
        }
    }
}

/// What actix's own `send` waits on.
impl From<Option<oneshot::Sender<Result<Response, Failure>>>> for Caller {
    fn from(asker: Option<oneshot::Sender<Result<Response, Failure>>>) -> Self {
        asker.map_or(Self::Nobody, Self::Asker)
    }
}

impl From<Option<oneshot::Sender<Result<OpenResponse, Failure>>>> for Caller {
    fn from(asker: Option<oneshot::Sender<Result<OpenResponse, Failure>>>) -> Self {
        asker.map_or(Self::Nobody, Self::AtHead)
    }
}
