//! What the alerts of a server mean (RFC 8446, section 6), whichever library reads them.

use crate::error::{TlsFailure, TlsFault};

const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;
const HANDSHAKE_FAILURE: u8 = 40;
const BAD_CERTIFICATE: u8 = 42;
const UNSUPPORTED_CERTIFICATE: u8 = 43;
const CERTIFICATE_REVOKED: u8 = 44;
const CERTIFICATE_EXPIRED: u8 = 45;
const CERTIFICATE_UNKNOWN: u8 = 46;
const UNKNOWN_CA: u8 = 48;
const ACCESS_DENIED: u8 = 49;
const DECODE_ERROR: u8 = 50;
const DECRYPT_ERROR: u8 = 51;
const PROTOCOL_VERSION: u8 = 70;
const INSUFFICIENT_SECURITY: u8 = 71;
const INTERNAL_ERROR: u8 = 80;
const USER_CANCELED: u8 = 90;
const UNRECOGNIZED_NAME: u8 = 112;
/// Only a server sends it, in TLS 1.3, to a client without a certificate.
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Tells apart why the server ended the connection by an alert. `asked` tells whether the server asked for a client
/// certificate: `Some(true)` if it got one, `None` if it did not ask, or if nothing is known.
pub(super) fn failure(alert: u8, asked: Option<bool>) -> TlsFailure {
    let about_certificates = matches!(
        alert,
        BAD_CERTIFICATE
            | UNSUPPORTED_CERTIFICATE
            | CERTIFICATE_REVOKED
            | CERTIFICATE_EXPIRED
            | CERTIFICATE_UNKNOWN
            | UNKNOWN_CA
            | ACCESS_DENIED
            | HANDSHAKE_FAILURE
            | CERTIFICATE_REQUIRED
    );
    let name = name(alert);
    let (fault, text) = match (alert, asked) {
        (CERTIFICATE_REQUIRED, _) | (_, Some(false)) if about_certificates => (
            TlsFault::ClientCertificateRequired,
            format!("the server wants a client certificate, and the configuration has none that it accepts ({name})"),
        ),
        // A signature by the client's key that the server cannot verify is a decrypt_error.
        (_, Some(true)) if about_certificates || alert == DECRYPT_ERROR => {
            (TlsFault::ClientCertificateRefused, format!("the server refuses the client certificate: {name}"))
        }
        (PROTOCOL_VERSION, _) => (
            TlsFault::NoSharedVersion,
            format!("the server has no version of TLS that the configuration allows ({name})"),
        ),
        (HANDSHAKE_FAILURE | INSUFFICIENT_SECURITY, _) => (
            TlsFault::NoSharedCipher,
            format!("the server refused the handshake: there may be no cipher suite in common ({name})"),
        ),
        (NO_APPLICATION_PROTOCOL, _) => {
            (TlsFault::NoSharedProtocol, "the server does not speak HTTP/1.1 on this port".to_owned())
        }
        (UNRECOGNIZED_NAME, _) => {
            (TlsFault::Alert(alert), "the server does not know the name of the host (unrecognized_name)".to_owned())
        }
        _ => (TlsFault::Alert(alert), format!("the server ended the connection by the alert {name}")),
    };
    let of_the_client = matches!(fault, TlsFault::ClientCertificateRequired | TlsFault::ClientCertificateRefused);
    TlsFailure::new(fault, text, of_the_client || lasts(alert))
}

/// The most bytes that are shown of what came in place of TLS. They tell a page from a protocol that greets first.
const SHOWN: usize = 32;

/// Returns the failure of a handshake with a peer whose first bytes are no record of TLS. `came` is what it has sent.
pub(super) fn not_tls(came: &[u8]) -> TlsFailure {
    let start = came[..came.len().min(SHOWN)].escape_ascii();
    let began = if came.is_empty() { String::new() } else { format!(" (it began with \"{start}\")") };
    let text = format!("the peer does not speak TLS{began}; is the URL http rather than https?");
    TlsFailure::new(TlsFault::NotTls, text, true)
}

/// Returns whether another attempt would fail in the same way. An alert about damaged bytes or the peer's own troubles
/// may be over. A refusal and a missing common version or cipher stay as they are.
fn lasts(alert: u8) -> bool {
    !matches!(
        alert,
        CLOSE_NOTIFY
            | UNEXPECTED_MESSAGE
            | BAD_RECORD_MAC
            | RECORD_OVERFLOW
            | DECODE_ERROR
            | DECRYPT_ERROR
            | INTERNAL_ERROR
            | USER_CANCELED
    )
}

/// Returns the name of an alert.
fn name(alert: u8) -> String {
    let name = match alert {
        CLOSE_NOTIFY => "close_notify",
        UNEXPECTED_MESSAGE => "unexpected_message",
        BAD_RECORD_MAC => "bad_record_mac",
        RECORD_OVERFLOW => "record_overflow",
        HANDSHAKE_FAILURE => "handshake_failure",
        BAD_CERTIFICATE => "bad_certificate",
        UNSUPPORTED_CERTIFICATE => "unsupported_certificate",
        CERTIFICATE_REVOKED => "certificate_revoked",
        CERTIFICATE_EXPIRED => "certificate_expired",
        CERTIFICATE_UNKNOWN => "certificate_unknown",
        47 => "illegal_parameter",
        UNKNOWN_CA => "unknown_ca",
        ACCESS_DENIED => "access_denied",
        DECODE_ERROR => "decode_error",
        DECRYPT_ERROR => "decrypt_error",
        PROTOCOL_VERSION => "protocol_version",
        INSUFFICIENT_SECURITY => "insufficient_security",
        INTERNAL_ERROR => "internal_error",
        86 => "inappropriate_fallback",
        USER_CANCELED => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        UNRECOGNIZED_NAME => "unrecognized_name",
        CERTIFICATE_REQUIRED => "certificate_required",
        NO_APPLICATION_PROTOCOL => "no_application_protocol",
        _ => return alert.to_string(),
    };
    name.to_owned()
}
