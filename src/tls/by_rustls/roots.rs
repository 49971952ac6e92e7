//! The trusted roots.

#[cfg(feature = "native-roots")]
use std::env;
#[cfg(feature = "native-roots")]
use std::ffi::OsString;
#[cfg(feature = "native-roots")]
use std::{fmt, io};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::error::{Error, Result};
#[cfg(feature = "native-roots")]
use crate::error::{ErrorKind, Phase};
#[cfg(feature = "native-roots")]
use crate::net::descriptors;
#[cfg(feature = "native-roots")]
use crate::observe;
use crate::tls::settings::Roots;

/// Fails if one of these certificates cannot be a root.
pub(super) fn check(certificates: &[Vec<u8>]) -> Result<()> {
    add_own(certificates, &mut RootCertStore::empty())
}

fn add_own(own: &[Vec<u8>], store: &mut RootCertStore) -> Result<()> {
    for der in own {
        store
            .add(CertificateDer::from(der.as_slice()))
            .map_err(|_| Error::config("a root certificate cannot be read"))?;
    }
    Ok(())
}

/// Adds the trusted roots, and returns in words where they came from.
pub(super) fn fill(roots: &Roots, store: &mut RootCertStore) -> Result<String> {
    add_own(&roots.own, store)?;
    let own = store.len();
    let of_the_system = if roots.system { add_system(store)? } else { "" };
    if store.is_empty() && roots.exact.is_empty() {
        return Err(Error::config("the system has no root certificates, and none are built in"));
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let mut words = Vec::new();
    if own > 0 {
        words.push(format!("{own} root{} of the configuration", plural(own)));
    }
    if roots.system {
        let count = store.len() - own;
        words.push(format!("{count} root{} of {of_the_system}", plural(count)));
    }
    if !roots.exact.is_empty() {
        let count = roots.exact.len();
        words.push(format!("{count} certificate{} alone", plural(count)));
    }
    Ok(words.join(" and "))
}

/// Adds the system's roots: the certificates that the environment names, otherwise the system's store, otherwise the
/// bundled set. Skips a certificate that cannot be read, as other users of the store do.
///
/// Does not fall back to the bundled set if the environment names a store without a certificate: an operator who
/// narrows the trust must not get more of it. Returns where they come from.
fn add_system(store: &mut RootCertStore) -> Result<&'static str> {
    #[cfg(feature = "native-roots")]
    let (found, place) = {
        let named = Named { file: env::var_os("SSL_CERT_FILE"), dirs: env::var_os("SSL_CERT_DIR") };
        match named.is_given() {
            true => (named.load()?, named.variables()),
            false => of_system(rustls_native_certs::load_native_certs())?,
        }
    };
    #[cfg(not(feature = "native-roots"))]
    let (found, place) = (bundled(), BUNDLED);
    store.extend(found.roots);
    Ok(place)
}

const BUNDLED: &str = "the bundled set";

/// Returns the system's store, or the bundled set if there is no store. Fails if there is a store and no certificate in
/// it can be read: the bundled set may trust roots that the store does not.
#[cfg(feature = "native-roots")]
fn of_system(loaded: rustls_native_certs::CertificateResult) -> Result<(RootCertStore, &'static str)> {
    let mut found = RootCertStore::empty();
    match add_loaded(loaded, &mut found)? {
        _ if !found.is_empty() => Ok((found, "the system's store")),
        None => Ok((bundled(), BUNDLED)),
        Some(why) => Err(Error::config("the system's store of root certificates cannot be read").with_source(why)),
    }
}

#[cfg(feature = "webpki-roots")]
fn bundled() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

#[cfg(not(feature = "webpki-roots"))]
fn bundled() -> RootCertStore {
    RootCertStore::empty()
}

/// The store that the environment names.
#[cfg(feature = "native-roots")]
struct Named {
    file: Option<OsString>,
    /// The directories, separated as in `PATH`.
    dirs: Option<OsString>,
}

#[cfg(feature = "native-roots")]
impl Named {
    fn is_given(&self) -> bool {
        self.file.is_some() || self.dirs.is_some()
    }

