//! The pool of connections to one host.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::options::{dns_cache, verbs};
use super::parallel::parallel;
use super::{Client, ClientBuilder, PoolOptions, policy, sealed};
use crate::auth::Auth;
use crate::client::sealed::Sealed;
use crate::client::{Base, Calls, Connection, Engine, IntoRequest, IntoUrl, Policy, Request, RequestBuilder};
use crate::error::{Error, Phase, Reason, Result};
use crate::pool::PoolPin;
use crate::pool::key::PoolKey;
use crate::pool::stats::PoolStats;
use crate::response::Response;
use crate::tls::TlsConfig;
use crate::urls::{Origin, Origins, Url};

/// A bounded pool of connections to one host, for any number of threads.
///
/// Clones are the same pool. The connection that became idle last is used first. Waiting callers are served first come,
/// first served, and receive a released connection directly. Dropping the last clone closes the idle connections.
/// Responses that the caller still has can be read to their end.
///
/// ```no_run
/// use hostpool::ConnectionPool;
/// use std::time::Duration;
///
/// // At most 8 open connections. A call that finds all of them in use waits for at most two seconds.
/// let pool = ConnectionPool::builder("https://api.example")
///     .maxsize(8)
///     .block(true)
///     .pool_timeout(Duration::from_secs(2))
///     .build()?;
/// let body = pool.get("/items?limit=10").send()?.text()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
///
/// Redirects within the host are followed as in urllib3: a `POST` that gets a 301 or 302 is sent again as a `POST`. A
/// [`Session`](crate::Session) sends a `GET`.
///
/// An `http+unix` URL names a Unix socket as the server: `http+unix://%2Frun%2Fdocker.sock`. [`unix`](Self::unix) takes
/// its path. With `https+unix` the server speaks TLS there.
#[doc(alias = "HTTPConnectionPool")]
#[doc(alias = "HTTPSConnectionPool")]
///
/// A pool of a [`PoolManager`](crate::PoolManager) shares its connections and limits: see
/// [`connection_from_url`](crate::PoolManager::connection_from_url).
#[derive(Clone)]
pub struct ConnectionPool {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
    origin: Arc<Origin>,
    /// The part of a manager that this pool is. `None` for a pool of its own.
    part: Option<Part>,
}

#[derive(Clone)]
struct Part {
    key: PoolKey,
    /// Keeps the counters of the pool for as long as this value lives.
    _pin: Arc<PoolPin>,
}

impl ConnectionPool {
    /// Returns a builder for a pool of the host of `url`, which has a scheme, a host, a port if it is not the default
    /// one, and perhaps a login. `build` fails if the URL is not valid, or if it has a path or a query, because these
    /// belong to each request.
    ///
    /// A user name and password in the URL are sent as Basic credentials with the requests that have none of their own.
    ///
    /// ```
    /// use hostpool::ConnectionPool;
    ///
    /// let pool = ConnectionPool::builder("https://user:secret@api.example/").maxsize(8).build()?;
    /// assert_eq!(pool.origin().to_string(), "https://api.example");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "connection_from_url")]
    pub fn builder(url: impl IntoUrl) -> ConnectionPoolBuilder {
        let url = Sealed::into_url(url, &Origins::default(), None).and_then(|url| match url.sent_target() {
            "" | "/" => Ok(url),
            _ => Err(Error::config("a pool is for a whole host: the path belongs to each request")),
        });
        ConnectionPool::builder_for(url)
    }

    /// Returns a builder for a pool of connections to the server at a Unix socket. `build` fails if the path is not
    /// valid: see [`Url::unix`].
    ///
    /// ```no_run
    /// use hostpool::ConnectionPool;
    ///
    /// let docker = ConnectionPool::unix("/run/docker.sock").maxsize(4).build()?;
    /// let containers = docker.get("/v1.47/containers/json").send()?.text()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "UnixConnector")]
    #[doc(alias = "unix_socket")]
    pub fn unix(path: impl AsRef<Path>) -> ConnectionPoolBuilder {
        ConnectionPool::builder_for(Url::unix(path, "").map_err(Error::from))
    }

