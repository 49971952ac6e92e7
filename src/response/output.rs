//! Reading a body in pieces, writing it to a writer, and saving it as a file.

use std::io::{self, Write};
use std::path::Path;

use http::{Method, StatusCode};

use super::Response;
use super::source::Source;
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::exchange::ONE_CHUNK;
use crate::files::Partial;

/// The bytes of a body that are in memory while it is written to a writer.
const PIECE: usize = 64 * 1024;

/// The first allocation for a piece that is probably shorter than the largest one.
const SMALL_PIECE: usize = 4 * 1024;

/// # The body in pieces, and in files
impl Response {
    /// Returns the body in pieces of `size` bytes. The last piece may be shorter.
    ///
    /// With a `size` of 0 the first piece is an error. After an error there is no further piece.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// let pieces = response.chunks(2).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(pieces, [&b"he"[..], b"ll", b"o"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "stream")]
    #[doc(alias = "iter_chunked")]
    #[doc(alias = "iter_content")]
    pub fn chunks(&mut self, size: usize) -> Chunks<'_> {
        Chunks { response: Source::Lent(self), size, by_wire: false, ended: false }
    }

    /// Returns the same pieces, by an iterator that owns the response: a function can return it.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{Chunks, Result};
    ///
    /// fn pieces(url: &str) -> Result<Chunks<'static>> {
    ///     Ok(hostpool::get(url).send()?.into_chunks(2))
    /// }
    ///
    /// let pieces = pieces(&url)?.collect::<Result<Vec<_>>>()?;
    /// assert_eq!(pieces, [&b"he"[..], b"ll", b"o"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "iter_content")]
    #[doc(alias = "stream")]
    pub fn into_chunks(self, size: usize) -> Chunks<'static> {
        Chunks { response: Source::Own(self), size, by_wire: false, ended: false }
    }

    /// Returns the body in pieces that end at the ends of the chunks that it was sent in (RFC 9112, section 7.1), or
    /// after `most` bytes. So data that a server flushed separately is returned separately. An intermediary may have
    /// changed the chunks.
    ///
    /// A coded body has no such borders, and its decoded data is returned as it comes. A body that was
    /// [loaded](Self::load) has no borders any more. The first piece is an error, [`ErrorKind::InvalidRequest`], if the
    /// body [is not chunked](Self::is_chunked), or if `most` is 0.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let chunks = "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n";
    /// # let response = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    /// # let url = example::serve(response.leak());
    /// // Sent as "one" and "three".
    /// let mut response = hostpool::get(url).send()?;
    /// let pieces = response.wire_chunks(4).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(pieces, [&b"one"[..], b"thre", b"e"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "read_chunked")]
    #[doc(alias = "iter_chunks")]
    pub fn wire_chunks(&mut self, most: usize) -> Chunks<'_> {
        Chunks { response: Source::Lent(self), size: most, by_wire: true, ended: false }
    }

    /// Writes the rest of the body to `writer` and returns the number of bytes. There is no limit on it, and at most 64
    /// KiB are in memory at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] if the writer fails, with its error as the source. The rest of the body cannot be read
    /// then. With any other error, everything that arrived before it has been written.
    /// [`copy_to_with`](Self::copy_to_with) counts these bytes.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut output = Vec::new();
    /// assert_eq!(hostpool::get(url).send()?.copy_to(&mut output)?, 5);
    /// assert_eq!(output, b"hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "copyfileobj")]
    pub fn copy_to(&mut self, writer: &mut (impl Write + ?Sized)) -> Result<u64> {
        self.copy_to_with(writer, |_, _| ())
    }

    /// The same, calling `progress` after each write with the bytes written so far and, where it is known, with how
    /// many there will be.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut seen = (0, None);
    /// hostpool::get(url).send()?.copy_to_with(&mut std::io::sink(), |done, total| seen = (done, total))?;
    /// assert_eq!(seen, (5, Some(5)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn copy_to_with(
        &mut self,
        writer: &mut (impl Write + ?Sized),
        mut progress: impl FnMut(u64, Option<u64>),
    ) -> Result<u64> {
        let total = self.left();
        let mut piece = vec![0; total.map_or(PIECE, |total| total.clamp(1, PIECE as u64) as usize)];
        let mut done = 0;
        loop {
            let len = self.read_next(&mut piece)?;
            if len == 0 {
                break;
            }
            if let Err(error) = writer.write_all(&piece[..len]) {
                return Err(self.output_failed(error));
            }
            done += len as u64;
            progress(done, total);
        }
        writer.flush().map_err(|error| self.output_failed(error))?;
        Ok(done)
    }

    /// Saves the rest of the body as a file and returns the number of bytes.
    ///
    /// The body is written to a part file in the same folder, `.NAME.RANDOM.part`, which is renamed to `path` in one
    /// step when it is complete. A download that fails leaves no part file, and an existing file stays as it was.
    /// Memory is constant, and there is no limit on the length.
    ///
    /// - The new file gets the mode of an existing file, without setuid and setgid, its owner and group if the system
    ///   permits it, and on Linux its access control list. At no moment can anybody read more than before. Other
    ///   extended attributes are not copied. Other hard links keep the old content.
    /// - If `path` is a symbolic link, the file that it leads to is replaced, and the link stays.
    /// - In a folder where everybody can create files, such as `/tmp`, a file or a link of another user is refused.
    /// - A device or a FIFO, such as `/dev/null`, is written to and not replaced. Opening a FIFO waits until another
    ///   process reads from it, without any timeout.
    /// - A file that `/dev/stdout` or another link to an open file leads to is appended to.
    /// - If two downloads save to one path, the file of the one that ends last stays, whole.
    /// - The content is not forced to the disk (`fsync`): after a loss of power the file may be empty.
    ///
    /// Take a name that the server suggests from
    /// [`ContentDisposition::file_name`](crate::ContentDisposition::file_name), which makes it safe.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Output`] if the file system fails. The source names the file or the folder. If the part file
    ///   cannot be created, no part of the body has been read yet.
    /// - [`ErrorKind::Status`] for a 204, 205 or 304, and [`ErrorKind::InvalidRequest`] after a `HEAD`: a response
    ///   without content does not replace a file.
    /// - All errors of [`copy_to`](Self::copy_to).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("hello.txt");
    /// assert_eq!(hostpool::get(url).send()?.save_to(&path)?, 5);
    /// assert_eq!(std::fs::read(&path)?, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save_to(&mut self, path: impl AsRef<Path>) -> Result<u64> {
        self.save_to_with(path, |_, _| ())
    }

    /// The same, calling `progress` after each write with the bytes written so far and, where it is known, with how
    /// many there will be.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("hello.txt");
    /// hostpool::get(url).send()?.save_to_with(&path, |done, total| match total {
    ///     Some(total) => println!("{done} of {total} bytes"),
    ///     None => println!("{done} bytes"),
    /// })?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn save_to_with(&mut self, path: impl AsRef<Path>, progress: impl FnMut(u64, Option<u64>)) -> Result<u64> {
        if let Some(kind) = self.lacks_content() {
            return Err(self.about_head(kind).with_head(self.to_head(Vec::new())));
        }
        let mut partial = Partial::create(path.as_ref(), None)
            .map_err(|error| self.about_body(ErrorKind::Output).with_source(error))?;
        let len = self.copy_to_with(&mut partial, progress)?;
        partial.complete().map_err(|error| self.output_failed(error))?;
        Ok(len)
    }

    /// Returns the reason why this response never has content (RFC 9110, sections 9.3.2, 15.3.5, 15.3.6 and 15.4.5).
    /// Saving it would empty the file that was there.
    pub(crate) fn lacks_content(&self) -> Option<Reason> {
        match self.status() {
            status @ (StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) => {
                Some(ErrorKind::Status(status).into())
            }
            _ if self.inner.parts.about.method == Method::HEAD => {
                Some(ErrorKind::InvalidRequest.because("the response to a HEAD has no content"))
            }
            _ => None,
        }
    }

    /// Ends the reading after a failed write. A piece of the body is lost, so the rest must not be returned.
    fn output_failed(&mut self, error: io::Error) -> Error {
        self.end_reading(ErrorKind::Output);
        self.about_body(ErrorKind::Output).with_own_source(error)
    }
}

