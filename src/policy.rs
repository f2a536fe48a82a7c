//! Decisions, free of actors, sockets and clocks.
//!
//! Everything here is a value in and a verdict out; `now` is always an argument. The actors ask,
//! and then do what they are told.

pub(crate) mod admission;
pub(crate) mod breaker;
pub(crate) mod budget;
pub(crate) mod cap;
pub(crate) mod choice;
pub(crate) mod deadline;
pub(crate) mod dialect;
pub mod eviction;
pub(crate) mod flood;
pub(crate) mod habit;
pub(crate) mod health;
pub(crate) mod jitter;
pub(crate) mod lanes;
pub(crate) mod limit;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod pace;
pub(crate) mod promise;
pub(crate) mod race;
pub(crate) mod rate;
pub(crate) mod redirect;
pub(crate) mod restart;
pub(crate) mod retry;
pub(crate) mod shelf;
pub(crate) mod slots;
pub(crate) mod spread;
pub(crate) mod way;
pub(crate) mod wear;
pub(crate) mod window;
