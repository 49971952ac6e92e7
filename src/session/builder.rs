//! The builder of sessions.

use std::sync::Arc;

use http::Version;

use super::{MAX_IDLE, Session, connector, policy};
use crate::auth::{AnyAuth, Auth, Netrc};
use crate::client::{IntoUrl, Middleware, Policy, Request, check_names, check_skipped, sealed::Sealed, trusted};
use crate::cookies::{Cookie, CookieJar, CookieStore};
use crate::error::{Error, Result};
use crate::exchange::Common;
use crate::headers::Headers;
use crate::limits::Limits;
use crate::observe::{Listener, Observer};
use crate::pools::PoolManager;
use crate::redirect::{RedirectAction, RedirectHop, RedirectWhen, Rewrite};
use crate::response::Response;
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::Timeout;
use crate::tls::TlsConfig;
use crate::url::{Origins, Url};

/// Builds a [`Session`].
///
/// ```
/// use hostpool::{Headers, Session};
/// use std::time::Duration;
///
/// let mut headers = Headers::new();
/// headers.append("X-Client", "7")?;
/// let session = Session::builder()
///     .base_url("https://api.example/v1/")
///     .headers(headers)
///     .cookies([("theme", "dark")])
///     .timeout(Duration::from_secs(10))
///     .raise_for_status(true)
///     .build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct SessionBuilder {
    connector: Option<PoolManager>,
    tls: Option<TlsConfig>,
    observer: Observer,
    /// `None` if it was not set.
    max_idle: Option<Option<usize>>,
    jar: Option<CookieJar>,
    /// The cookies to put into the jar that `build` chooses.
    cookies: Vec<Cookie>,
    policy: Policy,
    base_url: Option<Url>,
    version: Version,
    /// The first error of a setter. `build` returns it.
    wrong: Option<Error>,
}

impl SessionBuilder {
    pub(super) fn new() -> SessionBuilder {
        SessionBuilder {
            connector: None,
            tls: None,
            observer: Observer::default(),
            max_idle: None,
            jar: None,
            cookies: Vec::new(),
            policy: policy(),
            base_url: None,
            version: Version::HTTP_11,
            wrong: None,
        }
    }

