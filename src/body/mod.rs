//! Bodies of requests: what they are made of, how long they are, whether they can be sent again.

mod bytes;
mod coding;
mod compress;
#[cfg(feature = "gzip")]
mod encoder;
mod from;
mod input;
mod noted;
mod outgoing;
mod progress;
mod read;
mod source;
mod text;
pub(crate) mod urlencoded;

use std::fmt;
use std::io::{self, Read, Seek};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use bytes::Bytes;
pub(crate) use coding::Coding;
pub use compress::Compress;
use input::Reader;
pub(crate) use input::{Composite, Input};
pub(crate) use outgoing::Outgoing;
pub(crate) use progress::Progress;
use source::Source;
pub(crate) use source::{Chunking, PIECE};
pub(crate) use text::encode as encode_text;

use crate::error::Result;

/// The body of a request.
///
/// | made by | length | sent again |
/// |---|---|---|
/// | [`empty`](Self::empty), bytes and text | known | yes |
/// | [`seekable`](Self::seekable), a [`File`](std::fs::File) | from where it stands to its end | yes: it goes back to where it stood |
/// | [`factory`](Self::factory) | as given | yes: another reader is made |
/// | [`sized`](Self::sized) | as given | if it is no longer than the buffer, 128 KiB |
/// | [`reader`](Self::reader) | unknown: sent in chunks | while no more than 64 KiB were read, chunk sizes included |
/// | a [`Form`](crate::multipart::Form) | known if those of its parts are | if all of its parts can be; a file by its path is opened again |
///
/// The client sends a request again by itself at most once: when a reused connection had died, and nothing can be
/// processed twice.
///
/// A reader is asked for its first piece before a connection is taken, so that no connection waits for it. It is asked
/// for more as the server takes it, at most 128 KiB ahead. The bytes of one `read` leave at once, because the next
/// `read` may block: a reader that gives one byte a `read` costs one packet a byte. A [`BufReader`](std::io::BufReader)
/// does not change that, because it passes large reads on; [`chunk_size`](crate::RequestBuilder::chunk_size) does, for
/// bodies in chunks. An error of the reader ends the request with [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead)
/// and closes the connection, so that no server takes a part for the whole. A timeout does not interrupt a `read`; it
/// is checked when the `read` returns.
///
/// ```
/// use hostpool::Body;
///
/// assert_eq!(Body::from("text").length(), Some(4));
/// assert_eq!(Body::from(vec![0u8; 100]).length(), Some(100));
/// assert_eq!(Body::reader(std::io::repeat(7)).length(), None);
/// assert!(Body::empty().is_empty());
/// ```
pub struct Body {
    kind: Kind,
    content: Content,
    /// The coding that the body is compressed with.
    coding: Option<Coding>,
    progress: Option<Progress>,
}

// A body that is being sent belongs to the call, so nobody sees it after a panic of its reader.
impl UnwindSafe for Body {}
impl RefUnwindSafe for Body {}

enum Kind {
    Empty,
    Bytes(Bytes),
    Source(Box<Source>),
}

/// The kind of value that a body was made from, as far as the default of Content-Type depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Bytes,
    /// Text in UTF-8.
    Text,
    /// Pairs of a form, percent-encoded UTF-8.
    Form,
}

/// How the server learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// There is no body.
    Nothing,
    /// The length is in Content-Length.
    Length(u64),
    /// The body is sent in chunks.
    Unknown,
}

impl Body {
    /// Returns no body: nothing is sent after the head.
    pub const fn empty() -> Body {
        Body::of(Kind::Empty)
    }

    /// Sends everything that `reader` gives, in chunks, because its length is not known. The bytes of one `read` are
    /// one chunk, which leaves at once; [`chunk_size`](crate::RequestBuilder::chunk_size) gathers more.
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

    /// Sends everything that `reader` gives, which must be `length` bytes.
    ///
    /// Fewer or more bytes end the request with [`ErrorKind::BodyLength`](crate::ErrorKind::BodyLength), before the
    /// server has seen a whole request: nothing is padded or cut. To see that nothing follows, the reader is asked once
    /// more before the last piece leaves. For a reader that does not end there, such as a connection, use
    /// [`Read::take`].
    ///
    /// The bytes of each `read` are sent by themselves. A reader should fill the buffer as far as it can without
    /// waiting; otherwise each `read` costs a packet.
    pub fn sized(reader: impl Read + Send + 'static, length: u64) -> Body {
        Body::source(Reader::Once(Box::new(reader)), Some(length))
    }

    /// Sends what `reader` gives, from its position to its end at the time of sending, with a Content-Length. To be
    /// sent again the reader goes back to that position. A reader that cannot seek ends the request with
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

    /// Sends what a reader of `make` gives; `make` is called each time the body is sent. With no `length` the body is
    /// sent in chunks. Such a body can be cloned by [`try_clone`](Self::try_clone).
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

    const fn of(kind: Kind) -> Body {
        Body { kind, content: Content::Bytes, coding: None, progress: None }
    }

    fn source(reader: Reader, length: Option<u64>) -> Body {
        Body::of(Kind::Source(Box::new(Source::new(Input::new(reader, length)))))
    }

