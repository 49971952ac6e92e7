//! The rustls configuration made of a set of trusted roots.

#[cfg(feature = "native-roots")]
use std::env;
#[cfg(feature = "native-roots")]
use std::ffi::OsString;
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
        add_system(&mut store)?;
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

/// Adds what the system trusts: the certificates that the environment names, else the system's store, else the bundled
/// set. A certificate that cannot be read is passed over, as every other user of the store does.
///
/// Where the environment names a store and the store has nobody to trust, the bundled set is not taken in its place: an
/// operator who narrows what is trusted must not get more.
fn add_system(store: &mut RootCertStore) -> Result<()> {
    #[cfg(feature = "native-roots")]
    {
        let named = Named { file: env::var_os("SSL_CERT_FILE"), dirs: env::var_os("SSL_CERT_DIR") };
        if named.is_given() {
            return named.add(store);
        }
        for certificate in rustls_native_certs::load_native_certs().certs {
            let _ = store.add(certificate);
        }
    }
    #[cfg(feature = "webpki-roots")]
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    #[cfg(not(any(feature = "native-roots", feature = "webpki-roots")))]
    let _ = store;
    Ok(())
}

/// The store that the environment names.
#[cfg(feature = "native-roots")]
struct Named {
    file: Option<OsString>,
    /// Separated as in `PATH`.
    dirs: Option<OsString>,
}

#[cfg(feature = "native-roots")]
impl Named {
    fn is_given(&self) -> bool {
        self.file.is_some() || self.dirs.is_some()
    }

    fn add(&self, store: &mut RootCertStore) -> Result<()> {
        let mut found = RootCertStore::empty();
        if let Some(file) = &self.file {
            let loaded = rustls_native_certs::load_certs_from_paths(Some(file.as_ref()), None);
            let why = add_loaded(loaded, &mut found);
            if found.is_empty() {
                return Err(unusable("SSL_CERT_FILE names no file with a certificate", file, why));
            }
        }
        if let Some(dirs) = &self.dirs {
            let mut why = None;
            for dir in env::split_paths(dirs).filter(|dir| !dir.as_os_str().is_empty()) {
                let loaded = rustls_native_certs::load_certs_from_paths(None, Some(&dir));
                why = why.or(add_loaded(loaded, &mut found));
            }
            // One of several stores may be empty: programs name directories that not every machine has.
            if found.is_empty() {
                return Err(unusable("SSL_CERT_DIR names no directory with a certificate", dirs, why));
            }
        }
        store.roots.append(&mut found.roots);
        Ok(())
    }
}

/// Adds certificates, and returns the first reason why there are not more.
#[cfg(feature = "native-roots")]
fn add_loaded(loaded: rustls_native_certs::CertificateResult, store: &mut RootCertStore) -> Option<String> {
    let mut why = loaded.errors.into_iter().next().map(|error| error.to_string());
    for certificate in loaded.certs {
        if let Err(error) = store.add(certificate) {
            why.get_or_insert_with(|| error.to_string());
        }
    }
    why
}

#[cfg(feature = "native-roots")]
fn unusable(what: &'static str, value: &OsString, why: Option<String>) -> Error {
    let why = why.unwrap_or_else(|| "nothing was found there".to_owned());
    Error::config(what).with_source(format!("{value:?}: {why}"))
}
