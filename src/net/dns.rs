//! From a name to addresses.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::Config;
use crate::error::Error;

/// The addresses to try for `host` and `port`, in order, never empty.
///
/// Fixed addresses first, then literals, then the system's resolver; its wait is bounded by the
/// connect deadline around the whole dial.
pub(crate) async fn resolve(
    config: &Config,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Error> {
    if let Some(fixed) = config.fixed_addresses(host, port) {
        return non_empty(host, fixed);
    }
    if let Ok(literal) = host.parse::<IpAddr>() {
        return Ok(vec![(literal, port).into()]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => non_empty(host, found.collect()),
        Err(source) => Err(failed(host, source)),
    }
}

fn non_empty(host: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Error> {
    if addresses.is_empty() {
        let source = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        return Err(failed(host, source));
    }
    Ok(addresses)
}

fn failed(host: &str, source: io::Error) -> Error {
    Error::Resolve {
        host: host.to_owned(),
        source: Arc::new(source),
    }
}
