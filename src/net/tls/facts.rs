//! What a handshake has agreed on.

use rustls::{ClientConnection, HandshakeKind};

use crate::response::TlsFacts;

pub(super) fn facts_of(session: &ClientConnection) -> TlsFacts {
    let version = session.protocol_version().and_then(|v| v.as_str());
    let suite = session.negotiated_cipher_suite();
    let chain = session.peer_certificates().unwrap_or_default();
    TlsFacts {
        version: version.unwrap_or("unknown"),
        cipher_suite: suite.and_then(|s| s.suite().as_str()).unwrap_or("unknown"),
        alpn: session
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        chain: chain.iter().map(|c| c.clone().into_owned()).collect(),
    }
}
