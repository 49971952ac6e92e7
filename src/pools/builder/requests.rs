//! Settings of the requests, for those that have none of their own.

use std::sync::Arc;

use super::{Client, ClientBuilder};
use crate::auth::{AnyAuth, Auth, Netrc};
use crate::cancel::Check;
use crate::client::{Head, Middleware, Next, Request, check_skipped, middleware_fn, shared_middleware};
use crate::error::Result;
use crate::exchange::Common;
use crate::headers::{IntoHeaderName, IntoHeaderValue, IntoHeaders};
use crate::limits::Limits;
use crate::response::Response;
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::Timeout;

/// # Requests
///
/// A request's own setting replaces that of its client.
impl<C: Client> ClientBuilder<C> {
    /// Adds headers for many requests. For a [`Session`](crate::Session) these are as those of
    /// [`header`](Self::header). Pools do as urllib3 does: a request that has a header of its own is sent without all of
    /// these.
    ///
    /// ```
    /// use hostpool::ConnectionPool;
    ///
    /// let pool = ConnectionPool::builder("http://example.com").headers([("X-Client", "7")]).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "default_headers")]
    pub fn headers(self, headers: impl IntoHeaders) -> Self {
        self.try_set(|builder| {
            let Head { headers: merged, block, .. } = &mut builder.policy.head;
            let set = if C::REPLACES_HEADERS { block } else { merged };
            Ok(set.append_all(headers)?)
        })
    }

    /// Sets a function that may end each call while it waits: see
    /// [`RequestBuilder::check_with`](crate::RequestBuilder::check_with).
    ///
    /// ```
    /// use hostpool::{Error, Session};
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// // Set by a signal handler.
    /// static STOP: AtomicBool = AtomicBool::new(false);
    ///
    /// let stop = || if STOP.load(Ordering::Relaxed) { Err(Error::custom("stopped")) } else { Ok(()) };
    /// let session = Session::builder().check_with(stop).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "check_signals")]
    pub fn check_with(mut self, check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        self.policy.check = Some(Check::new(check));
        self
    }

