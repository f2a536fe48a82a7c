//! Every message that crosses an actor boundary.
//!
//! | message | from → to | meaning |
//! |---|---|---|
//! | [`Fetch`] | a caller → Agent | fetch this, answer with a [`Response`] |
//! | `Submit` | Engine → Agent | the same for `Engine::fetch` |
//! | `Attempt` | Agent → Pool → Connection → Stream | carries the request and the right to answer it |
//! | `Failed` | whoever held the attempt → Agent | it came to nothing: retry or tell the caller |
//! | `ConnectionEvent` | Connection → Pool | ready, room, freed, draining, closed |
//! | `StreamDone` | Stream → Connection | the stream is off the session |
//! | `Granted` | ledger of sockets → Pool | the place you waited for |
//! | `Evict` | ledger of sockets → Pool | close this idle connection, another origin waits |
//! | `Close` | Shard → Pool → Connection → Stream | take nothing new, finish, say GOAWAY, close |
//! | `Shutdown` | Engine → Shard | let what is open finish within a grace, then close everything |
//! | `Ended` | Pool, Agent → Shard | the actor is gone: start another |
//! | `Drill` | a caller → any actor | panic or stop (feature `fault-injection`) |
//!
//! A fetch's success does not come back up this way: the Stream answers the caller itself, by the
//! right that the attempt carries.

pub(crate) mod attempt;
pub(crate) mod gate;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Message, Recipient, WeakRecipient};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::message::attempt::{Attempt, Caller};
use crate::origin::{Origin, Target};
use crate::request::Request;
use crate::response::Response;

/// Asks an Agent for one response.
///
/// Sent with `do_send`, the fetch is made and its response dropped.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Response, Error>")]
pub struct Fetch(pub Request);

impl Fetch {
    /// A `GET` of `url`.
    pub fn get<U>(url: U) -> Self
    where
        U: TryInto<Target>,
        U::Error: Into<Error>,
    {
        Self(Request::get(url))
    }
}

impl From<Request> for Fetch {
    fn from(request: Request) -> Self {
        Self(request)
    }
}

/// Asks an Agent for one response, to be answered elsewhere.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Submit {
    pub(crate) request: Arc<Request>,
    pub(crate) caller: Caller,
    /// When it was asked for: the way through mailboxes counts.
    pub(crate) accepted: Instant,
}

/// An attempt that came to nothing.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Failed {
    pub(crate) attempt: Attempt,
    pub(crate) error: Error,
}

/// Names one incarnation of a connection: its origin may be dialled again while it drains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ConnectionId {
    pub(crate) origin: Origin,
    pub(crate) serial: u64,
}

/// What a connection tells its Pool.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionEvent {
    pub(crate) id: ConnectionId,
    pub(crate) news: News,
}

/// The news itself.
#[derive(Debug)]
pub(crate) enum News {
    /// It is open, or the server changed its mind: so many streams may be open at once.
    Room(usize),
    /// A stream ended.
    Freed,
    /// It takes no more streams.
    Draining,
    /// It is gone; `error` if it could not be opened at all.
    Closed { error: Option<Error> },
}

/// The stream is off the session; its slot is free.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StreamDone(pub(crate) u64);

/// A place for one more socket has come free for `origin`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Granted {
    pub(crate) origin: Origin,
    pub(crate) permit: Permit,
}

/// The right to one open socket; dropping it gives the place to the next in line.
///
/// Whoever owns the socket owns its permit, and lets go of the socket first.
pub(crate) struct Permit {
    serial: u64,
    release: Option<Box<dyn FnOnce() + Send>>,
}

impl Permit {
    pub(crate) fn new(serial: u64, release: impl FnOnce() + Send + 'static) -> Self {
        Self {
            serial,
            release: Some(Box::new(release)),
        }
    }

    /// The number of the socket within its engine.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.serial).finish()
    }
}

/// Another origin waits for the place of this connection, which was idle when it was chosen.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Evict(pub(crate) u64);

/// Take no more streams, let the open ones finish, close.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close {
    /// Do not wait for the open streams.
    pub(crate) now: bool,
}

/// Let open fetches finish within `grace`, then close every connection; tell when all are gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown {
    pub(crate) grace: Duration,
    pub(crate) done: oneshot::Sender<()>,
}

/// An actor under supervision is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum Ended {
    /// It leaves connections behind, which drain.
    Pool {
        orphans: Vec<Recipient<Close>>,
    },
    Agent,
}

/// Tells a supervisor of an actor's end; kept by the actor, sent from its `stopped`.
pub(crate) type Supervisor = WeakRecipient<Ended>;

/// Makes an actor fail, to rehearse failure. Takes the way of a fetch, so that fetches sent
/// after it are in the victim's mailbox when it strikes.
#[cfg(feature = "fault-injection")]
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Drill {
    /// Whose actors.
    pub origin: Origin,
    /// Which of them.
    pub victim: Victim,
    /// What it does.
    pub fault: Fault,
}

/// The actor that a [`Drill`] is for.
#[cfg(feature = "fault-injection")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Victim {
    /// The Agent that the drill is sent to.
    Agent,
    /// The Pool of the origin's arbiter.
    Pool,
    /// The origin's connection.
    Connection,
    /// Every open stream of the origin's connection.
    Stream,
}

/// What a [`Drill`] makes an actor do.
#[cfg(feature = "fault-injection")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Panic in the handler.
    Panic,
    /// Stop at once.
    Stop,
}

#[cfg(feature = "fault-injection")]
impl Fault {
    pub(crate) fn strike(self, ctx: &mut impl actix::ActorContext) {
        match self {
            Self::Panic => panic!("a drill"),
            Self::Stop => ctx.stop(),
        }
    }
}
