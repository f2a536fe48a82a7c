//! What is said to a proxy before its connection is of use.

pub(crate) mod connect;
pub(crate) mod shared;
pub(crate) mod socks;
pub(crate) mod surplus;
pub(crate) mod tunnel;

use std::borrow::Cow;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::error::Error;
use crate::origin::Proxy;

/// A failure that has no status.
fn failed(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::Proxy {
        status: None,
        detail: detail.into(),
    }
}

/// The connection to the proxy broke.
fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => closed(),
        _ => failed(format!("the connection to it broke: {error}")),
    }
}

/// The proxy hung up without an answer.
fn closed() -> Error {
    failed("it closed the connection without an answer")
}

/// What goes out as `Proxy-Authorization`, if anything (RFC 7617 §2).
pub(crate) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let credentials = proxy.credentials()?;
    let pair = [&*credentials.user, b":", &*credentials.password].concat();
    let value = format!("Basic {}", STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(value).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_out_as_basic_and_are_not_shown() {
        let of = |text| authorization(&Proxy::parse(text).expect("a proxy"));
        let value = of("http://Aladdin:open%20sesame@h").expect("some");
        assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{value:?}").contains("QWxh"));
        assert_eq!(of("http://h"), None);
    }
}
