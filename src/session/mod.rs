//! Sessions: a client with the defaults that users of aiohttp and requests know.

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod asleep_tests;
mod builder;
mod oneshot;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, Version};

pub use builder::SessionBuilder;
use builder::SessionSettings;
#[cfg(feature = "websocket")]
pub use oneshot::ws_connect;
pub use oneshot::{delete, get, head, options, patch, post, put, request};

use crate::client::sealed::Sealed;
use crate::client::{
    Base, Calls, Connection, Following, Head, Identity, IntoRequest, IntoUrl, Policy, Request, RequestBuilder,
};
use crate::cookies::CookieJar;
use crate::error::Result;
use crate::pools::{ClientBuilder, PoolManager, PoolOptions, dns_cache, parallel, verbs};
use crate::redirect::{Rewrite, Rules};
use crate::response::Response;
use crate::time::Timeout;
use crate::tls::TlsConfig;
use crate::urls::Url;
#[cfg(feature = "websocket")]
use crate::websocket::{Hooks, WebSocketBuilder};

/// The default timeouts of a session: opening a connection, and the silence of a server.
const TIMEOUT: Timeout = Timeout::new().connect(Duration::from_secs(30)).read(Duration::from_secs(60));

/// The idle connections that a session keeps by default. It is well below the 1,024 descriptors that most systems give
/// a process.
const MAX_IDLE: usize = 100;

/// A client: connections, cookies, headers and timeouts shared by many requests, from any number of threads.
///
/// Clones are the same session. Its defaults differ from those of the pools:
///
/// - It keeps an idle connection for 30 seconds, and at most 100 idle connections.
/// - Opening a connection may take 30 seconds, and a server may be silent for 60 seconds.
/// - It sends `Accept: */*`, and asks for the content codings that are compiled in.
/// - It follows up to 10 [redirects](RequestBuilder::allow_redirects). A `POST` that gets a 301 or 302 continues as a
///   `GET`; the pools send it again as a `POST`.
/// - It keeps [cookies](CookieJar).
/// - It has no [retries](crate::ClientBuilder::retries). Only a request whose idle connection turns out to be closed is
///   sent once more: see [`retry_stale`](RequestBuilder::retry_stale).
///
/// Dropping the last clone closes the idle connections. Responses that the caller still has can be read to their end.
/// A panic, for example in a hook, leaves the session as good as before: it is `UnwindSafe`, as all clients are.
///
/// ```no_run
/// use hostpool::Session;
///
/// let session = Session::new();
/// let text = session.get("https://www.example.com/").params([("q", "rust")]).send()?.text()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "Agent")]
#[doc(alias = "ClientSession")]
#[derive(Clone)]
pub struct Session {
    connector: PoolManager,
    /// `None` if the session keeps its cookies in another store.
    jar: Option<CookieJar>,
    policy: Arc<Policy>,
    /// The URL that relative URLs are resolved against.
    base_url: Option<Arc<Url>>,
    version: Version,
    #[cfg(feature = "websocket")]
    websocket_hooks: Arc<Hooks>,
}

impl Session {
    /// Returns a session with the defaults.
    pub fn new() -> Session {
        let jar = CookieJar::new();
        let identity = Identity { cookies: Some(Arc::new(jar.clone())), ..Identity::default() };
        Session {
            connector: PoolManager::from_engine(pools().engine(None, None)),
            jar: Some(jar),
            policy: Arc::new(Policy { identity, ..policy() }),
            base_url: None,
            version: Version::HTTP_11,
            #[cfg(feature = "websocket")]
            websocket_hooks: Arc::default(),
        }
    }

