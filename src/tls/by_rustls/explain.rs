//! Tells failures of rustls and webpki apart, in words of our own: theirs are for programmers of those libraries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{ServerName, UnixTime};

use super::PROVIDER;
use crate::date::ImfDate;
use crate::error::{Evidence, TlsFailure, TlsFault};
use crate::tls::der::{self, Certificate};

/// The most names of a certificate in a text.
const NAMES: usize = 4;

/// A refused certificate: the reason, and the error that makes rustls send the right alert.
pub(super) struct Refusal {
    pub(super) failure: Explained,
    pub(super) alert: rustls::Error,
}

/// The reason for a refusal, without the chain.
pub(super) struct Explained {
    fault: TlsFault,
    text: String,
    evidence: Evidence,
}

impl Explained {
    fn new(fault: TlsFault, text: impl Into<String>) -> Explained {
        Explained { fault, text: text.into(), evidence: Evidence::default() }
    }

    /// Adds the chain that was refused, and what it lacks.
    pub(super) fn into_failure(self, chain: &[&[u8]], roots: &str) -> TlsFailure {
        let Explained { fault, mut text, mut evidence } = self;
        if fault == TlsFault::UntrustedIssuer {
            let (missing, why) = missing_issuer(chain);
            text = format!("{why}; trusted are {roots}");
            evidence.missing_issuer = missing;
        }
        if matches!(fault, TlsFault::UntrustedIssuer | TlsFault::CaAsServer) {
            evidence.roots = Some(roots.to_owned());
        }
        evidence.chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
        TlsFailure::new(fault, text, true).with_evidence(evidence)
    }

    fn refusal(self, alert: CertificateError) -> Box<Refusal> {
        Box::new(Refusal { failure: self, alert: alert.into() })
    }
}

/// Returns the name of the issuer that is missing, and the sentence about it.
fn missing_issuer(chain: &[&[u8]]) -> (Option<String>, String) {
    let read: Vec<_> = chain.iter().filter_map(|der| Certificate::read(der)).collect();
    let Some(mut last) = read.first() else {
        return (None, "the server's certificate is not issued by a trusted root".to_owned());
    };
    // A certificate may name one of those before it as its issuer. So as many steps are taken as there are certificates.
    for _ in &read {
        match read.iter().find(|other| other.subject == last.issuer && !last.is_self_issued()) {
            Some(issuer) => last = issuer,
            None => break,
        }
    }
    let (subject, issuer) = (der::name(last.subject), der::name(last.issuer));
    let why = match (last.is_self_issued(), read.len()) {
        (true, 1) => format!("the server's certificate is self-signed and not trusted: {subject}"),
        (true, _) => format!("the root of the server's chain is not trusted: {subject}"),
        (false, _) => {
            format!("no trusted root and no certificate that the server sent is the issuer of {subject}: {issuer}")
        }
    };
    (Some(issuer), why)
}

pub(super) fn unreadable() -> Box<Refusal> {
    Explained::new(TlsFault::InvalidCertificate, "the server's certificate cannot be read")
        .refusal(CertificateError::BadEncoding)
}

pub(super) fn pin_mismatch(text: String) -> Box<Refusal> {
    Explained::new(TlsFault::PinMismatch, text).refusal(CertificateError::ApplicationVerificationFailure)
}

/// Checks the validity of a certificate that no chain leads to.
pub(super) fn validity(certificate: &Certificate<'_>, now: UnixTime) -> Result<(), Box<Refusal>> {
    let time = |seconds: i64| UnixTime::since_unix_epoch(Duration::from_secs(seconds.max(0).unsigned_abs()));
    let (begin, end) = (time(certificate.validity.0), time(certificate.validity.1));
    if now < begin {
        return Err(self::certificate(webpki::Error::CertNotValidYet { time: now, not_before: begin }));
    }
    if now > end {
        return Err(self::certificate(webpki::Error::CertExpired { time: now, not_after: end }));
    }
    Ok(())
}

/// Returns the refusal of a certificate of version 1, which has no names but the common name.
pub(super) fn nameless(name: &ServerName<'_>) -> Box<Refusal> {
    let text = format!("the server's certificate has no name to compare with {}", name.to_str());
    Explained::new(TlsFault::WrongName, text).refusal(CertificateError::NotValidForName)
}

pub(super) fn wrong_name(error: webpki::Error, name: &ServerName<'_>) -> Box<Refusal> {
    let webpki::Error::CertNotValidForName(context) = error else { return certificate(error) };
    let asked = name.to_str();
    // webpki shows names as Rust code: `DnsName("a")`.
    let names: Vec<_> = context.presented.iter().filter_map(|name| name.split('"').nth(1)).take(NAMES).collect();
    let more = if context.presented.len() > NAMES { ", ..." } else { "" };
    let text = match names.is_empty() {
        true => {
            format!("the server's certificate is not for {asked}: it has no alternative names that can be compared")
        }
        false => format!("the server's certificate is not for {asked}, but for {}{more}", names.join(", ")),
    };
    Explained::new(TlsFault::WrongName, text).refusal(CertificateError::NotValidForName)
}

