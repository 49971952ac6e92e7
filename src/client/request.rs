//! A request as a value that can be kept, changed and cloned.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{Extensions, Method, Version};

use super::options::Options;
use crate::body::Body;
use crate::cancel::CancelToken;
use crate::dial::Route;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::h1::RequestTarget;
use crate::headers::{Headers, IntoHeaderValue, ShownHeaders};
use crate::time::Until;
use crate::urls::Url;
use crate::values::Values;

/// Holds a request that has not been sent yet.
///
/// The methods of a client and a [`RequestBuilder`](crate::RequestBuilder) make most requests. `execute` sends a
/// request that was made before or by hand.
///
/// ```no_run
/// use hostpool::{Body, Method, Request, Session, Url};
///
/// let mut request = Request::new(Method::PUT, Url::parse("https://api.example/items/7")?);
/// request.headers_mut().append("Content-Type", "text/plain")?;
/// *request.body_mut() = Body::from("seven");
/// let session = Session::new();
/// if let Some(again) = request.try_clone() {
///     session.execute(again)?;
/// }
/// let response = session.execute(request)?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
    pub(crate) version: Version,
    /// The type of the body, if the headers do not name it.
    pub(crate) content_type: Option<Cow<'static, str>>,
    /// The server is asked for a 100 before the body is sent.
    pub(crate) expect: bool,
    /// The request's own settings. Clones share them until one of the clones changes them.
    pub(crate) options: Option<Arc<Options>>,
    /// Ends the call from another thread. It is not among the options, which would cost an allocation for each request.
    pub(crate) token: Option<CancelToken>,
    /// The body is read before the response is returned.
    pub(crate) preload: bool,
    /// The body is not read: the connection is released before the response is returned.
    pub(crate) release: bool,
    /// The caller has set headers, even if the set is empty.
    pub(crate) own_headers: bool,
    /// The number of header fields that setters for one thing have added, such as `user_agent`. They are no headers of
    /// the caller, so they do not replace those of a pool.
    pub(crate) set_fields: u8,
}

impl Request {
    /// Makes a request without a body. A client adds its own headers when it sends the request.
    pub fn new(method: Method, url: Url) -> Request {
        Request {
            method,
            url,
            headers: Headers::new(),
            body: Body::empty(),
            version: Version::HTTP_11,
            content_type: None,
            expect: false,
            options: None,
            token: None,
            preload: false,
            release: false,
            own_headers: false,
            set_fields: 0,
        }
    }

