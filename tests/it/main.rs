//! All integration tests: one binary, one support module.

mod address;
mod architecture;
mod bodies;
mod faults;
mod fetch;
mod http1;
mod limits;
mod logs;
mod names;
mod peer;
mod pool;
mod proxy;
mod real;
mod redirect;
mod support;
mod tls;