/// Tells the errors about a certificate apart.
pub(super) fn certificate(error: webpki::Error) -> Box<Refusal> {
    use webpki::Error as E;
    match error {
        E::CertExpired { time, not_after } => {
            let text = format!("the certificate expired on {}; {}", shown(not_after), clock(time, not_after));
            timed(TlsFault::Expired, text, time, not_after)
                .refusal(CertificateError::ExpiredContext { time, not_after })
        }
        E::CertNotValidYet { time, not_before } => {
            let text = format!(
                "the certificate is not valid before {}; this machine's clock says {}: is it right?",
                shown(not_before),
                shown(time)
            );
            timed(TlsFault::NotYetValid, text, time, not_before)
                .refusal(CertificateError::NotValidYetContext { time, not_before })
        }
        E::CrlExpired { time, next_update } => {
            let text = format!(
                "the revocation list of the issuer is out of date since {}; this machine's clock says {}",
                shown(next_update),
                shown(time)
            );
            timed(TlsFault::ExpiredRevocationList, text, time, next_update)
                .refusal(CertificateError::ExpiredRevocationListContext { time, next_update })
        }
        E::UnsupportedSignatureAlgorithmContext(context) | E::UnsupportedCrlSignatureAlgorithmContext(context) => {
            unsupported(&context.signature_algorithm_id, None)
        }
        E::UnsupportedSignatureAlgorithmForPublicKeyContext(context)
        | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(context) => {
            unsupported(&context.signature_algorithm_id, Some(&context.public_key_algorithm_id))
        }
        other => plain(&other),
    }
}

fn timed(fault: TlsFault, text: String, now: UnixTime, limit: UnixTime) -> Explained {
    let time = |time: UnixTime| UNIX_EPOCH + Duration::from_secs(time.as_secs());
    let times: (SystemTime, SystemTime) = (time(now), time(limit));
    Explained { evidence: Evidence { times: Some(times), ..Evidence::default() }, ..Explained::new(fault, text) }
}

fn unsupported(signature: &[u8], key: Option<&[u8]>) -> Box<Refusal> {
    let algorithm = match key {
        None => der::algorithm(signature),
        Some(key) => format!("{} by {}", der::algorithm(signature), der::algorithm(key)),
    };
    let text = format!("the certificate is signed by an algorithm that {PROVIDER} does not have: {algorithm}");
    let evidence = Evidence { algorithm: Some((algorithm, PROVIDER)), ..Evidence::default() };
    let explained = Explained { evidence, ..Explained::new(TlsFault::UnsupportedAlgorithm, text) };
    explained.refusal(CertificateError::BadEncoding)
}

/// Tells those errors apart that have no further evidence.
fn plain(error: &webpki::Error) -> Box<Refusal> {
    use webpki::Error as E;
    let (fault, text, alert) = match error {
        E::UnknownIssuer => (TlsFault::UntrustedIssuer, "", CertificateError::UnknownIssuer),
        E::CaUsedAsEndEntity => {
            let text = "the server's own certificate is that of an authority: if it is right, trust it by \
                        trusted_certificate_pem or trusted_certificate_file";
            (TlsFault::CaAsServer, text, CertificateError::InvalidPurpose)
        }
        E::CertRevoked => (TlsFault::Revoked, "a certificate of the chain is revoked", CertificateError::Revoked),
        E::UnknownRevocationStatus => {
            let text = "no revocation list is about the issuer of a certificate, and unknown certificates are refused";
            (TlsFault::UnknownRevocation, text, CertificateError::UnknownRevocationStatus)
        }
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => {
            let text = "the certificate may not be used for servers";
            (TlsFault::WrongPurpose, text, CertificateError::InvalidPurpose)
        }
        E::InvalidSignatureForPublicKey => {
            let text = "a certificate is not signed by the key of its issuer: the trusted root may be another one of \
                        the same name";
            (TlsFault::BadSignature, text, CertificateError::UnknownIssuer)
        }
        E::InvalidCrlSignatureForPublicKey | E::IssuerNotCrlSigner => {
            let text = "a revocation list is not signed by the issuer of the certificate";
            (TlsFault::BadSignature, text, CertificateError::UnknownRevocationStatus)
        }
        E::UnsupportedCertVersion => {
            let text = "the certificate is not of version 3: if it is right, trust it by trusted_certificate_pem";
            (TlsFault::InvalidCertificate, text, CertificateError::BadEncoding)
        }
        E::NameConstraintViolation => {
            let text = "the issuer of the certificate may not issue it for this name";
            (TlsFault::InvalidCertificate, text, CertificateError::BadEncoding)
        }
        E::EndEntityUsedAsCa | E::PathLenConstraintViolated => {
            let text = "a certificate of the chain may not issue certificates";
            (TlsFault::InvalidCertificate, text, CertificateError::BadEncoding)
        }
        E::UnsupportedCriticalExtension => {
            let text = "the certificate has a critical extension that is not known";
            (TlsFault::InvalidCertificate, text, CertificateError::BadEncoding)
        }
        E::MaximumPathBuildCallsExceeded | E::MaximumPathDepthExceeded | E::MaximumSignatureChecksExceeded => {
            let text = "the server's chain is too long or has too many ways to a root";
            (TlsFault::InvalidCertificate, text, CertificateError::BadEncoding)
        }
        _ => {
            let text = "a certificate of the chain cannot be read or breaks a rule";
            (TlsFault::InvalidCertificate, text, CertificateError::BadEncoding)
        }
    };
    Explained::new(fault, text).refusal(alert)
}

