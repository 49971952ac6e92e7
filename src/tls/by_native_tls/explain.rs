//! Tells failures of native-tls apart. It tells them by texts alone: those of OpenSSL are in English and stay the same
//! from version to version. Those of other libraries are passed on.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::date::ImfDate;
use crate::error::{Evidence, TlsFailure, TlsFault};
use crate::tls::alerts;
use crate::tls::der::Certificate;

/// The alert that servers send for whatever does not fit.
const HANDSHAKE_FAILURE: u8 = 40;

/// What a connection knows when the library fails.
#[derive(Clone, Copy)]
pub(super) struct Situation {
    /// The configuration has a client certificate.
    pub(super) has_client: bool,
    /// The server asked for a client certificate. In TLS 1.3 that is not seen.
    pub(super) asked: bool,
}

/// The reasons that OpenSSL gives for a certificate that it refuses (`X509_verify_cert_error_string`).
const CERTIFICATES: [(&str, TlsFault, &str); 15] = [
    ("certificate has expired", TlsFault::Expired, "a certificate has expired; is this machine's clock right?"),
    (
        "certificate is not yet valid",
        TlsFault::NotYetValid,
        "a certificate is not valid yet; is this machine's clock right?",
    ),
    ("hostname mismatch", TlsFault::WrongName, "the server's certificate is not for this name"),
    ("ip address mismatch", TlsFault::WrongName, "the server's certificate is not for this address"),
    ("self-signed certificate in", TlsFault::UntrustedIssuer, "the root of the server's chain is not trusted"),
    ("self signed certificate in", TlsFault::UntrustedIssuer, "the root of the server's chain is not trusted"),
    ("self-signed", TlsFault::UntrustedIssuer, "the server's certificate is self-signed and not trusted"),
    ("self signed", TlsFault::UntrustedIssuer, "the server's certificate is self-signed and not trusted"),
    (
        "issuer certificate",
        TlsFault::UntrustedIssuer,
        "no trusted root and no certificate that the server sent is the issuer of a certificate",
    ),
    (
        "unable to verify the first certificate",
        TlsFault::UntrustedIssuer,
        "no trusted root and no certificate that the server sent is the issuer of the server's certificate",
    ),
    ("certificate revoked", TlsFault::Revoked, "a certificate of the chain is revoked"),
    ("certificate purpose", TlsFault::WrongPurpose, "the certificate may not be used for servers"),
    (
        "signature failure",
        TlsFault::BadSignature,
        "a certificate is not signed by the key of its issuer: the trusted root may be another one of the same name",
    ),
    ("too weak", TlsFault::UnsupportedAlgorithm, "a certificate uses an algorithm or a key that is too weak"),
    ("", TlsFault::InvalidCertificate, "a certificate of the chain cannot be read or breaks a rule"),
];

/// The reasons that OpenSSL gives for a connection that it ends.
const CONNECTIONS: [(&str, TlsFault, &str); 16] = [
    (
        "bad signature",
        TlsFault::BadSignature,
        "the server does not have the key of its certificate: its signature is wrong",
    ),
    (
        "unsupported protocol",
        TlsFault::NoSharedVersion,
        "the server has no version of TLS that the configuration allows",
    ),
    ("no protocols available", TlsFault::NoSharedVersion, "the TLS library has no version of TLS that is allowed"),
    ("wrong ssl version", TlsFault::NoSharedVersion, "the server has no version of TLS that the configuration allows"),
    ("no ciphers available", TlsFault::NoSharedCipher, "the TLS library has no cipher suite for these versions"),
    ("cipher returned", TlsFault::NoSharedCipher, "the server chose a cipher suite that was not offered"),
    ("wrong curve", TlsFault::NoSharedCipher, "the server chose a key exchange that was not offered"),
    ("wrong signature type", TlsFault::NoSharedCipher, "the peers have no signature in common"),
    ("legacy sigalg", TlsFault::NoSharedCipher, "the server signs the handshake by an algorithm that is not allowed"),
    ("too small", TlsFault::UnsupportedAlgorithm, "a key of the server is too short"),
    ("too weak", TlsFault::UnsupportedAlgorithm, "a certificate uses an algorithm or a key that is too weak"),
    ("bad record mac", TlsFault::BrokenRecord, "a record was changed on the way, or is not of this connection"),
    ("too long", TlsFault::BrokenRecord, "a record is larger than TLS allows"),
    ("wrong version number", TlsFault::BrokenRecord, "the peer sent bytes that are no record of TLS"),
    ("unexpected", TlsFault::BrokenRecord, "the peer broke a rule of TLS"),
    ("unsafe legacy renegotiation", TlsFault::Other, "the server has only the old renegotiation, which is not safe"),
];

/// Tells a failure of the library apart.
pub(super) fn failure(error: &impl fmt::Display, about: Situation) -> TlsFailure {
    let text = error.to_string();
    if let Some(alert) = alert(&text) {
        // Some servers send it for a client certificate; most do so for something else.
        let shown = about.has_client && (about.asked || alert != HANDSHAKE_FAILURE);
        let asked = match shown {
            true => Some(true),
            false => (about.asked && !about.has_client).then_some(false),
        };
        return alerts::failure(alert, asked);
    }
    let lower = text.to_lowercase();
    let table: &[(&str, TlsFault, &str)] = match lower.contains("certificate verify failed") {
        true => &CERTIFICATES,
        false => &CONNECTIONS,
    };
    match table.iter().find(|(words, ..)| lower.contains(words)) {
        Some((_, fault, words)) => TlsFailure::new(*fault, words, *fault != TlsFault::BrokenRecord),
        None => {
            TlsFailure::new(TlsFault::Other, format!("the TLS library of the system failed: {}", reason(&text)), false)
        }
    }
}