    /// Returns a builder for a session that differs from the defaults.
    ///
    /// ```
    /// use hostpool::{Retry, Session};
    /// use std::time::Duration;
    ///
    /// let session = Session::builder()
    ///     .base_url("https://api.example/v1/")
    ///     .user_agent("books/1.0")
    ///     .timeout(Duration::from_secs(30))
    ///     .retries(Retry::new(3).backoff_factor(Duration::from_millis(200)))
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "AgentBuilder")]
    pub fn builder() -> SessionBuilder {
        ClientBuilder::new(pools(), policy(), SessionSettings::new())
    }

    /// Begins a request with any method. A relative URL is resolved against the session's
    /// [base URL](SessionBuilder::base_url). `send` fails if the URL is not valid.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{Method, Session};
    ///
    /// let session = Session::new();
    /// let response = session.request(Method::GET, &url).send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let engine = self.connector.engine();
        let url = Sealed::into_url(url, &engine.origins, self.base_url.as_deref());
        let version = self.version;
        RequestBuilder::new(engine, &self.policy, url.map(|url| Request { version, ..Request::new(method, url) }))
    }

    /// Begins the opening handshake of a WebSocket. The URL is a `ws`, `wss` or `ws+unix` one, or that of HTTP; a relative
    /// one is resolved against the session's [base URL](SessionBuilder::base_url).
    ///
    /// ```no_run
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().base_url("https://chat.example/").build()?;
    /// let (room, all) = (session.ws_connect("rooms/7").connect()?, session.ws_connect("wss://all.example/").connect()?);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[cfg(feature = "websocket")]
    #[doc(alias = "websocket")]
    #[doc(alias = "connect")]
    pub fn ws_connect(&self, url: impl IntoUrl) -> WebSocketBuilder {
        let engine = self.connector.engine();
        let url = Sealed::into_ws_url(url, &engine.origins, self.base_url.as_deref());
        let request = RequestBuilder::new(engine, &self.policy, url.map(|url| Request::new(Method::GET, url)));
        WebSocketBuilder::new(request, self.websocket_hooks.clone())
    }

    verbs!(url: impl IntoUrl);

    dns_cache!(
        self,
        self.connector.engine(),
        "let client = hostpool::Session::builder().use_dns_cache(true).build()?;"
    );

    /// Begins a `HEAD` request: see [`request`](Self::request). Redirects are not followed unless
    /// [asked for](RequestBuilder::allow_redirects).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 204 No Content\r\n\r\n");
    /// let session = hostpool::Session::new();
    /// assert_eq!(session.head(&url).send()?.status(), 204);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url).allow_redirects(false)
    }

    /// Sends a request that was built before, by this crate or by the `http` crate. Fails as [`RequestBuilder::send`]
    /// does.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Session;
    ///
    /// let session = Session::new();
    /// let prepared = session.get(&url).build()?;
    /// assert_eq!(session.execute(prepared)?.text()?, "hello");
    /// let of_http = http::Request::post(&url).header("x-request-id", "7").body("text")?;
    /// assert_eq!(session.execute(of_http)?.text()?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute(&self, request: impl IntoRequest) -> Result<Response> {
        self.calls().begin(request).send()
    }

    fn calls(&self) -> Calls {
        let base = Base::Joined(self.base_url.clone());
        Calls { engine: self.connector.engine().clone(), policy: self.policy.clone(), base }
    }

    parallel!(r#"let client = hostpool::Session::new();"#);

    /// Takes a connection to the host of `url`, an idle one or a new one: see
    /// [`PoolManager::connect`](crate::PoolManager::connect). The timeouts of the session apply.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// session.connect(&url)?.release();
    /// assert!(session.get(&url).send()?.is_reused());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connect(&self, url: impl IntoUrl) -> Result<Connection> {
        self.get(url).connect()
    }

    /// Returns the pools of this session, or `None` if it is closed or [detached](Self::detach).
    ///
    /// ```
    /// # use hostpool::Session;
    /// let session = Session::new();
    /// assert_eq!(session.connector().unwrap().stats().open, 0);
    /// session.close();
    /// assert!(session.connector().is_none());
    /// ```
    pub fn connector(&self) -> Option<&PoolManager> {
        (!self.is_closed()).then_some(&self.connector)
    }

    /// Replaces the TLS configuration of a living session, for example when a client certificate was renewed: see
    /// [`PoolManager::set_tls`]. Other sessions with the same [connector](Self::connector) use it, too.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the connections are opened by a
    /// [`dialer`](ClientBuilder::dialer), which does TLS by itself.
    ///
    /// ```no_run
    /// use hostpool::{Session, TlsConfig};
    ///
    /// let renew = || TlsConfig::builder().client_cert_file("client.pem").build();
    /// let session = Session::builder().tls(renew()?).build()?;
    /// // Later, when the file has changed:
    /// session.set_tls(renew()?)?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn set_tls(&self, tls: TlsConfig) -> Result<()> {
        self.connector.set_tls(tls)
    }

    /// Returns the cookies of this session, which can be read and edited in place. Returns `None` if the session was
    /// given another [store](SessionBuilder::cookie_store).
    ///
    /// ```
    /// # use hostpool::{Session, Url};
    /// let session = Session::new();
    /// let url = Url::parse("https://example.com/")?;
    /// session.cookies().unwrap().set(&url, "theme=dark; Path=/")?;
    /// assert_eq!(session.cookies().unwrap().len(), 1);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "cookie_jar_lock")]
    #[doc(alias = "cookie_jar")]
    pub fn cookies(&self) -> Option<&CookieJar> {
        self.jar.as_ref()
    }

    /// Closes the session for all threads: closes idle connections, wakes callers that wait for a connection, and
    /// interrupts requests and responses in progress. These calls and all later ones fail with
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed). A second call does nothing.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// session.get(&url).send()?.text()?;
    /// session.close();
    /// assert!(session.is_closed());
    /// assert!(session.get(&url).send().unwrap_err().is_closed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn close(&self) {
        if !self.policy.reach.session_detached.swap(true, Ordering::Relaxed) {
            self.connector.close();
        }
    }

    /// Ends all calls of the session that have begun, from any thread and wherever they wait: for the pool, a name
    /// lookup, a connection, the server, or between two tries. They fail with
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), and so do later reads of responses whose bodies are still
    /// to be received. Calls that begin later are served.
    ///
    /// It ends all calls over the session's connections. If its [connector](SessionBuilder::connector) serves other
    /// sessions, their calls end too: give calls that belong together a [`CancelToken`](crate::CancelToken) instead.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// use hostpool::Session;
    /// use std::thread;
    ///
    /// let session = Session::new();
    /// // A server that never answers:
    /// let request = session.get(&url);
    /// let call = thread::spawn(move || request.send());
    /// while !call.is_finished() {
    ///     session.cancel_all();
    /// }
    /// assert!(call.join().unwrap().unwrap_err().is_cancelled());
    /// assert!(!session.is_closed());
    /// ```
    #[doc(alias = "abort")]
    pub fn cancel_all(&self) {
        self.connector.cancel_all();
    }

    /// Closes the session but not its connector, and returns the connector, which may serve other sessions. Requests in
    /// progress continue. Later calls fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed). Returns `None` if the
    /// session is closed already.
    ///
    /// ```
    /// # use hostpool::Session;
    /// let session = Session::new();
    /// let connector = session.detach().unwrap();
    /// assert!(session.is_closed() && !connector.is_closed());
    /// let other = Session::builder().connector(connector).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn detach(&self) -> Option<PoolManager> {
        let was_open = !self.policy.reach.session_detached.swap(true, Ordering::Relaxed) && !self.connector.is_closed();
        was_open.then(|| self.connector.clone())
    }

    /// Returns whether the session was closed or detached, or its connector closed.
    #[doc(alias = "closed")]
    pub fn is_closed(&self) -> bool {
        self.policy.reach.session_detached.load(Ordering::Relaxed) || self.connector.is_closed()
    }
}

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.connector)
    }
}

/// Returns the default policy of sessions and of the free functions. A session adds a store for cookies; the free
/// functions keep none.
fn policy() -> Policy {
    let rules = Rules { rewrite: Rewrite::AlsoAfterPost, ..Rules::default() };
    Policy {
        head: Head { accept: true, offers_codings: true, content_type: true, ..Head::default() },
        following: Following { follow: true, rules, ..Following::default() },
        timeout: TIMEOUT,
        ..Policy::default()
    }
}

/// Returns the settings of the pools that a session has without a connector.
fn pools() -> PoolOptions {
    PoolOptions { max_idle: Some(MAX_IDLE), ..PoolOptions::new(None, Duration::from_secs(30)) }
}
