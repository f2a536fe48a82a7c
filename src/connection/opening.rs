//! From an origin to a session with it.

use std::rc::Rc;
use std::sync::Arc;

use crate::clock::now;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::Dialer;
use crate::origin::{Origin, Protocols};
use crate::response::Peer;
use crate::session::{self, Session};
use crate::stream::Common;

/// A session, ready for requests, and who is at its other end.
pub(super) struct Opened {
    pub(super) session: session::Opened,
    pub(super) peer: Peer,
}

/// Dials, and starts the session.
pub(super) async fn open(
    dialer: Arc<Dialer>,
    config: Arc<Config>,
    origin: Origin,
    protocols: Protocols,
    initial_streams: usize,
    vitals: Rc<Vitals>,
) -> Result<Opened, Error> {
    let opening = async {
        let dialed = dialer.dial(&origin, protocols, Rc::clone(&vitals)).await?;
        let (line, mut peer, started) = (dialed.line, dialed.peer, dialed.started);
        let session = session::open(line, &config, initial_streams, vitals).await?;
        peer.dial.total = now().saturating_duration_since(started);
        Ok(Opened { session, peer })
    };
    let after = config.connect_timeout;
    match tokio::time::timeout(after, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::ConnectTimeout { after }),
    }
}

impl Connection {
    /// Lets its Pool see who is at the other end.
    pub(super) fn show(&self, peer: &Peer) {
        let vitals = &self.with.vitals;
        vitals.peer.set(Some(peer.address));
        vitals.handshake.set(peer.dial.total);
        vitals.round_trip.set(peer.dial.tcp);
        vitals.heard.set(Some(now()));
    }

    /// What its streams will have in common.
    pub(super) fn common(&self, session: Session, peer: Peer) -> Common {
        Common {
            session,
            config: Arc::clone(&self.with.config),
            tally: Arc::clone(&self.with.tally),
            bytes: Arc::clone(&self.with.bytes),
            peer: Arc::new(peer),
            connection: self.with.id.serial,
            keeper: self.with.keeper.clone(),
        }
    }
}
