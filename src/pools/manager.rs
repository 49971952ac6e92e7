//! The pools of connections to all hosts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::options::{dns_cache, proxy_for, verbs};
use super::parallel::parallel;
use super::{Client, ClientBuilder, ConnectionPool, ManyHosts, PoolContext, PoolOptions, policy, sealed};
use crate::client::has_pools::Pools;
use crate::client::sealed::Sealed;
use crate::client::{Base, Calls, Connection, Engine, IntoRequest, IntoUrl, Policy, Reach, Request, RequestBuilder};
use crate::cookies::CookieStore;
use crate::error::{Error, Phase, Result};
use crate::pool::stats::PoolStats;
use crate::proxy::Setting;
use crate::response::Response;
use crate::tls::TlsConfig;
use crate::urls::{InvalidUrl, Origin, Url};

/// Pools of connections to any number of hosts, under one total limit.
///
/// Clones are the same manager. The limits of a host are as for [`ConnectionPool`](crate::ConnectionPool). At the total
/// limit, the connection that has been idle for longest is closed, so that a caller waits only if all connections are
/// in use. Across hosts, a freed slot goes to the caller that has waited for longest.
///
/// Redirects are followed as in urllib3: a `POST` that gets a 301 or 302 is sent again as a `POST`. A
/// [`Session`](crate::Session) sends a `GET`.
///
/// ```no_run
/// use hostpool::PoolManager;
///
/// let http = PoolManager::builder().maxsize(4).total_limit(100).build()?;
/// for url in ["http://a.example/", "https://b.example/"] {
///     println!("{}", http.get(url).send()?.status());
/// }
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone)]
pub struct PoolManager {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
}

impl PoolManager {
    /// Returns a manager with the defaults: it keeps at most ten idle connections for each host, and does not limit
    /// open connections.
    pub fn new() -> PoolManager {
        let ClientBuilder { options, policy, .. } = PoolManager::builder();
        let idle_limit = options.default_maxsize;
        PoolManager { engine: options.engine(None, idle_limit), policy: Arc::new(policy) }
    }

    /// Returns a builder for a manager that differs from the defaults.
    pub fn builder() -> PoolManagerBuilder {
        let options = PoolOptions { num_pools: Some(10), ..PoolOptions::new(Some(10), Duration::from_secs(60)) };
        ClientBuilder::new(options, policy(), ())
    }

    /// Returns the pools of a connector, whose own requests have this store for cookies.
    pub(crate) fn of_connector(engine: Arc<Engine>, cookies: Option<Arc<dyn CookieStore>>) -> PoolManager {
        let mut policy = policy();
        policy.identity.cookies = cookies;
        PoolManager { engine, policy: Arc::new(policy) }
    }

    /// Returns the pools of a session. Its requests have a policy of their own.
    pub(crate) fn from_engine(engine: Arc<Engine>) -> PoolManager {
        PoolManager { engine, policy: Arc::default() }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Begins a request to the host of `url`. `send` fails if the URL is not valid.
    ///
    /// The body of the response is received as the caller reads it. [`urlopen`](Self::urlopen) receives it before it
    /// returns.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let request = Sealed::into_url(url, &self.engine.origins, None);
        RequestBuilder::new(&self.engine, &self.policy, request.map(|url| Request::new(method, url)))
    }

