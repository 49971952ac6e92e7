//! Decoding the content codings of a body as it is read.

use http::StatusCode;

use super::Response;
use super::kept::Kept;
use crate::coding::{Codings, Corrupt, Ending, Need, Pump, Refused, Step};
use crate::error::{Error, ErrorKind, Limit, Phase, Reason, Result};
use crate::h1::TransferCoding;
use crate::observe;
use crate::strictness::Strictness;

/// # Decoding
impl Response {
    /// Prepares for decoding a body with a Content-Encoding.
    #[cold]
    pub(super) fn begin_decoding(&mut self) {
        // A part of coded data is not coded data (RFC 9110, section 15.3.7).
        if self.inner.parts.head.status == StatusCode::PARTIAL_CONTENT {
            return;
        }
        match Codings::of(self.inner.parts.head.headers.values("content-encoding")) {
            Ok(codings) => self.inner.pump = codings.map(|codings| self.inner.parts.common.pumps.take(codings)),
            Err(Refused::TooMany) => self.refuse(ErrorKind::LimitExceeded(Limit::Codings)),
            Err(Refused::Unknown(_)) => self.refuse(ErrorKind::Decode),
        }
    }

    fn refuse(&mut self, kind: ErrorKind) {
        self.inner.kept = Some(Kept::Refused(Box::new(kind.into())));
    }

    /// Ends the reading of a body that cannot be decoded, at its first read. The connection is closed.
    #[cold]
    pub(super) fn refused(&mut self, reason: Reason) -> Error {
        let error = self.name_coding(Error::new(reason, Phase::Body));
        self.inner.reader.fail(error.reason().clone());
        self.inner.kept = Some(Kept::Nothing(Box::new(error.reason().clone())));
        self.error(error)
    }

    /// Sets whether the body is decoded by its Content-Encoding, in place of the setting of the request. Call it before
    /// the first read, for example in [`on_response`](crate::SessionBuilder::on_response). A hook can see the headers
    /// that decide, such as an archive's Content-Type.
    ///
    /// A body in a coding that is not known, or in too many, can be read as it came after `decode_content(false)`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] if the body was read already, even if that failed, or if the response was closed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\ncoded");
    /// let mut response = hostpool::get(url).send()?;
    /// response.decode_content(false)?;
    /// assert_eq!(response.bytes()?, b"coded");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "decode")]
    #[doc(alias = "auto_decompress")]
    pub fn decode_content(&mut self, decode: bool) -> Result<&mut Response> {
        let is_unread = matches!(self.inner.kept, None | Some(Kept::Refused(_)))
            && self.inner.reader.received() == 0
            && self.inner.reader.failure().is_none();
        if !is_unread {
            let why = "the body was read already, so its decoding cannot change";
            return Err(self.about_body(ErrorKind::InvalidRequest.because(why)));
        }
        if let Some(pump) = self.inner.pump.take() {
            self.inner.parts.common.pumps.put(pump);
        }
        self.inner.kept = None;
        if decode && !self.inner.reader.is_done() {
            self.begin_decoding();
        }
        Ok(self)
    }

    /// Adds the name of the unknown coding to the error of a body that was refused for it.
    #[cold]
    pub(super) fn name_coding(&self, error: Error) -> Error {
        if error.kind() != &ErrorKind::Decode {
            return error;
        }
        match Codings::of(self.inner.parts.head.headers.values("content-encoding")) {
            Err(Refused::Unknown(name)) => {
                let name = name.get(..64).unwrap_or(&name).escape_ascii();
                error.because(format!("the content coding {name} is not known"))
            }
            _ => error,
        }
    }

    /// Returns whether more of the coded body may come, and how reliable its end is.
    fn ending(&self) -> Ending {
        if !self.inner.reader.is_done() {
            return Ending::Open;
        }
        // A body that only the close of the connection delimits may have been cut.
        let by_length = self.inner.reader.remaining() == Some(0);
        let by_chunk = self.inner.parts.head.facts.transfer_coding == TransferCoding::Chunked;
        match self.inner.parts.reading.strictness {
            Strictness::Tolerant if by_length || by_chunk => Ending::Proven,
            _ => Ending::Strict,
        }
    }

    /// Reads the decoded body into `buf`. The connection returns to its pool when the coded body has been read, which
    /// may be before all of it is decoded.
    #[inline(never)]
    pub(super) fn read_decoded(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let Some(mut pump) = self.inner.pump.take() else { return Ok(0) };
        let result = self.decode(&mut pump, buf);
        match result {
            Ok((_, Need::Done)) | Err(_) => self.inner.parts.common.pumps.put(pump),
            Ok(_) => self.inner.pump = Some(pump),
        }
        result.map(|(len, _)| len)
    }

    /// Receives and decodes until there are bytes to return, or the body ends.
    fn decode(&mut self, pump: &mut Pump, buf: &mut [u8]) -> Result<(usize, Need)> {
        loop {
            // Check the ends of the call also after the coded body has arrived, because decoding takes time too.
            let until = self.inner.parts.until();
            if until.is_over() || until.is_past() {
                return Err(self.late());
            }
            if !self.inner.reader.is_done()
                && let Some(room) = pump.room()
            {
                let len = self.advance(room).map_err(|error| self.error(error))?;
                pump.received(len);
            }
            let ending = self.ending();
            // Some servers send an empty body without the bytes that its coding needs. A body that only the end of the
            // connection delimits may have been cut, so it is not accepted.
            let is_empty = ending != Ending::Open && self.inner.reader.received() == 0;
            if is_empty && self.inner.parts.head.facts.transfer_coding == TransferCoding::Chunked {
                return Ok((0, Need::Done));
            }
            match pump.decode(ending, buf) {
                Ok(Step { produced: 0, next: Need::Input | Need::Output, .. }) => {}
                Ok(Step { produced, next, .. }) => {
                    if next == Need::Done && pump.is_short() {
                        observe::unfinished_coding(&self.inner.parts.about.url);
                    }
                    return Ok((produced, next));
                }
                Err(Corrupt(why)) => {
                    let reason = ErrorKind::Decode.because(why);
                    self.inner.reader.fail(reason.clone());
                    return Err(self.error(Error::new(reason, Phase::Body)));
                }
            }
        }
    }
}
