//! What was wrong with a TLS handshake.

use std::fmt;

/// Why a TLS handshake came to nothing.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate, or one above it, has expired.
    Expired,
    /// The certificate, or one above it, is not valid yet.
    NotYetValid,
    /// No chain leads to a root that is trusted: self-signed, an unknown root, an intermediate
    /// left out, or a leaf used as an authority.
    UnknownIssuer,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is not for servers.
    WrongUsage,
    /// The certificate was revoked.
    Revoked,
    /// A signature does not fit.
    BadSignature,
    /// The certificate is malformed, or uses what is not supported: too small a key, SHA-1.
    BadCertificate,
    /// The two sides share no version, suite, group or signature scheme.
    Incompatible,
    /// The server sent an alert.
    Alert(String),
    /// The server does not speak TLS on this port, or speaks it wrongly.
    NotTls,
    /// The server closed the connection in the middle.
    CutShort,
    /// What this side was configured with cannot be used.
    Setup,
    /// Anything else.
    Other,
}

impl TlsFault {
    /// Whether the next handshake will end the same way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::CutShort)
    }

    /// A short stable name, for logs, metrics and result files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::UnknownIssuer => "unknown_issuer",
            Self::WrongName => "wrong_name",
            Self::WrongUsage => "wrong_usage",
            Self::Revoked => "revoked",
            Self::BadSignature => "bad_signature",
            Self::BadCertificate => "bad_certificate",
            Self::Incompatible => "incompatible",
            Self::Alert(_) => "alert",
            Self::NotTls => "not_tls",
            Self::CutShort => "cut_short",
            Self::Setup => "setup",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "alert: {alert}"),
            fault => f.write_str(fault.name()),
        }
    }
}
