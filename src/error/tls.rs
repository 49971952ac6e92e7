//! Failures of TLS, told apart, with what is known about each.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use super::cause::shortened;

/// The bound on the bytes of a failure's text.
const TEXT: usize = 400;

/// The bounds on a kept certificate chain.
const CERTIFICATES: usize = 16;
const CHAIN: usize = 128 * 1024;

/// A failure of TLS: what failed, in words, and the evidence for it. [`Error::tls_failure`](super::Error::tls_failure)
/// returns it.
///
/// ```no_run
/// use hostpool::TlsFault;
///
/// let error = hostpool::get("https://expired.badssl.com/").send().unwrap_err();
/// let failure = error.tls_failure().unwrap();
/// if failure.fault() == TlsFault::Expired {
///     eprintln!("{failure}; the server sent {} certificates", failure.chain().len());
/// }
/// ```
#[derive(Clone)]
pub struct TlsFailure(Arc<Facts>);

#[derive(Clone)]
struct Facts {
    fault: TlsFault,
    text: Box<str>,
    lasts: bool,
    /// The server cannot have processed the request, although bytes of it left.
    unprocessed: bool,
    evidence: Evidence,
}

/// What is known about a refused certificate.
#[derive(Clone, Default)]
pub(crate) struct Evidence {
    /// The certificates that the server sent, in DER.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) missing_issuer: Option<String>,
    /// Where the trusted roots came from, and how many there are.
    pub(crate) roots: Option<String>,
    /// The time by the clock of this machine, and the time that the certificate or the list names.
    pub(crate) times: Option<(SystemTime, SystemTime)>,
    /// The algorithm that is not supported, and the library that does not support it.
    pub(crate) algorithm: Option<(String, &'static str)>,
}

/// What failed in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// A certificate of the chain has expired.
    Expired,
    /// A certificate of the chain is not valid yet. The clock of this machine may be wrong.
    NotYetValid,
    /// The certificate is for other names than the one that was asked for.
    #[doc(alias = "CertificateError")]
    WrongName,
    /// No trusted root has issued the chain. [`TlsFailure::missing_issuer`] names the issuer that was not found.
    UntrustedIssuer,
    /// The server uses the certificate of an authority as its own. It can be trusted by
    /// [`trusted_certificate`](crate::TlsConfigBuilder::trusted_certificate_pem).
    CaAsServer,
    /// A certificate of the chain is revoked.
    Revoked,
    /// No revocation list tells about a certificate, and the configuration asks for one.
    UnknownRevocation,
    /// The revocation list of an issuer is out of date.
    ExpiredRevocationList,
    /// The certificate may not be used for servers.
    WrongPurpose,
    /// The certificate, or a signature, uses an algorithm that the TLS library cannot verify.
    /// [`TlsFailure::algorithm`] names both.
    UnsupportedAlgorithm,
    /// A signature is wrong: that of a certificate, or that of the handshake, which proves that the server has the key
    /// of its certificate.
    BadSignature,
    /// A certificate cannot be read, or breaks another rule.
    InvalidCertificate,
    /// The certificate is not one of those that a fingerprint names.
    PinMismatch,
    /// The peers have no version of TLS in common.
    NoSharedVersion,
    /// The peers have no cipher suite, key exchange or signature algorithm in common.
    NoSharedCipher,
    /// The server does not speak HTTP/1.1 on this port.
    NoSharedProtocol,
    /// The server asks for a client certificate, and the configuration has none.
    ClientCertificateRequired,
    /// The server refuses the client certificate.
    ClientCertificateRefused,
    /// The server asked for another handshake in a running connection, and then ended it. Servers that want a client
    /// certificate for a part of a site do so in TLS 1.2.
    Renegotiation,
    /// The server ended the connection by this alert (RFC 8446, section 6).
    Alert(u8),
    /// The peer does not speak TLS.
    NotTls,
    /// The name of the server cannot be used in TLS.
    InvalidName,
    /// The dialer of the client returned a connection that is not encrypted for an `https` URL.
    NotEncrypted,
    /// Bytes of the peer break a rule of TLS, or were changed on the way.
    BrokenRecord,
    /// Another failure.
    Other,
}

impl TlsFailure {
    pub(crate) fn new(fault: TlsFault, text: impl fmt::Display, lasts: bool) -> TlsFailure {
        let text = shortened(format_args!("{text}"), TEXT).into();
        TlsFailure(Arc::new(Facts { fault, text, lasts, unprocessed: false, evidence: Evidence::default() }))
    }