fn shown(time: UnixTime) -> ImfDate {
    ImfDate(time.as_secs().try_into().unwrap_or(i64::MAX))
}

/// Returns the sentence about the clock for a certificate that has expired. A machine without a battery begins in 1970,
/// and one whose clock is ahead finds everything expired.
fn clock(now: UnixTime, not_after: UnixTime) -> String {
    let years = now.as_secs().saturating_sub(not_after.as_secs()) / (365 * 24 * 60 * 60);
    let doubt = if years >= 5 { ": is it right?" } else { "" };
    format!("this machine's clock says {}{doubt}", shown(now))
}

/// What a connection knows when rustls fails.
#[derive(Clone, Copy, Default)]
pub(super) struct Situation {
    pub(super) handshaking: bool,
    /// The server asked for a client certificate. The value tells whether it got one.
    pub(super) asked: Option<bool>,
    /// The server asked for another handshake.
    pub(super) renegotiation: bool,
}

/// The most bytes that are shown of what came in place of TLS. They tell a page from a protocol that greets first.
const SHOWN: usize = 32;

/// Returns the failure of a handshake whose peer does not speak TLS. `came` is what it has sent.
pub(super) fn not_tls(came: &[u8]) -> TlsFailure {
    let start = came[..came.len().min(SHOWN)].escape_ascii();
    let began = if came.is_empty() { String::new() } else { format!(" (it began with \"{start}\")") };
    let text = format!("the peer does not speak TLS{began}; is the URL http rather than https?");
    TlsFailure::new(TlsFault::NotTls, text, true)
}

/// Tells the errors of a connection apart.
pub(super) fn connection(error: &rustls::Error, about: Situation) -> TlsFailure {
    use rustls::Error as E;
    let (fault, text) = match error {
        E::AlertReceived(alert) => return by_alert(*alert, about),
        E::InvalidMessage(InvalidMessage::InvalidContentType) if about.handshaking => {
            return not_tls(&[]);
        }
        E::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => return renegotiation(),
        E::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) | E::NoApplicationProtocol => {
            (TlsFault::NoSharedProtocol, "the server does not speak HTTP/1.1 on this port")
        }
        E::PeerIncompatible(why) => incompatible(why),
        E::InvalidCertificate(
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => (TlsFault::UnsupportedAlgorithm, "the server signs the handshake by an algorithm that ring does not have"),
        E::InvalidCertificate(CertificateError::BadSignature) => {
            (TlsFault::BadSignature, "the server does not have the key of its certificate: its signature is wrong")
        }
        E::InvalidCertificate(_) | E::NoCertificatesPresented => {
            (TlsFault::InvalidCertificate, "the server's certificate cannot be read")
        }
        E::DecryptError => (TlsFault::BrokenRecord, "a record was changed on the way, or is not of this connection"),
        E::PeerSentOversizedRecord => (TlsFault::BrokenRecord, "a record is larger than TLS allows"),
        E::InvalidMessage(_) => (TlsFault::BrokenRecord, "the peer sent bytes that are no message of TLS"),
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } | E::PeerMisbehaved(_) => {
            (TlsFault::BrokenRecord, "the peer broke a rule of TLS")
        }
        E::FailedToGetCurrentTime => (TlsFault::Other, "the clock of this machine is set before 1970"),
        E::FailedToGetRandomBytes => (TlsFault::Other, "the system has no random bytes"),
        _ => (TlsFault::Other, "the TLS library failed"),
    };
    TlsFailure::new(fault, text, lasts(error))
}

