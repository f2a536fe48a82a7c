//! Bytes in and out: the only module that opens sockets.

pub(crate) mod connect;
pub(crate) mod dial;
pub(crate) mod dns;
pub(crate) mod io;
pub(crate) mod last_word;
pub(crate) mod linger;
pub(crate) mod meter;
pub(crate) mod race;
pub(crate) mod proxy;
pub(crate) mod tls;

pub(crate) use dial::Dialer;
