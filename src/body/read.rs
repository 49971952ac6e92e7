//! Reading a body, for callers that need its bytes, such as one that signs a request.

use std::io::{self, Read};

use super::{Body, Input, Kind};
use crate::error::Result;

/// The first room for the bytes of a reader.
const FIRST: usize = 8 * 1024;

impl Body {
    /// Returns all bytes. Bytes that no other body shares are not copied. A reader is read to its end, without a limit
    /// on the length; wrap a reader that may be long in [`Read::take`].
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) if the reader fails, or was read before and cannot go back.
    /// - [`ErrorKind::BodyLength`](crate::ErrorKind::BodyLength) if it gives another number of bytes than declared.
    ///
    /// ```
    /// use hostpool::Body;
    ///
    /// assert_eq!(Body::from("text").into_vec()?, b"text");
    /// assert_eq!(Body::reader(&b"read"[..]).into_vec()?, b"read");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "to_vec")]
    #[doc(alias = "bytes")]
    pub fn into_vec(self) -> Result<Vec<u8>> {
        match self.kind {
            Kind::Empty => Ok(Vec::new()),
            Kind::Bytes(bytes) => Ok(bytes.into_vec()),
            Kind::Source(source) => rest(Body { kind: Kind::Source(source), ..self }.begun()?),
        }
    }

    /// Reads a reader into memory, and returns all bytes. The body has these bytes from then on, so it can be cloned and
    /// sent again, and its length is known. Bytes are returned as they are. Fails as [`into_vec`](Self::into_vec) does;
    /// then the body is empty.
    ///
    /// ```
    /// use hostpool::{Body, Session};
    ///
    /// # fn sign(bytes: &[u8]) -> String { bytes.len().to_string() }
    /// let session = Session::builder()
    ///     .on_request(|request| {
    ///         let signature = sign(request.body_mut().load()?);
    ///         Ok(request.headers_mut().insert("X-Signature", &signature)?)
    ///     })
    ///     .build()?;
    ///
    /// let mut body = Body::reader(&b"read"[..]);
    /// assert_eq!(body.load()?, b"read");
    /// assert_eq!((body.length(), body.as_bytes()), (Some(4), Some(&b"read"[..])));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "to_vec")]
    pub fn load(&mut self) -> Result<&[u8]> {
        if let Kind::Source(_) = self.kind {
            let (content, coding, progress) = (self.content, self.coding, self.progress.clone());
            let bytes = std::mem::take(self).into_vec()?;
            *self = Body { content, coding, progress, ..Body::from(bytes) };
        }
        Ok(self.as_bytes().unwrap_or_default())
    }

    /// Returns a reader of the bytes, without the framing of chunks. An error of the reader has this crate's
    /// [`Error`](crate::Error) inside: see [`Error::from_io`](crate::Error::from_io).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) if the body was read before and cannot go back to its start,
    /// or if its length cannot be found.
    ///
    /// ```
    /// use hostpool::Body;
    ///
    /// let reader = Body::from("text").into_reader()?;
    /// assert_eq!(std::io::read_to_string(reader)?, "text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_reader(self) -> Result<impl Read + Send + 'static> {
        Ok(Content(self.begun()?))
    }

    /// Returns the bytes of the body, from the first on.
    pub(crate) fn begun(self) -> Result<Input> {
        let mut input = self.into_input()?;
        input.prepare()?;
        Ok(input)
    }
}

/// Reads the input to its end.
fn rest(mut input: Input) -> Result<Vec<u8>> {
    let (mut bytes, mut len) = (Vec::new(), 0);
    loop {
        if len == bytes.len() {
            bytes.resize((len * 2).max(FIRST), 0);
        }
        match input.pull(&mut bytes[len..])? {
            0 => break,
            read => len += read,
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// The bytes of a body.
struct Content(Input);

impl Read for Content {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.0.pull(buf).map_err(|error| error.into_io())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::error::{Error, ErrorKind};

    fn kinds() -> Vec<(&'static str, Body)> {
        let made = || Ok(Cursor::new(b"some bytes"));
        vec![
            ("bytes", Body::from(b"some bytes")),
            ("shared bytes", Body::from(std::sync::Arc::<[u8]>::from(*b"some bytes"))),
            ("text", Body::from("some bytes")),
            ("reader", Body::reader(Cursor::new("some bytes"))),
            ("sized", Body::sized(Cursor::new("some bytes"), 10)),
            ("seekable", Body::seekable(Cursor::new("some bytes"))),
            ("factory", Body::factory(made, None)),
        ]
    }

    #[test]
    fn every_kind_gives_its_bytes() {
        for (kind, body) in kinds() {
            assert_eq!(body.into_vec().unwrap(), b"some bytes", "{kind}");
        }
        for (kind, body) in kinds() {
            let mut text = String::new();
            body.into_reader().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "some bytes", "{kind}");
        }
        for (kind, mut body) in kinds() {
            let content = body.content();
            assert_eq!(body.load().unwrap(), b"some bytes", "{kind}");
            assert_eq!((body.as_bytes(), body.content()), (Some(&b"some bytes"[..]), content), "{kind}");
        }
        assert_eq!(Body::empty().into_vec().unwrap(), b"");
        assert_eq!(Body::empty().load().unwrap(), b"");
    }

    /// A body that was read while it was sent begins again, or says that it cannot.
    #[test]
    fn bodies_that_were_begun() {
        let long = vec![7; 300_000];
        for (again, mut body) in
            [(true, Body::seekable(Cursor::new(long.clone()))), (false, Body::reader(Cursor::new(long.clone())))]
        {
            body.prime().unwrap();
            match body.into_vec() {
                Ok(bytes) => assert!(again && bytes == long),
                Err(error) => assert!(!again && error.kind() == &ErrorKind::BodyRead, "{error}"),
            }
        }
    }

    #[test]
    fn wrong_lengths() {
        for declared in [3, 5] {
            let wrong = ErrorKind::BodyLength { declared, read: 4 };
            let body = || Body::sized(Cursor::new("four"), declared);
            assert_eq!(body().into_vec().unwrap_err().kind(), &wrong);
            let error = std::io::read_to_string(body().into_reader().unwrap()).unwrap_err();
            assert_eq!(Error::from_io(&error).unwrap().kind(), &wrong);
        }
    }
}