    /// Returns a builder for a pool of the host of `url`, whatever its path is.
    pub(super) fn builder_for(url: Result<Url>) -> ConnectionPoolBuilder {
        let mut policy = at_home(policy());
        policy.identity.auth = url.as_ref().ok().and_then(login_of);
        let options = PoolOptions::new(Some(10), Duration::from_secs(60));
        let origin = url.map(|url| url.shared_origin().clone()).map_err(|error| error.reason().clone());
        ClientBuilder::new(options, policy, Home(origin))
    }

    /// Begins a request to this host. `target` is a path with its query, or a whole URL. `send` refuses a URL of
    /// another host with [`ErrorKind::HostChanged`](crate::ErrorKind::HostChanged), unless
    /// [`assert_same_host`](RequestBuilder::assert_same_host) is off.
    ///
    /// The body of the response is received as the caller reads it. [`urlopen`](Self::urlopen) receives it before it
    /// returns.
    pub fn request(&self, method: Method, target: impl IntoUrl) -> RequestBuilder {
        let request = self.url(target).map(|url| Request::new(method, url));
        RequestBuilder::new(&self.engine, &self.policy, request)
    }

    /// Begins a request whose response is returned with its whole body: [`request`](Self::request) with
    /// [`preload_content`](RequestBuilder::preload_content). The arguments of urllib3's `urlopen` are methods of the
    /// builder.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ConnectionPool, Method};
    /// use std::time::Duration;
    ///
    /// let pool = ConnectionPool::builder(&url).build()?;
    /// let response = pool
    ///     .urlopen(Method::GET, "/")
    ///     .header("X-Request-Id", "7")
    ///     .retries(2)
    ///     .allow_redirects(false)
    ///     .timeout(Duration::from_secs(10))
    ///     .pool_timeout(Duration::from_secs(1))
    ///     .send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn urlopen(&self, method: Method, target: impl IntoUrl) -> RequestBuilder {
        self.request(method, target).preload_content(true)
    }

    verbs!(target: impl IntoUrl);

    dns_cache!(
        self,
        self.engine,
        "let client = hostpool::ConnectionPool::builder(\"http://example.com\").use_dns_cache(true).build()?;"
    );

    /// Begins a `HEAD` request: see [`request`](Self::request).
    pub fn head(&self, target: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, target)
    }

    /// Sends a request that was built before, by this crate or by the `http` crate. The URI of a request of the `http`
    /// crate may be a path. Fails as [`RequestBuilder::send`] does, and with
    /// [`ErrorKind::HostChanged`](crate::ErrorKind::HostChanged) if the request is for another host.
    ///
    /// ```no_run
    /// # use hostpool::ConnectionPool;
    /// let pool = ConnectionPool::builder("https://api.example").build()?;
    /// let response = pool.execute(http::Request::get("/items?limit=10").body(())?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute(&self, request: impl IntoRequest) -> Result<Response> {
        self.calls().begin(request).send()
    }

    fn calls(&self) -> Calls {
        let base = Base::Host(self.origin.clone());
        Calls { engine: self.engine.clone(), policy: self.policy.clone(), base }
    }

    parallel!(r#"let client = hostpool::ConnectionPool::builder(&url).build()?;"#);

    /// Takes a connection of the pool, an idle one or a new one: see [`PoolManager::connect`](crate::PoolManager::connect).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::ConnectionPool;
    ///
    /// let pool = ConnectionPool::builder(&url).build()?;
    /// pool.connect()?.release();
    /// assert_eq!((pool.stats().idle, pool.num_connections()), (1, 1));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "_get_conn")]
    pub fn connect(&self) -> Result<Connection> {
        self.get("/").connect()
    }

    fn url(&self, target: impl IntoUrl) -> Result<Url> {
        Sealed::into_target(target, &self.origin)
    }

    /// Returns the scheme, host and port of this pool.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the host in lower case. An IPv6 address stands in brackets. For a Unix socket it is the path.
    ///
    /// ```
    /// # use hostpool::ConnectionPool;
    /// let pool = ConnectionPool::builder("https://Example.com").build()?;
    /// assert_eq!((pool.host(), pool.port()), ("example.com", Some(443)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn host(&self) -> &str {
        self.origin.host()
    }

    /// Returns the port, also if it is the default of the scheme. Returns `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        self.origin.port()
    }

    /// Returns `http`, `https`, `http+unix` or `https+unix`.
    ///
    /// ```
    /// # use hostpool::ConnectionPool;
    /// assert_eq!(ConnectionPool::builder("https://example.com").build()?.scheme(), "https");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn scheme(&self) -> &'static str {
        self.origin.scheme()
    }

    /// Returns whether a URL belongs to this host: it has the same scheme, host and port, or is only a path. A URL
    /// without a scheme is taken for `http`.
    ///
    /// ```
    /// # use hostpool::ConnectionPool;
    /// let pool = ConnectionPool::builder("http://example.com").build()?;
    /// assert!(pool.is_same_host("http://EXAMPLE.com:80/items"));
    /// assert!(pool.is_same_host("/items"));
    /// assert!(!pool.is_same_host("https://example.com/items"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn is_same_host(&self, url: impl IntoUrl) -> bool {
        Sealed::into_guess(url, &self.origin).is_ok_and(|url| url.origin() == &*self.origin)
    }

    /// Replaces the TLS configuration of a living pool: see [`PoolManager::set_tls`](crate::PoolManager::set_tls).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the pool is a part of a
    /// [`PoolManager`](crate::PoolManager), whose configuration it shares with others, and if the pool has a
    /// [`dialer`](ClientBuilder::dialer), which does TLS by itself.
    pub fn set_tls(&self, tls: TlsConfig) -> Result<()> {
        match self.part {
            Some(_) => Err(Error::config("the pool is a part of a manager: replace the configuration there")),
            None => self.engine.set_tls(tls),
        }
    }

    /// Returns the state and the counters of the pool. For a pool of a manager these are of this pool alone.
    pub fn stats(&self) -> PoolStats {
        match &self.part {
            None => self.engine.gate.stats(),
            Some(part) => self.engine.gate.stats_of(&part.key),
        }
    }

    /// Returns how many connections were opened so far.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ConnectionPool, Method};
    ///
    /// let pool = ConnectionPool::builder(&url).build()?;
    /// pool.urlopen(Method::GET, "/").send()?;
    /// pool.urlopen(Method::GET, "/").send()?;
    /// assert_eq!((pool.num_connections(), pool.num_requests()), (1, 2));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn num_connections(&self) -> u64 {
        self.stats().created
    }

    /// Returns how many requests were tried so far. Redirected requests, retries, requests for which no connection
    /// could be opened, and connections that were taken by [`connect`](Self::connect) count too.
    pub fn num_requests(&self) -> u64 {
        let PoolStats { created, reused, dial_failures, .. } = self.stats();
        created + reused + dial_failures
    }

    /// Closes idle connections now, and connections in use when they are released. Waiting callers keep waiting.
    pub fn clear(&self) {
        match &self.part {
            None => self.engine.gate.retire_idle(),
            // A pool that replaced this one may have the key by now.
            Some(_) if self.policy.reach.is_closed_pool() => {}
            Some(part) => self.engine.gate.retire(&part.key),
        }
    }

    /// Closes idle connections, and fails all waiting callers and all later calls with
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed). Requests and responses in progress continue to their end, and
    /// their connections are closed then.
    ///
    /// Closing a pool of a manager closes it for all its users, even if the manager has evicted it meanwhile. The
    /// manager opens another one when it is asked.
    pub fn close(&self) {
        let (Some(Part { key, .. }), Some(closed)) = (&self.part, &self.policy.reach.standing) else {
            return self.engine.gate.close(false);
        };
        // If this pool was closed before, its key is unused or belongs to a successor, and nothing is closed.
        let Engine { registry, gate, .. } = &*self.engine;
        if let Some(close_idle) = registry.close(key, closed, || gate.close_key(key)) {
            close_idle();
        }
    }

    /// Ends all calls of the pool that have begun, wherever they wait: see [`Session::cancel_all`](crate::Session::cancel_all).
    /// Later calls are served.
    pub fn cancel_all(&self) {
        match (&self.part, &self.policy.reach.standing) {
            (Some(part), Some(standing)) => {
                standing.cancel();
                self.engine.gate.cancel_all(Some(&part.key));
            }
            _ => self.engine.cancel_all(),
        }
    }

    /// Returns whether the pool or its manager was closed.
    pub fn is_closed(&self) -> bool {
        self.policy.reach.is_closed_pool() || self.engine.gate.is_closed()
    }

    /// Returns the pool of a manager for this origin, with the connections of this key. They may be those of a proxy.
    pub(super) fn part_of(engine: &Arc<Engine>, policy: Policy, origin: Arc<Origin>, key: PoolKey) -> ConnectionPool {
        let mut policy = at_home(policy);
        policy.reach.home = Some(origin.clone());
        let part = Part { _pin: Arc::new(engine.gate.pin(&key)), key };
        ConnectionPool { engine: engine.clone(), policy: Arc::new(policy), origin, part: Some(part) }
    }
}

