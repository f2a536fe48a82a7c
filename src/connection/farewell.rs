//! What an engine's handler hears of a connection's end.

use crate::connection::Connection;
use crate::error::Error;
use crate::stream::guarded;

impl Connection {
    pub(super) fn tell_handler(&self, error: Option<&Error>) {
        let Some(handler) = self.with.config.events.handler() else {
            return;
        };
        let id = &self.with.id;
        // A panic in it has no fetch to fail.
        let _ = guarded(|| handler.connection_terminated(&id.origin, id.serial, error));
    }
}
