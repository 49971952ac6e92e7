//! The facts about a TLS connection.

use std::fmt;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246). It is broken, and rustls does not have it: see [`TlsBackend::NativeTls`](crate::TlsBackend).
    #[doc(alias = "TLSv1")]
    V1_0,
    /// TLS 1.1 (RFC 4346). It is broken, and rustls does not have it: see [`TlsBackend::NativeTls`](crate::TlsBackend).
    #[doc(alias = "TLSv1_1")]
    V1_1,
    /// TLS 1.2 (RFC 5246).
    #[doc(alias = "TLSv1_2")]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    #[doc(alias = "TLSv1_3")]
    V1_3,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsVersion::V1_0 => "TLS 1.0",
            TlsVersion::V1_1 => "TLS 1.1",
            TlsVersion::V1_2 => "TLS 1.2",
            TlsVersion::V1_3 => "TLS 1.3",
        })
    }
}

/// The facts about a TLS connection. A TLS library may not tell all of them.
///
/// ```
/// use hostpool::{TlsInfo, TlsVersion, TransportInfo};
///
/// // A transport of your own tells what it knows.
/// let mut tls = TlsInfo::default();
/// tls.version = Some(TlsVersion::V1_3);
/// let info = TransportInfo::new().tls(tls);
/// assert!(info.encrypted);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version that the peers agreed on.
    pub version: Option<TlsVersion>,
    /// The cipher suite by its IANA name, such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: Option<String>,
    /// The protocol that the server chose by ALPN. `None` means that it chose none.
    pub alpn: Option<String>,
    /// The certificates that the server sent, in DER, the server's own first. In a resumed session they are those of the
    /// first handshake.
    #[doc(alias = "getpeercert")]
    #[doc(alias = "peer_certificates")]
    pub chain: Vec<Vec<u8>>,
    /// Whether the handshake resumed an earlier session.
    pub resumed: Option<bool>,
    /// Whether the server's certificate was verified, by its chain or by a fingerprint. The check of its name alone may
    /// be off.
    #[doc(alias = "is_verified")]
    pub verified: bool,
}
