//! Files of cookies: read, and replaced in one step.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::files::{self, Partial};

/// Replaces a file by these bytes, which on Unix only its owner may read.
///
/// # Errors
///
/// [`ErrorKind::Output`], with the path in the source, if the file cannot be written.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let save = || -> io::Result<()> {
        let mut partial = Partial::create(path, Some(0o600))?;
        partial.write_all(bytes)?;
        // Otherwise the new name may reach the disk before the bytes do.
        partial.sync()?;
        partial.complete()
    };
    save().map_err(|error| Error::new(ErrorKind::Output, Phase::Prepare).with_source(error))
}

/// Reads a file.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`], with the path in the source, if the file cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| Error::config("the file of cookies cannot be read").with_source(files::about(error, path)))
}
