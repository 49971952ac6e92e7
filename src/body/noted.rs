//! Files that are noted by their path, and opened when they are sent.
//!
//! A form of many files would otherwise need a descriptor for each of them until it is sent.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::files;

/// A file as it was when it was noted. The first read opens it, and fails if it has changed.
#[derive(Debug)]
pub(super) struct Noted {
    file: Arc<Note>,
    open: Option<File>,
}

#[derive(Debug)]
struct Note {
    path: PathBuf,
    identity: Identity,
}

/// Identifies a file and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    place: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
}

impl Noted {
    pub(super) fn new(path: &Path, metadata: &Metadata) -> Noted {
        // The process may change its folder before the file is opened.
        let path = std::path::absolute(path).unwrap_or(path.into());
        Noted { file: Arc::new(Note { path, identity: Identity::of(metadata) }), open: None }
    }

    pub(super) fn length(&self) -> u64 {
        self.file.identity.length
    }

    /// Checks the file without opening it, so that nothing is sent if it has changed.
    pub(super) fn check(&self) -> Result<()> {
        let same = std::fs::metadata(&self.file.path).and_then(|metadata| self.file.identity.check(&metadata));
        let failed = |error| Error::new(ErrorKind::BodyRead, Phase::Prepare).with_source(self.about(error));
        same.map_err(failed)
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Returns the same file from its start.
    pub(super) fn again(&self) -> Noted {
        Noted { file: self.file.clone(), open: None }
    }

    fn about(&self, error: io::Error) -> io::Error {
        files::about(error, &self.file.path)
    }

    fn open(&self) -> io::Result<File> {
        let file = open_at_once(&self.file.path)?;
        self.file.identity.check(&file.metadata()?)?;
        Ok(file)
    }
}

/// Opens a file without waiting. If a FIFO has taken the place of the file, a plain open would wait past every deadline
/// for a writer.
#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let file = match File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path) {
        // A file server such as Samba has a lease on a regular file, which the system now asks back.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return File::open(path),
        opened => opened?,
    };
    // Only the opening must not wait. Some file systems in user space obey the flag in reads as well.
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(file)
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

impl Read for Noted {
    /// Reads while the file has bytes left: its end is an error.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.open.is_none() {
            self.open = Some(self.open().map_err(|error| self.about(error))?);
        }
        let Some(file) = &mut self.open else { return Ok(0) };
        match file.read(buf) {
            Ok(0) if !buf.is_empty() => Err(self.about(io::Error::other("the file has become shorter"))),
            result => result.map_err(|error| self.about(error)),
        }
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity {
            #[cfg(unix)]
            place: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    fn check(&self, metadata: &Metadata) -> io::Result<()> {
        match Identity::of(metadata) == *self {
            true => Ok(()),
            false => Err(io::Error::other("the file has changed since the form was made")),
        }
    }
}