    /// Adds a header for every request. A request with a field of the same name keeps its own. Headers that identify
    /// the caller are not sent to another origin after a redirect: see
    /// [`allow_redirects`](crate::RequestBuilder::allow_redirects).
    ///
    /// ```
    /// use hostpool::ConnectionPool;
    ///
    /// // Requests with headers of their own have this one, too.
    /// let pool = ConnectionPool::builder("http://example.com").header("Authorization", "Bearer 7").build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn header(self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Self {
        self.try_set(|builder| Ok(builder.policy.head.headers.append(name, value)?))
    }

    /// Sets the `User-Agent` header of every request that has none, in place of `hostpool/` and the version.
    ///
    /// ```
    /// let session = hostpool::Session::builder().user_agent("crawler/1.0").build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn user_agent(self, user_agent: impl IntoHeaderValue) -> Self {
        self.try_set(|builder| Ok(builder.policy.head.headers.insert("User-Agent", user_agent)?))
    }

    /// Adds to the headers that no request gets automatically: see
    /// [`RequestBuilder::skip_auto_headers`](crate::RequestBuilder::skip_auto_headers).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().skip_auto_headers(["User-Agent"]).build()?;
    /// assert!(Session::builder().skip_auto_headers(["no name"]).build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn skip_auto_headers<N: AsRef<str>>(self, fields: impl IntoIterator<Item = N>) -> Self {
        self.try_set(|builder| {
            builder.policy.head.skip.extend(check_skipped(fields)?);
            Ok(())
        })
    }

    /// Sets credentials for every request that has none of its own: neither by [`auth`](crate::RequestBuilder::auth),
    /// nor in its URL, nor as an `Authorization` header. They are sent to every host that a request names, but not to
    /// the targets of redirects.
    ///
    /// A [`DigestAuth`](crate::DigestAuth) also decides how other logins of the client are used. A login in a URL
    /// answers a Digest challenge and is never sent as Basic credentials. The same holds for a login of
    /// [`netrc`](Self::netrc) if the `DigestAuth` has [no login](crate::DigestAuth::without_login).
    ///
    /// [`build`](Self::build) fails if the credentials cannot be encoded, or if the client also has an `Authorization`
    /// header.
    ///
    /// ```
    /// use hostpool::{BasicAuth, Session};
    ///
    /// let session = Session::builder().auth(BasicAuth::new("Aladdin", "open sesame")).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn auth(mut self, auth: impl Into<Auth>) -> Self {
        self.policy.identity.auth = Some(auth.into());
        self
    }

    /// Sets a login and a password that are sent as each server asks for them: by Digest where it is offered, otherwise
    /// as Basic credentials, but not over plain `http`. See [`AnyAuth`] and [`auth`](Self::auth).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// # #[cfg(feature = "digest-auth")]
    /// let session = Session::builder().any_auth("Aladdin", "open sesame").build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "anyauth")]
    pub fn any_auth(self, login: &str, password: &str) -> Self {
        self.auth(AnyAuth::new(login, password))
    }

    /// Sets the logins and passwords for the hosts that requests name. They are used if neither the request nor the
    /// client has a login. For a URL with a login and no password, only the entry with that login is used. A redirect
    /// to another origin gets none. Without this setting no file is read.
    ///
    /// ```no_run
    /// use hostpool::{Netrc, Session};
    ///
    /// let session = Session::builder().netrc(Netrc::from_env()?).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "trust_env")]
    pub fn netrc(mut self, netrc: Netrc) -> Self {
        self.policy.identity.netrc = Some(netrc);
        self
    }

    /// Sets the timeouts of requests that have none of their own. By default, a [`Session`](crate::Session) allows 30
    /// seconds for opening a connection, and 60 seconds of silence of a server. Pools have none.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.policy.timeout = timeout.into();
        self
    }

    /// Sets how much a peer may send. The default is [`Limits::new`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.policy.common = Arc::new(Common::new(limits));
        self
    }

    /// Sets how strictly responses are read. The default is [`Strictness::Tolerant`].
    /// [`RequestBuilder::strictness`](crate::RequestBuilder::strictness) replaces it for one request.
    ///
    /// ```
    /// use hostpool::{Session, Strictness};
    ///
    /// let session = Session::builder().strictness(Strictness::Strict).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.policy.reading.strictness = strictness;
        self
    }

    /// Sets whether the content codings of responses (such as gzip) are decoded. On by default. A
    /// [`Session`](crate::Session) also asks for them by `Accept-Encoding`. If it is off, only `identity` is asked for,
    /// and a body that is coded nevertheless is returned as it came.
    /// [`RequestBuilder::decode_content`](crate::RequestBuilder::decode_content) replaces it for one request.
    #[doc(alias = "auto_decompress")]
    pub fn decode_content(mut self, decode: bool) -> Self {
        self.policy.reading.decode = decode;
        self
    }

    /// Sets whether a status from 400 on is an error, as from [`error_for_status`](Response::error_for_status). Off by
    /// default. `raise_for_status` is this setting, also of one
    /// [request](crate::RequestBuilder::raise_for_status); `error_for_status` turns a response into an error.
    #[doc(alias = "error_for_status")]
    #[doc(alias = "http_status_as_error")]
    pub fn raise_for_status(mut self, raise: bool) -> Self {
        self.policy.raise = raise;
        self
    }

    /// Sets whether the end of a TLS stream without `close_notify` is accepted as the end of a body that nothing else
    /// delimits. Off by default: see
    /// [`RequestBuilder::allow_unclean_close`](crate::RequestBuilder::allow_unclean_close).
    ///
    /// ```
    /// let session = hostpool::Session::builder().allow_unclean_close(true).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn allow_unclean_close(mut self, allow: bool) -> Self {
        self.policy.reading.unclean_close = allow;
        self
    }

    /// Sets which failures are retried by requests without a `Retry` of their own. A number means that many retries.
    ///
    /// By default a [`Session`](crate::Session) retries nothing, except as [`retry_stale`](Self::retry_stale) describes.
    /// Its redirects are not counted: they have [`max_redirects`](Self::max_redirects). Pools retry up to three times,
    /// and count redirects, too.
    ///
    /// ```
    /// use hostpool::{Retry, Session};
    /// use std::time::Duration;
    ///
    /// let session = Session::builder()
    ///     .retries(Retry::new(3).backoff_factor(Duration::from_millis(100)).status_forcelist([502, 503]))
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "HTTPAdapter")]
    #[doc(alias = "max_retries")]
    pub fn retries(mut self, retry: impl Into<Retry>) -> Self {
        self.policy.retry = Some(retry.into());
        self
    }

    /// Sets whether a request is sent once more if it fails because its idle connection had died. On by default: see
    /// [`RequestBuilder::retry_stale`](crate::RequestBuilder::retry_stale).
    pub fn retry_stale(mut self, retry: bool) -> Self {
        self.policy.no_replay = !retry;
        self
    }

    /// Adds a function or a closure around every request, inside the middleware that was added before: see
    /// [`Middleware`].
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder()
    ///     .middleware(|mut request, next| {
    ///         request.headers_mut().insert("X-Tag", "1")?;
    ///         next.run(request)
    ///     })
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "middlewares")]
    pub fn middleware<F>(self, function: F) -> Self
    where
        F: Fn(Request, Next<'_>) -> Result<Response> + Send + Sync + 'static,
    {
        self.with_middleware(middleware_fn(function))
    }

    /// Adds a value of any type that implements [`Middleware`] around every request, as [`middleware`](Self::middleware)
    /// adds a function. An `Arc<dyn Middleware>` or a `Box<dyn Middleware>` is such a value.
    #[doc(alias = "middlewares")]
    pub fn with_middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.policy.hooks.middleware.push(shared_middleware(middleware));
        self
    }

    /// Adds a hook that sees, and may change, each request before it is sent, also after a redirect and with the answer
    /// to a challenge. An error of the hook ends the call before a connection is opened. Changes stay on the request
    /// for the rest of the call, redirects included, so `insert` a header and do not `append` it. If the hook moves the
    /// request to another origin, credentials stay behind: see [`Request::url_mut`].
    ///
    /// A redirect may lead anywhere, and the hook runs again after it. So a hook that adds a credential must look at the
    /// [origin](crate::Url::origin) of the request first. A [`middleware`](Self::middleware) runs once, before redirects,
    /// and a credential that it adds stays behind by itself.
    ///
    /// ```
    /// use hostpool::{Error, Session};
    ///
    /// let session = Session::builder()
    ///     .on_request(|request| match request.url().origin().host() {
    ///         "api.example" => Ok(()),
    ///         _ => Err(Error::custom("this host is not on the list")),
    ///     })
    ///     .build()?;
    /// assert!(session.get("http://169.254.169.254/").send().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "hooks")]
    #[doc(alias = "request_class")]
    pub fn on_request(mut self, hook: impl Fn(&mut Request) -> Result<()> + Send + Sync + 'static) -> Self {
        self.policy.hooks.on_request.push(Arc::new(hook));
        self
    }

    /// Adds a hook that sees the last response of each call before the caller does. It may return another response (see
    /// [`Response::builder`]) or an error in its place. Another response has the URL and the history of the one that it
    /// replaces, unless it names a URL.
    ///
    /// ```
    /// use hostpool::{Error, Session};
    ///
    /// let session = Session::builder()
    ///     .on_response(|response| match response.headers().contains("X-Served-By") {
    ///         true => Ok(response),
    ///         false => Err(Error::custom("something on the way answered in its place")),
    ///     })
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "response_class")]
    pub fn on_response(mut self, hook: impl Fn(Response) -> Result<Response> + Send + Sync + 'static) -> Self {
        self.policy.hooks.on_response.push(Arc::new(hook));
        self
    }
}
