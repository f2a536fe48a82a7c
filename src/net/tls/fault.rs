//! From what rustls says to what is wrong.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError};

use crate::error::{Error, TlsFault};
use crate::origin::Protocols;

/// The error of a handshake that ended with `source`.
pub(super) fn failed(source: io::Error, offered: Protocols) -> Error {
    let refused = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    if cause_of(&source) == Some(&refused) {
        return Error::NoCommonProtocol {
            offered: offered.to_string().into(),
            chosen: None,
        };
    }
    Error::Tls {
        fault: fault_of(&source),
        source: Arc::new(source),
    }
}

/// What the server has against this side's certificate, if that is why reading failed.
///
/// In TLS 1.3 the client is done before the server has seen its certificate (RFC 8446 §4.4.2), so
/// that the refusal is read where the first answer should be. The server then has acted on nothing.
pub(crate) fn late_refusal(error: &io::Error) -> Option<Error> {
    use AlertDescription as Alert;
    let Some(rustls::Error::AlertReceived(alert)) = cause_of(error) else {
        return None;
    };
    let is_refusal = matches!(
        alert,
        Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    );
    is_refusal.then(|| Error::Tls {
        fault: TlsFault::Alert(alert_name(*alert)),
        source: Arc::new(io::Error::new(
            error.kind(),
            rustls::Error::AlertReceived(*alert),
        )),
    })
}

fn cause_of(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|e| e.downcast_ref())
}

fn fault_of(error: &io::Error) -> TlsFault {
    let Some(cause) = cause_of(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::TimedOut => TlsFault::CutShort,
            _ => TlsFault::Other,
        };
    };
    match cause {
        rustls::Error::InvalidCertificate(error) => fault_of_certificate(error),
        rustls::Error::NoCertificatesPresented => TlsFault::BadCertificate,
        rustls::Error::PeerIncompatible(_) => TlsFault::Incompatible,
        rustls::Error::AlertReceived(alert) => fault_of_alert(*alert),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsFault::NotTls,
        rustls::Error::InvalidMessage(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::PeerMisbehaved(_)
        | rustls::Error::PeerSentOversizedRecord
        | rustls::Error::DecryptError => TlsFault::Misbehaved,
        _ => TlsFault::Other,
    }
}

/// An alert is what the server makes of it; these two can mean but one thing (RFC 8446 §6.2).
fn fault_of_alert(alert: AlertDescription) -> TlsFault {
    match alert {
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
            TlsFault::Incompatible
        }
        alert => TlsFault::Alert(alert_name(alert)),
    }
}

fn fault_of_certificate(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFault::NotYetValid
        }
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongName
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            TlsFault::WrongUsage
        }
        CertificateError::Revoked => TlsFault::Revoked,
        CertificateError::BadSignature => TlsFault::BadSignature,
        CertificateError::Other(OtherError(error)) => fault_of_chain(&**error),
        // Encoding, extensions, algorithms; and what the system may find wrong besides.
        _ => TlsFault::BadCertificate,
    }
}

