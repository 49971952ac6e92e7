//! Where the bytes of a body come from, without any framing.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::bytes::Bytes;
use super::noted::Noted;
use crate::error::{Error, ErrorKind, Phase, Result};

pub(crate) trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

type Make = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// A body that is made of other bodies.
pub(crate) trait Composite: Send {
    /// Finds the length; `None` if it is not known. It is called before each sending.
    fn prepare(&mut self) -> Result<Option<u64>>;
    /// Reads the next bytes. Returns 0 only at the end.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize>;
    /// Returns whether [`restart`](Self::restart) can succeed, as far as that is known without trying.
    fn can_restart(&self) -> bool;
    fn restart(&mut self) -> io::Result<()>;
    fn try_clone(&self) -> Option<Box<dyn Composite>>;
}

pub(super) enum Reader {
    Memory {
        bytes: Bytes,
        at: usize,
    },
    Once(Box<dyn Read + Send>),
    Seekable {
        reader: Box<dyn ReadSeek>,
        /// Its position before the first read, once it was asked for.
        start: Option<u64>,
    },
    Factory {
        make: Arc<Make>,
        made: Option<Box<dyn Read + Send>>,
    },
    Noted(Noted),
    Composite(Box<dyn Composite>),
}

impl Reader {
    pub(super) fn memory(bytes: Bytes) -> Reader {
        Reader::Memory { bytes, at: 0 }
    }

    /// Reads once. It retries interruptions, and refuses a count that is larger than the buffer.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let reader: &mut dyn Read = match self {
            Reader::Memory { bytes, at } => {
                let len = bytes.get(*at..).unwrap_or_default().read(buf).map_err(unreadable)?;
                *at += len;
                return Ok(len);
            }
            Reader::Composite(composite) => return composite.read(buf),
            Reader::Once(reader) => reader,
            Reader::Seekable { reader, .. } => reader,
            Reader::Noted(file) => file,
            Reader::Factory { make, made } => match made {
                Some(reader) => reader,
                None => made.insert(make().map_err(unreadable)?),
            },
        };
        loop {
            match reader.read(buf) {
                Ok(len) if len > buf.len() => {
                    let why = "the reader says that it has read more than was asked for";
                    return Err(unreadable(io::Error::other(why)));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => return result.map_err(unreadable),
            }
        }
    }
}

/// A reader, and the length that it must have: as declared, or as found.
pub(crate) struct Input {
    reader: Reader,
    length: Option<u64>,
    /// The length was found and not declared. Bytes that were added since are not sent, and are no error.
    measured: bool,
    /// Bytes read so far.
    read: u64,
}

