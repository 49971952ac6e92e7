//! Responses that the caller makes: stubs, cached responses, and answers for when the network fails.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, LazyLock};

use http::{Extensions, Method, StatusCode, Version};

use super::{About, Inner, Parts, Reading, Response, Standing};
use crate::body::Body;
use crate::error::{Error, Result};
use crate::exchange::{BodyReader, Common};
use crate::h1::Head;
use crate::headers::{Headers, IntoHeaderName, IntoHeaderValue, IntoHeaders};
use crate::limits::Limits;
use crate::time::Deadline;
use crate::urls::Url;

/// Builds a [`Response`] that no server has sent, for a [`Middleware`](crate::Middleware) or a hook that answers by
/// itself: see [`Response::builder`].
///
/// A method that is given something wrong does not fail at once. [`build`](Self::build) returns the first such error.
#[must_use = "a builder does nothing until it builds"]
pub struct ResponseBuilder {
    wrong: Option<Error>,
    status: StatusCode,
    version: Version,
    reason: Option<Box<str>>,
    headers: Headers,
    body: Body,
    method: Option<Method>,
    url: Option<Url>,
    extensions: Extensions,
}

// Nothing here changes once it is set.
impl UnwindSafe for ResponseBuilder {}
impl RefUnwindSafe for ResponseBuilder {}

/// # Responses that callers make
impl Response {
    /// Returns a builder for a response that no server has sent: a stub for a test, a cached response, or an answer for
    /// when the network fails. A [`Middleware`](crate::Middleware) or the hook
    /// [`on_response`](crate::SessionBuilder::on_response) returns it in place of a received one.
    ///
    /// Every method of the response has an answer:
    ///
    /// - The body has the length of what it is made of, whatever a Content-Length says. Its reads are bounded by no
    ///   timeout.
    /// - The body is not decoded, even if there is a Content-Encoding. So a cache can keep the headers of a response
    ///   together with its [`bytes`](Response::bytes), which were decoded. For a body that is still coded call
    ///   [`decode_content(true)`](Response::decode_content).
    /// - There is no [`connection`](Response::connection), no address, no trailer and no history, and the request counts
    ///   as [sent whole](Response::request_body_complete).
    ///
    /// The client does not treat such a response as one of a server. It follows no redirect in it and tries nothing
    /// again for its status. It stores none of its cookies, because nobody vouches for them: a cache would set those of
    /// another call, and could bring back an old session. Call [`CookieStore::store`](crate::CookieStore::store) for
    /// cookies that are to be kept. Only [`raise_for_status`](crate::RequestBuilder::raise_for_status) applies: it is that
    /// of the request that the middleware was given.
    ///
    /// ```
    /// use hostpool::{Next, Request, Response, Result, Session};
    ///
    /// // Answers without a server, as a test of the program around it needs.
    /// fn stub(request: Request, _: Next<'_>) -> Result<Response> {
    ///     match request.url().path() {
    ///         "/items/7" => Response::builder().header("Content-Type", "text/plain").body("seven").build(),
    ///         _ => Response::builder().status(404).build(),
    ///     }
    /// }
    ///
    /// let session = Session::builder().middleware(stub).build()?;
    /// let response = session.get("http://api.example/items/7").send()?;
    /// assert_eq!(response.url().as_str(), "http://api.example/items/7");
    /// assert_eq!(response.text()?, "seven");
    /// assert_eq!(session.get("http://api.example/").send()?.status(), 404);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "from_parts")]
    #[doc(alias = "HTTPResponse")]
    #[doc(alias = "responses")]
    pub fn builder() -> ResponseBuilder {
        ResponseBuilder {
            wrong: None,
            status: StatusCode::OK,
            version: Version::HTTP_11,
            reason: None,
            headers: Headers::new(),
            body: Body::empty(),
            method: None,
            url: None,
            extensions: Extensions::new(),
        }
    }
}