/// Returns the number of the alert in a text of OpenSSL.
fn alert(text: &str) -> Option<u8> {
    let (_, number) = text.split_once("SSL alert number ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns the reason in a text of OpenSSL, `error:CODE:library:function:reason:file:line:`, and any other text as it is.
fn reason(text: &str) -> &str {
    let mut parts = text.split(':');
    match (parts.next(), parts.nth(3)) {
        (Some("error"), Some(reason)) if !reason.is_empty() => reason,
        _ => text,
    }
}

/// Returns the failure for a certificate that was accepted by the library and is not by the configuration.
pub(super) fn refused(fault: TlsFault, text: impl fmt::Display, certificate: &[u8]) -> TlsFailure {
    let evidence = Evidence { chain: vec![certificate.to_vec()], ..Evidence::default() };
    TlsFailure::new(fault, text, true).with_evidence(evidence)
}

/// Checks the validity of a certificate that the library did not look at.
pub(super) fn validity(der: &[u8], now: SystemTime) -> Result<(), TlsFailure> {
    let Some(certificate) = Certificate::read(der) else {
        return Err(refused(TlsFault::InvalidCertificate, "the server's certificate cannot be read", der));
    };
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX));
    let (begin, end) = certificate.validity;
    let (fault, limit, what) = match seconds {
        _ if seconds < begin => (TlsFault::NotYetValid, begin, "is not valid before"),
        _ if seconds > end => (TlsFault::Expired, end, "expired on"),
        _ => return Ok(()),
    };
    let text = format!(
        "the certificate {what} {}; this machine's clock says {}: is it right?",
        ImfDate(limit),
        ImfDate(seconds)
    );
    let times = (now, UNIX_EPOCH + Duration::from_secs(limit.max(0).unsigned_abs()));
    let evidence = Evidence { chain: vec![der.to_vec()], times: Some(times), ..Evidence::default() };
    Err(TlsFailure::new(fault, text, true).with_evidence(evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of OpenSSL 1.1.1, 3.0 and 3.5.
    #[test]
    fn texts() {
        let verify = |why: &str| {
            format!("error:0A000086:SSL routines:f:certificate verify failed:../ssl/statem/statem_clnt.c:1889: ({why})")
        };
        let ssl = |why: &str| format!("error:0A000100:SSL routines:f:{why}:../ssl/s3.c:1:");
        let alert =
            |number| format!("error:0A000410:SSL routines:f:ssl/tls alert x:../s.c:1:SSL alert number {number}");
        let table = [
            (verify("certificate has expired"), TlsFault::Expired),
            (verify("certificate is not yet valid"), TlsFault::NotYetValid),
            (verify("Hostname mismatch"), TlsFault::WrongName),
            (verify("IP address mismatch"), TlsFault::WrongName),
            (verify("self signed certificate"), TlsFault::UntrustedIssuer),
            (verify("self-signed certificate in certificate chain"), TlsFault::UntrustedIssuer),
            (verify("unable to get local issuer certificate"), TlsFault::UntrustedIssuer),
            (verify("unable to verify the first certificate"), TlsFault::UntrustedIssuer),
            (verify("unsupported certificate purpose"), TlsFault::WrongPurpose),
            (verify("unsuitable certificate purpose"), TlsFault::WrongPurpose),
            (verify("certificate signature failure"), TlsFault::BadSignature),
            (verify("CA signature digest algorithm too weak"), TlsFault::UnsupportedAlgorithm),
            (verify("path length constraint exceeded"), TlsFault::InvalidCertificate),
            (ssl("bad signature"), TlsFault::BadSignature),
            (ssl("unsupported protocol"), TlsFault::NoSharedVersion),
            (ssl("decryption failed or bad record mac"), TlsFault::BrokenRecord),
            (ssl("something new"), TlsFault::Other),
            (alert(40), TlsFault::NoSharedCipher),
            (alert(70), TlsFault::NoSharedVersion),
            (alert(116), TlsFault::ClientCertificateRequired),
            (alert(80), TlsFault::Alert(80)),
            ("Die Nachricht ist falsch.".to_owned(), TlsFault::Other),
        ];
        let nothing = Situation { has_client: false, asked: false };
        for (text, fault) in table {
            let failure = failure(&text, nothing);
            assert_eq!(failure.fault(), fault, "{text}");
            assert!(!failure.to_string().contains("error:"), "{failure}");
        }
        assert!(failure(&ssl("something new"), nothing).to_string().ends_with(": something new"));
        assert!(failure(&"other text", nothing).to_string().ends_with(": other text"));
    }

    /// A refusal of the client is told from other failures by what is known of the server's wishes.
    #[test]
    fn client_certificates() {
        use TlsFault::{ClientCertificateRefused as Refused, ClientCertificateRequired as Required, NoSharedCipher};
        let table = [
            (40, true, true, Refused),
            (40, false, true, Required),
            (40, true, false, NoSharedCipher),
            (40, false, false, NoSharedCipher),
            (48, true, false, Refused),
            (48, false, false, TlsFault::Alert(48)),
            (116, false, false, Required),
            (116, true, false, Required),
        ];
        for (alert, has_client, asked, fault) in table {
            let text = format!("SSL alert number {alert}");
            let row = (alert, has_client, asked);
            assert_eq!(failure(&text, Situation { has_client, asked }).fault(), fault, "{row:?}");
        }
    }
}
