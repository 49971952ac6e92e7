//! Decides whether a server's certificate is accepted.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, PeerMisbehaved, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, RawPublicKeyEntity};

use super::crl::Lists;
use super::explain::{self, Refusal};
use super::notes;
use crate::tls::der::Certificate;
use crate::tls::pins;
use crate::tls::settings::Check;

/// Every scheme that a server may choose when nothing is verified. Old servers have no other.
const ANY_SCHEME: [SignatureScheme; 12] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::ECDSA_SHA1_Legacy,
    SignatureScheme::RSA_PKCS1_SHA1,
];

/// Accepts or refuses the certificate of a server.
pub(super) struct Verifier {
    pub(super) check: Check,
    /// The name that the certificate must be for, in place of the server's.
    pub(super) asserted: Option<ServerName<'static>>,
    pub(super) roots: RootCertStore,
    /// Where the roots came from, for errors.
    pub(super) origin_of_roots: String,
    /// The certificates that are trusted by themselves: those of the caller, and the caller's roots.
    pub(super) exact: Vec<Vec<u8>>,
    pub(super) lists: Option<Lists>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// The name of the provider that has these algorithms.
    pub(super) provider: &'static str,
}

impl Verifier {
    /// Returns whether nothing of the server is checked, not even that it has the key of its certificate.
    fn accepts_all(&self) -> bool {
        self.check.accept_any && self.check.pins.is_empty()
    }

    fn check(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        asked: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Box<Refusal>> {
        if !self.check.accept_any && !self.check.pins_alone {
            let name = self.asserted.as_ref().unwrap_or(asked);
            if self.exact.iter().any(|exact| exact == own.as_ref()) {
                self.check_exact(own, name, now)?;
            } else {
                self.check_chain(own, others, name, now)?;
            }
        }
        match self.check.pins.is_empty() {
            true => Ok(()),
            false => pins::check(&self.check.pins, own).map_err(explain::pin_mismatch),
        }
    }

    /// Checks a certificate that is trusted by itself. It may be the certificate of an authority, or of version 1.
    fn check_exact(&self, own: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Box<Refusal>> {
        let parts = Certificate::read(own).ok_or_else(explain::unreadable)?;
        explain::validity(&parts, now)?;
        match EndEntityCert::try_from(own) {
            Ok(certificate) => self.check_name(&certificate, name),
            Err(_) if self.check.accept_any_name => Ok(()),
            // Names other than the common name came with version 3.
            Err(_) => Err(explain::nameless(name)),
        }
    }

    fn check_chain(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Box<Refusal>> {
        let certificate = EndEntityCert::try_from(own).map_err(explain::certificate)?;
        let verify = |revocation: Option<webpki::RevocationOptions<'_>>| {
            let (roots, usage) = (&self.roots.roots, KeyUsage::server_auth());
            certificate.verify_for_usage(self.algorithms.all, roots, others, now, usage, revocation, None).map(|_| ())
        };
        match &self.lists {
            None => verify(None),
            Some(lists) => lists.verify(verify),
        }
        .map_err(explain::certificate)?;
        self.check_name(&certificate, name)
    }

    fn check_name(&self, certificate: &EndEntityCert<'_>, name: &ServerName<'_>) -> Result<(), Box<Refusal>> {
        if self.check.accept_any_name {
            return Ok(());
        }
        certificate.verify_is_valid_for_subject_name(name).map_err(|error| explain::wrong_name(error, name))
    }

    /// Verifies a signature of the handshake by the key of a certificate that webpki does not read, such as one of
    /// version 1.
    fn verify_by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        only_first: bool,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let Some((_, algorithms)) = known else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        // TLS 1.3 has one algorithm for each scheme.
        let algorithms = if only_first { &algorithms[..1] } else { algorithms };
        let bad = || rustls::Error::from(rustls::CertificateError::BadSignature);
        let key = Certificate::read(certificate).map(|parts| SubjectPublicKeyInfoDer::from(parts.public_key));
        let key = key.ok_or_else(bad)?;
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| bad())?;
        let valid =
            algorithms.iter().any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok());
        if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad()) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        asked: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(own, others, asked, now).map(|()| ServerCertVerified::assertion()).map_err(|refusal| {
            let chain: Vec<&[u8]> = std::iter::once(own).chain(others).map(AsRef::as_ref).collect();
            notes::refused(refusal.failure.into_failure(&chain, &self.origin_of_roots, self.provider));
            refusal.alert
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match EndEntityCert::try_from(certificate) {
            _ if self.accepts_all() => Ok(HandshakeSignatureValid::assertion()),
            Ok(_) => verify_tls12_signature(message, certificate, signed, &self.algorithms),
            Err(_) => self.verify_by_key(message, certificate, signed, false),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match EndEntityCert::try_from(certificate) {
            _ if self.accepts_all() => Ok(HandshakeSignatureValid::assertion()),
            Ok(_) => verify_tls13_signature(message, certificate, signed, &self.algorithms),
            // RSA by PKCS #1 1.5 and hashes without their curve are not of TLS 1.3 (RFC 8446, section 4.2.3).
            Err(_) if !explain::is_of_tls13(signed.scheme) => {
                Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
            }
            Err(_) => self.verify_by_key(message, certificate, signed, true),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self.accepts_all() {
            true => ANY_SCHEME.to_vec(),
            false => self.algorithms.supported_schemes(),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// Answers a server that asks for a client certificate.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Option<Arc<rustls::sign::CertifiedKey>>);

impl rustls::client::ResolvesClientCert for Answer {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        // A key that the server cannot verify is not shown. rustls would end the connection there.
        let usable = self.0.as_ref().filter(|own| own.key.choose_scheme(schemes).is_some());
        notes::asked(usable.is_some());
        usable.cloned()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}
