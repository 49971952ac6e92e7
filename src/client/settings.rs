//! The settings of a [`Request`], for middleware and hooks that read or change them.
//!
//! A setting that is `None` leaves the client's.

use std::net::SocketAddr;
use std::time::Duration;

use http::Version;

use super::options::{self, Options, Standing};
use super::request::Request;
use crate::auth::Auth;
use crate::body::{Chunking, Compress};
use crate::error::Result;
use crate::net::names::{IntoAddresses, spelled};
use crate::redirect::{RedirectAction, RedirectHop, RedirectWhen, Rewrite};
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::Timeout;
use crate::urls::Origin;

/// The bounds and the body.
impl Request {
    /// Returns the timeouts that replace the client's: see [`RequestBuilder::timeout`](crate::RequestBuilder::timeout).
    ///
    /// ```
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// let request = Session::new().get("http://example.com/").timeout(Duration::from_secs(3)).build()?;
    /// assert_eq!(request.timeout(), Some(&Timeout::from(Duration::from_secs(3))));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn timeout(&self) -> Option<&Timeout> {
        self.options()?.timeout.as_ref()
    }

    /// Returns the timeouts that replace the client's, to change them. If middleware or a hook sets them, the bound on
    /// the whole call counts from that moment. It cannot move the end of the call further away.
    pub fn timeout_mut(&mut self) -> &mut Option<Timeout> {
        &mut self.options_mut().timeout
    }

    /// Returns the longest wait for a connection of the pool: see
    /// [`RequestBuilder::pool_timeout`](crate::RequestBuilder::pool_timeout).
    pub fn pool_timeout(&self) -> Option<Duration> {
        self.options()?.pool_timeout
    }

    /// Returns the longest wait for a connection of the pool, to change it.
    pub fn pool_timeout_mut(&mut self) -> &mut Option<Duration> {
        &mut self.options_mut().pool_timeout
    }

    /// Returns the addresses that the request gives for a host: see
    /// [`RequestBuilder::resolve_to`](crate::RequestBuilder::resolve_to).
    ///
    /// ```
    /// use hostpool::Session;
    /// use std::net::Ipv4Addr;
    ///
    /// let request = Session::new().get("http://example.com/").resolve_to("example.com", Ipv4Addr::LOCALHOST);
    /// let request = request.build()?;
    /// assert_eq!(request.resolved_to("example.com").unwrap()[0].to_string(), "127.0.0.1:0");
    /// assert_eq!(request.resolved_to("example.org"), None);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn resolved_to(&self, host: &str) -> Option<&[SocketAddr]> {
        self.options()?.resolve_to.get(&spelled(host).ok()?)
    }

    /// Sets the addresses of a host: see [`RequestBuilder::resolve_to`](crate::RequestBuilder::resolve_to).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if `host` is not a name or an IP address alone.
    pub fn set_resolve_to(&mut self, host: &str, addresses: impl IntoAddresses) -> Result<()> {
        self.options_mut().resolve_to.set(host, addresses)
    }

    /// Returns the HTTP version: see [`RequestBuilder::version`](crate::RequestBuilder::version).
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns whether the server is asked before the body is sent: see
    /// [`RequestBuilder::expect100`](crate::RequestBuilder::expect100).
    pub fn expect100(&self) -> bool {
        self.expect
    }

    /// Returns whether the server is asked before the body is sent, to change it.
    pub fn expect100_mut(&mut self) -> &mut bool {
        &mut self.expect
    }

    /// Returns how the body is compressed: see [`RequestBuilder::compress`](crate::RequestBuilder::compress).
    pub fn compress(&self) -> Compress {
        self.options().map_or_else(Compress::default, |own| own.compress)
    }

    /// Returns how the body is compressed, to change it.
    pub fn compress_mut(&mut self) -> &mut Compress {
        &mut self.options_mut().compress
    }

    /// Returns the limit on the response's body that replaces the client's: see
    /// [`RequestBuilder::max_body`](crate::RequestBuilder::max_body).
    pub fn max_body(&self) -> Option<u64> {
        self.options()?.max_body
    }

    /// Returns the limit on the response's body, to change it.
    pub fn max_body_mut(&mut self) -> &mut Option<u64> {
        &mut self.options_mut().max_body
    }

    /// Returns the limit on the response's body as it arrives, before it is decoded: see
    /// [`RequestBuilder::max_wire_body`](crate::RequestBuilder::max_wire_body).
    pub fn max_wire_body(&self) -> Option<u64> {
        self.options()?.max_wire_body
    }

    /// Returns the limit on the response's body as it arrives, to change it.
    pub fn max_wire_body_mut(&mut self) -> &mut Option<u64> {
        &mut self.options_mut().max_wire_body
    }

    /// Returns the charset that a text or a form is sent in: see
    /// [`RequestBuilder::encoding`](crate::RequestBuilder::encoding).
    pub fn encoding(&self) -> Option<&str> {
        self.options()?.encoding.as_deref()
    }

    /// Returns whether the body is sent in chunks even if its length is known: see
    /// [`RequestBuilder::chunked`](crate::RequestBuilder::chunked).
    pub fn chunked(&self) -> bool {
        self.options().is_some_and(|own| own.chunking != Chunking::AsNeeded)
    }

    /// Returns the size of the chunks that the body is sent in: see
    /// [`RequestBuilder::chunk_size`](crate::RequestBuilder::chunk_size).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().post("http://example.com/").data("text").chunk_size(1024).build()?;
    /// assert_eq!((request.chunked(), request.chunk_size()), (true, Some(1024)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn chunk_size(&self) -> Option<usize> {
        match self.options()?.chunking {
            Chunking::Exactly(bytes) => Some(bytes),
            Chunking::AsNeeded | Chunking::Always => None,
        }
    }

    /// Returns the request target in place of path and query: `*`, if it is set. See
    /// [`RequestBuilder::request_target`](crate::RequestBuilder::request_target).
    pub fn request_target(&self) -> Option<&str> {
        self.options().is_some_and(|own| own.server_wide).then_some("*")
    }

    /// Returns whether a body that neither a length nor chunks delimit is read: see
    /// [`RequestBuilder::read_until_eof`](crate::RequestBuilder::read_until_eof).
    pub fn read_until_eof(&self) -> bool {
        self.options().is_none_or(|own| !own.no_body_until_close)
    }

    /// Returns whether a body that ends before its Content-Length is an error: see
    /// [`RequestBuilder::enforce_content_length`](crate::RequestBuilder::enforce_content_length).
    pub fn enforce_content_length(&self) -> bool {
        self.options().is_none_or(|own| !own.early_end)
    }

    /// Returns whether a TLS stream may end without `close_notify`: see
    /// [`RequestBuilder::allow_unclean_close`](crate::RequestBuilder::allow_unclean_close).
    pub fn allow_unclean_close(&self) -> Option<bool> {
        self.options()?.unclean_close
    }

    /// Returns whether a TLS stream may end without `close_notify`, to change it.
    pub fn allow_unclean_close_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().unclean_close
    }

    /// Returns whether the response's body is decoded: see
    /// [`RequestBuilder::decode_content`](crate::RequestBuilder::decode_content).
    #[doc(alias = "auto_decompress")]
    pub fn decode_content(&self) -> Option<bool> {
        self.options()?.decode_content
    }

    /// Returns whether the response's body is decoded, to change it.
    pub fn decode_content_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().decode_content
    }

    /// Returns how strictly the response is read: see
    /// [`RequestBuilder::strictness`](crate::RequestBuilder::strictness).
    pub fn strictness(&self) -> Option<Strictness> {
        self.options()?.strictness
    }

    /// Returns how strictly the response is read, to change it.
    pub fn strictness_mut(&mut self) -> &mut Option<Strictness> {
        &mut self.options_mut().strictness
    }

    /// Returns whether the body of the response is read before the response is returned: see
    /// [`RequestBuilder::preload_content`](crate::RequestBuilder::preload_content).
    pub fn preload_content(&self) -> bool {
        self.preload
    }

    /// Returns whether the body of the response is read before the response is returned, to change it.
    pub fn preload_content_mut(&mut self) -> &mut bool {
        &mut self.preload
    }

    /// Returns whether the connection is released before the response is returned: see
    /// [`RequestBuilder::release_conn`](crate::RequestBuilder::release_conn).
    pub fn release_conn(&self) -> bool {
        self.release
    }

    /// Returns whether a `ConnectionPool` refuses URLs of other hosts: see
    /// [`RequestBuilder::assert_same_host`](crate::RequestBuilder::assert_same_host).
    pub fn assert_same_host(&self) -> bool {
        self.options().is_none_or(|own| !own.any_host)
    }

    /// Returns the names of the headers that the client does not add by itself: see
    /// [`RequestBuilder::skip_auto_headers`](crate::RequestBuilder::skip_auto_headers).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").skip_auto_headers(["User-Agent"]).build()?;
    /// assert!(request.skip_auto_headers().eq(["User-Agent"]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn skip_auto_headers(&self) -> impl Iterator<Item = &str> {
        self.options().map_or(&[][..], |own| &own.skip).iter().map(|name| &**name)
    }
}

