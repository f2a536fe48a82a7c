//! Against the servers of others: nginx, nghttpd, h2o, Apache httpd, HAProxy; and through
//! squid, tinyproxy, dante and nghttpx.
//!
//! A test whose server is not installed says so and passes, but fails where `CI` is `true`.

mod apache;
mod caddy;
mod documents;
pub(crate) mod folder;
mod four;
mod h2o;
mod haproxy;
mod load;
mod nghttpd;
mod nginx;
pub(crate) mod process;
mod proxies;
pub(crate) mod recipe;
mod restarts;
mod server;

use std::time::Duration;

/// More than any shutdown here needs.
const GRACE: Duration = Duration::from_secs(10);