    pub(crate) fn with_evidence(mut self, evidence: Evidence) -> TlsFailure {
        let mut room = CHAIN;
        let fits = |certificate: &Vec<u8>| {
            let fits = certificate.len() <= room;
            room = room.saturating_sub(certificate.len());
            fits
        };
        let chain = evidence.chain.into_iter().take(CERTIFICATES).take_while(fits).collect();
        Arc::make_mut(&mut self.0).evidence = Evidence { chain, ..evidence };
        self
    }

    /// Notes that the server cannot have processed the request.
    pub(crate) fn unprocessed(mut self) -> TlsFailure {
        Arc::make_mut(&mut self.0).unprocessed = true;
        self
    }

    /// Returns what failed.
    pub fn fault(&self) -> TlsFault {
        self.0.fault
    }

    /// Returns the certificates that the server sent, in DER, the server's own first. It is empty unless a certificate
    /// was refused. A chain is kept up to 16 certificates and 128 KiB.
    ///
    /// A program that asks its user whether to trust an unknown server finds the certificate here. Nothing of it is
    /// verified.
    #[doc(alias = "peer_certificates")]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.0.evidence.chain
    }

    /// Returns the name of the issuer that was neither sent nor is a trusted root, if the
    /// [fault](Self::fault) is [`TlsFault::UntrustedIssuer`].
    pub fn missing_issuer(&self) -> Option<&str> {
        self.0.evidence.missing_issuer.as_deref()
    }

    /// Returns where the trusted roots came from, and how many there are, if no trusted root has issued the chain.
    pub fn roots(&self) -> Option<&str> {
        self.0.evidence.roots.as_deref()
    }

    /// Returns the time of the check by the clock of this machine, and the time that it was compared with: the end or
    /// the beginning of the certificate's validity, or the end of the revocation list's.
    pub fn times(&self) -> Option<(SystemTime, SystemTime)> {
        self.0.evidence.times
    }

    /// Returns the algorithm that is not supported, and the library that does not support it.
    pub fn algorithm(&self) -> Option<(&str, &str)> {
        self.0.evidence.algorithm.as_ref().map(|(algorithm, provider)| (algorithm.as_str(), *provider))
    }

    /// Returns the failure of TLS that `source` is or holds.
    pub(super) fn within<'a>(source: &'a (dyn StdError + 'static)) -> Option<&'a TlsFailure> {
        let inner = source.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as &dyn StdError);
        inner.and_then(|inner| inner.downcast_ref()).or_else(|| source.downcast_ref::<TlsFailure>())
    }

    /// Returns whether another try would fail in the same way.
    pub(super) fn lasts(&self) -> bool {
        self.0.lasts
    }

    /// Returns whether the server cannot have processed the request.
    pub(super) fn is_unprocessed(&self) -> bool {
        self.0.unprocessed
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for TlsFailure {
    /// Shows the text, and the number of certificates in place of their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFailure")
            .field("fault", &self.0.fault)
            .field("text", &self.0.text)
            .field("chain", &self.0.evidence.chain.len())
            .finish_non_exhaustive()
    }
}

impl StdError for TlsFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_failures_last() {
        let of = |lasts| TlsFailure::new(TlsFault::Other, "why", lasts);
        let in_io = |lasts| io::Error::new(io::ErrorKind::InvalidData, of(lasts));
        for lasts in [true, false] {
            assert_eq!(TlsFailure::within(&in_io(lasts)).map(TlsFailure::lasts), Some(lasts));
            assert_eq!(TlsFailure::within(&of(lasts)).map(TlsFailure::lasts), Some(lasts));
        }
        assert!(TlsFailure::within(&io::Error::from(io::ErrorKind::UnexpectedEof)).is_none());
    }

    #[test]
    fn chains_are_bounded() {
        let kept = |chain: Vec<Vec<u8>>| {
            let evidence = Evidence { chain, ..Evidence::default() };
            TlsFailure::new(TlsFault::Other, "why", true).with_evidence(evidence).chain().len()
        };
        assert_eq!(kept(vec![vec![0; 10]; 3]), 3);
        assert_eq!(kept(vec![vec![0; 10]; 100]), CERTIFICATES);
        assert_eq!(kept(vec![vec![0; CHAIN / 2]; 3]), 2);
        assert_eq!(kept(vec![vec![0; CHAIN + 1]]), 0);
    }
}