impl Input {
    pub(super) fn new(reader: Reader, length: Option<u64>) -> Input {
        let (length, measured) = match &reader {
            Reader::Memory { bytes, .. } => (Some(bytes.len() as u64), true),
            Reader::Noted(file) => (Some(file.length()), true),
            _ => (length, false),
        };
        Input { reader, length, measured, read: 0 }
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn declare(&mut self, length: u64) {
        self.length.get_or_insert(length);
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.read
    }

    /// Returns whether no byte is known to follow. [`check_end`](Self::check_end) finds out whether any does.
    pub(super) fn is_spent(&self) -> bool {
        self.length == Some(self.read)
    }

    /// Returns whether a read never waits for another process or thread.
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self.reader, Reader::Memory { .. } | Reader::Seekable { .. } | Reader::Noted(_))
    }

    /// Goes to where the body begins, before anything was read.
    pub(super) fn begin_at(&mut self, position: u64) -> io::Result<()> {
        match &mut self.reader {
            Reader::Seekable { reader, start: None } => reader.seek(SeekFrom::Start(position)).map(drop),
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "the body cannot seek, or was begun")),
        }
    }

    pub(crate) fn try_clone(&self) -> Option<Input> {
        let reader = match &self.reader {
            Reader::Memory { bytes, .. } => Reader::memory(bytes.clone()),
            Reader::Factory { make, .. } => Reader::Factory { make: make.clone(), made: None },
            Reader::Noted(file) => Reader::Noted(file.again()),
            Reader::Composite(composite) => Reader::Composite(composite.try_clone()?),
            Reader::Once(_) | Reader::Seekable { .. } => return None,
        };
        Some(Input { reader, read: 0, ..*self })
    }

    /// Finds the length, where that is possible.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        match &mut self.reader {
            Reader::Seekable { reader, start: start @ None } => {
                let (here, length) = measure(reader)
                    .map_err(|error| Error::new(ErrorKind::BodyRead, Phase::Prepare).with_own_source(error))?;
                *start = Some(here);
                (self.length, self.measured) = (Some(length), true);
            }
            Reader::Noted(file) => file.check()?,
            Reader::Composite(composite) => {
                if let length @ Some(_) = composite.prepare()? {
                    (self.length, self.measured) = (length, true);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads the next bytes: what one `read` gives, as far as the length allows. Returns 0 only at the end.
    pub(crate) fn pull(&mut self, buf: &mut [u8]) -> Result<usize> {
        let Some(length) = self.length else {
            let len = self.reader.read(buf)?;
            self.read += len as u64;
            return Ok(len);
        };
        let left = length.saturating_sub(self.read);
        let most = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if left == 0 {
            self.check_end()?;
            return Ok(0);
        }
        let len = self.reader.read(&mut buf[..most])?;
        self.read += len as u64;
        if let Reader::Noted(file) = &mut self.reader
            && self.read == length
        {
            // The next read opens the next file of the form, so at most one is open.
            file.close();
        }
        match len {
            0 if most > 0 => Err(mislength(length, self.read)),
            len => Ok(len),
        }
    }

    /// Fails if another byte follows the last one.
    pub(super) fn check_end(&mut self) -> Result<()> {
        let Some(declared) = self.length.filter(|_| !self.measured) else { return Ok(()) };
        match self.reader.read(&mut [0])? {
            0 => Ok(()),
            more => Err(mislength(declared, self.read + more as u64)),
        }
    }

    /// Returns whether the bytes can be read from the first on, as far as that is known without trying.
    pub(crate) fn can_restart(&self) -> bool {
        match &self.reader {
            Reader::Once(_) => self.read == 0,
            Reader::Composite(composite) => composite.can_restart(),
            _ => true,
        }
    }

    pub(crate) fn restart(&mut self) -> io::Result<()> {
        match &mut self.reader {
            Reader::Once(_) if self.read == 0 => {}
            Reader::Once(_) => return Err(io::Error::other("the reader gave its bytes once, and has no others")),
            Reader::Memory { at, .. } => *at = 0,
            Reader::Seekable { start: None, .. } if self.read == 0 => {}
            Reader::Seekable { reader, start } => drop(reader.seek(SeekFrom::Start(start.unwrap_or_default()))?),
            Reader::Factory { made, .. } => *made = None,
            Reader::Noted(file) => file.close(),
            Reader::Composite(composite) => composite.restart()?,
        }
        self.read = 0;
        Ok(())
    }
}

/// Returns the position of a reader, and how many bytes follow it.
fn measure(reader: &mut Box<dyn ReadSeek>) -> io::Result<(u64, u64)> {
    let here = reader.stream_position()?;
    let end = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(here))?;
    Ok((here, end.saturating_sub(here)))
}

impl Input {
    /// Takes the rest of the bytes, if they are in memory. The input has none afterwards.
    pub(crate) fn take_memory(&mut self) -> Option<Vec<u8>> {
        let Reader::Memory { bytes, at } = &mut self.reader else { return None };
        let (bytes, at) = (std::mem::take(bytes), std::mem::take(at));
        (self.length, self.read) = (Some(0), 0);
        let mut bytes = bytes.into_vec();
        bytes.drain(..at.min(bytes.len()));
        Some(bytes)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.reader {
            Reader::Memory { .. } => "memory",
            Reader::Once(_) => "reader",
            Reader::Seekable { .. } => "seekable reader",
            Reader::Factory { .. } => "factory of readers",
            Reader::Noted(_) => "file",
            Reader::Composite(_) => "several",
        };
        match self.length {
            Some(length) => write!(f, "{kind} of {length} bytes"),
            None => f.write_str(kind),
        }
    }
}

/// Makes the error for a reader of the caller's that failed.
pub(super) fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::BodyRead, Phase::Send).with_own_source(error)
}

fn mislength(declared: u64, read: u64) -> Error {
    Error::new(ErrorKind::BodyLength { declared, read }, Phase::Send)
}
