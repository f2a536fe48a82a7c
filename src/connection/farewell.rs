//! What is told of a connection's end.

use crate::connection::Connection;
use crate::error::Error;
use crate::stream::guarded;
use crate::view::Reason;

impl Connection {
    /// What made it go: known for sure only at the end.
    pub(super) fn reason(&self) -> Reason {
        let fate = self.known.as_ref().and_then(|known| known.fate.get());
        match (self.reason, fate) {
            (Some(Reason::Broken), Some(Error::GoAway { by_server, .. })) if !by_server => {
                Reason::Fault
            }
            (reason, _) => reason.unwrap_or(Reason::Crashed),
        }
    }

    /// The engine's handler hears of it, too.
    pub(super) fn tell_handler(&self, error: Option<&Error>) {
        let Some(handler) = self.with.config.events.handler() else {
            return;
        };
        let id = &self.with.id;
        // A panic in it has no fetch to fail.
        let _ = guarded(|| handler.connection_terminated(&id.origin, id.serial, error));
    }
}
