//! What holds for the heads of responses.

/// What holds for the heads of responses; [`Config::heads`](crate::Config::heads).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Heads {
    /// Fields of a response's head, or of its trailers. Default 256.
    pub max_fields: usize,
    /// Interim responses (1xx) before the final one. Default 16; servers send one or two.
    pub max_informational: usize,
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            max_fields: 256,
            max_informational: 16,
        }
    }
}