impl ResponseBuilder {
    /// Sets the status. Default: 200.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) unless it is from 200 to 999. A status below 200 is
    /// not that of a final response (RFC 9110, section 15.2).
    ///
    /// ```
    /// use hostpool::Response;
    ///
    /// let response = Response::builder().status(503).build()?;
    /// assert_eq!((response.status().as_u16(), response.reason()), (503, "Service Unavailable"));
    /// assert!(Response::builder().status(42).build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn status(self, status: impl TryInto<StatusCode>) -> Self {
        self.change(|builder| {
            let status = status.try_into().ok().filter(|status| !status.is_informational());
            builder.status = status.ok_or_else(|| Error::config("the status of a response is from 200 to 999"))?;
            Ok(())
        })
    }

    /// Sets the HTTP version. Default: HTTP/1.1.
    pub fn version(self, version: Version) -> Self {
        ResponseBuilder { version, ..self }
    }

    /// Sets the reason phrase. Default: that of the status in the standards, or none.
    ///
    /// ```
    /// let response = hostpool::Response::builder().reason("Fine").build()?;
    /// assert_eq!(response.reason(), "Fine");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn reason(self, reason: &str) -> Self {
        ResponseBuilder { reason: Some(reason.into()), ..self }
    }

    /// Adds a header after existing headers of the same name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if [`Headers::append`] refuses the name or the
    /// value.
    ///
    /// ```
    /// let response = hostpool::Response::builder().header("Set-Cookie", "id=7").build()?;
    /// assert_eq!(response.cookie("id").unwrap().value(), "7");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn header(self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Self {
        self.change(|builder| Ok(builder.headers.append(name, value)?))
    }

    /// Adds all these headers.
    ///
    /// ```
    /// use hostpool::{Headers, Response};
    ///
    /// let mut headers = Headers::new();
    /// headers.append("ETag", "\"7\"")?;
    /// let response = Response::builder().headers(&headers).build()?;
    /// assert_eq!(response.headers(), &headers);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn headers(self, headers: impl IntoHeaders) -> Self {
        self.change(|builder| Ok(builder.headers.append_all(headers)?))
    }

    /// Sets the body to bytes, a text, a file, or the content of a reader: see [`Body`]. Default: none. A reader is read
    /// as the body of the response is.
    ///
    /// ```
    /// use hostpool::{Body, Response};
    ///
    /// let response = Response::builder().body(Body::reader(&b"read when it is needed"[..])).build()?;
    /// assert_eq!(response.text()?, "read when it is needed");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "data")]
    pub fn body(self, body: impl Into<Body>) -> Self {
        ResponseBuilder { body: body.into(), ..self }
    }

    /// Sets the body to a value as JSON, and adds its Content-Type if there is none yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the value has no JSON form.
    ///
    /// ```
    /// let response = hostpool::Response::builder().json(&[1, 2, 3]).build()?;
    /// assert!(response.content_type().unwrap().is_json());
    /// assert_eq!(response.json::<Vec<u32>>()?, [1, 2, 3]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json(self, value: &(impl serde::Serialize + ?Sized)) -> Self {
        self.change(|builder| {
            let json = serde_json::to_vec(value)
                .map_err(|error| Error::config("the value has no JSON form").with_source(error))?;
            builder.body = Body::from(json);
            if !builder.headers.contains("content-type") {
                builder.headers.append("Content-Type", "application/json")?;
            }
            Ok(())
        })
    }

    /// Sets the URL that the response is for: a text, a [`Url`], an `http::Uri` or a `url::Url`. Default: that of the
    /// request, if a middleware or a hook returns the response, otherwise `http://response.invalid/`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) for a text that is not a URL.
    ///
    /// ```
    /// let response = hostpool::Response::builder().url("http://example.com/a").build()?;
    /// assert_eq!(response.host(), "example.com");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn url<U: TryInto<Url>>(self, url: U) -> Self
    where
        U::Error: Into<Error>,
    {
        self.change(|builder| {
            builder.url = Some(url.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Sets the method that the response is for. It counts only together with a [`url`](Self::url). Default: `GET`.
    pub fn method(self, method: Method) -> Self {
        ResponseBuilder { method: Some(method), ..self }
    }

    /// Adds a value of any type of the caller's own: see [`Response::extensions`].
    ///
    /// ```
    /// #[derive(Clone)]
    /// struct FromCache;
    ///
    /// let response = hostpool::Response::builder().extension(FromCache).build()?;
    /// assert!(response.extensions().get::<FromCache>().is_some());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Builds the response.
    ///
    /// # Errors
    ///
    /// - The first error of the methods that were called before.
    /// - [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) if the body is a reader whose start or length cannot be
    ///   found.
    pub fn build(self) -> Result<Response> {
        let ResponseBuilder { wrong, status, version, reason, headers, body, method, url, extensions } = self;
        if let Some(error) = wrong {
            return Err(error);
        }
        let reason = reason.unwrap_or_else(|| status.canonical_reason().unwrap_or_default().into());
        let head = Head::made(version, status, reason, headers);
        let standing = if url.is_some() { Standing::Placed } else { Standing::Unplaced };
        let url = url.map_or_else(nowhere, Ok)?.without_fragment();
        let about = About { standing, ..About::new(method.unwrap_or(Method::GET), url) };
        Response::made(head, about, body, extensions)
    }

    fn change(mut self, change: impl FnOnce(&mut Self) -> Result<()>) -> Self {
        if self.wrong.is_none()
            && let Err(error) = change(&mut self)
        {
            self.wrong = Some(error);
        }
        self
    }
}

/// Returns the URL of a response that is for no known URL. Its host cannot exist (RFC 6761, section 6.4).
fn nowhere() -> Result<Url> {
    Ok(Url::parse("http://response.invalid/")?)
}

/// # Changes
impl Response {
    /// Makes a response whose body comes from the caller.
    fn made(mut head: Head, about: About, body: Body, extensions: Extensions) -> Result<Response> {
        static COMMON: LazyLock<Arc<Common>> = LazyLock::new(|| Arc::new(Common::new(Limits::default())));
        let reader = own_reader(body)?;
        if head.facts.content_length.is_none() {
            head.facts.content_length = reader.remaining();
        }
        let common = COMMON.clone();
        let reading = Reading { max_body: common.limits.max_body, ..Reading::default() };
        let parts =
            Parts { head, about, held: None, reading, read: None, deadline: Deadline::NEVER, token: None, common };
        let inner =
            Inner { parts, remote: None, reused: false, reader, kept: None, pump: None, extensions: extensions.into() };
        Ok(Response { inner: Box::new(inner) })
    }

    /// Returns the request that this response is for, and what the call did before.
    pub(crate) fn about(&self) -> &About {
        &self.inner.parts.about
    }

    /// Sets what the response is about, if the caller has made it and named no URL.
    pub(crate) fn in_place_of(mut self, about: About) -> Response {
        if self.inner.parts.about.standing == Standing::Unplaced {
            self.inner.parts.about = about;
        }
        self
    }

    /// Returns whether it is settled that the status of this response is not an error.
    pub(crate) fn is_judged(&self) -> bool {
        self.inner.parts.about.standing == Standing::Judged
    }

    /// Sets whether it is settled that the status of this response is not an error.
    pub(crate) fn judged(mut self, judged: bool) -> Response {
        self.inner.parts.about.standing = if judged { Standing::Judged } else { Standing::Placed };
        self
    }

    /// Sets the body to one of the caller's own, and keeps the head, so that a middleware can change what the caller
    /// reads. Content-Length and Content-Encoding stay in the [headers](Self::headers) as they are, and the new body is
    /// not decoded.
    ///
    /// The connection of the old body returns to its pool or is closed, as if the response was dropped. Call
    /// [`take_body`](Self::take_body) before, to read it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) if the new body is a reader whose start or length cannot be
    /// found. The response keeps its old body then.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nX-Tag: 7\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Session;
    ///
    /// let session = Session::builder()
    ///     .on_response(|mut response| {
    ///         let text = response.take_body()?.to_ascii_uppercase();
    ///         response.set_body(text)?;
    ///         Ok(response)
    ///     })
    ///     .build()?;
    /// let response = session.get(url).send()?;
    /// assert_eq!(response.headers().get("X-Tag"), Some("7"));
    /// assert_eq!(response.text()?, "HELLO");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "replace_body")]
    #[doc(alias = "with_body")]
    pub fn set_body(&mut self, body: impl Into<Body>) -> Result<()> {
        let reader = own_reader(body.into())?;
        self.let_go();
        self.inner.kept = None;
        self.inner.reader = reader;
        // No peer can delay the new body. The deadline may be that of the drain, which has passed.
        self.inner.parts.deadline = Deadline::NEVER;
        Ok(())
    }

    /// Returns the values of the caller's own on this response. A middleware puts them there for the caller, and the
    /// conversions from and to an `http::Response` keep them.
    ///
    /// ```
    /// use hostpool::{Next, Request, Response, Result, Session};
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Tries(u32);
    ///
    /// # fn stub(_: Request, _: Next<'_>) -> Result<Response> { Response::builder().build() }
    /// let session = Session::builder()
    ///     .middleware(|request: Request, next: Next<'_>| {
    ///         let mut response = next.run(request)?;
    ///         response.extensions_mut().insert(Tries(1));
    ///         Ok(response)
    ///     })
    /// #   .middleware(stub)
    ///     .build()?;
    /// let response = session.get("http://example.com/").send()?;
    /// assert_eq!(response.extensions().get(), Some(&Tries(1)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn extensions(&self) -> &Extensions {
        self.inner.extensions.get()
    }

    /// Returns the values of the caller's own, to change them: see [`extensions`](Self::extensions).
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.inner.extensions.get_mut()
    }

    /// Returns the header fields, to change what the caller sees. The body is received and decoded as the server's own
    /// fields said, and the client has stored the cookies that the server set.
    ///
    /// ```
    /// let mut response = hostpool::Response::builder().header("Age", "60").build()?;
    /// response.headers_mut().insert("Age", "0")?;
    /// assert_eq!(response.headers().get("age"), Some("0"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn headers_mut(&mut self) -> &mut Headers {
        self.inner.parts.head.headers_mut()
    }
}