/// Settings about redirects, retries and errors.
impl Request {
    /// Returns the failures after which the request is sent again: see
    /// [`RequestBuilder::retries`](crate::RequestBuilder::retries). During a call this is the policy at its start;
    /// [`Response::retries`](crate::Response::retries) shows what is left of it.
    ///
    /// ```
    /// use hostpool::{Next, Request, Response, Result, Retry};
    ///
    /// /// Gives requests that may be sent again two more tries, unless they have a policy of their own.
    /// fn patient(mut request: Request, next: Next<'_>) -> Result<Response> {
    ///     let retry = Retry::new(2).status_forcelist([503]);
    ///     if request.retries().is_none() && retry.allows(request.method()) {
    ///         *request.retries_mut() = Some(retry);
    ///     }
    ///     next.run(request)
    /// }
    /// ```
    pub fn retries(&self) -> Option<&Retry> {
        self.options()?.retry.as_ref()
    }

    /// Returns the failures after which the request is sent again, to change them. A change after the first failure of
    /// a call has no effect on that call.
    pub fn retries_mut(&mut self) -> &mut Option<Retry> {
        &mut self.options_mut().retry
    }

    /// Returns whether a request is silently sent again if its idle connection turns out to be closed: see
    /// [`RequestBuilder::retry_stale`](crate::RequestBuilder::retry_stale).
    pub fn retry_stale(&self) -> Option<bool> {
        self.options()?.replay
    }

