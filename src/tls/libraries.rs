//! The TLS libraries of this build, and which of them is used.

use super::backend::TlsBackend;
use super::settings::Settings;
use crate::error::Result;

impl TlsBackend {
    /// Fails if one of these certificates cannot be a root.
    #[cfg_attr(not(feature = "__tls"), allow(unused_variables))]
    pub(super) fn check_roots(self, found: &[Vec<u8>]) -> Result<()> {
        match self {
            #[cfg(feature = "__rustls")]
            TlsBackend::RustlsRing | TlsBackend::RustlsAwsLcRs => super::by_rustls::Rustls::check_roots(found),
            #[cfg(feature = "native-tls")]
            TlsBackend::NativeTls => super::by_native_tls::NativeTls::check_roots(found),
            #[allow(unreachable_patterns)]
            _ => self.available(),
        }
    }

    /// Fails if this build does not have it, and if it cannot do what the settings ask for.
    #[cfg_attr(not(feature = "__tls"), allow(unused_variables))]
    pub(super) fn check(self, settings: &Settings) -> Result<()> {
        match self {
            #[cfg(feature = "__rustls")]
            TlsBackend::RustlsRing | TlsBackend::RustlsAwsLcRs if self.is_available() => {
                super::by_rustls::Rustls::check(settings)
            }
            #[cfg(feature = "native-tls")]
            TlsBackend::NativeTls => super::by_native_tls::NativeTls::check(settings),
            _ => Err(self.missing()),
        }
    }

    /// Returns the library with these settings. Reads the system's roots if they are trusted.
    #[cfg(feature = "__tls")]
    pub(super) fn build(self, settings: &Settings) -> Result<std::sync::Arc<dyn super::session::Backend>> {
        match self {
            #[cfg(feature = "__rustls")]
            TlsBackend::RustlsRing | TlsBackend::RustlsAwsLcRs if self.is_available() => {
                Ok(std::sync::Arc::new(super::by_rustls::Rustls::new(settings)?))
            }
            #[cfg(feature = "native-tls")]
            TlsBackend::NativeTls => Ok(std::sync::Arc::new(super::by_native_tls::NativeTls::new(settings)?)),
            _ => Err(self.missing()),
        }
    }
}
