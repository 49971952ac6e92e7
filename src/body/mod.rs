//! Bodies of requests: what they are made of, how long they are, whether they can be sent again.

mod outgoing;
mod source;

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::sync::Arc;

pub(crate) use outgoing::{Outgoing, PIECE};
use source::{Reader, Source};

use crate::error::Result;

/// The body of a request.
///
/// | made by | length | sent again |
/// |---|---|---|
/// | [`empty`](Self::empty), bytes and text | known | yes |
/// | [`seekable`](Self::seekable), a [`File`] | from where it stands to its end | yes: it goes back to where it stood |
/// | [`factory`](Self::factory) | as given | yes: another reader is made |
/// | [`sized`](Self::sized) | as given | if it is no longer than the buffer, 128 KiB |
/// | [`reader`](Self::reader) | unknown: sent in chunks | while no more than 64 KiB were read, chunk sizes included |
///
/// A request is sent again by itself at most once: when it died with an idle connection, and nothing can be doubled by
/// that.
///
/// A reader is asked for a first piece before a connection is taken, so that none waits for it, and then for more as
/// the server takes it, at most 128 KiB ahead; what one `read` gives leaves at once. An error of it ends the request
/// with [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) and closes the connection, so that no server takes the part
/// for the whole. Timeouts do not reach into a `read`; they are looked at when it returns.
///
/// ```
/// use hostpool::Body;
///
/// assert_eq!(Body::from("text").length(), Some(4));
/// assert_eq!(Body::from(vec![0u8; 100]).length(), Some(100));
/// assert_eq!(Body::reader(std::io::repeat(7)).length(), None);
/// assert!(Body::empty().is_empty());
/// ```
pub struct Body(Kind);

enum Kind {
    Empty,
    Shared(Arc<[u8]>),
    /// As it was given: a copy of a large body would double it.
    Owned(Arc<Vec<u8>>),
    Source(Box<Source>),
}

/// How a body's end is told to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// There is no body.
    Nothing,
    /// By Content-Length.
    Length(u64),
    /// By chunks.
    Unknown,
}

impl Body {
    /// No body: nothing is sent behind the head.
    pub const fn empty() -> Body {
        Body(Kind::Empty)
    }

    /// What `reader` gives, until its end, sent in chunks: its length is not known before.
    ///
    /// ```no_run
    /// use hostpool::{Body, Session};
    ///
    /// let response = Session::new().post("http://example.com/log").data(Body::reader(std::io::stdin())).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "new")]
    pub fn reader(reader: impl Read + Send + 'static) -> Body {
        Body::source(Reader::Once(Box::new(reader)), None)
    }

    /// What `reader` gives, which must be `length` bytes.
    ///
    /// Fewer or more end the request with [`ErrorKind::BodyLength`](crate::ErrorKind::BodyLength), before the server
    /// has seen a whole request: nothing is padded or cut. To see that nothing follows, the reader is asked once more
    /// before the last piece leaves; of one that does not end there, such as a connection, take [`Read::take`].
    pub fn sized(reader: impl Read + Send + 'static, length: u64) -> Body {
        Body::source(Reader::Once(Box::new(reader)), Some(length))
    }

