//! All integration tests: one binary, one support module.

mod architecture;
mod faults;
mod fetch;
mod limits;
mod pool;
mod support;
