//! Errors about a response, and the part of the response that they keep.

use http::StatusCode;

use super::{AT_ONCE, About, Response};
use crate::auth::challenge;
use crate::error::{Bound, Error, ErrorKind, Reason, ResponseHead, Result};

/// The bytes of a body that an error keeps: enough for the explanation that an API sends.
pub(super) const KEPT: usize = 64 * 1024;

/// # Statuses as errors
impl Response {
    /// Returns this response, or an error if its status is from 400 on. A status from 600 to 999 counts as a server
    /// error (RFC 9110, section 15). The setting [`raise_for_status`](crate::RequestBuilder::raise_for_status) of a
    /// request or a client does so for each of its responses.
    ///
    /// The error is [`ErrorKind::Status`]. Its [`head`](Error::head) has the status, the header fields and at most 64
    /// KiB of the body: the part that arrives within [`Limits::drain_time`](crate::Limits::drain_time), 100 ms by
    /// default, and the timeouts of the request. A body that does not arrive does not change the error. The connection
    /// is back in its pool or closed, and [`maybe_processed`](Error::maybe_processed) is true. For a 401 and a 407 the error
    /// names the schemes that are asked for.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 11\r\n\r\nslow down!\n");
    /// use hostpool::ErrorKind;
    ///
    /// let error = hostpool::get(url).send()?.error_for_status().unwrap_err();
    /// let ErrorKind::Status(status) = error.kind() else { panic!("{error}") };
    /// assert_eq!(status.as_u16(), 429);
    /// assert_eq!(error.head().unwrap().body(), b"slow down!\n");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "raise_for_status")]
    pub fn error_for_status(self) -> Result<Response> {
        match self.status_error() {
            None => Ok(self),
            Some(kind) => Err(self.into_error(kind)),
        }
    }

    /// Does the same as [`error_for_status`](Self::error_for_status) without taking the response. The error has the
    /// head, but no part of the body.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnowhere");
    /// let response = hostpool::get(url).send()?;
    /// assert!(response.error_for_status_ref().is_err());
    /// assert_eq!(response.text()?, "nowhere");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn error_for_status_ref(&self) -> Result<&Response> {
        match self.status_error() {
            None => Ok(self),
            Some(kind) => Err(self.about_head(self.offer(kind)).with_head(self.to_head(Vec::new()))),
        }
    }

    fn status_error(&self) -> Option<ErrorKind> {
        let status = self.status();
        (status.as_u16() >= 400).then_some(ErrorKind::Status(status))
    }

    /// Adds to a status the schemes that a refusal asks for, because only they tell which credentials help.
    fn offer(&self, kind: ErrorKind) -> Reason {
        let field = match self.status() {
            StatusCode::UNAUTHORIZED => "www-authenticate",
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => "proxy-authenticate",
            _ => return kind.into(),
        };
        let schemes = challenge::schemes(self.inner.parts.head.headers.values(field));
        match schemes.is_empty() {
            true => kind.into(),
            false => kind.because(format!("it asks for {}", schemes.join(", "))),
        }
    }

    /// Returns an error about this response, with its head and the start of its body. The connection is back in its
    /// pool or closed before this returns.
    pub(crate) fn into_error(mut self, reason: impl Into<Reason>) -> Error {
        let drain_time = self.inner.parts.common.limits.drain_time;
        // A `drain_time` of zero still takes the bytes that have arrived.
        self.inner.parts.deadline = self.inner.parts.deadline.or_within(Some(drain_time.max(AT_ONCE)), Bound::Total);
        self.inner.parts.read = Some(self.inner.parts.read.map_or(drain_time, |read| read.min(drain_time)));
        let body = self.body_start();
        let reason = reason.into();
        let error = match reason.kind {
            ErrorKind::Status(_) => self.about_head(self.offer(reason.kind)),
            _ => self.about_body(reason),
        };
        error.with_head(self.to_head(body))
    }

    /// Reads the start of the body, up to the bytes that an error keeps. Stops at a failure.
    fn body_start(&mut self) -> Vec<u8> {
        let (mut body, mut len) = (Vec::new(), 0);
        while len < KEPT {
            if len == body.len() {
                body.resize((len * 2).clamp(4 * 1024, KEPT), 0);
            }
            match self.read_next(&mut body[len..]) {
                Ok(0) | Err(_) => break,
                Ok(read) => len += read,
            }
        }
        body.truncate(len);
        body.shrink_to_fit();
        body
    }

    /// Returns the head of this response with `body` as its body, for errors and the history.
    pub(crate) fn to_head(&self, body: Vec<u8>) -> ResponseHead {
        let About { method, url, request_body_complete, .. } = &self.inner.parts.about;
        let head = self.inner.parts.head.answer_to(method.clone(), url.clone(), *request_body_complete);
        ResponseHead { body, ..head }
    }
}
