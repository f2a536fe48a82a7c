//! All integration tests: one binary, one support module.

mod architecture;
mod faults;
mod fetch;
mod limits;
mod names;
mod peer;
mod pool;
mod real;
mod support;
