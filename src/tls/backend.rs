//! Who does TLS.

use std::fmt;

use crate::error::{Error, Phase, Result};

/// Who does TLS: a library, and what it computes with. [`TlsConfigBuilder::backend`](crate::TlsConfigBuilder::backend)
/// chooses for a configuration.
///
/// ```
/// use hostpool::{TlsBackend, TlsConfig};
///
/// let backend = TlsBackend::NativeTls;
/// let tls = TlsConfig::builder().backend(backend).build();
/// assert_eq!(tls.is_ok(), backend.is_available());
/// ```
#[doc(alias = "TlsProvider")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsBackend {
    /// rustls with ring, by the feature `rustls`. It is the same on every system.
    #[doc(alias = "rustls")]
    #[doc(alias = "ring")]
    RustlsRing,
    /// rustls with AWS-LC, by the feature `aws-lc-rs`. In addition to what ring has, it has keys on P-521, and key
    /// exchanges that quantum computers do not break.
    #[doc(alias = "aws_lc_rs")]
    RustlsAwsLcRs,
    /// The TLS library of the system by the crate native-tls, with the feature `native-tls`: SChannel on Windows, Secure
    /// Transport on systems of Apple, OpenSSL elsewhere.
    ///
    /// It trusts what the system trusts, with the system's policies. With OpenSSL, a certificate that
    /// [`root_pem`](crate::TlsConfigBuilder::root_pem) adds is trusted only if it is self-signed; an intermediate one
    /// completes a chain. OpenSSL has TLS 1.0 and 1.1 where the system allows them, ciphers without forward secrecy, and
    /// renegotiation in TLS 1.2, which servers use to ask for a client certificate for a part of a site.
    ///
    /// It tells less: of the server's chain the first certificate alone; the [fault](crate::TlsFailure::fault) of a
    /// failure as far as the texts of the library tell it apart; neither the cipher nor whether a session was resumed. A
    /// refused certificate is not in [`TlsFailure::chain`](crate::TlsFailure::chain). Sessions are not resumed with
    /// OpenSSL.
    ///
    /// What it cannot do is an error of [`build`](crate::TlsConfigBuilder::build):
    /// - revocation lists, and key logs;
    /// - [`assert_hostname`](crate::TlsConfigBuilder::assert_hostname) while a name is sent to the server, because the
    ///   library has one name for both;
    /// - certificates that are [trusted by themselves](crate::TlsConfigBuilder::trusted_certificate_pem) beside roots, and
    ///   such that are not self-signed, unless any name is accepted;
    /// - with OpenSSL, roots of which none is self-signed;
    /// - on systems of Apple, TLS 1.3 as the lowest version;
    /// - on Android, roots without those of the system.
    ///
    /// OpenSSL matches no wildcard of a certificate with a label that has an underscore.
    #[doc(alias = "native-tls")]
    #[doc(alias = "openssl")]
    #[doc(alias = "schannel")]
    NativeTls,
}

impl TlsBackend {
    /// Returns whether this build of the crate has it.
    pub const fn is_available(self) -> bool {
        match self {
            TlsBackend::RustlsRing => cfg!(feature = "rustls"),
            TlsBackend::RustlsAwsLcRs => cfg!(feature = "aws-lc-rs"),
            TlsBackend::NativeTls => cfg!(feature = "native-tls"),
        }
    }

    /// Fails if this build does not have it.
    pub(super) fn available(self) -> Result<()> {
        if self.is_available() { Ok(()) } else { Err(self.missing()) }
    }

    pub(super) fn missing(self) -> Error {
        let why = match self {
            _ if cfg!(not(feature = "__tls")) => "https needs the feature rustls or native-tls",
            TlsBackend::RustlsRing => "rustls with ring needs the feature rustls",
            TlsBackend::RustlsAwsLcRs => "rustls with AWS-LC needs the feature aws-lc-rs",
            TlsBackend::NativeTls => "native-tls needs the feature native-tls",
        };
        Error::unsupported(why, Phase::Prepare)
    }
}

impl Default for TlsBackend {
    /// Returns the first one that this build has, in the order ring, AWS-LC, native-tls. So a feature that another crate
    /// of a program turns on does not change who does TLS.
    fn default() -> Self {
        let all = [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls];
        all.into_iter().find(|backend| backend.is_available()).unwrap_or(TlsBackend::RustlsRing)
    }
}

impl fmt::Display for TlsBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsBackend::RustlsRing => "rustls with ring",
            TlsBackend::RustlsAwsLcRs => "rustls with AWS-LC",
            TlsBackend::NativeTls => "native-tls",
        })
    }
}
