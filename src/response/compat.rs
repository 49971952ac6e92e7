//! Conversion to a response of the `http` crate.

use std::fmt;
use std::io::{self, Read};

use super::Response;
use crate::body::Body;
use crate::error::{ErrorKind, Limit, Result};
use crate::headers::Headers;

/// The body of a response without its head: see [`Response::into_http`].
pub struct ResponseBody(Response);

impl ResponseBody {
    /// Returns the trailer fields, after the body has been read to its end.
    pub fn trailers(&self) -> &Headers {
        self.0.trailers()
    }

    /// Returns the response that has this body.
    pub fn into_response(self) -> Response {
        self.0
    }
}

impl Read for ResponseBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl From<ResponseBody> for Body {
    /// Passes the body on, as the body of another request or of a response: it is read as it is sent. Its length is
    /// known if the rest of it is delimited by a Content-Length and not decoded.
    fn from(body: ResponseBody) -> Body {
        match body.0.left() {
            Some(length) => Body::sized(body, length),
            None => Body::reader(body),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("url", self.0.url()).finish_non_exhaustive()
    }
}

/// # The crate `http`
impl Response {
    /// Converts this response to one of the `http` crate. Its body is read in the same way. The extensions are kept, and
    /// the [`Url`](crate::Url) is added to them.
    ///
    /// The spelling of header names and the reason phrase are lost. Fails with [`ErrorKind::LimitExceeded`] if there
    /// are more than 32,768 header fields, the most that an `http::HeaderMap` holds.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let response: http::Response<hostpool::ResponseBody> = hostpool::get(url).send()?.into_http()?;
    /// assert_eq!(response.headers()["content-length"], "5");
    /// assert_eq!(std::io::read_to_string(response.into_body())?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_http(self) -> Result<http::Response<ResponseBody>> {
        let headers = http::HeaderMap::try_from(self.headers())
            .map_err(|error| self.about_body(ErrorKind::LimitExceeded(Limit::HeadFields)).with_source(error))?;
        let (status, version) = (self.status(), self.version());
        let mut extensions = self.extensions().clone();
        extensions.insert(self.url().clone());
        let mut response = http::Response::new(ResponseBody(self));
        *response.extensions_mut() = extensions;
        *response.status_mut() = status;
        *response.version_mut() = version;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
