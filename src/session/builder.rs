//! The builder of sessions.

use std::sync::Arc;

use http::Version;

use super::Session;
use crate::client::IntoUrl;
use crate::client::sealed::Sealed;
use crate::cookies::{Cookie, CookieJar, CookieStore, shared_store};
use crate::error::{Error, Result};
use crate::pools::{Client, ClientBuilder, ManyHosts, PoolManager, sealed};
use crate::urls::{Origins, Url};
#[cfg(feature = "websocket")]
use crate::websocket::{Hooks, WebSocket};

/// Builds a [`Session`]. [`ClientBuilder`] has a table of the defaults.
///
/// ```
/// use hostpool::{Session, SessionBuilder, Timeout};
/// use std::time::Duration;
///
/// fn with_our_defaults() -> SessionBuilder {
///     let timeout = Timeout::new().connect(Duration::from_secs(3)).total(Duration::from_secs(30));
///     Session::builder().timeout(timeout).user_agent("books/1.0").limit(8)
/// }
///
/// let session = with_our_defaults().base_url("https://api.example/v1/").build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub type SessionBuilder = ClientBuilder<Session>;

/// Holds the settings that only sessions have.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct SessionSettings {
    connector: Option<PoolManager>,
    jar: Option<CookieJar>,
    /// The cookies to put into the jar that `build` chooses.
    cookies: Vec<Cookie>,
    base_url: Option<Url>,
    version: Version,
    #[cfg(feature = "websocket")]
    websocket_hooks: Hooks,
}

impl SessionSettings {
    pub(super) const fn new() -> SessionSettings {
        SessionSettings {
            connector: None,
            jar: None,
            cookies: Vec::new(),
            base_url: None,
            version: Version::HTTP_11,
            #[cfg(feature = "websocket")]
            websocket_hooks: Hooks::new(),
        }
    }
}

/// # Sessions
///
/// ```
/// use hostpool::Session;
/// use std::time::Duration;
///
/// let session = Session::builder()
///     .base_url("https://api.example/v1/")
///     .header("X-Client", "7")
///     .cookies([("theme", "dark")])
///     .limit(8)
///     .timeout(Duration::from_secs(10))
///     .raise_for_status(true)
///     .build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
impl ClientBuilder<Session> {
    /// Sets the pools to use, with their limits and TLS configuration. They may be shared with other sessions. The
    /// headers, timeouts and limits of the pools apply only to requests that are made on the pools themselves. Closing
    /// the session closes the pools; [detach](Session::detach) the session to keep them.
    ///
    /// Without this a session has pools of its own, which the builder's settings of connections shape.
    /// [`build`](Self::build) fails if there is a connector and one of these settings.
    ///
    /// ```
    /// use hostpool::{PoolManager, Session};
    ///
    /// let pools = PoolManager::builder().limit(4).build()?;
    /// let session = Session::builder().connector(pools).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connector(mut self, connector: impl Into<PoolManager>) -> Self {
        self.own.connector = Some(connector.into());
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
            if url.query().is_some() {
                return Err(Error::config("a base URL has no query; params of each request add one"));
            } else if !url.path().ends_with('/') {
                let better = format!("{}{}/", url.origin(), url.path());
                return Err(Error::config(format!("the path of a base URL ends in a slash: write {better}")));
            }
            builder.own.base_url = Some(url);
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
    pub fn cookies<N: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        self.try_set(|builder| {
            for (name, value) in pairs {
                builder.own.cookies.push(Cookie::builder(name.as_ref(), value.as_ref()).build()?);
            }
            Ok(())
        })
    }

    /// Sets the jar to keep cookies in. It may be shared with other sessions. By default a session has a jar of its
    /// own.
    pub fn cookie_jar(mut self, jar: CookieJar) -> Self {
        self.own.jar = Some(jar);
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
        self.policy.identity.cookies = Some(shared_store(store));
        self.own.jar = None;
        self
    }

    /// Adds a hook that gets each WebSocket whose handshake has succeeded, before the caller of
    /// [`connect`](crate::WebSocketBuilder::connect) does. It may use the WebSocket, return another, or return an error in
    /// its place, which closes it.
    ///
    /// ```
    /// use hostpool::{Error, Session};
    ///
    /// let session = Session::builder()
    ///     .on_websocket(|socket| match socket.protocol() {
    ///         Some(_) => Ok(socket),
    ///         None => Err(Error::custom("the server has chosen no protocol")),
    ///     })
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[cfg(feature = "websocket")]
    #[doc(alias = "ws_response_class")]
    pub fn on_websocket(mut self, hook: impl Fn(WebSocket) -> Result<WebSocket> + Send + Sync + 'static) -> Self {
        self.own.websocket_hooks.push(hook);
        self
    }

    /// Sets the HTTP version of requests that do not set it: 1.1 by default, or 1.0.
    pub fn version(self, version: Version) -> Self {
        self.try_set(|builder| {
            if ![Version::HTTP_10, Version::HTTP_11].contains(&version) {
                return Err(Error::config("only HTTP/1.0 and HTTP/1.1 are spoken here"));
            }
            builder.own.version = version;
            Ok(())
        })
    }
}

impl Client for Session {}

impl ManyHosts for Session {}

impl sealed::Client for Session {
    type Own = SessionSettings;
    const REPLACES_HEADERS: bool = false;

    fn build(mut builder: SessionBuilder) -> Result<Session> {
        if builder.own.connector.as_ref().is_none_or(|connector| connector.engine().takes_environment()) {
            builder.read_environment(true, true)?;
        }
        let ClientBuilder { options, mut policy, own, .. } = builder;
        #[cfg(feature = "websocket")]
        let websocket_hooks = Arc::new(own.websocket_hooks);
        let SessionSettings { connector, jar, cookies, base_url, version, .. } = own;
        if policy.identity.cookies.is_some() && !cookies.is_empty() {
            return Err(Error::config("cookies need a jar, and the session has another store"));
        }
        // Sessions of one connector have its jar, if it shares one.
        let jar = jar.or_else(|| connector.as_ref()?.engine().shared_jar.clone());
        let jar = if policy.identity.cookies.is_some() { None } else { Some(jar.unwrap_or_default()) };
        if let Some(jar) = &jar {
            cookies.iter().try_for_each(|cookie| jar.insert_shared(&cookie.name(), &cookie.value()))?;
            policy.identity.cookies = Some(Arc::new(jar.clone()));
        }
        let connector = match (connector, options.clash) {
            (None, _) => PoolManager::from_engine(options.build()?),
            (Some(connector), None) => connector,
            (Some(_), Some(clash)) => return Err(Error::config(clash)),
        };
        Ok(Session {
            connector,
            jar,
            policy: Arc::new(policy),
            base_url: base_url.map(Arc::new),
            version,
            #[cfg(feature = "websocket")]
            websocket_hooks,
        })
    }
}
