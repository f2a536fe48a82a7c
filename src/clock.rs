//! The one place that reads the clock.
//!
//! It follows tokio's, so that a test which pauses that clock steers every deadline of the engine.

use std::time::Instant;

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
