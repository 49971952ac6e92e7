//! Root certificates that a caller adds.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;

/// The root certificates to trust.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots {
    /// The system's roots are trusted too.
    pub(super) system: bool,
    /// The caller's certificates, in DER.
    pub(super) own: Vec<Vec<u8>>,
}

/// A place that root certificates of the caller come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Pem(Vec<u8>),
    Der(Vec<u8>),
    File(PathBuf),
}

const UNREAD: &str = "a file of root certificates cannot be read";

impl Source {
    /// Returns the file that the certificates come from.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Source::File(path) => Some(path),
            Source::Pem(_) | Source::Der(_) => None,
        }
    }

    /// Reads the certificates, and returns them in DER.
    pub(super) fn certificates(&self) -> Result<Vec<Vec<u8>>> {
        match self {
            Source::Pem(pem) => certificates_in(pem),
            Source::Der(der) => Ok(vec![der.clone()]),
            Source::File(path) => {
                let bytes = std::fs::read(path)
                    .map_err(|error| Error::config(UNREAD).with_source(files::about(error, path)))?;
                let is_pem = memchr::memmem::find(&bytes, b"-----BEGIN").is_some();
                if is_pem { certificates_in(&bytes) } else { Ok(vec![bytes]) }
            }
        }
    }
}

#[cfg(feature = "rustls")]
fn certificates_in(pem: &[u8]) -> Result<Vec<Vec<u8>>> {
    use rustls_pki_types::pem::PemObject;
    rustls_pki_types::CertificateDer::pem_slice_iter(pem)
        .map(|certificate| match certificate {
            Ok(certificate) => Ok(certificate.to_vec()),
            Err(error) => Err(Error::config("a PEM text cannot be read").with_source(error)),
        })
        .collect()
}

#[cfg(not(feature = "rustls"))]
fn certificates_in(_: &[u8]) -> Result<Vec<Vec<u8>>> {
    Ok(Vec::new())
}
