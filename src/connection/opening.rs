//! From an origin to a session with it.

use std::rc::Rc;
use std::sync::Arc;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::message::vitals::Vitals;
use crate::net::Dialer;
use crate::origin::{Origin, Protocols};
use crate::response::Peer;
use crate::session;

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
        let (mut peer, started) = (dialed.peer.clone(), dialed.started);
        let session = session::open(dialed, &config, initial_streams, vitals).await?;
        peer.dial.total = now().saturating_duration_since(started);
        Ok(Opened { session, peer })
    };
    let after = config.connect_timeout;
    match tokio::time::timeout(after, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::ConnectTimeout { after }),
    }
}
