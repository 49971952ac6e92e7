//! The head of a response, as errors and the history keep it.

use std::fmt;

use http::{Method, StatusCode, Version};

use crate::headers::Headers;
use crate::urls::Url;

/// The bytes of a body that `Debug` shows.
const SHOWN: usize = 256;

/// The head of a response and the start of its body, returned by [`Error::head`](crate::Error::head) and in histories.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) reason: Box<str>,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) request_body_complete: bool,
}

impl ResponseHead {
    /// Returns the status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the HTTP version of the response.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the reason phrase as the server sent it. It is empty if the server sent none, or one that is not UTF-8.
    #[doc(alias = "message")]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL of the request.
    #[doc(alias = "request_info")]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the start of the body, if it was read: at most 64 KiB, decoded as a read of the response would do.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns whether the whole request was sent: see
    /// [`Response::request_body_complete`](crate::Response::request_body_complete).
    ///
    /// ```no_run
    /// # let upload = std::fs::File::open("large.bin")?;
    /// let response = hostpool::put("http://example.com/large").data(upload).send()?;
    /// for passed in response.history() {
    ///     println!("{} took the whole body: {}", passed.url(), passed.request_body_complete());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_body_complete(&self) -> bool {
        self.request_body_complete
    }
}

impl ResponseHead {
    /// Returns the start of the body, for `Debug`.
    pub(super) fn body_start(&self) -> impl fmt::Debug {
        String::from_utf8_lossy(&self.body[..self.body.len().min(SHOWN)]).into_owned()
    }
}

impl fmt::Debug for ResponseHead {
    /// Shows at most 256 bytes of the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version", &self.version)
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("body", &self.body_start())
            .finish_non_exhaustive()
    }
}
