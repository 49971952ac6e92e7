//! The caller's own code around a request: middleware and hooks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::request::Request;
use crate::cancel::CancelToken;
use crate::error::Result;
use crate::response::{About, Response};
use crate::shared;
use crate::time::Until;

/// Runs the caller's code around the sending of a request. A middleware sees the request first and the response last.
/// It may change both, answer by itself with a response of [`Response::builder`], or send the request more than once.
///
/// If it moves the request to another origin, credentials stay behind: see [`Request::url_mut`].
///
/// A function or a closure needs no type of its own: see [`RequestBuilder::middleware`](crate::RequestBuilder::middleware),
/// which infers the types of its arguments, and [`middleware_fn`], which makes a `Middleware` of it. A type that
/// implements this trait is given to [`with_middleware`](crate::RequestBuilder::with_middleware). So is an
/// `Arc<dyn Middleware>` or a `Box<dyn Middleware>`, which a program can choose at run time.
///
/// One run of a middleware covers a whole call, including redirects, under one deadline.
/// [`SessionBuilder::on_request`](crate::SessionBuilder::on_request) sees each request that is sent, including those
/// after redirects. The middleware that was added first is the outermost, and the client's is outside the request's. If
/// a middleware drops a response instead of returning it, the connection is given back. A panic goes on to the caller,
/// and the slot of the connection comes back.
///
/// ```
/// use hostpool::{Middleware, Next, Request, Response, Result, Session, middleware_fn};
///
/// /// Adds a key to each request.
/// struct Key(&'static str);
///
/// impl Middleware for Key {
///     fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
///         request.headers_mut().insert("X-Key", self.0)?;
///         next.run(request)
///     }
/// }
///
/// // A list whose elements are of different types.
/// let mut all: Vec<Box<dyn Middleware>> = vec![Box::new(Key("secret"))];
/// if cfg!(debug_assertions) {
///     all.push(Box::new(middleware_fn(|request, next| {
///         eprintln!("{} {}", request.method(), request.url());
///         next.run(request)
///     })));
/// }
/// let session = all.into_iter().fold(Session::builder(), |builder, one| builder.with_middleware(one)).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "ClientHandlerType")]
pub trait Middleware: Send + Sync {
    /// Returns the response to the request, in most cases by passing the request on to `next`. To refuse a request,
    /// return an error made by [`Error::custom`](crate::Error::custom).
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response>;
}

/// Makes a [`Middleware`] of a function or a closure. The types of a closure's arguments are inferred.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::{Middleware, middleware_fn};
///
/// fn tagged(tag: &'static str) -> impl Middleware {
///     middleware_fn(move |mut request, next| {
///         request.headers_mut().insert("X-Tag", tag)?;
///         next.run(request)
///     })
/// }
///
/// assert_eq!(hostpool::get(&url).with_middleware(tagged("1")).send()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn middleware_fn<F>(function: F) -> MiddlewareFn<F>
where
    F: Fn(Request, Next<'_>) -> Result<Response> + Send + Sync,
{
    MiddlewareFn(function)
}

/// A function as a [`Middleware`]: the value of [`middleware_fn`].
#[derive(Clone, Copy)]
pub struct MiddlewareFn<F>(F);

// Closures do not implement `Middleware` by themselves: `Box<F>` and `&F` are closures where `F` is, so a second
// implementation for every `Box` and `&` would overlap with it.
impl<F> Middleware for MiddlewareFn<F>
where
    F: Fn(Request, Next<'_>) -> Result<Response> + Send + Sync,
{
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        self.0(request, next)
    }
}

impl<F> fmt::Debug for MiddlewareFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MiddlewareFn")
    }
}

impl fmt::Debug for dyn Middleware + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Middleware")
    }
}

/// Passes each call on to the middleware that the pointer leads to.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<M: Middleware + ?Sized> Middleware for $pointer {
            fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
                (**self).handle(request, next)
            }
        }
    )*};
}

forward!(&M, Box<M>, Arc<M>);

/// Shares a middleware. An `Arc<dyn Middleware>` is not wrapped again.
pub(crate) fn shared<M: Middleware + 'static>(middleware: M) -> Arc<dyn Middleware> {
    shared::already::<Arc<dyn Middleware>>(&middleware).unwrap_or_else(|| Arc::new(middleware))
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
    let acted = &AtomicBool::new(false);
    let result = Next { client, rest, until, acted }.run(request);
    result.map_err(|error| if acted.load(Ordering::Relaxed) { error.with_maybe_processed(true) } else { error })
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
                // Middleware may have set a token. It ends this part of the call, beside the token of the whole call.
                let both = request.cancel_token().filter(|own| self.until.token().is_none_or(|token| !token.is(own)));
                let both = both.map(|own| CancelToken::any_of(self.until.token().into_iter().chain([own])));
                let until = match &both {
                    Some(both) => self.until.with_token(both),
                    None => self.until,
                };
                let until = request.bounded(until);
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