    /// What `reader` gives from where it stands to where its end is when it is sent, with its length. To be sent again
    /// it goes back to where it stood. A reader that cannot seek ends the request with
    /// [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) before anything is sent.
    ///
    /// ```
    /// use hostpool::Body;
    /// use std::io::{Cursor, Seek, SeekFrom};
    ///
    /// let mut file = Cursor::new("head and body");
    /// file.seek(SeekFrom::Start(9))?;
    /// let body = Body::seekable(file); // sends "body", however often
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "body_pos")]
    #[doc(alias = "rewind_body")]
    pub fn seekable(reader: impl Read + Seek + Send + 'static) -> Body {
        Body::source(Reader::Seekable { reader: Box::new(reader), start: None }, None)
    }

    /// What the readers that `make` makes give: one for each time the body is sent. With no `length` it is sent in
    /// chunks. Such a body can be cloned by [`try_clone`](Self::try_clone).
    ///
    /// ```
    /// use hostpool::Body;
    /// use std::fs::File;
    ///
    /// let body = Body::factory(|| File::open("data"), None);
    /// assert!(body.try_clone().is_some());
    /// ```
    pub fn factory<R: Read + Send + 'static>(
        make: impl Fn() -> io::Result<R> + Send + Sync + 'static,
        length: impl Into<Option<u64>>,
    ) -> Body {
        let make = Arc::new(move || Ok(Box::new(make()?) as Box<dyn Read + Send>));
        Body::source(Reader::Factory { make, made: None }, length.into())
    }

    fn source(reader: Reader, length: Option<u64>) -> Body {
        Body(Kind::Source(Box::new(Source::new(reader, length))))
    }

    /// Its length in bytes, where that is known; that of a seekable reader is found out when it is sent.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty => Some(0),
            Kind::Shared(bytes) => Some(bytes.len() as u64),
            Kind::Owned(bytes) => Some(bytes.len() as u64),
            Kind::Source(source) => source.length(),
        }
    }

    /// Whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.length() == Some(0)
    }

    /// Its bytes, if it is made of bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Empty => Some(&[]),
            Kind::Shared(bytes) => Some(bytes),
            Kind::Owned(bytes) => Some(bytes),
            Kind::Source(_) => None,
        }
    }

    /// The same body once more: bytes are shared, a factory makes another reader. `None` for any other reader.
    pub fn try_clone(&self) -> Option<Body> {
        match &self.0 {
            Kind::Empty => Some(Body(Kind::Empty)),
            Kind::Shared(bytes) => Some(Body(Kind::Shared(bytes.clone()))),
            Kind::Owned(bytes) => Some(Body(Kind::Owned(bytes.clone()))),
            Kind::Source(source) => Some(Body(Kind::Source(Box::new(source.try_clone()?)))),
        }
    }

    /// Finds out how long the body is. Before anything is sent, and only then.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        match &mut self.0 {
            Kind::Source(source) => source.prepare(),
            _ => Ok(()),
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        match (&self.0, self.length()) {
            (Kind::Empty, _) => Extent::Nothing,
            (_, Some(length)) => Extent::Length(length),
            (_, None) => Extent::Unknown,
        }
    }

    /// The user says how long a body of unknown length is.
    pub(crate) fn declare(&mut self, length: u64) {
        if let Kind::Source(source) = &mut self.0 {
            source.declare(length);
        }
    }

    /// Reads the first piece, should there be a reader. Its time is the caller's own then, and no connection waits for
    /// it.
    pub(crate) fn prime(&mut self) -> Result<()> {
        match &mut self.0 {
            Kind::Source(source) => source.piece().map(drop),
            _ => Ok(()),
        }
    }

    /// Whether it can be sent from its start, as far as can be said without trying.
    pub(crate) fn can_rewind(&self) -> bool {
        match &self.0 {
            Kind::Source(source) => source.can_rewind(),
            _ => true,
        }
    }

    /// Goes back to the start.
    pub(crate) fn rewind(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Source(source) => source.rewind(),
            _ => Ok(()),
        }
    }

    /// The body on its way out, from where it stands.
    pub(crate) fn outgoing(&mut self) -> Outgoing<'_> {
        match &mut self.0 {
            Kind::Empty => Outgoing::Bytes(&[]),
            Kind::Shared(bytes) => Outgoing::Bytes(bytes),
            Kind::Owned(bytes) => Outgoing::Bytes(bytes),
            Kind::Source(source) => Outgoing::Source(source),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::empty()
    }
}

impl fmt::Debug for Body {
    /// The kind and the length only: bodies carry secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Shared(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Owned(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Source(source) => write!(f, "Body({source:?})"),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Kind::Owned(Arc::new(bytes)))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(text.into_bytes())
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Body {
        Body(Kind::Shared(bytes))
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body(Kind::Shared(bytes.into()))
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
        Body::from(text.as_bytes())
    }
}

impl From<&String> for Body {
    fn from(text: &String) -> Body {
        Body::from(text.as_bytes())
    }
}

impl From<Cow<'_, str>> for Body {
    fn from(text: Cow<'_, str>) -> Body {
        Body::from(text.into_owned())
    }
}

impl From<File> for Body {
    /// A file from where it stands to where its end is when it is sent, with its length. What only looks like a file, a
    /// pipe or a terminal, is sent in chunks; so is one that says it is empty and is not, as under `/proc`.
    fn from(mut file: File) -> Body {
        match file.metadata() {
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 => Body::seekable(file),
            // Empty; or one of those that the system makes up when they are read, as under /proc.
            Ok(metadata) if metadata.is_file() => {
                let mut first = [0];
                match file.read(&mut first) {
                    Ok(0) => Body::from(Vec::new()),
                    Ok(_) => Body::reader(Cursor::new(first).chain(file)),
                    Err(_) => Body::reader(file),
                }
            }
            _ => Body::reader(file),
        }
    }
}
