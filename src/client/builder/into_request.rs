//! Conversion of requests of the `http` crate, and the types that `execute`, `submit` and `batch` send.

use http::{Uri, Version};

use super::{Calls, RequestBuilder};
use crate::body::Body;
use crate::client::request::Request;
use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::urls::Url;

/// A value that `execute`, `submit` and `batch` send.
///
/// It is implemented for these types, and cannot be implemented for others:
///
/// | type | meaning |
/// |---|---|
/// | [`Request`] | a request of this crate, with its settings |
/// | [`http::Request<B>`](http::Request), where `B: Into<Body>` | a request of the crate `http` |
/// | [`RequestBuilder`] | a request that a client has begun; that client sends it, with its own settings |
///
/// Method, URI, version, headers and body of an `http::Request` are used, and its extensions are those of the
/// [`Request`](Request::extensions). The client adds fields as it does to any other request, such as a `User-Agent` if
/// there is none.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// let request = http::Request::post(&url).header("x-request-id", "7").body("data")?;
/// let response = hostpool::Session::new().execute(request)?.into_http()?;
/// assert_eq!(std::io::read_to_string(response.into_body())?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request",
    note = "give a `hostpool::Request`, which `RequestBuilder::build` makes, or an `http::Request`",
    note = "`get`, `post` and `request` make a request from a URL"
)]
pub trait IntoRequest: sealed::Executable {}

impl<T: sealed::Executable> IntoRequest for T {}

pub(crate) mod sealed {
    use super::{Calls, RequestBuilder};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a request",
        note = "give a `hostpool::Request`, which `RequestBuilder::build` makes, or an `http::Request`",
        note = "`get`, `post` and `request` make a request from a URL"
    )]
    pub trait Executable {
        /// Begins the request for a client.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn begin(self, calls: &Calls) -> RequestBuilder;
    }
}

#[allow(private_interfaces, reason = "the trait cannot be named outside")]
impl sealed::Executable for Request {
    fn begin(self, calls: &Calls) -> RequestBuilder {
        RequestBuilder::new(&calls.engine, &calls.policy, Ok(self))
    }
}

#[allow(private_interfaces, reason = "the trait cannot be named outside")]
impl sealed::Executable for RequestBuilder {
    fn begin(self, _: &Calls) -> RequestBuilder {
        self
    }
}

#[allow(private_interfaces, reason = "the trait cannot be named outside")]
impl<B: Into<Body>> sealed::Executable for http::Request<B> {
    fn begin(self, calls: &Calls) -> RequestBuilder {
        let request = of_http(self, |uri| calls.url(uri.to_string()));
        RequestBuilder::new(&calls.engine, &calls.policy, request)
    }
}

impl<B: Into<Body>> TryFrom<http::Request<B>> for Request {
    type Error = Error;

    /// Converts the request.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) if the URI is not absolute.
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the version is neither HTTP/1.0 nor
    ///   HTTP/1.1.
    ///
    /// ```
    /// use hostpool::Request;
    ///
    /// let request = Request::try_from(http::Request::get("http://example.com/a?b").body(())?)?;
    /// assert_eq!(request.url().target(), "/a?b");
    /// assert!(Request::try_from(http::Request::get("/a?b").body(())?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn try_from(request: http::Request<B>) -> Result<Request> {
        of_http(request, |uri| Ok(Url::try_from(uri)?))
    }
}

fn of_http<B: Into<Body>>(request: http::Request<B>, url: impl FnOnce(&Uri) -> Result<Url>) -> Result<Request> {
    let (head, body) = request.into_parts();
    if !matches!(head.version, Version::HTTP_10 | Version::HTTP_11) {
        return Err(Error::request("only HTTP/1.0 and HTTP/1.1 are spoken here"));
    }
    let mut made = Request {
        headers: Headers::from(&head.headers),
        body: body.into(),
        version: head.version,
        ..Request::new(head.method, url(&head.uri)?)
    };
    if !head.extensions.is_empty() {
        *made.extensions_mut() = head.extensions;
    }
    Ok(made)
}