fn incompatible(why: &PeerIncompatible) -> (TlsFault, &'static str) {
    use PeerIncompatible as P;
    match why {
        P::ServerDoesNotSupportTls12Or13 => {
            (TlsFault::NoSharedVersion, "the server has no version of TLS from 1.2 on, and rustls has no earlier one")
        }
        P::ServerTlsVersionIsDisabledByOurConfig | P::Tls12NotOffered | P::Tls12NotOfferedOrEnabled => {
            (TlsFault::NoSharedVersion, "the server has no version of TLS that the configuration allows")
        }
        _ => (TlsFault::NoSharedCipher, "the peers have no cipher suite, key exchange or signature in common"),
    }
}

/// Tells apart why the server ended the connection by an alert.
fn by_alert(alert: AlertDescription, about: Situation) -> TlsFailure {
    use AlertDescription as A;
    let about_certificates = matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::HandshakeFailure
            | A::CertificateRequired
    );
    let name = alert_name(alert);
    let (fault, text) = match (alert, about.asked) {
        _ if about.renegotiation => return renegotiation(),
        (A::CertificateRequired, _) | (_, Some(false)) if about_certificates => (
            TlsFault::ClientCertificateRequired,
            format!("the server wants a client certificate, and the configuration has none that it accepts ({name})"),
        ),
        // A signature by the client's key that the server cannot verify is a decrypt_error.
        (_, Some(true)) if about_certificates || alert == A::DecryptError => {
            (TlsFault::ClientCertificateRefused, format!("the server refuses the client certificate: {name}"))
        }
        (A::ProtocolVersion, _) => (
            TlsFault::NoSharedVersion,
            format!("the server has no version of TLS that the configuration allows ({name})"),
        ),
        (A::HandshakeFailure | A::InsufficientSecurity, _) => (
            TlsFault::NoSharedCipher,
            format!("the server refused the handshake: there may be no cipher suite in common ({name})"),
        ),
        (A::NoApplicationProtocol, _) => {
            (TlsFault::NoSharedProtocol, "the server does not speak HTTP/1.1 on this port".to_owned())
        }
        (A::UnrecognisedName, _) => (
            TlsFault::Alert(alert.into()),
            "the server does not know the name of the host (unrecognized_name)".to_owned(),
        ),
        _ => (TlsFault::Alert(alert.into()), format!("the server ended the connection by the alert {name}")),
    };
    let of_the_client = matches!(fault, TlsFault::ClientCertificateRequired | TlsFault::ClientCertificateRefused);
    TlsFailure::new(fault, text, of_the_client || lasts(&rustls::Error::AlertReceived(alert)))
}

/// Returns the name of an alert (RFC 8446, section 6).
fn alert_name(alert: AlertDescription) -> String {
    let number = u8::from(alert);
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => return number.to_string(),
    };
    name.to_owned()
}

/// Returns the failure of a connection whose server asked for another handshake, and then ended it.
pub(super) fn renegotiation() -> TlsFailure {
    let text = "the server asked for another handshake inside the connection, as servers do that want a client \
                certificate for a part of a site; rustls does not renegotiate, native-tls may";
    TlsFailure::new(TlsFault::Renegotiation, text, true)
}

/// Returns whether TLS 1.3 has the scheme (RFC 8446, section 4.2.3).
pub(super) fn is_of_tls13(scheme: SignatureScheme) -> bool {
    use SignatureScheme as S;
    matches!(
        scheme,
        S::ECDSA_NISTP256_SHA256
            | S::ECDSA_NISTP384_SHA384
            | S::ECDSA_NISTP521_SHA512
            | S::RSA_PSS_SHA256
            | S::RSA_PSS_SHA384
            | S::RSA_PSS_SHA512
            | S::ED25519
            | S::ED448
    )
}

/// Returns whether another attempt would fail in the same way. Damaged bytes and an alert about the peer's own troubles
/// may be over. A certificate, a refusal and a missing common version or cipher stay as they are.
fn lasts(error: &rustls::Error) -> bool {
    use AlertDescription::{
        BadRecordMac, CloseNotify, DecodeError, DecryptError, InternalError, RecordOverflow, UnexpectedMessage,
        UserCanceled,
    };
    match error {
        rustls::Error::AlertReceived(alert) => !matches!(
            alert,
            BadRecordMac
                | CloseNotify
                | DecodeError
                | DecryptError
                | InternalError
                | RecordOverflow
                | UnexpectedMessage
                | UserCanceled
        ),
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType
        | rustls::Error::InvalidCertRevocationList(_)
        | rustls::Error::PeerIncompatible(_)
        | rustls::Error::NoApplicationProtocol => true,
        _ => false,
    }
}