    /// Returns whether a request is silently sent again, to change it.
    pub fn retry_stale_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().replay
    }

    /// Returns whether redirects are followed: see
    /// [`RequestBuilder::allow_redirects`](crate::RequestBuilder::allow_redirects).
    pub fn allow_redirects(&self) -> Option<bool> {
        self.options()?.follow
    }

    /// Returns whether redirects are followed, to change it.
    pub fn allow_redirects_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().follow
    }

    /// Returns how many redirects are followed: see
    /// [`RequestBuilder::max_redirects`](crate::RequestBuilder::max_redirects).
    pub fn max_redirects(&self) -> Option<u32> {
        self.options()?.max_redirects
    }

    /// Returns how many redirects are followed, to change it.
    pub fn max_redirects_mut(&mut self) -> &mut Option<u32> {
        &mut self.options_mut().max_redirects
    }

    /// Returns whether a redirect from `https` to `http` is followed: see
    /// [`RequestBuilder::allow_downgrade`](crate::RequestBuilder::allow_downgrade).
    pub fn allow_downgrade(&self) -> Option<bool> {
        self.options()?.downgrade
    }

    /// Returns whether a redirect from `https` to `http` is followed, to change it.
    pub fn allow_downgrade_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().downgrade
    }

    /// Returns whether a `POST` stays one after a 301 or 302: see
    /// [`RequestBuilder::keep_method`](crate::RequestBuilder::keep_method).
    pub fn keep_method(&self) -> Option<bool> {
        self.options()?.rewrite.map(|rewrite| rewrite == Rewrite::keeping(true))
    }

    /// Returns whether the request and its redirects may only be for `https` URLs: see
    /// [`RequestBuilder::https_only`](crate::RequestBuilder::https_only).
    pub fn https_only(&self) -> Option<bool> {
        self.options()?.https_only
    }

    /// Returns whether the request and its redirects may only be for `https` URLs, to change it.
    pub fn https_only_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().https_only
    }

    /// Returns whether a redirect from a Unix socket to the network is followed: see
    /// [`RequestBuilder::follow_off_socket`](crate::RequestBuilder::follow_off_socket).
    pub fn follow_off_socket(&self) -> Option<bool> {
        self.options()?.off_socket
    }

    /// Returns whether a redirect from a Unix socket to the network is followed, to change it.
    pub fn follow_off_socket_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().off_socket
    }

    /// Returns the function that decides about redirects: see
    /// [`RequestBuilder::redirect_when`](crate::RequestBuilder::redirect_when).
    pub fn redirect_when(&self) -> Option<&(dyn Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync)> {
        self.options()?.redirect_when.as_ref().map(RedirectWhen::function)
    }

    /// Returns the origins that credentials may follow a redirect to, if the request names any: see
    /// [`RequestBuilder::trust_origins`](crate::RequestBuilder::trust_origins).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").trust_origins(["https://example.com"]).build()?;
    /// let trusted: Vec<_> = request.trust_origins().unwrap().map(ToString::to_string).collect();
    /// assert_eq!(trusted, ["https://example.com"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn trust_origins(&self) -> Option<impl Iterator<Item = &Origin>> {
        Some(self.options()?.trusted.as_ref()?.iter().map(|origin| &**origin))
    }

    /// Returns the names of the headers that a redirect to another origin removes, besides those that it always does:
    /// see [`RequestBuilder::sensitive_headers`](crate::RequestBuilder::sensitive_headers).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").sensitive_headers(["X-Key"]).build()?;
    /// assert!(request.sensitive_headers().eq(["X-Key"]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn sensitive_headers(&self) -> impl Iterator<Item = &str> {
        self.options().map_or(&[][..], |own| &own.sensitive).iter().map(|name| &**name)
    }

    /// Returns whether a status from 400 on is an error: see
    /// [`RequestBuilder::raise_for_status`](crate::RequestBuilder::raise_for_status).
    pub fn raise_for_status(&self) -> Option<bool> {
        self.options()?.raise
    }

    /// Returns whether a status from 400 on is an error, to change it. The setting of the request that is sent decides,
    /// so a middleware that passes a request on has the last word. A middleware that only looks at a status, for example
    /// to log in anew after a 401, leaves the setting alone and asks the error for its
    /// [status](crate::Error::status), too.
    ///
    /// A response that a middleware has [made](crate::Response::builder) is judged by the request that the middleware
    /// was given.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Session;
    ///
    /// // A HEAD asks whether something is there, so that a 404 is an answer.
    /// let session = Session::builder()
    ///     .raise_for_status(true)
    ///     .middleware(|mut request, next| {
    ///         if request.method() == "HEAD" {
    ///             *request.raise_for_status_mut() = Some(false);
    ///         }
    ///         next.run(request)
    ///     })
    ///     .build()?;
    /// assert_eq!(session.head(&url).send()?.status(), 404);
    /// assert!(session.get(&url).send().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn raise_for_status_mut(&mut self) -> &mut Option<bool> {
        &mut self.options_mut().raise
    }
}

