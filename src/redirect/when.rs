//! The caller's own decision about a redirect.

use std::fmt;
use std::sync::Arc;

use http::{Method, StatusCode};

use crate::error::ResponseHead;
use crate::urls::Url;

/// What a function given to [`RequestBuilder::redirect_when`](crate::RequestBuilder::redirect_when) answers about a
/// redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectAction {
    /// The redirect is followed.
    Follow,
    /// The redirect is not followed: the call returns the 3xx response.
    Stop,
    /// The redirect is not followed: the call fails with
    /// [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect), and [`Error::head`](crate::Error::head) has
    /// the 3xx response.
    Refuse,
}

/// Describes one redirect to a function given to
/// [`RequestBuilder::redirect_when`](crate::RequestBuilder::redirect_when) or
/// [`SessionBuilder::redirect_when`](crate::SessionBuilder::redirect_when).
#[doc(alias = "Attempt")]
#[derive(Clone, Copy)]
pub struct RedirectHop<'a> {
    pub(crate) status: StatusCode,
    pub(crate) from: &'a Url,
    pub(crate) to: &'a Url,
    pub(crate) method: &'a Method,
    pub(crate) to_get: bool,
    pub(crate) history: &'a [ResponseHead],
}

impl<'a> RedirectHop<'a> {
    /// Returns the status of the response: 301, 302, 303, 307 or 308.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the URL of the request that was answered by the redirect.
    pub fn from(&self) -> &'a Url {
        self.from
    }

    /// Returns the URL that the redirect leads to.
    #[doc(alias = "url")]
    pub fn to(&self) -> &'a Url {
        self.to
    }

    /// Returns whether the redirect leads to another origin: another scheme, host or port.
    pub fn is_cross_origin(&self) -> bool {
        self.from.origin() != self.to.origin()
    }

    /// Returns the method of the request that was answered by the redirect.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// Returns the method of the next request.
    pub fn next_method(&self) -> &'a Method {
        if self.to_get { &Method::GET } else { self.method }
    }

    /// Returns how many redirects the call has followed before this one.
    pub fn count(&self) -> usize {
        self.history.len()
    }

    /// Returns the responses of the redirects that the call has followed before this one, the oldest first.
    #[doc(alias = "previous")]
    pub fn history(&self) -> &'a [ResponseHead] {
        self.history
    }
}

impl fmt::Debug for RedirectHop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectHop")
            .field("status", &self.status)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("method", &self.method)
            .field("next_method", &self.next_method())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// The caller's function that decides about redirects.
#[derive(Clone)]
pub(crate) struct RedirectWhen(Arc<dyn Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync>);

impl RedirectWhen {
    pub(crate) fn new(decide: impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static) -> RedirectWhen {
        RedirectWhen(Arc::new(decide))
    }

    pub(crate) fn function(&self) -> &(dyn Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync) {
        &*self.0
    }

    pub(crate) fn ask(&self, hop: &RedirectHop<'_>) -> RedirectAction {
        self.0(hop)
    }
}