/// Returns the login in the URL of a pool.
pub(super) fn login_of(url: &Url) -> Option<Auth> {
    url.userinfo().filter(|userinfo| !matches!(*userinfo, "" | ":")).map(Auth::of_userinfo)
}

/// Refuses redirects to other origins: the pool has no connections to them.
fn at_home(mut policy: Policy) -> Policy {
    policy.following.rules.same_origin = true;
    policy
}

impl PartialEq for ConnectionPool {
    /// Returns whether both are the same pool, with the same connections.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.engine, &other.engine)
            && match (&self.policy.reach.standing, &other.policy.reach.standing) {
                (None, None) => true,
                // A closed pool and its successor have the same key but different flags.
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                _ => false,
            }
    }
}

impl Eq for ConnectionPool {}

impl fmt::Debug for ConnectionPool {
    /// Shows one line:
    /// `ConnectionPool(https://api.example, open 2 (at most 8 an endpoint), idle 1, in use 1, waiting 0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            None => write!(f, "ConnectionPool({}, {:?})", self.origin, self.engine.gate),
            Some(_) => write!(f, "ConnectionPool({}, part of {:?})", self.origin, self.engine.gate),
        }
    }
}

/// Builds a [`ConnectionPool`]. [`ClientBuilder`] has a table of the defaults.
///
/// ```
/// use hostpool::ConnectionPool;
/// use std::time::Duration;
///
/// let pool = ConnectionPool::builder("https://api.example")
///     .limit(8)
///     .pool_timeout(Duration::from_secs(2))
///     .idle_timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub type ConnectionPoolBuilder = ClientBuilder<ConnectionPool>;

/// The origin of a pool, or why its URL has none.
#[derive(Clone, Debug)]
pub struct Home(Result<Arc<Origin>, Reason>);

impl Client for ConnectionPool {}

impl sealed::Client for ConnectionPool {
    type Own = Home;
    const REPLACES_HEADERS: bool = true;

    fn build(builder: ConnectionPoolBuilder) -> Result<ConnectionPool> {
        let ClientBuilder { own, options, mut policy, .. } = builder;
        let origin = own.0.map_err(|reason| Error::new(reason, Phase::Prepare))?;
        policy.reach.home = Some(origin.clone());
        Ok(ConnectionPool { engine: options.build()?, policy: Arc::new(policy), origin, part: None })
    }
}
