//! Certificates and revocation lists of the caller: from texts, bytes, files and folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::der;
use super::pem::{self, Block};
use crate::error::{Error, Result};
use crate::files;

/// The labels of certificates in PEM. OpenSSL writes the second one, and read the third one once.
const CERTIFICATES: [&str; 3] = ["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"];

/// A place that the caller's certificates, lists or keys come from.
#[derive(Clone)]
pub(super) enum Source {
    Pem(Vec<u8>),
    Der(Vec<u8>),
    /// A file of PEM blocks, or of one DER value.
    File(PathBuf),
    /// Every file of a folder that has a certificate.
    Folder(PathBuf),
}

/// What is in a source.
pub(super) enum Content {
    Pem(Vec<Block>),
    Der(Vec<u8>),
}

impl Source {
    /// Returns the file or folder of the source.
    fn path(&self) -> Option<&Path> {
        match self {
            Source::File(path) | Source::Folder(path) => Some(path),
            Source::Pem(_) | Source::Der(_) => None,
        }
    }

    /// Adds the path of the source to an error about it.
    pub(super) fn blame(&self, error: Error) -> Error {
        match self.path() {
            Some(path) => error.with_file(path),
            None => error,
        }
    }

    /// Reads the source, which is not a folder.
    pub(super) fn read(&self, what: &str) -> Result<Content> {
        let blocks = |text: &[u8]| {
            pem::blocks(text)
                .map(Content::Pem)
                .map_err(|broken| self.blame(Error::config(format!("a PEM text of {what} cannot be read: {broken}"))))
        };
        match self {
            Source::Pem(text) => blocks(text),
            Source::Der(der) => Ok(Content::Der(der.clone())),
            Source::File(path) | Source::Folder(path) => {
                let bytes = read_file(path, what)?;
                if pem::is_pem(&bytes) { blocks(&bytes) } else { Ok(Content::Der(bytes)) }
            }
        }
    }

    /// Returns the certificates of the source, in DER. There is at least one.
    pub(super) fn certificates(&self, what: &str) -> Result<Vec<Vec<u8>>> {
        if let Source::Folder(path) = self {
            return in_folder(path, what);
        }
        match self.read(what)? {
            Content::Der(der) => Ok(vec![der]),
            Content::Pem(blocks) => {
                let found = certificates_of(&blocks);
                if found.is_empty() {
                    let why = format!("a source of {what} has no certificate, but {}", pem::labels(&blocks));
                    return Err(self.blame(Error::config(why)));
                }
                Ok(found)
            }
        }
    }

    /// Returns the revocation lists of the source, in DER. There is at least one.
    pub(super) fn revocation_lists(&self) -> Result<Vec<Vec<u8>>> {
        const WHAT: &str = "revocation lists";
        let found: Vec<_> = match self.read(WHAT)? {
            Content::Der(der) => vec![der],
            Content::Pem(blocks) => {
                let lists: Vec<_> =
                    blocks.iter().filter(|block| block.label == "X509 CRL").map(|block| block.der.clone()).collect();
                if lists.is_empty() {
                    let why = format!("a source of {WHAT} has no list, but {}", pem::labels(&blocks));
                    return Err(self.blame(Error::config(why)));
                }
                lists
            }
        };
        Ok(found)
    }
}

/// Returns the certificates among these blocks, in DER. Those that OpenSSL writes with its own remarks end with them.
pub(super) fn certificates_of(blocks: &[Block]) -> Vec<Vec<u8>> {
    let certificates = blocks.iter().filter(|block| CERTIFICATES.contains(&&*block.label));
    certificates
        .map(|block| match &*block.label {
            "TRUSTED CERTIFICATE" => der::first_element(&block.der).unwrap_or(&block.der).to_vec(),
            _ => block.der.clone(),
        })
        .collect()
}

fn read_file(path: &Path, what: &str) -> Result<Vec<u8>> {
    let unread =
        |error| Error::config(format!("a file of {what} cannot be read")).with_source(files::about(error, path));
    fs::read(path).map_err(unread)
}

/// Returns the certificates in the files of a folder, each once: such folders have links of other names to each file.
/// A file without a certificate is skipped.
fn in_folder(path: &Path, what: &str) -> Result<Vec<Vec<u8>>> {
    let unread =
        |error| Error::config(format!("a folder of {what} cannot be read")).with_source(files::about(error, path));
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(unread)? {
        paths.push(entry.map_err(unread)?.path());
    }
    // The order of a folder is not fixed, and equal folders give equal settings.
    paths.sort();
    let mut found = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_file()) {
        let source = Source::File(path);
        let certificates = match source.read(what)? {
            Content::Pem(blocks) => certificates_of(&blocks),
            Content::Der(der) => Vec::from_iter(der::Certificate::read(&der).is_some().then_some(der)),
        };
        for certificate in certificates {
            if !found.contains(&certificate) {
                found.push(certificate);
            }
        }
    }
    match found.is_empty() {
        true => Err(Error::config(format!("a folder of {what} has no certificate")).with_file(path)),
        false => Ok(found),
    }
}
