//! The flow-control windows of a connection, kept in step with what is needed.

use std::time::Instant;

use crate::clock::now;
use crate::connection::Connection;
use crate::policy::window::{self, Growth};
use crate::session::Driver;

/// The windows of a connection.
pub(super) struct Windows {
    growth: Growth,
    /// As the session was told last.
    connection: u32,
    stream: u32,
    /// Bytes that had come, and lain unread, when this was looked at last.
    seen: (u64, u64),
}

impl Windows {
    pub(super) fn new(connection: u32, most: u32, stream: u32, now: Instant) -> Self {
        Self {
            growth: Growth::new(connection, most, now),
            connection,
            stream,
            seen: (0, 0),
        }
    }
}

impl Connection {
    /// Whether what lies unread is other than it was at the driver's last turn: then there may be
    /// something to grant.
    pub(super) fn has_unread_changed(&self) -> bool {
        self.windows.seen.1 != self.with.vitals.unread.get()
    }

    /// After each turn of the driver. Whether it was told something new, and has to send it.
    pub(super) fn fit_windows(&mut self, driver: &mut Driver) -> bool {
        let (vitals, bytes) = (&self.with.vitals, &self.with.bytes);
        let windows = &mut self.windows;
        let seen = (vitals.received.get(), vitals.unread.get());
        if std::mem::replace(&mut windows.seen, seen) == seen {
            return false;
        }
        let round_trip = vitals.round_trip.get();
        windows
            .growth
            .heed(vitals.received.get(), round_trip, now());
        let has_room = bytes.held() < bytes.limit();
        let window = windows.growth.window();
        let target = window::target(window, vitals.unread.get(), has_room);
        let mut is_new = false;
        if window::is_worth_it(target, windows.connection, window) {
            driver.grant(target);
            windows.connection = target;
            vitals.window.set(target);
            is_new = true;
        }
        let configured = self.with.config.stream_window;
        let stream = window::stream_window(configured, bytes.open(), bytes.limit());
        // While an earlier change is not acknowledged there is another turn to come.
        if stream != windows.stream && driver.grant_streams(stream) {
            windows.stream = stream;
            is_new = true;
        }
        is_new
    }
}