/// What webpki and the system's verifier find that rustls has no word for.
fn fault_of_chain(error: &(dyn std::error::Error + 'static)) -> TlsFault {
    use webpki::Error as Chain;
    match error.downcast_ref() {
        Some(
            Chain::CaUsedAsEndEntity
            | Chain::EndEntityUsedAsCa
            | Chain::PathLenConstraintViolated
            | Chain::NameConstraintViolation
            | Chain::MaximumNameConstraintComparisonsExceeded
            | Chain::MaximumPathBuildCallsExceeded
            | Chain::MaximumPathDepthExceeded
            | Chain::MaximumSignatureChecksExceeded,
        ) => TlsFault::BadChain,
        Some(_) => TlsFault::BadCertificate,
        // The system's verifier has a type of its own for this, and keeps it to itself.
        None if error.to_string() == "certificate had invalid extensions" => TlsFault::WrongUsage,
        None => TlsFault::BadCertificate,
    }
}

/// The name in RFC 8446 §6, such as `handshake_failure`.
fn alert_name(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA => "unknown_ca".into(),
        AlertDescription::UnrecognisedName => "unrecognized_name".into(),
        AlertDescription::UnknownPSKIdentity => "unknown_psk_identity".into(),
        AlertDescription::Unknown(code) => format!("unknown ({code})"),
        alert => snake_case(alert.as_str().unwrap_or("unknown")),
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;
    use rustls::{PeerIncompatible, PeerMisbehaved};

    fn fault(cause: rustls::Error) -> TlsFault {
        fault_of(&io::Error::new(io::ErrorKind::InvalidData, cause))
    }

    fn of_chain(error: webpki::Error) -> TlsFault {
        fault(CertificateError::Other(OtherError(Arc::new(error))).into())
    }

    #[test]
    fn certificates_are_sorted_with_context_or_without() {
        let time = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        for (error, expected) in [
            (CertificateError::Expired, TlsFault::Expired),
            (
                CertificateError::ExpiredContext {
                    time,
                    not_after: time,
                },
                TlsFault::Expired,
            ),
            (CertificateError::NotValidYet, TlsFault::NotYetValid),
            (CertificateError::UnknownIssuer, TlsFault::UnknownIssuer),
            (CertificateError::NotValidForName, TlsFault::WrongName),
            (CertificateError::InvalidPurpose, TlsFault::WrongUsage),
            (CertificateError::Revoked, TlsFault::Revoked),
            (CertificateError::BadSignature, TlsFault::BadSignature),
            (CertificateError::BadEncoding, TlsFault::BadCertificate),
        ] {
            assert_eq!(fault(error.clone().into()), expected, "{error:?}");
        }
        let violated = webpki::Error::NameConstraintViolation;
        assert_eq!(of_chain(violated), TlsFault::BadChain);
        let version = webpki::Error::UnsupportedCertVersion;
        assert_eq!(of_chain(version), TlsFault::BadCertificate);
    }

    #[test]
    fn the_wire_is_sorted_by_who_must_act() {
        for (error, expected) in [
            (InvalidMessage::InvalidContentType.into(), TlsFault::NotTls),
            (InvalidMessage::MessageTooLarge.into(), TlsFault::Misbehaved),
            (PeerMisbehaved::IncorrectBinder.into(), TlsFault::Misbehaved),
            (rustls::Error::DecryptError, TlsFault::Misbehaved),
            (
                PeerIncompatible::NoKxGroupsInCommon.into(),
                TlsFault::Incompatible,
            ),
            (rustls::Error::FailedToGetRandomBytes, TlsFault::Other),
        ] {
            assert_eq!(fault(error), expected);
        }
        for kind in [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
        ] {
            assert_eq!(fault_of(&kind.into()), TlsFault::CutShort);
        }
    }

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        for (code, expected) in [
            (40, "handshake_failure"),
            (48, "unknown_ca"),
            (80, "internal_error"),
            (112, "unrecognized_name"),
            (115, "unknown_psk_identity"),
            (116, "certificate_required"),
            (250, "unknown (250)"),
        ] {
            let alert = AlertDescription::from(code);
            let named = TlsFault::Alert(expected.into());
            assert_eq!(fault(rustls::Error::AlertReceived(alert)), named);
        }
        let version = rustls::Error::AlertReceived(AlertDescription::ProtocolVersion);
        assert_eq!(fault(version), TlsFault::Incompatible);
    }

    #[test]
    fn only_words_about_a_certificate_are_late_refusals() {
        let read = |alert| {
            let cause = rustls::Error::AlertReceived(alert);
            late_refusal(&io::Error::new(io::ErrorKind::InvalidData, cause))
        };
        let required = read(AlertDescription::CertificateRequired).expect("a refusal");
        assert!(required.is_unprocessed() && !required.is_retryable());
        assert!(read(AlertDescription::InternalError).is_none());
        assert!(late_refusal(&io::ErrorKind::ConnectionReset.into()).is_none());
    }
}
