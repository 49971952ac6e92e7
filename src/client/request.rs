//! Requests as values.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{Method, Version};

use super::options::Options;
use crate::body::{Body, Compress};
use crate::dial::Route;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::h1::RequestTarget;
use crate::headers::{Headers, ShownHeaders};
use crate::time::{Timeout, Until};
use crate::url::Url;

/// A request as it will be sent.
///
/// Usually made by the methods of a client and a [`RequestBuilder`](crate::RequestBuilder); one that was made before,
/// or by hand, is sent by `execute`.
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
    /// What the body is, should the headers not say it.
    pub(crate) content_type: Option<Cow<'static, str>>,
    /// Asks the server for its word before the body is sent.
    pub(crate) expect: bool,
    /// The request's own settings, which share their memory with those of its clones until either changes.
    pub(crate) options: Option<Arc<Options>>,
    /// The body is read before the response is given out.
    pub(crate) preload: bool,
    /// The body is not wanted.
    pub(crate) release: bool,
    /// Headers were given, though they may be none.
    pub(crate) own_headers: bool,
}

impl Request {
    /// A request without a body, with the headers that the client adds.
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
            preload: false,
            release: false,
            own_headers: false,
        }
    }

    /// The same request once more; `None` if its body cannot be: see [`Body::try_clone`].
    pub fn try_clone(&self) -> Option<Request> {
        Some(Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.try_clone()?,
            content_type: self.content_type.clone(),
            options: self.options.clone(),
            ..*self
        })
    }

    pub(crate) fn options(&self) -> Option<&Options> {
        self.options.as_deref()
    }

    pub(crate) fn options_mut(&mut self) -> &mut Options {
        Arc::make_mut(self.options.get_or_insert_default())
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The headers of its own; a client adds others when it sends it.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The same, to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The same, to change it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Timeouts in place of the client's: see [`RequestBuilder::timeout`](crate::RequestBuilder::timeout). Set by a
    /// middleware or a hook, a bound on the whole counts from there, and cannot move the end of the call further away.
    pub fn timeout_mut(&mut self) -> &mut Option<Timeout> {
        &mut self.options_mut().timeout
    }

    /// Whether the server is asked before the body is sent: see
    /// [`RequestBuilder::expect100`](crate::RequestBuilder::expect100).
    pub fn expect100_mut(&mut self) -> &mut bool {
        &mut self.expect
    }

    /// Whether the body is compressed: see [`RequestBuilder::compress`](crate::RequestBuilder::compress).
    pub fn compress_mut(&mut self) -> &mut Compress {
        &mut self.options_mut().compress
    }

    /// A limit on the response's body in place of the client's: see
    /// [`RequestBuilder::max_body`](crate::RequestBuilder::max_body).
    pub fn max_body_mut(&mut self) -> &mut Option<u64> {
        &mut self.options_mut().max_body
    }

    /// Whether the response's body is decoded, in place of the client's word: see
    /// [`RequestBuilder::decode_content`](crate::RequestBuilder::decode_content).
    pub fn decode_content_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().decode_content
    }

    /// Returns the end of the call, or that of the request's own timeout from now, whichever is earlier. Middleware and
    /// hooks can set such a timeout.
    pub(super) fn bounded<'t>(&self, until: Until<'t>) -> Until<'t> {
        match self.options().and_then(|options| options.timeout.as_ref()) {
            Some(timeout) => until.with_deadline(until.deadline().earlier(timeout.deadline())),
            None => until,
        }
    }

    /// Rewinds the body, so that it is sent from its start.
    pub(super) fn rewind(&mut self) -> Result<()> {
        let rewound = self.body.rewind();
        rewound.map_err(|error| Error::new(ErrorKind::UnrewindableBody, Phase::Send).with_own_source(error))
    }

    /// Returns how the request names its target on this route.
    pub(super) fn target_on(&self, route: &Route) -> RequestTarget<'_> {
        route.request_target(&self.url, self.options().is_some_and(|options| options.server_wide))
    }
}

/// A request of a client that calls these headers sensitive.
pub(super) struct Shown<'a>(pub(super) &'a Request, pub(super) &'a [Box<str>]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(request, of_client) = *self;
        let own = request.options().map_or(&[][..], |options| &options.sensitive);
        f.debug_struct("Request")
            .field("method", &request.method)
            .field("url", &request.url)
            .field("headers", &ShownHeaders(&request.headers, [own, of_client]))
            .field("body", &request.body)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self, &[]).fmt(f)
    }
}