    /// Returns a clone, or `None` if the body cannot be cloned: see [`Body::try_clone`].
    pub fn try_clone(&self) -> Option<Request> {
        Some(Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.try_clone()?,
            content_type: self.content_type.clone(),
            options: self.options.clone(),
            token: self.token.clone(),
            ..*self
        })
    }

    /// Sets a header field of a setter for one thing, in place of existing ones of that name.
    pub(super) fn set_field(&mut self, name: &str, value: impl IntoHeaderValue) -> Result<()> {
        let before = self.headers.len();
        self.headers.insert(name, value)?;
        self.set_fields += u8::from(self.headers.len() > before);
        Ok(())
    }

    /// Returns whether the caller has given headers. They replace those of a pool as a whole.
    pub(super) fn has_own_headers(&self) -> bool {
        self.own_headers || self.headers.len() > usize::from(self.set_fields)
    }

    pub(crate) fn options(&self) -> Option<&Options> {
        self.options.as_deref()
    }

    /// Returns the request's own settings, to change them. Clones of the request keep the settings that they have.
    pub(crate) fn options_mut(&mut self) -> &mut Options {
        Arc::make_mut(self.options.get_or_insert_default())
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the method, to change it.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.method
    }

    /// Returns the URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the URL, to change it, for example to sign its query.
    ///
    /// If middleware or a hook moves the request to another origin, everything stays behind that
    /// [a redirect](crate::RequestBuilder::allow_redirects) to another origin leaves behind: credentials of the request
    /// and of the client, cookies of the request, sensitive headers, and a login in the URL. What the same middleware or
    /// the same hook sets anew goes along, with another value than before. What another one has set before does not: it
    /// was for the old origin. A `ConnectionPool` refuses such a request with [`ErrorKind::HostChanged`].
    ///
    /// ```
    /// use hostpool::{Session, Url};
    ///
    /// # fn sign(target: &str) -> usize { target.len() }
    /// let session = Session::builder()
    ///     .on_request(|request| {
    ///         // The hook runs before each request of a call, so it signs what is not signed yet.
    ///         let url = request.url();
    ///         if !url.query().is_some_and(|query| query.contains("sig=")) {
    ///             *request.url_mut() = url.append_query(&format!("sig={}", sign(&url.target())))?;
    ///         }
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    /// Returns the headers of the request. A client adds others when it sends the request.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the headers of the request, to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Returns the body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the body, to change it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Sets the token that ends the call of this request from another thread: see [`CancelToken`]. A middleware may
    /// set one too, which then ends what comes after it, together with the token that the call has already.
    /// A hook cannot: a request whose hook sets another token fails with
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    ///
    /// ```
    /// use hostpool::{CancelToken, Method, Request, Session, Url};
    ///
    /// let token = CancelToken::new();
    /// let mut request = Request::new(Method::GET, Url::parse("http://example.com/")?);
    /// request.cancel_with(&token);
    /// token.cancel();
    /// assert!(Session::new().execute(request).unwrap_err().is_cancelled());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cancel_with(&mut self, token: &CancelToken) {
        self.token = Some(token.clone());
    }

    /// Returns the token of this request, if it has one.
    pub fn cancel_token(&self) -> Option<&CancelToken> {
        self.token.as_ref()
    }

    /// Returns the values of the caller's own on this request, for its middleware and hooks. They are not sent. Those of
    /// an `http::Request` are kept. The response has [values of its own](crate::Response::extensions).
    ///
    /// ```
    /// use hostpool::{Next, Request, Response, Result, Session};
    ///
    /// #[derive(Clone)]
    /// struct Tenant(&'static str);
    ///
    /// let session = Session::builder()
    ///     .middleware(|mut request: Request, next: Next<'_>| {
    ///         if let Some(Tenant(name)) = request.extensions().get().cloned() {
    ///             request.headers_mut().insert("X-Tenant", name)?;
    ///         }
    ///         next.run(request)
    ///     })
    /// #   .middleware(|request: Request, _: Next<'_>| {
    /// #       Response::builder().header("X-Seen", request.headers().get("X-Tenant").unwrap_or("none")).build()
    /// #   })
    ///     .build()?;
    /// let response = session.get("http://example.com/").extension(Tenant("seven")).send()?;
    /// # assert_eq!(response.headers().get("X-Seen"), Some("seven"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn extensions(&self) -> &Extensions {
        self.options().map_or(Values::none(), |own| own.extensions.get())
    }

    /// Returns the values of the caller's own, to change them: see [`extensions`](Self::extensions).
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.options_mut().extensions.get_mut()
    }

    /// Returns the end of the call, or the end of the request's own timeout if that is earlier. The own timeout counts
    /// from now, because middleware or a hook may have set it.
    pub(super) fn bounded<'t>(&self, until: Until<'t>) -> Until<'t> {
        match self.options().and_then(|options| options.timeout.as_ref()) {
            Some(timeout) => until.with_deadline(until.deadline().earlier(timeout.deadline())),
            None => until,
        }
    }

    /// Rewinds the body, so that it is sent from its start.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnrewindableBody`] if the body cannot be rewound.
    pub(super) fn rewind(&mut self) -> Result<()> {
        let rewound = self.body.rewind();
        rewound.map_err(|error| Error::new(ErrorKind::UnrewindableBody, Phase::Send).with_own_source(error))
    }

    /// Returns how the request names its target on this route.
    pub(super) fn target_on(&self, route: &Route) -> RequestTarget<'_> {
        route.request_target(&self.url, self.options().is_some_and(|options| options.server_wide))
    }
}

/// Formats a request without the values of sensitive headers. The second field has the names that the client calls
/// sensitive.
pub(super) struct Shown<'a>(pub(super) &'a Request, pub(super) &'a [Box<str>]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(request, of_client) = *self;
        let own = request.options().map_or(&[][..], |options| &options.sensitive);
        let of_retry = request.retries().map_or(&[][..], |retry| retry.sensitive());
        f.debug_struct("Request")
            .field("method", &request.method)
            .field("url", &request.url)
            .field("headers", &ShownHeaders(&request.headers, [own, of_retry, of_client]))
            .field("body", &request.body)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self, &[]).fmt(f)
    }
}