    /// Sets the pools to use, with their limits and TLS configuration. They may be shared with other sessions. The
    /// headers, timeouts and limits of the pools apply only to requests that are made on the pools themselves. Closing
    /// the session closes the pools; [detach](Session::detach) the session to keep them.
    ///
    /// ```
    /// use hostpool::{PoolManager, Session};
    ///
    /// let pools = PoolManager::builder().limit(4).build()?;
    /// let session = Session::builder().connector(pools).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connector(mut self, connector: impl Into<PoolManager>) -> Self {
        self.connector = Some(connector.into());
        self
    }

    /// Sets the TLS configuration, for a session without a connector of its own.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets a listener that receives the events of the session, for a session without a connector of its own: see
    /// [`Listener`].
    #[doc(alias = "trace_configs")]
    pub fn listener(mut self, listener: impl Listener + 'static) -> Self {
        self.observer = Observer::new(listener);
        self
    }

    /// Sets how many idle connections are kept in total, 100 by default, for a session without a connector of its own.
    /// If there are more, the connection that has been idle for longest is closed. Connections in use do not count, and
    /// no caller waits. `None` keeps all of them, each until it has been idle for 30 seconds.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().max_idle(20).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "limit")]
    pub fn max_idle(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.max_idle = Some(connections.into());
        self
    }

    /// Sets the URL that relative URLs are resolved against (RFC 3986, section 5), like links on a page with this URL.
    /// With `https://api.example/v1/`, `items` is `https://api.example/v1/items`, and `/items` is
    /// `https://api.example/items`. The path must end in a slash, because `items` would replace a last segment such as
    /// `/v1`.
    ///
    /// A text that begins with two slashes names another host, which then gets the session's headers and credentials.
    /// Check paths that come from outside before they are joined.
    pub fn base_url(self, url: impl IntoUrl) -> Self {
        self.try_set(|builder| {
            let url = Sealed::into_url(url, &Origins::default(), None)?.without_fragment();
            if url.query().is_some() || !url.target().ends_with('/') {
                return Err(Error::config("the path of a base URL ends in a slash, and it has no query"));
            }
            builder.base_url = Some(url);
            Ok(())
        })
    }

    /// Sets headers for every request. A request with a field of the same name keeps its own. Headers that identify the
    /// caller are not sent to another origin after a redirect: see
    /// [`allow_redirects`](crate::RequestBuilder::allow_redirects).
    pub fn headers(mut self, headers: Headers) -> Self {
        self.policy.head.headers = headers;
        self
    }

    /// Adds one header to those of [`headers`](Self::headers).
    pub fn header(self, name: &str, value: &str) -> Self {
        self.try_set(|builder| Ok(builder.policy.head.headers.append(name, value)?))
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

    /// Adds cookies that are sent to every host that a request names, but not to the targets of redirects. They are
    /// kept in the session's jar, together with the cookies that servers set. [`build`](Self::build) fails if the
    /// session was given another [store](Self::cookie_store).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().cookies([("theme", "dark")]).build()?;
    /// assert_eq!(session.cookies().unwrap().len(), 1);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookies<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        for (name, value) in pairs {
            match Cookie::builder(name.as_ref(), value.as_ref()).build() {
                Ok(cookie) => self.cookies.push(cookie),
                Err(error) => self.wrong = self.wrong.or(Some(error)),
            }
        }
        self
    }

    /// Sets the jar to keep cookies in. It may be shared with other sessions. By default a session has a jar of its
    /// own.
    pub fn cookie_jar(mut self, jar: CookieJar) -> Self {
        self.jar = Some(jar);
        self.policy.identity.cookies = None;
        self
    }

    /// Sets a store for cookies in place of a jar. [`NoCookies`](crate::NoCookies) keeps none.
    ///
    /// ```
    /// use hostpool::{NoCookies, Session};
    ///
    /// let session = Session::builder().cookie_store(NoCookies).build()?;
    /// assert!(session.cookies().is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookie_store(mut self, store: impl CookieStore + 'static) -> Self {
        self.policy.identity.cookies = Some(Arc::new(store));
        self.jar = None;
        self
    }

    /// Sets credentials for every request that has none of its own: neither by [`auth`](crate::RequestBuilder::auth),
    /// nor in its URL, nor as an `Authorization` header. They are sent to every host that a request names, but not to
    /// the targets of redirects.
    ///
    /// A [`DigestAuth`](crate::DigestAuth) also decides how other logins of the session are used. A login in a URL
    /// answers a Digest challenge and is never sent as Basic credentials. The same holds for a login of
    /// [`netrc`](Self::netrc) if the `DigestAuth` has [no login](crate::DigestAuth::without_login).
    ///
    /// [`build`](Self::build) fails if the credentials cannot be encoded, or if the session also has an `Authorization`
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
    /// session has a login. For a URL with a login and no password, only the entry with that login is used. A redirect
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

    /// Sets the timeouts of requests that have none of their own. By default, opening a connection may take 30 seconds,
    /// and a server may be silent for 60 seconds.
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

    /// Sets whether the content codings of responses (such as gzip) are decoded, and asked for by `Accept-Encoding`. On
    /// by default. If it is off, only `identity` is asked for, and a body that is coded nevertheless is returned as it
    /// came. [`RequestBuilder::decode_content`](crate::RequestBuilder::decode_content) replaces it for one request.
    #[doc(alias = "decode_content")]
    pub fn auto_decompress(mut self, decode: bool) -> Self {
        self.policy.reading.decode = decode;
        self
    }

    /// Sets whether redirects are followed. On by default: see
    /// [`RequestBuilder::allow_redirects`](crate::RequestBuilder::allow_redirects).
    pub fn allow_redirects(mut self, follow: bool) -> Self {
        self.policy.following.follow = follow;
        self
    }

    /// Sets how many redirects are followed, 10 by default: see
    /// [`RequestBuilder::max_redirects`](crate::RequestBuilder::max_redirects).
    pub fn max_redirects(mut self, max: u32) -> Self {
        self.policy.following.max = Some(max);
        self
    }

    /// Sets a function that decides about each redirect that all other rules allow: see
    /// [`RequestBuilder::redirect_when`](crate::RequestBuilder::redirect_when).
    ///
    /// ```
    /// use hostpool::{RedirectAction, Session};
    ///
    /// // Refuses every host that is not on the list.
    /// let session = Session::builder()
    ///     .redirect_when(|hop| match hop.to().origin().host() {
    ///         "api.example" | "files.example" => RedirectAction::Follow,
    ///         _ => RedirectAction::Refuse,
    ///     })
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect_policy")]
    pub fn redirect_when(
        mut self,
        decide: impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> Self {
        self.policy.following.when = Some(RedirectWhen::new(decide));
        self
    }

    /// Sets the origins that the credentials of requests and of the session may follow a redirect to. None by default:
    /// see [`RequestBuilder::trust_origins`](crate::RequestBuilder::trust_origins), which replaces it for one request.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder()
    ///     .auth(("Aladdin", "open sesame"))
    ///     .trust_origins(["https://api.example", "https://files.example:8443"])
    ///     .build()?;
    /// assert!(Session::builder().trust_origins(["https://api.example/v1"]).build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect_auth_headers")]
    #[doc(alias = "location_trusted")]
    pub fn trust_origins<U: IntoUrl>(self, origins: impl IntoIterator<Item = U>) -> Self {
        self.try_set(|builder| {
            builder.policy.following.trusted = Some(trusted(origins)?);
            Ok(())
        })
    }

    /// Sets whether a redirect from `https` to `http` is followed. Off by default.
    pub fn allow_downgrade(mut self, allow: bool) -> Self {
        self.policy.following.rules.downgrade = allow;
        self
    }

    /// Sets whether a `POST` stays a `POST` after a 301 or 302. Off by default, so that it becomes a `GET`: see
    /// [`RequestBuilder::keep_method`](crate::RequestBuilder::keep_method).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().keep_method(true).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "post301")]
    #[doc(alias = "post302")]
    pub fn keep_method(mut self, keep: bool) -> Self {
        self.policy.following.rules.rewrite = Rewrite::keeping(keep);
        self
    }

    /// Sets whether all requests, also those that redirects lead to, may only be for `https` URLs. Off by default: see
    /// [`RequestBuilder::https_only`](crate::RequestBuilder::https_only).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().https_only(true).build()?;
    /// assert!(session.get("http://example.com/").send().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn https_only(mut self, only: bool) -> Self {
        self.policy.following.https_only = only;
        self
    }

    /// Sets whether a redirect from a Unix socket to a host on the network is followed. Off by default: see
    /// [`RequestBuilder::follow_off_socket`](crate::RequestBuilder::follow_off_socket).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().follow_off_socket(true).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn follow_off_socket(mut self, follow: bool) -> Self {
        self.policy.following.rules.off_socket = follow;
        self
    }

    /// Adds to the headers that are not sent to another origin after a redirect.
    pub fn sensitive_headers<N: AsRef<str>>(self, sensitive: impl IntoIterator<Item = N>) -> Self {
        self.try_set(|builder| {
            builder.policy.following.sensitive.extend(check_names(sensitive)?);
            Ok(())
        })
    }

    /// Sets the HTTP version of requests that do not set it: 1.1 by default, or 1.0.
    pub fn version(self, version: Version) -> Self {
        self.try_set(|builder| {
            if ![Version::HTTP_10, Version::HTTP_11].contains(&version) {
                return Err(Error::config("only HTTP/1.0 and HTTP/1.1 are spoken here"));
            }
            builder.version = version;
            Ok(())
        })
    }

    /// Sets whether a status from 400 on is an error, as from [`error_for_status`](Response::error_for_status). Off by
    /// default.
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

    /// Sets which failures are retried by requests without a `Retry` of their own. By default nothing is retried,
    /// except as [`retry_stale`](Self::retry_stale) describes. A number means that many retries. Redirects are not
    /// counted: they have [`max_redirects`](Self::max_redirects).
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

    /// Adds middleware around every request, inside the middleware that was added before: see [`Middleware`].
    #[doc(alias = "middlewares")]
    pub fn middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.policy.hooks.middleware.push(Arc::new(middleware));
        self
    }

    /// Adds a hook that sees, and may change, each request before it is sent, also after a redirect and with the answer
    /// to a challenge. An error of the hook ends the call before a connection is opened. Changes stay on the request
    /// for the rest of the call, redirects included, so `insert` a header and do not `append` it.
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
    #[doc(alias = "request_class")]
    pub fn on_request(mut self, hook: impl Fn(&mut Request) -> Result<()> + Send + Sync + 'static) -> Self {
        self.policy.hooks.on_request.push(Arc::new(hook));
        self
    }

    /// Adds a hook that sees the last response of each call before the caller does. It may return another response or
    /// an error in its place.
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

    /// Builds the session. Fails with the first error of a setter, or if settings contradict each other.
    pub fn build(self) -> Result<Session> {
        let SessionBuilder {
            connector: pools,
            tls,
            observer,
            max_idle,
            jar,
            cookies,
            mut policy,
            base_url,
            version,
            wrong,
        } = self;
        if let Some(error) = wrong {
            return Err(error);
        }
        policy.check()?;
        if pools.is_some() && tls.is_some() {
            return Err(Error::config("a connector has its own TLS configuration; give it there"));
        }
        if pools.is_some() && observer.is_listening() {
            return Err(Error::config("a connector has its own listener; give it there"));
        }
        if pools.is_some() && max_idle.is_some() {
            return Err(Error::config("a connector has its own max_idle; give it there"));
        }
        if policy.identity.cookies.is_some() && !cookies.is_empty() {
            return Err(Error::config("cookies need a jar, and the session has another store"));
        }
        let jar = if policy.identity.cookies.is_some() { None } else { Some(jar.unwrap_or_default()) };
        if let Some(jar) = &jar {
            cookies.iter().try_for_each(|cookie| jar.insert_shared(&cookie.name(), &cookie.value()))?;
            policy.identity.cookies = Some(Arc::new(jar.clone()));
        }
        let connector = pools.unwrap_or_else(|| connector(tls, observer, None, max_idle.unwrap_or(Some(MAX_IDLE))));
        Ok(Session { connector, jar, policy: Arc::new(policy), base_url: base_url.map(Arc::new), version })
    }

    fn try_set(mut self, set: impl FnOnce(&mut SessionBuilder) -> Result<()>) -> Self {
        if self.wrong.is_none() {
            self.wrong = set(&mut self).err();
        }
        self
    }
}
