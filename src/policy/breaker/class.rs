//! What an error of a dial says of the next dial.

use crate::error::Error;

/// What a failed dial says of the next one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// It may pass soon.
    Unreachable,
    /// Certificate, protocol, or a proxy's refusal: the same next time.
    Settled,
    /// The engine's own doing or timing, which says nothing of the origin.
    Internal,
}

/// The class of a dial that ended with `error`, or of a session that did before it was of use.
pub(crate) fn class_of(error: &Error) -> Class {
    match error {
        // A handshake that was cut short is a server that went away.
        Error::Tls { fault, .. } if fault.is_settled() => Class::Settled,
        Error::NoCommonProtocol { .. } => Class::Settled,
        // A proxy that forbids will forbid again; 5xx says that it could not reach the origin.
        Error::Proxy {
            status: Some(status),
            ..
        } if !status.is_server_error() => Class::Settled,
        Error::Tls { .. }
        | Error::Resolve { .. }
        | Error::Connect { .. }
        | Error::Proxy { .. }
        | Error::ConnectTimeout { .. }
        | Error::Disconnected { .. }
        | Error::GoAway { .. }
        | Error::Reset { .. }
        | Error::Protocol { .. } => Class::Unreachable,
        _ => Class::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorCode, TlsFault};
    use http::StatusCode;
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn errors_are_sorted_by_what_the_next_dial_would_meet() {
        let source = Arc::new(io::Error::from(io::ErrorKind::InvalidData));
        for (fault, class) in [
            (TlsFault::Expired, Class::Settled),
            (TlsFault::CutShort, Class::Unreachable),
        ] {
            let source = source.clone();
            assert_eq!(class_of(&Error::Tls { fault, source }), class);
        }
        let (offered, chosen) = ("h2".into(), None);
        let no_protocol = Error::NoCommonProtocol { offered, chosen };
        assert_eq!(class_of(&no_protocol), Class::Settled);
        for (status, class) in [
            (
                Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED),
                Class::Settled,
            ),
            (Some(StatusCode::FORBIDDEN), Class::Settled),
            (Some(StatusCode::BAD_GATEWAY), Class::Unreachable),
            (None, Class::Unreachable),
        ] {
            let detail = "".into();
            assert_eq!(class_of(&Error::Proxy { status, detail }), class);
        }
        let (code, by_server) = (ErrorCode(0), true);
        let (after, sent) = (Duration::ZERO, false);
        let unprocessed = true;
        for error in [
            Error::Resolve {
                host: "a".into(),
                source: source.clone(),
            },
            Error::Connect {
                peer: ([127, 0, 0, 1], 1).into(),
                source: source.clone(),
            },
            Error::ConnectTimeout { after },
            Error::Disconnected { source, sent },
            Error::GoAway {
                code,
                unprocessed,
                by_server,
            },
            Error::Reset { code, by_server },
            Error::Protocol { detail: "".into() },
        ] {
            assert_eq!(class_of(&error), Class::Unreachable, "{error:?}");
        }
        for error in [Error::Closed { sent }, Error::AcquireTimeout { after }] {
            assert_eq!(class_of(&error), Class::Internal, "{error:?}");
        }
    }
}
