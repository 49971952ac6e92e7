//! Reading a body as a whole, and keeping it.

use super::Response;
use super::kept::Kept;
use crate::error::{Error, ErrorKind, Phase, Reason, Result};

/// # The body as a whole
impl Response {
    /// Reads the body as a whole.
    ///
    /// # Errors
    /// - [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if the body is larger than
    ///   [`Limits::max_body`](crate::Limits::max_body), 100 MiB by default. Use `Read` for such bodies.
    /// - [`ErrorKind::IncompleteBody`](crate::ErrorKind::IncompleteBody) if the connection ends early: a truncated body
    ///   is never a short success.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let bytes = hostpool::get(url).send()?.bytes()?;
    /// assert_eq!(bytes, b"hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "read_to_vec")]
    #[doc(alias = "read")]
    #[doc(alias = "content")]
    #[doc(alias = "data")]
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        self.move_body()
    }

    /// Reads the body as a whole and keeps it. From then on `load`, `Read`, [`bytes`](Self::bytes),
    /// [`text`](Self::text), `json` and the other methods use the kept body, also after [`close`](Self::close).
    ///
    /// Bytes that were read before are not in it. `Read` returns it once; the other methods return all of it. Fails as
    /// `bytes` does.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// assert_eq!(response.load()?, b"hello");
    /// assert_eq!(response.load()?.len(), 5);
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "read")]
    #[doc(alias = "data")]
    #[doc(alias = "preload_content")]
    pub fn load(&mut self) -> Result<&[u8]> {
        if matches!(self.inner.kept, None | Some(Kept::Refused(_))) {
            let result = self.move_body();
            let (kept, failed) = match result {
                Ok(bytes) => (Kept::Body { bytes, read: 0 }, None),
                Err(error) => (Kept::Nothing(Box::new(error.reason().clone())), Some(error)),
            };
            self.inner.kept = Some(kept);
            failed.map_or(Ok(()), Err)?;
        }
        match &self.inner.kept {
            Some(Kept::Nothing(reason) | Kept::Refused(reason)) => Err(self.about_body((**reason).clone())),
            Some(Kept::Body { bytes, .. }) => Ok(bytes),
            None => Ok(&[]),
        }
    }

    /// Returns the body if it was [loaded](Self::load). It reads nothing, and so needs no `&mut`.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// assert_eq!(response.data(), None);
    /// response.load()?;
    /// assert_eq!(response.data(), Some(&b"hello"[..]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn data(&self) -> Option<&[u8]> {
        match &self.inner.kept {
            Some(Kept::Body { bytes, .. }) => Some(bytes),
            Some(Kept::Nothing(_) | Kept::Refused(_)) | None => None,
        }
    }

    /// Reads the body as a whole, as [`bytes`](Self::bytes) does, and keeps the head. Takes the body of a response that
    /// was [loaded](Self::load), without a copy.
    ///
    /// Later reads fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed), so that an empty body is not taken for
    /// the server's. [`set_body`](Self::set_body) sets another one. Fails as `bytes` does.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nETag: \"7\"\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// let body = response.take_body()?;
    /// assert_eq!((body.as_slice(), response.headers().get("etag")), (&b"hello"[..], Some("\"7\"")));
    /// assert!(response.take_body().unwrap_err().is_closed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "into_parts")]
    pub fn take_body(&mut self) -> Result<Vec<u8>> {
        let body = self.move_body()?;
        self.inner.kept = Some(Kept::Nothing(Box::new(ErrorKind::Closed.because("the body was taken"))));
        Ok(body)
    }

    /// Returns the whole body without keeping it, for a response that is read no more.
    pub(super) fn move_body(&mut self) -> Result<Vec<u8>> {
        match &mut self.inner.kept {
            None => self.read_all(),
            Some(Kept::Body { bytes, .. }) => Ok(std::mem::take(bytes)),
            Some(Kept::Refused(reason)) => {
                let reason = (**reason).clone();
                Err(self.refused(reason))
            }
            Some(Kept::Nothing(reason)) => {
                let reason = (**reason).clone();
                Err(self.about_body(reason))
            }
        }
    }

    /// Reads the next bytes, from the kept body or from the connection. Returns 0 at the end.
    pub(super) fn read_next(&mut self, buf: &mut [u8]) -> Result<usize> {
        match &mut self.inner.kept {
            None => self.read_some(buf),
            Some(Kept::Body { bytes, read }) => {
                let rest = &bytes[*read..];
                let len = rest.len().min(buf.len());
                buf[..len].copy_from_slice(&rest[..len]);
                *read += len;
                Ok(len)
            }
            Some(Kept::Refused(reason)) => {
                let reason = (**reason).clone();
                Err(self.refused(reason))
            }
            Some(Kept::Nothing(reason)) => {
                let reason = (**reason).clone();
                Err(self.about_body(reason))
            }
        }
    }

    /// Returns whether the last read ended with a chunk, or the ends of chunks are not known.
    pub(super) fn is_at_border(&self) -> bool {
        self.inner.pump.is_some() || self.inner.reader.is_between_chunks()
    }

    /// Returns how many bytes are left to read, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match &self.inner.kept {
            Some(Kept::Body { bytes, read }) => Some((bytes.len() - read) as u64),
            Some(Kept::Nothing(_) | Kept::Refused(_)) => None,
            // The length of the coded body is not that of the decoded one.
            None if self.inner.pump.is_some() => None,
            None => self.inner.reader.remaining(),
        }
    }

    /// Makes later reads fail with `why`, unless the body is kept.
    pub(super) fn end_reading(&mut self, why: impl Into<Reason>) {
        if !matches!(self.inner.kept, Some(Kept::Body { .. })) {
            self.inner.kept = Some(Kept::Nothing(Box::new(why.into())));
        }
    }

    /// Returns an error about the head alone, such as a status that the caller does not want.
    pub(super) fn about_head(&self, reason: impl Into<Reason>) -> Error {
        self.about_body(reason).with_phase(Phase::Head)
    }

    /// Returns an error about the body of this response.
    pub(super) fn about_body(&self, reason: impl Into<Reason>) -> Error {
        let about = &self.inner.parts.about;
        Error::new(reason, Phase::Body)
            .with_maybe_processed(true)
            .with_history(about.history().to_vec())
            .with_request(&about.method, &about.url)
    }
}