/// An iterator over the pieces of a body: see [`Response::chunks`], [`Response::into_chunks`] and
/// [`Response::wire_chunks`].
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is asked"]
pub struct Chunks<'a> {
    response: Source<'a>,
    size: usize,
    /// A piece also ends at the end of the chunk that it was sent in.
    by_wire: bool,
    ended: bool,
}

impl Chunks<'_> {
    /// Returns the response, for its head.
    pub fn response(&self) -> &Response {
        &self.response
    }

    fn read(&mut self) -> Result<Vec<u8>> {
        if self.size == 0 {
            return Err(self
                .response
                .about_body(ErrorKind::InvalidRequest.because("the size of a body's pieces is 0")));
        }
        if self.by_wire && !self.response.is_chunked() {
            return Err(self.response.about_body(ErrorKind::InvalidRequest.because("the body was not sent in chunks")));
        }
        // The buffer grows with the bytes that arrive, because the caller may ask for a larger size than the body has.
        let (mut piece, mut len) = (Vec::new(), 0);
        let first = if self.by_wire { SMALL_PIECE } else { PIECE };
        while len < self.size {
            if len == piece.len() {
                piece.resize((len * 2).clamp(first.min(self.size), self.size), 0);
            }
            let room = if self.by_wire { piece.len().min(len + ONE_CHUNK) } else { piece.len() };
            match self.response.read_next(&mut piece[len..room])? {
                0 => break,
                read => len += read,
            }
            if self.by_wire && self.response.is_at_border() {
                break;
            }
        }
        piece.truncate(len);
        if self.by_wire {
            // A peer may send its bytes one by one, and each would keep a whole buffer.
            piece.shrink_to_fit();
        }
        Ok(piece)
    }
}

impl Iterator for Chunks<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        if self.ended {
            return None;
        }
        let piece = self.read();
        // Pieces of an exact size end with a short piece, pieces by chunk with an empty one.
        let last = if self.by_wire { 1 } else { self.size };
        self.ended = piece.as_ref().map_or(true, |piece| piece.len() < last);
        match piece {
            Ok(piece) if piece.is_empty() => None,
            piece => Some(piece),
        }
    }
}

impl std::iter::FusedIterator for Chunks<'_> {}
