//! What holds for bodies, both ways.

use std::time::Duration;

use crate::config::pushes::Pushes;
use crate::request::{MinRate, OnDataLoss, OnTooLarge};

/// What holds for bodies, both ways; [`Config::bodies`](crate::Config::bodies).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Bodies {
    /// Longest wait for a server to take more of a request's body. Default 30 s. A source that is
    /// slow to yield is bounded by the deadline alone.
    pub upload_timeout: Duration,
    /// How long a body that is handed out piece by piece may lie unread, before it is given up.
    /// Default 5 min: at worst, a forgotten one holds its stream, and a
    /// [`stream_window`](crate::Config::stream_window) of bytes, for so long.
    pub unread_timeout: Duration,
    /// The least that a server must send of a body while it is waited for. Default: none, for
    /// `body_timeout` ends what stands still, and the deadline what drips.
    pub min_rate: Option<MinRate>,
    /// What becomes of a body larger than [`Config::max_body`](crate::Config::max_body). Default: the fetch fails.
    pub on_too_large: OnTooLarge,
    /// What becomes of one that ends before it is complete. Default: the fetch fails.
    pub on_data_loss: OnDataLoss,
    /// The size of a body from which on
    /// [`EventHandler::body_grew_large`](crate::event::EventHandler::body_grew_large) is told.
    /// Default: none is too large to mention.
    pub warn_at: Option<u64>,
    /// Bytes of bodies that have come and lie in the engine: those being gathered, and those that
    /// their consumers have not taken yet. Default 256 MiB. Beyond it nothing more is read, but for
    /// one body that is being gathered, so that it comes to an end; at worst, connections then hold
    /// what their windows allow besides.
    /// While a connection is at work, up to half as much again of the memory of dropped bodies is kept
    /// for those to come.
    pub budget: u64,
    /// Most that the flow-control window of an HTTP/2 connection may grow to, in bytes, from
    /// [`Config::connection_window`](crate::Config::connection_window), where a server fills two
    /// thirds of it within a round trip. Default 64 MiB: 10 Gbit/s over 50 ms. What lies unread of
    /// some responses is granted besides, as far as `budget` has room, so that it holds up no
    /// others.
    pub max_connection_window: u32,
    /// Whether bodies are decoded as their `Content-Encoding` says, and servers are asked for
    /// gzip, deflate, br and zstd (`Accept-Encoding`, unless the request has its own). Default:
    /// neither, for archives keep what came. Codings that are not known, more than two in a chain,
    /// and partial responses (206) are handed out as they came; the headers always are.
    pub decode: bool,
    /// Whether a response that is decoded comes with the bytes as they came, too. Default: no. At
    /// worst they are held besides.
    pub keep_raw: bool,
    /// Largest decoded body, in bytes. Default 128 MiB.
    pub max_decoded: u64,
    /// Most decoded bytes for each byte that came, once there are 4 MiB of them. Default 250: pages
    /// stay far below 100, bombs reach 1,000 in gzip and far more in the others.
    pub max_expansion: u64,
    /// Whether servers may push responses that were not asked for, and what holds for these. Default:
    /// they may not (`SETTINGS_ENABLE_PUSH`); few can, and a crawler asks for what it wants.
    pub pushes: Option<Pushes>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            upload_timeout: Duration::from_secs(30),
            unread_timeout: Duration::from_secs(300),
            min_rate: None,
            on_too_large: OnTooLarge::Fail,
            on_data_loss: OnDataLoss::Fail,
            warn_at: None,
            budget: 256 << 20,
            max_connection_window: 64 << 20,
            decode: false,
            keep_raw: false,
            max_decoded: 128 << 20,
            max_expansion: 250,
            pushes: None,
        }
    }
}
