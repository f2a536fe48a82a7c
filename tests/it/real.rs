//! Against the servers of others: nginx, nghttpd, h2o.
//!
//! A test whose server is not installed says so and passes, but fails where `CI` is `true`.

mod documents;
mod h2o;
mod nghttpd;
mod nginx;
mod server;

use std::time::Duration;

/// More than any shutdown here needs.
const GRACE: Duration = Duration::from_secs(10);
