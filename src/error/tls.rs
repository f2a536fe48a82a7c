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
    /// No chain leads to a root that is trusted: self-signed, an unknown root, or an intermediate
    /// left out.
    UnknownIssuer,
    /// The chain breaks a rule for authorities: a certificate that is none signs, one that is an
    /// authority's stands for a server (most often self-signed), a path is too long, a name is
    /// outside the constraints.
    BadChain,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is not for servers.
    WrongUsage,
    /// The certificate was revoked.
    Revoked,
    /// A signature does not fit, or was made with too small a key (RSA below 2,048 bits).
    BadSignature,
    /// The certificate is malformed, or uses what is not supported: SHA-1, or a critical
    /// extension that nobody knows.
    BadCertificate,
    /// The two sides share no version, suite, group or signature scheme. A server without a suite
    /// in common may say no more than the alert `handshake_failure`.
    Incompatible,
    /// The server sent an alert: its name in RFC 8446 §6, such as `handshake_failure`. A
    /// certificate of the client's that is missing or refused is one, too.
    Alert(String),
    /// The server does not speak TLS on this port.
    NotTls,
    /// The server breaks the rules of TLS.
    Misbehaved,
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
            Self::BadChain => "bad_chain",
            Self::WrongName => "wrong_name",
            Self::WrongUsage => "wrong_usage",
            Self::Revoked => "revoked",
            Self::BadSignature => "bad_signature",
            Self::BadCertificate => "bad_certificate",
            Self::Incompatible => "incompatible",
            Self::Alert(_) => "alert",
            Self::NotTls => "not_tls",
            Self::Misbehaved => "misbehaved",
            Self::CutShort => "cut_short",
            Self::Setup => "setup",
            Self::Other => "other",
        }
    }
}

/// A sentence for people.
impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the certificate, or one above it, has expired",
            Self::NotYetValid => "the certificate, or one above it, is not valid yet",
            Self::UnknownIssuer => "nobody who is trusted has signed the certificate",
            Self::BadChain => "no proper chain leads to the certificate; it may be self-signed",
            Self::WrongName => "the certificate is for other names",
            Self::WrongUsage => "the certificate is not for servers",
            Self::Revoked => "the certificate was revoked",
            Self::BadSignature => "a signature does not fit, or its key is too small",
            Self::BadCertificate => "the certificate is malformed or not supported",
            Self::Incompatible => "the server shares no version or algorithm with this side",
            Self::Alert(alert) => return write!(f, "the server refused with the alert {alert}"),
            Self::NotTls => "the server does not speak TLS on this port",
            Self::Misbehaved => "the server broke TLS",
            Self::CutShort => "the server cut the handshake short",
            Self::Setup => "TLS cannot be set up as configured",
            Self::Other => "the TLS handshake failed",
        })
    }
}
