//! Decisions, free of actors, sockets and clocks.
//!
//! Everything here is a value in and a verdict out; `now` is always an argument. The actors ask,
//! and then do what they are told.

pub(crate) mod admission;
pub(crate) mod cap;
pub(crate) mod deadline;
pub mod eviction;
pub(crate) mod limit;
pub(crate) mod retry;
pub(crate) mod slots;