/// Credentials and cookies.
impl Request {
    /// Returns the request's own credentials: see [`RequestBuilder::auth`](crate::RequestBuilder::auth). Returns `None`
    /// if they stay at an origin that the call has left.
    pub fn auth(&self) -> Option<&Auth> {
        self.options().and_then(Options::own_auth)
    }

    /// Sets the request's own credentials. They are for the origin of the next request that is sent, and replace the
    /// client's.
    ///
    /// ```
    /// use hostpool::{Auth, Next, Request, Response, Result};
    ///
    /// /// Sends some requests to a mirror, with its own token.
    /// fn mirrored(mut request: Request, next: Next<'_>) -> Result<Response> {
    ///     if request.url().path().starts_with("/files/") {
    ///         *request.url_mut() = request.url().join("http://mirror.example/files/")?;
    ///         request.set_auth(Auth::bearer("token-of-the-mirror"));
    ///     }
    ///     next.run(request)
    /// }
    /// ```
    pub fn set_auth(&mut self, auth: impl Into<Auth>) {
        let own = self.options_mut();
        (own.auth, own.auth_standing) = (Some(auth.into()), Standing::Fresh);
    }

    /// Removes the request's own credentials, for example to send an `Authorization` header in their place. The client's
    /// are sent again.
    pub fn remove_auth(&mut self) {
        if self.auth().is_some() {
            self.options_mut().auth = None;
        }
    }

    /// Returns the pairs that the request adds to its Cookie field: see
    /// [`RequestBuilder::cookies`](crate::RequestBuilder::cookies). The cookies of the session are not among them.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").cookie("id", "7").build()?;
    /// assert_eq!(request.cookies().collect::<Vec<_>>(), [("id", "7")]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.options().map_or(&[][..], |own| &own.cookies);
        pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Replaces the pairs of that name in the Cookie field of the request by one.
    ///
    /// # Errors
    ///
    /// The same as [`RequestBuilder::cookie`](crate::RequestBuilder::cookie).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let mut request = Session::new().get("http://example.com/").cookie("id", "7").build()?;
    /// request.set_cookie("id", "8")?;
    /// assert_eq!(request.cookies().collect::<Vec<_>>(), [("id", "8")]);
    /// assert!(request.remove_cookie("id"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn set_cookie(&mut self, name: &str, value: &str) -> Result<()> {
        let pair = options::cookie(name, value)?;
        self.remove_cookie(name);
        self.options_mut().cookies.push(pair);
        Ok(())
    }

    /// Removes the pairs of that name from the Cookie field of the request. Returns whether there were any.
    pub fn remove_cookie(&mut self, name: &str) -> bool {
        if !self.cookies().any(|(other, _)| other == name) {
            return false;
        }
        self.options_mut().cookies.retain(|(other, _)| **other != *name);
        true
    }
}