    fn variables(&self) -> &'static str {
        match (&self.file, &self.dirs) {
            (_, None) => "SSL_CERT_FILE",
            (None, _) => "SSL_CERT_DIR",
            _ => "SSL_CERT_FILE and SSL_CERT_DIR",
        }
    }

    fn load(&self) -> Result<RootCertStore> {
        let mut found = RootCertStore::empty();
        if let Some(file) = &self.file {
            let loaded = rustls_native_certs::load_certs_from_paths(Some(file.as_ref()), None);
            let why = add_loaded(loaded, &mut found)?;
            if found.is_empty() {
                return Err(unusable("SSL_CERT_FILE names no file with a certificate", file, why));
            }
        }
        if let Some(dirs) = &self.dirs {
            let mut why = None;
            for dir in env::split_paths(dirs).filter(|dir| !dir.as_os_str().is_empty()) {
                let loaded = rustls_native_certs::load_certs_from_paths(None, Some(&dir));
                why = why.or(add_loaded(loaded, &mut found)?);
            }
            // One of several directories may be empty: programs list directories that not every machine has.
            if found.is_empty() {
                return Err(unusable("SSL_CERT_DIR names no directory with a certificate", dirs, why));
            }
        }
        Ok(found)
    }
}

/// Adds certificates, and returns the first reason why one was skipped. Fails if a file was not opened because
/// descriptors are lacking: otherwise the store would be kept without that file.
#[cfg(feature = "native-roots")]
fn add_loaded(loaded: rustls_native_certs::CertificateResult, store: &mut RootCertStore) -> Result<Option<String>> {
    let (mut why, mut skipped) = (None, 0);
    for error in loaded.errors {
        skipped += 1;
        why.get_or_insert_with(|| error.to_string());
        if let Some(unread) = Unread::of(error) {
            return Err(Error::new(ErrorKind::Connect, Phase::Tls).with_source(unread));
        }
    }
    for certificate in loaded.certs {
        if store.add(certificate).is_err() {
            skipped += 1;
            why.get_or_insert_with(|| "a certificate cannot be read".to_owned());
        }
    }
    if let Some(why) = &why {
        observe::skipped_roots(skipped, store.len(), why);
    }
    Ok(why)
}

/// The error for a file of the store that could not be opened because descriptors are lacking.
#[cfg(feature = "native-roots")]
#[derive(Debug)]
struct Unread {
    /// The text of the error. It names the file.
    text: String,
    lack: io::Error,
}

#[cfg(feature = "native-roots")]
impl Unread {
    /// Returns `None` if the error has another reason.
    fn of(error: rustls_native_certs::Error) -> Option<Unread> {
        let text = error.to_string();
        let lack = match error.kind {
            rustls_native_certs::ErrorKind::Io { inner, .. } => inner,
            rustls_native_certs::ErrorKind::Pem(rustls_pki_types::pem::Error::Io(inner)) => inner,
            _ => return None,
        };
        descriptors::are_lacking(&lack).then_some(Unread { text, lack })
    }
}

#[cfg(feature = "native-roots")]
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(feature = "native-roots")]
impl std::error::Error for Unread {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.lack)
    }
}

#[cfg(feature = "native-roots")]
fn unusable(what: &'static str, value: &OsString, why: Option<String>) -> Error {
    let why = why.unwrap_or_else(|| "nothing was found there".to_owned());
    Error::config(what).with_file(value.as_ref()).with_source(why)
}

#[cfg(all(test, feature = "native-roots"))]
mod tests {
    use super::*;

    /// RW-05: only a store that does not exist is replaced by the bundled set.
    #[test]
    fn stores_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let load = |dir: &str| rustls_native_certs::load_certs_from_paths(None, Some(&folder.path().join(dir)));
        for nothing in [load(""), rustls_native_certs::CertificateResult::default()] {
            assert_eq!(of_system(nothing).unwrap().0.len(), bundled().len());
        }
        let error = of_system(load("missing")).unwrap_err();
        assert_eq!(error.kind(), &crate::ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("the system's store of root certificates cannot be read"), "{error}");
    }

    /// RW-20: a store that was read in part is not kept.
    #[cfg(unix)]
    #[test]
    fn a_file_that_no_descriptor_was_left_for() {
        let error = |inner: rustix::io::Errno| {
            let kind = rustls_native_certs::ErrorKind::Io { inner: inner.into(), path: "a".into() };
            rustls_native_certs::Error { context: "opening", kind }
        };
        let loaded = |errors| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a"), rcgen_pem()).unwrap();
            let mut loaded = rustls_native_certs::load_certs_from_paths(None, Some(folder.path()));
            assert_eq!(loaded.certs.len(), 1);
            loaded.errors = errors;
            loaded
        };
        let others = vec![error(rustix::io::Errno::ACCESS)];
        assert_eq!(of_system(loaded(others)).unwrap().0.len(), 1, "a file that may not be read is passed over");
        let lack = vec![error(rustix::io::Errno::ACCESS), error(rustix::io::Errno::MFILE)];
        let error = of_system(loaded(lack)).unwrap_err();
        assert!(descriptors::are_lacking_for(&error) && error.kind() == &ErrorKind::Connect, "{error:?}");
    }

    #[cfg(unix)]
    fn rcgen_pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
    }
}