/// Makes the reader of a body that comes from the caller.
fn own_reader(body: Body) -> Result<BodyReader> {
    Ok(BodyReader::own(body.begun()?))
}

impl<B: Into<Body>> TryFrom<http::Response<B>> for Response {
    type Error = Error;

    /// Converts a response of the `http` crate, as [`builder`](Response::builder) makes one: status, version, headers,
    /// body and extensions are kept. A [`Url`] among the extensions is the URL of the response, as
    /// [`into_http`](Response::into_http) puts it there.
    ///
    /// # Errors
    ///
    /// Those of [`ResponseBuilder::build`], and [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for a
    /// status below 200.
    ///
    /// ```
    /// use hostpool::Response;
    ///
    /// let made = http::Response::builder().status(201).header("x-tag", "7").body("text")?;
    /// let response = Response::try_from(made)?;
    /// assert_eq!((response.status().as_u16(), response.headers().get("X-Tag")), (201, Some("7")));
    /// assert_eq!(response.text()?, "text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn try_from(response: http::Response<B>) -> Result<Response> {
        let (head, body) = response.into_parts();
        let url = head.extensions.get::<Url>().cloned();
        let builder = Response::builder().status(head.status).version(head.version).body(body);
        ResponseBuilder { headers: Headers::from(&head.headers), url, extensions: head.extensions, ..builder }.build()
    }
}

impl fmt::Debug for ResponseBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBuilder")
            .field("status", &self.status)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
