//! What holds for what servers push.

use std::time::Duration;

/// What holds for what servers push (RFC 9113 §8.4); [`Bodies::pushes`](crate::config::Bodies::pushes).
///
/// Of each promise the handlers are asked
/// ([`EventHandler::push_promised`](crate::event::EventHandler::push_promised)); without one that
/// takes it, a promise is refused (`RST_STREAM`). One that is taken is kept in memory, and answers
/// the first fetch of the same method and URL that its response fits (its `Vary`, RFC 9110
/// §12.5.5; no conditions or credentials other than the promise's), even while it is still on its
/// way. [`Receipt::pushed`](crate::response::Receipt::pushed) tells of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Pushes {
    /// Promises taken along with one response. Default 32.
    pub per_response: usize,
    /// Pushed streams that a server may have open or promised on one connection
    /// (`SETTINGS_MAX_CONCURRENT_STREAMS`). Default 100. Promises beyond it are refused.
    pub at_once: u32,
    /// Bytes of pushed responses that are kept, per arbiter; what comes when there is no room is
    /// dropped. Default 8 MiB. They count against [`Bodies::budget`](crate::config::Bodies::budget),
    /// and none is kept while half of that is used.
    pub kept: u64,
    /// How long they are kept. Default 30 s.
    pub keep_for: Duration,
}

impl Default for Pushes {
    fn default() -> Self {
        Self {
            per_response: 32,
            at_once: 100,
            kept: 8 << 20,
            keep_for: Duration::from_secs(30),
        }
    }
}
