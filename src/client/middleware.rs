//! The caller's own code around a request: middleware and hooks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::request::Request;
use crate::error::Result;
use crate::response::{About, Response};
use crate::time::Until;

/// Runs the caller's code around the sending of a request. A middleware sees the request first and the response last.
/// It may change both, answer by itself with a response of [`Response::builder`], or send the request more than once.
///
/// If it moves the request to another origin, credentials stay behind: see [`Request::url_mut`].
///
/// One run of a middleware covers a whole call, including redirects, under one deadline.
/// [`SessionBuilder::on_request`](crate::SessionBuilder::on_request) sees each request that is sent, including those
/// after redirects. The first middleware of a list is the outermost. If a middleware drops a response instead of
/// returning it, the connection is given back.
///
/// Any `Fn(Request, Next) -> Result<Response>` is a middleware. A panic goes on to the caller, and the slot of the
/// connection comes back.
///
/// ```
/// use hostpool::{Next, Request, Result, Response, Session};
///
/// fn tagged(mut request: Request, next: Next<'_>) -> Result<Response> {
///     request.headers_mut().insert("X-Tag", "1")?;
///     next.run(request)
/// }
///
/// let session = Session::builder().middleware(tagged).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "ClientHandlerType")]
pub trait Middleware: Send + Sync {
    /// Returns the response to the request, in most cases by passing the request on to `next`. To refuse a request,
    /// return an error made by [`Error::custom`](crate::Error::custom).
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response>;
}

impl<F> Middleware for F
where
    F: Fn(Request, Next<'_>) -> Result<Response> + Send + Sync,
{
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        self(request, next)
    }
}

/// Sends a request to the rest of the call after a [`Middleware`]: the next middleware, or the client itself.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    /// Sends the request, once all middleware has passed it on.
    client: &'a dyn Fn(Request, Until<'_>) -> Result<Response>,
    /// The middleware that is still to run.
    rest: &'a [Arc<dyn Middleware>],
    until: Until<'a>,
    /// Set once a server may have acted on one of the requests of this call.
    acted: &'a AtomicBool,
}

/// Sends the request through all of this middleware, and then through the client.
pub(super) fn run(
    client: &dyn Fn(Request, Until<'_>) -> Result<Response>,
    rest: &[Arc<dyn Middleware>],
    request: Request,
    until: Until<'_>,
) -> Result<Response> {
    let (acted, origin) = (&AtomicBool::new(false), request.url.shared_origin().clone());
    let result = Next { client, rest, until, acted }.run(request);
    result.map_err(|error| {
        let error = error.with_origin(&origin);
        if acted.load(Ordering::Relaxed) { error.with_maybe_processed(true) } else { error }
    })
}

impl Next<'_> {
    /// Passes the request on, and returns its response.
    ///
    /// A middleware may call this again with a clone of the request. The deadline stays the same. A response that is
    /// held meanwhile keeps its connection until it has been read. If the limit of the pool is one, the next request
    /// waits for that connection.
    pub fn run(&self, request: Request) -> Result<Response> {
        match self.rest {
            [first, rest @ ..] => {
                let (method, url) = (request.method.clone(), request.url.clone());
                let response = first.handle(request, Next { rest, ..*self })?;
                Ok(response.in_place_of(About::new(method, url.without_fragment())))
            }
            [] => {
                let until = request.bounded(self.until);
                let result = (self.client)(request, until);
                if result.as_ref().map_or_else(|error| error.maybe_processed(), |_| true) {
                    self.acted.store(true, Ordering::Relaxed);
                }
                result
            }
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} more)", self.rest.len())
    }
}

type OnRequest = Arc<dyn Fn(&mut Request) -> Result<()> + Send + Sync>;
pub(super) type OnResponse = Arc<dyn Fn(Response) -> Result<Response> + Send + Sync>;

/// Holds the caller's code that a client runs.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) middleware: Vec<Arc<dyn Middleware>>,
    pub(crate) on_request: Vec<OnRequest>,
    pub(crate) on_response: Vec<OnResponse>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hooks { middleware, on_request, on_response } = self;
        write!(f, "Hooks({}, {}, {})", middleware.len(), on_request.len(), on_response.len())
    }
}