    /// Begins a request whose response is returned with its whole body: [`request`](Self::request) with
    /// [`preload_content`](RequestBuilder::preload_content). The arguments of urllib3's `urlopen` are methods of the
    /// builder.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{Method, PoolManager};
    ///
    /// let response = PoolManager::new().urlopen(Method::GET, &url).retries(5).send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn urlopen(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.request(method, url).preload_content(true)
    }

    verbs!(url: impl IntoUrl);

    dns_cache!(self, self.engine, "let client = hostpool::PoolManager::builder().use_dns_cache(true).build()?;");

    proxy_for!(self, self.engine, None);

    /// Begins a `HEAD` request: see [`request`](Self::request).
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Sends a request that was built before, by this crate or by the `http` crate. Fails as [`RequestBuilder::send`]
    /// does.
    pub fn execute(&self, request: impl IntoRequest) -> Result<Response> {
        self.calls().begin(request).send()
    }

    fn calls(&self) -> Calls {
        Calls { engine: self.engine.clone(), policy: self.policy.clone(), base: Base::Absolute }
    }

    parallel!(r#"let client = hostpool::PoolManager::new();"#);

    /// Takes a connection to the host of `url`, an idle one or a new one. It counts towards the limits, so this waits at a
    /// limit as a request does. Through an HTTP [proxy](ClientBuilder::proxy) it is a tunnel, for `http` URLs, too.
    /// [`RequestBuilder::connect`] is the same with a timeout or a token.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::PoolManager;
    ///
    /// let http = PoolManager::builder().limit(2).build()?;
    /// let connection = http.connect(&url)?;
    /// assert_eq!(http.stats().in_use, 1);
    /// connection.release();
    /// assert!(http.get(&url).send()?.is_reused());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connect(&self, url: impl IntoUrl) -> Result<Connection> {
        self.get(url).connect()
    }

    /// Returns the pool of the host of `url`. It is a part of this manager, with its connections, limits and defaults.
    /// Asking twice returns the same pool. A login in the URL is sent with the requests of the returned pool: see
    /// [`ConnectionPool::builder`].
    ///
    /// The manager keeps as many pools as [`num_pools`](PoolManagerBuilder::num_pools) says, and evicts the least
    /// recently used. An evicted pool still works, and takes the place of another pool as soon as it is used.
    ///
    /// ```
    /// use hostpool::PoolManager;
    ///
    /// let http = PoolManager::new();
    /// let pool = http.connection_from_url("http://example.com/any/path")?;
    /// assert!(pool == http.connection_from_host("EXAMPLE.com", 80, "http")?);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connection_from_url(&self, url: impl IntoUrl) -> Result<ConnectionPool> {
        let url = Sealed::into_url(url, &self.engine.origins, None)?;
        self.connection_from_context(PoolContext::of(&url))
    }

    /// Returns the same pool by host, port and scheme. Without a port it is the default port of the scheme. An IPv6
    /// address may stand in brackets.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) if one of them is not valid, also for a host with white
    /// space around it.
    pub fn connection_from_host(
        &self,
        host: &str,
        port: impl Into<Option<u16>>,
        scheme: &str,
    ) -> Result<ConnectionPool> {
        // The scheme and the host become parts of a URL. No character in them may begin another part.
        if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') {
            return Err(InvalidUrl::UnsupportedScheme.into());
        }
        let is_outside = |c: char| c.is_whitespace() || c.is_control() || ['/', '\\', '?', '#', '@'].contains(&c);
        if host.contains(is_outside) || host.starts_with('[') && !host.ends_with(']') {
            return Err(InvalidUrl::Host.into());
        }
        let is_bare_v6 = host.contains(':') && !host.starts_with('[');
        let host = if is_bare_v6 { format!("[{host}]") } else { host.to_owned() };
        let port = port.into().map(|port| format!(":{port}")).unwrap_or_default();
        self.connection_from_url(&Url::parse(&format!("{scheme}://{host}{port}"))?)
    }

    /// Returns a pool with settings of its own: see [`PoolContext`].
    pub fn connection_from_context(&self, context: PoolContext) -> Result<ConnectionPool> {
        if self.is_closed() {
            return Err(Error::new(self.policy.reach.closed(), Phase::Prepare));
        }
        let (origin, config, mut policy) = context.merge(&self.engine.connection(), &self.policy)?;
        if config.dialer.is_some() && policy.proxy_of_env {
            // As in a client with a dialer, the environment does not count.
            policy.proxy = Some(Setting::Direct);
        }
        if config.dialer.is_some() && self.engine.may_use_proxy(policy.proxy.as_ref()) {
            return Err(Error::config("a dialer opens connections by itself, and knows of no proxy"));
        }
        let (route, _) = self.engine.route(policy.proxy.as_ref(), &origin, &Url::with_target(&origin, "/")?)?;
        let (key, closed) = self.engine.pool(&route, &config);
        let policy =
            Policy { reach: Reach { connection: Some(config), standing: Some(closed), ..policy.reach }, ..policy };
        Ok(ConnectionPool::part_of(&self.engine, policy, origin, key))
    }

    /// Returns how many pools are kept now.
    #[doc(alias = "pools")]
    pub fn num_pools(&self) -> usize {
        self.engine.registry.len()
    }

    /// Returns the state and the counters of each pool that is kept, by its origin, the most recently used first.
    ///
    /// ```
    /// let http = hostpool::PoolManager::new();
    /// for (origin, stats) in http.pool_stats() {
    ///     println!("{origin}: {} idle", stats.idle);
    /// }
    /// ```
    pub fn pool_stats(&self) -> Vec<(Origin, PoolStats)> {
        let keys = self.engine.registry.keys();
        keys.iter().map(|key| (Origin::clone(key.origin()), self.engine.gate.stats_of(key))).collect()
    }

    /// Returns the state and the counters of all pools together.
    pub fn stats(&self) -> PoolStats {
        self.engine.gate.stats()
    }

    /// Replaces the TLS configuration of a living manager, for example when a client certificate was renewed. New
    /// connections use it at once. Idle connections of the old configuration are closed, and those in use when they come
    /// back. Requests that wait for a connection may still get one of the old configuration. Sessions of the old
    /// configuration are not resumed.
    ///
    /// A [`ConnectionPool`] that was taken from this manager before, and one with a [`PoolContext::tls`] of its own, keep
    /// their configuration.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the manager has a
    /// [`dialer`](ClientBuilder::dialer), which does TLS by itself.
    ///
    /// ```
    /// use hostpool::{PoolManager, TlsConfig};
    ///
    /// let http = PoolManager::new();
    /// // Later, when the file has changed:
    /// # #[cfg(feature = "__tls")] {
    /// let renewed = TlsConfig::builder().danger_accept_invalid_hostnames(true).build()?;
    /// http.set_tls(renewed)?;
    /// # }
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn set_tls(&self, tls: TlsConfig) -> Result<()> {
        self.engine.set_tls(tls)
    }

    /// Closes the manager for all threads: closes idle connections, wakes callers that wait for a connection, and
    /// interrupts requests and responses in progress. These calls and all later ones fail with
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), also those of a [`Session`](crate::Session) with this manager
    /// as its connector.
    pub fn close(&self) {
        self.engine.gate.close(true);
    }

    /// Ends all calls of all pools that have begun, wherever they wait, also those of a [`Session`](crate::Session) with
    /// this manager as its connector: see [`Session::cancel_all`](crate::Session::cancel_all). Later calls are served.
    pub fn cancel_all(&self) {
        self.engine.cancel_all();
    }

    /// Returns whether the manager was closed.
    #[doc(alias = "closed")]
    pub fn is_closed(&self) -> bool {
        self.engine.gate.is_closed()
    }

    /// Evicts all pools: closes idle connections now, and connections in use when they are released. Waiting callers
    /// keep waiting. Later calls open new pools.
    pub fn clear(&self) {
        self.engine.registry.clear();
        self.engine.gate.retire_idle();
    }
}

#[allow(private_interfaces, reason = "the trait cannot be named outside")]
impl Pools for PoolManager {
    fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

impl Default for PoolManager {
    fn default() -> Self {
        PoolManager::new()
    }
}

impl fmt::Debug for PoolManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolManager({:?})", self.engine.gate)
    }
}

/// Builds a [`PoolManager`]. [`ClientBuilder`] has a table of the defaults.
///
/// ```
/// use hostpool::{PoolManager, Retry};
///
/// // At most 8 connections to a host and 100 in all. The pools of the last 50 hosts are kept.
/// let http = PoolManager::builder().limit(8).total_limit(100).num_pools(50).retries(Retry::new(5)).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub type PoolManagerBuilder = ClientBuilder<PoolManager>;

impl Client for PoolManager {}

impl ManyHosts for PoolManager {}

impl sealed::Client for PoolManager {
    type Own = ();
    const REPLACES_HEADERS: bool = true;

    fn build(mut builder: PoolManagerBuilder) -> Result<PoolManager> {
        builder.read_environment(true, true)?;
        Ok(PoolManager { engine: builder.options.build()?, policy: Arc::new(builder.policy) })
    }
}
