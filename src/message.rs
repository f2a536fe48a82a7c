//! Every message that crosses an actor boundary.
//!
//! | message | from → to | meaning |
//! |---|---|---|
//! | [`Fetch`] | a caller → Agent | fetch this, answer with a [`Response`] |
//! | [`Open`] | a caller → Agent | fetch this, answer at its head with an [`OpenResponse`] |
//! | `Submit` | Engine → Agent, by its tray | the same for `Engine::fetch` and `Engine::open` |
//! | `Attempt` | Agent → Pool → Connection by their trays → Stream | carries the request and the right to answer it |
//! | `Failed` | whoever held the attempt → Agent | it came to nothing: retry or tell the caller |
//! | its number | Connection → Pool, by a tray | streams of it are over |
//! | `ConnectionEvent` | Connection → Pool | room, suspect, recovered, draining, closed |
//! | `StreamDone` | Stream → Connection, by a tray | the stream is off the session, and how it ended |
//! //! | `Pushed` | Stream → Pool | what the server promises is on its way, here, or lost |
//! | `Granted` | ledger of sockets → Pool | the place you waited for |
//! | `Displace` | ledger of sockets → Pool | this connection is to make room for another origin |
//! | `TellIdle` | ledger of sockets → Pool | places have become few: who is idle? |
//! | `Close` | Shard → Pool → Connection → Stream | take nothing new, finish, say GOAWAY, close |
//! | [`TakeSnapshot`] | a caller → Agent | show what is inside |
//! | `Inspect` | Agent, Engine → Pool | the same for one arbiter |
//! | [`CloseIdle`], [`CloseOrigin`], [`Drain`] | a caller → Agent | close some connections, in order |
//! | `Tidy` | Agent, Engine → Pool | the same for one arbiter |
//! | `Shutdown` | Engine → Shard | let what is open finish within a grace, then close everything |
//! | `Ended` | Pool, Agent → Shard | the actor is gone: start another |
//! | `Drill` | a caller → any actor | panic or stop (feature `fault-injection`) |
//!
//! A fetch's success does not come back up this way: the Stream answers the caller itself, by the
//! right that the attempt carries.

pub(crate) mod attempt;
pub(crate) mod caller;
pub(crate) mod gate;
pub(crate) mod pushed;
pub(crate) mod tray;
pub(crate) mod vitals;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Message, Recipient, WeakRecipient};
use tokio::sync::oneshot;

use crate::body::OpenResponse;
use crate::error::{Error, ErrorCode};
use crate::message::attempt::{Attempt, Outcome};
use crate::message::caller::Caller;
use crate::origin::{Origin, Target};
use crate::request::Request;
use crate::response::{Failure, Response};
use crate::view::{Reason, Snapshot};

/// Asks an Agent for one response.
///
/// Sent with `do_send`, the fetch is made and its response dropped.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Response, Failure>")]
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

/// Asks an Agent for one response, to be answered as soon as there is a head; its body follows.
///
/// A response whose status leads to a redirect or another attempt is gathered first.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<OpenResponse, Failure>")]
pub struct Open(pub Request);

impl From<Request> for Open {
    fn from(request: Request) -> Self {
        Self(request)
    }
}

/// Asks an Agent for one response, to be answered elsewhere.
#[derive(Debug)]
pub(crate) struct Submit {
    pub(crate) request: Arc<Request>,
    /// Of the request, or what is wrong with it.
    pub(crate) origin: Result<Origin, Error>,
    pub(crate) caller: Caller,
    /// When it was asked for: the way through mailboxes counts.
    pub(crate) accepted: Instant,
}

/// An attempt that came to nothing, or to less than was hoped for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Failed {
    pub(crate) attempt: Attempt,
    pub(crate) outcome: Outcome,
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
    /// Streams that were over before, and not yet counted.
    pub(crate) over: u64,
    pub(crate) news: News,
}

/// The news itself.
#[derive(Debug)]
pub(crate) enum News {
    /// It is open, or the server changed its mind: so many streams may be open at once.
    Room(usize),
    /// It may be dead.
    Suspect,
    /// It is alive after all.
    Recovered,
    /// The server has asked for fewer requests (ENHANCE_YOUR_CALM).
    Calm,
    /// The server has asked for HTTP/1.1.
    Http1Required,
    /// It takes no more streams.
    Draining {
        reason: Reason,
        /// The server's goodbye, if that is the reason.
        goaway: Option<GoAway>,
    },
    /// It is gone.
    Closed {
        reason: Reason,
        /// Why it could not be opened, or why it ended.
        error: Option<Error>,
        /// The server's goodbye, if it said one.
        goaway: Option<GoAway>,
    },
}

/// A GOAWAY frame (RFC 9113 §6.8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GoAway {
    /// The last stream that the server may act on.
    pub(crate) last: u32,
    /// Why.
    pub(crate) code: u32,
}

/// The stream is off the session; its slot is free.
#[derive(Debug)]
pub(crate) struct StreamDone {
    pub(crate) number: u64,
    pub(crate) finish: Finish,
    /// Whether its actor can take another fetch.
    pub(crate) goes_on: bool,
}

/// What the end of a stream says of its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Finish {
    /// Nothing.
    Plain,
    /// There was a response.
    Answered,
    /// The server was silent on it for too long.
    TimedOut,
    /// The server reset it.
    Reset(ErrorCode),
}

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

/// Other origins wait for the place of this connection.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Displace {
    pub(crate) connection: u64,
    pub(crate) how: How,
}

/// Places have become few: the ledger of sockets is to know of every idle connection.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TellIdle;

/// How a connection is to make room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    /// It was idle when it was chosen: close it.
    Evict,
    /// It is at work: it has its turn, and then others have theirs.
    Yield,
}

/// Take no more streams, let the open ones finish, close.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close {
    /// Do not wait for the open streams.
    pub(crate) now: bool,
    pub(crate) reason: Reason,
}

/// Asks an Agent for a [`Snapshot`] of its engine.
///
/// ```no_run
/// # async fn run(engine: gannet::Engine) -> Result<(), actix::MailboxError> {
/// let snapshot = engine.agent().send(gannet::message::TakeSnapshot).await?;
/// println!("{} sockets, {} requests", snapshot.sockets, snapshot.counters.requests);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Snapshot")]
pub struct TakeSnapshot;

/// Asks an Agent to have all idle connections of its engine closed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseIdle;

/// Asks an Agent to have the connections of one origin closed, once their streams have ended. A
/// later fetch opens another.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseOrigin(pub Origin);

/// Asks an Agent to have every connection of its engine closed, once its streams have ended, as
/// after a change of networks. Fetches go on, on connections of their own.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Asks a Pool for its part of a [`Snapshot`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Inspect {
    pub(crate) reply: oneshot::Sender<Snapshot>,
}

/// Tells a Pool to close some of its connections, in order.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Tidy {
    /// Those without a stream.
    Idle,
    /// Those of one origin.
    Origin(Origin),
    /// All.
    All,
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
