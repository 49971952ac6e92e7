//! The caller's own code around a request: middleware, and hooks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::request::Request;
use crate::error::Result;
use crate::response::Response;
use crate::time::Until;

/// Code of the caller's around the sending of a request: it sees the request first and the response last, and may
/// change both, answer by itself, or send the request more than once.
///
/// It wraps all that one call does, with its redirects, under one until; to see each request that is sent,
/// redirected ones too, take [`SessionBuilder::on_request`](crate::SessionBuilder::on_request). The first of a list is
/// the outermost. A response that it does not pass on is dropped, which gives its connection back.
///
/// Any `Fn(Request, Next) -> Result<Response>` is one. A panic goes on to the caller, and costs no connection.
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
    /// Answers the request, in most cases by passing it on to `next`. The error for a request that is not to be sent is
    /// made by [`Error::custom`](crate::Error::custom).
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

/// What stands behind a [`Middleware`]: the next one, or the client itself.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    /// The client itself.
    client: &'a dyn Fn(Request, Until<'_>) -> Result<Response>,
    rest: &'a [Arc<dyn Middleware>],
    until: Until<'a>,
    /// A server may have acted on one of the requests that were sent.
    acted: &'a AtomicBool,
}

/// One call through all of this middleware, and on.
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
    /// Sends the request on. It may be called again, with a clone of the request, under the same deadline. A response
    /// that is kept meanwhile keeps its connection unless it has been read: of a pool with a limit of one that may be
    /// the one which is waited for.
    pub fn run(&self, request: Request) -> Result<Response> {
        match self.rest {
            [first, rest @ ..] => first.handle(request, Next { rest, ..*self }),
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
type OnResponse = Arc<dyn Fn(Response) -> Result<Response> + Send + Sync>;

/// All code of the caller's that a client runs.
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
