//! All integration tests: one binary, one support module.

mod architecture;
mod faults;
mod fetch;
mod limits;
mod peer;
mod pool;
mod proxy;
mod real;
mod support;
