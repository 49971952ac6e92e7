//! Reading a body by lines, or through a buffer.

use std::fmt;
use std::io::BufReader;

use super::Response;
use super::charset::{Charset, Decoder};
use super::source::Source;
use crate::error::{Error, ErrorKind, Limit, Result};

/// The default limit on the text of one line.
const MAX_LEN: usize = 1024 * 1024;

/// The bytes of one read, as many as the connection reads ahead.
const READ: usize = 16 * 1024;

/// The number of bytes that show whether there is a byte order mark.
const MARK: usize = 3;

/// # The body as a `BufRead`
impl Response {
    /// Returns a buffered reader of the body, for reading by lines, up to a separator ([`BufRead`](std::io::BufRead)),
    /// or in small pieces. Its errors are those of `Read`.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\none|two");
    /// use std::io::BufRead;
    ///
    /// let reader = hostpool::get(url).send()?.into_buf_reader();
    /// let parts = reader.split(b'|').collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(parts, [b"one", b"two"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "readuntil")]
    pub fn into_buf_reader(self) -> BufReader<Response> {
        BufReader::with_capacity(READ, self)
    }
}

/// The lines of a body: see [`Response::lines`] and [`Response::into_lines`].
#[must_use = "an iterator does nothing until it is asked"]
pub struct Lines<'a> {
    response: Source<'a>,
    max_len: usize,
    /// The decoder. `None` until the first bytes have shown the charset.
    decoder: Option<Decoder>,
    /// The first `filled` bytes are received and not decoded.
    bytes: Vec<u8>,
    filled: usize,
    /// Decoded text. The text before `start` has been returned, and no line ends between `start` and `seen`.
    text: String,
    start: usize,
    seen: usize,
    /// The body has ended.
    ended: bool,
    /// There will be no further line.
    over: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(response: Source<'a>) -> Self {
        Lines {
            response,
            max_len: MAX_LEN,
            decoder: None,
            bytes: Vec::new(),
            filled: 0,
            text: String::new(),
            start: 0,
            seen: 0,
            ended: false,
            over: false,
        }
    }

    /// Sets how many bytes of text a line may have, without its end. The default is 1 MiB.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// assert!(response.lines().max_len(4).next().unwrap().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn max_len(mut self, len: usize) -> Self {
        self.max_len = len;
        self
    }

    /// Returns the response, for its head.
    pub fn response(&self) -> &Response {
        &self.response
    }

    fn read_line(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(len) = memchr::memchr(b'\n', &self.text.as_bytes()[self.seen..]) {
                let line = &self.text[self.start..self.seen + len];
                let line = line.strip_suffix('\r').unwrap_or(line).to_owned();
                self.start = self.seen + len + 1;
                self.seen = self.start;
                return self.bounded(line).map(Some);
            }
            self.seen = self.text.len();
            if self.ended {
                let rest = &self.text[self.start..];
                let line = rest.strip_suffix('\r').unwrap_or(rest).to_owned();
                let is_none = rest.is_empty();
                self.start = self.seen;
                return if is_none { Ok(None) } else { self.bounded(line).map(Some) };
            }
            // One more byte may be the CR of the line's end.
            if self.seen - self.start > self.max_len.saturating_add(1) {
                return Err(self.too_long());
            }
            self.fill()?;
        }
    }

    /// Reads once, and decodes the bytes that came.
    fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.text.drain(..self.start);
            (self.seen, self.start) = (self.seen - self.start, 0);
        }
        if self.bytes.is_empty() {
            self.bytes.resize(READ, 0);
        }
        // Too few first bytes are kept, and these follow them.
        let len = self.response.read_next(&mut self.bytes[self.filled..])?;
        self.filled += len;
        self.ended = len == 0;
        let filled = &self.bytes[..std::mem::take(&mut self.filled)];
        let (decoder, text) = match &mut self.decoder {
            Some(decoder) => (decoder, filled),
            None if filled.len() < MARK && !self.ended => {
                self.filled = filled.len();
                return Ok(());
            }
            None => {
                let (charset, mark) = match Charset::of_mark(filled) {
                    Some(marked) => marked,
                    None => {
                        let named = self.response.named_charset().map_err(|reason| self.response.about_body(reason))?;
                        (named.unwrap_or(Charset::Utf8), 0)
                    }
                };
                (self.decoder.insert(Decoder::new(charset)), &filled[mark..])
            }
        };
        decoder.feed(text, self.ended, &mut self.text);
        Ok(())
    }

    fn bounded(&self, line: String) -> Result<String> {
        if line.len() > self.max_len { Err(self.too_long()) } else { Ok(line) }
    }

    fn too_long(&self) -> Error {
        self.response.about_body(ErrorKind::LimitExceeded(Limit::LineBytes))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        if self.over {
            return None;
        }
        let line = self.read_line().transpose();
        self.over = !matches!(line, Some(Ok(_)));
        line
    }
}

impl std::iter::FusedIterator for Lines<'_> {}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("response", &self.response)
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}