    pub(crate) fn composite(composite: impl Composite + 'static) -> Body {
        Body::source(Reader::Composite(Box::new(composite)), None)
    }

    /// Returns a body of percent-encoded pairs.
    pub(crate) fn form(encoded: String) -> Body {
        Body { content: Content::Form, ..Body::from(encoded.into_bytes()) }
    }

    /// Returns the length in bytes, if it is known. The length of a seekable reader is found when it is sent.
    pub fn length(&self) -> Option<u64> {
        match &self.kind {
            Kind::Empty => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::Source(source) => source.length(),
        }
    }

    /// Returns whether the body is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.length() == Some(0)
    }

    /// Returns the bytes, if the body is made of bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Empty => Some(&[]),
            Kind::Bytes(bytes) => Some(bytes),
            Kind::Source(_) => None,
        }
    }

    /// Returns the same body once more: bytes are shared, a factory makes another reader, and a form has its parts
    /// cloned. Returns `None` for any other reader.
    pub fn try_clone(&self) -> Option<Body> {
        let kind = match &self.kind {
            Kind::Empty => Kind::Empty,
            Kind::Bytes(bytes) => Kind::Bytes(bytes.clone()),
            Kind::Source(source) => Kind::Source(Box::new(source.try_clone()?)),
        };
        Some(Body { kind, progress: self.progress.clone(), ..*self })
    }

    pub(crate) fn content(&self) -> Content {
        self.content
    }

    pub(crate) fn coding(&self) -> Option<Coding> {
        self.coding
    }

    /// Returns the body as a part of another body. Fails for a reader that was read and cannot start again.
    pub(crate) fn into_input(self) -> Result<Input> {
        match self.kind {
            Kind::Empty => Ok(Input::new(Reader::memory(Bytes::default()), None)),
            Kind::Bytes(bytes) => Ok(Input::new(Reader::memory(bytes), None)),
            Kind::Source(source) => {
                let mut input = source.into_input();
                input.restart().map_err(input::unreadable)?;
                Ok(input)
            }
        }
    }

    /// Sets how the body is cut into chunks. An empty body has no chunks. Fails if a reader that was read would have to
    /// be read again.
    pub(crate) fn set_chunking(&mut self, chunking: Chunking) -> Result<()> {
        if let Kind::Bytes(bytes) = &self.kind
            && chunking != Chunking::AsNeeded
        {
            self.kind = Kind::Source(Box::new(Source::new(Input::new(Reader::memory(bytes.clone()), None))));
        }
        match &mut self.kind {
            Kind::Source(source) => source.set_chunking(chunking).map_err(input::unreadable),
            _ => Ok(()),
        }
    }

    /// Sets where in its reader the body begins, instead of the reader's position.
    pub(crate) fn begin_at(&mut self, position: u64) -> io::Result<()> {
        match &mut self.kind {
            Kind::Source(source) => source.begin_at(position),
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "the body has no reader")),
        }
    }

    /// Sets what is told how much of the body was sent.
    pub(crate) fn set_progress(&mut self, progress: Option<Progress>) {
        self.progress = progress;
    }

    /// Finds the length of the body. Call it only before anything is sent.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Source(source) => source.prepare(),
            _ => Ok(()),
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        match &self.kind {
            Kind::Empty => Extent::Nothing,
            Kind::Bytes(bytes) => Extent::Length(bytes.len() as u64),
            Kind::Source(source) => source.length_told().map_or(Extent::Unknown, Extent::Length),
        }
    }

    /// Sets the length of a body of unknown length, as the user declares it.
    pub(crate) fn declare(&mut self, length: u64) {
        if let Kind::Source(source) = &mut self.kind {
            source.declare(length);
        }
    }

    /// Reads the first piece of a reader. At this time no connection waits for the caller's reader.
    pub(crate) fn prime(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Source(source) => source.piece().map(drop),
            _ => Ok(()),
        }
    }

    /// Returns whether the body can be sent from its start, as far as that is known without trying.
    pub(crate) fn can_rewind(&self) -> bool {
        match &self.kind {
            Kind::Source(source) => source.can_rewind(),
            _ => true,
        }
    }

    /// Goes back to the start.
    pub(crate) fn rewind(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Source(source) => source.rewind(),
            _ => Ok(()),
        }
    }

    /// Returns the body as it is sent, from its present position.
    pub(crate) fn outgoing(&mut self) -> Outgoing<'_> {
        let total = match self.extent() {
            Extent::Length(length) => Some(length),
            _ => None,
        };
        let outgoing = match &mut self.kind {
            Kind::Empty => return Outgoing::Bytes(&[]),
            Kind::Bytes(bytes) => Outgoing::Bytes(bytes),
            Kind::Source(source) => Outgoing::Source(source),
        };
        match &self.progress {
            Some(progress) => outgoing.watched(progress, total),
            None => outgoing,
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::empty()
    }
}

impl fmt::Debug for Body {
    /// Shows the kind and the length only, because bodies carry secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Source(source) => write!(f, "Body({source:?})"),
        }
    }
}
