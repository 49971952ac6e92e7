//! The values that a body is made from.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use super::bytes::Bytes;
use super::input::Reader;
use super::noted::Noted;
use super::{Body, Content, Kind};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::files;

impl From<()> for Body {
    /// Makes no body, as in `http::Request<()>`.
    fn from((): ()) -> Body {
        Body::empty()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::of(Kind::Bytes(Bytes::Owned(Arc::new(bytes))))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body { content: Content::Text, ..Body::from(text.into_bytes()) }
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Body {
        Body::of(Kind::Bytes(Bytes::Shared(bytes)))
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body::from(Arc::from(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Body {
        Body::from(bytes.as_slice())
    }
}

impl<const N: usize> From<[u8; N]> for Body {
    fn from(bytes: [u8; N]) -> Body {
        Body::from(bytes.to_vec())
    }
}

impl From<&Vec<u8>> for Body {
    fn from(bytes: &Vec<u8>) -> Body {
        Body::from(bytes.as_slice())
    }
}

impl From<Box<[u8]>> for Body {
    fn from(bytes: Box<[u8]>) -> Body {
        Body::from(bytes.into_vec())
    }
}

impl From<Cow<'_, [u8]>> for Body {
    fn from(bytes: Cow<'_, [u8]>) -> Body {
        Body::from(bytes.into_owned())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body { content: Content::Text, ..Body::from(text.as_bytes()) }
    }
}

impl From<&String> for Body {
    fn from(text: &String) -> Body {
        Body::from(text.as_str())
    }
}

impl From<Cow<'_, str>> for Body {
    fn from(text: Cow<'_, str>) -> Body {
        Body::from(text.into_owned())
    }
}

impl From<File> for Body {
    /// Sends a file from its position to its end at the time of sending, with its length. A pipe or a terminal is sent
    /// in chunks, and so is a file that claims to be empty and is not, as under `/proc`.
    fn from(file: File) -> Body {
        match file.metadata() {
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 => Body::seekable(file),
            Ok(metadata) if metadata.is_file() => made_up(file).unwrap_or_else(|| Body::from(Vec::new())),
            _ => Body::reader(file),
        }
    }
}

impl Body {
    /// Returns the body of the file at that path. A regular file is noted and closed again. Any other file (a FIFO, a
    /// file that the system makes up when it is read) stays open, because a second `open` may not find the same.
    pub(crate) fn file(path: &Path) -> Result<Body> {
        let body = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            } else if !metadata.is_file() {
                return Ok(Body::from(file));
            } else if metadata.len() == 0
                && let Some(body) = made_up(file)
            {
                return Ok(body);
            }
            Ok(Body::source(Reader::Noted(Noted::new(path, &metadata)), None))
        });
        body.map_err(|error| Error::new(ErrorKind::BodyRead, Phase::Prepare).with_source(files::about(error, path)))
    }
}

/// Returns the body of a file that claims to be empty and is not, such as a file under `/proc` that the system makes up
/// when it is read. Returns `None` if it is empty.
fn made_up(mut file: File) -> Option<Body> {
    let mut first = [0];
    match file.read(&mut first) {
        Ok(0) => None,
        Ok(_) => Some(Body::reader(Cursor::new(first).chain(file))),
        Err(_) => Some(Body::reader(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes() {
        let table = [
            (Body::from("a"), Content::Text),
            (Body::from(&"a".to_owned()), Content::Text),
            (Body::from("a".to_owned()), Content::Text),
            (Body::from(Cow::Borrowed("a")), Content::Text),
            (Body::from(b"a"), Content::Bytes),
            (Body::from(vec![1]), Content::Bytes),
            (Body::from(&[1][..]), Content::Bytes),
            (Body::form("a=b".into()), Content::Form),
            (Body::reader(std::io::empty()), Content::Bytes),
        ];
        for (body, expected) in table {
            assert_eq!(body.content(), expected, "{body:?}");
            if let Some(again) = body.try_clone() {
                assert_eq!(again.content(), expected, "{body:?}");
            }
        }
    }
}
