//! The rustls configuration made of a set of trusted roots.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use super::Roots;
use crate::error::{Error, Result};

/// Refuses roots of the caller's own that are no certificates, while there is somebody to tell.
pub(super) fn check(roots: &Roots) -> Result<()> {
    add_own(roots, &mut RootCertStore::empty())
}

fn add_own(roots: &Roots, store: &mut RootCertStore) -> Result<()> {
    for der in &roots.own {
        store
            .add(CertificateDer::from(der.as_slice()))
            .map_err(|error| Error::config("a root certificate cannot be read").with_source(error))?;
    }
    Ok(())
}

pub(super) fn client_config(roots: &Roots) -> Result<ClientConfig> {
    let mut store = RootCertStore::empty();
    add_own(roots, &mut store)?;
    if roots.system {
        add_system(&mut store);
    }
    if store.is_empty() {
        return Err(Error::config("the system has no root certificates, and none are built in"));
    }
    // Named rather than left to the process default: rustls panics where two providers are compiled in and none is
    // installed.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config("the TLS versions are not supported").with_source(error))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's store; the bundled set only where there is none. A certificate in the store that cannot be read is
/// passed over, as every other user of the store does.
fn add_system(store: &mut RootCertStore) {
    #[cfg(feature = "native-roots")]
    for certificate in rustls_native_certs::load_native_certs().certs {
        let _ = store.add(certificate);
    }
    #[cfg(feature = "webpki-roots")]
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    #[cfg(not(any(feature = "native-roots", feature = "webpki-roots")))]
    let _ = store;
}
