//! All integration tests: one binary, one support module.

mod architecture;
mod fetch;
mod limits;
mod support;
