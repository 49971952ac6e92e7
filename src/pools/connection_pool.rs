//! The connections to one host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::options::{pool_setters, verbs};
use super::{PoolOptions, policy};
use crate::client::{Engine, Policy, Request, RequestBuilder, check_policy};
use crate::error::{Error, Result};
use crate::pool::stats::PoolStats;
use crate::redirect::Rules;
use crate::url::{Origin, Url};

/// A bounded pool of connections to one host, for any number of threads.
///
/// Clones are the same pool. Idle connections are used last in, first out; callers that wait are served first come,
/// first served, and get a released connection handed to them directly. Dropping the last clone closes what is idle;
/// responses that are out keep working.
///
/// ```no_run
/// use hostpool::ConnectionPool;
/// use std::time::Duration;
///
/// // At most 8 connections, ever; whoever finds them busy waits for at most two seconds.
/// let pool = ConnectionPool::builder("https://api.example")
///     .maxsize(8)
///     .block(true)
///     .pool_timeout(Duration::from_secs(2))
///     .build()?;
/// let body = pool.get("/items?limit=10").send()?.text()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
///
/// The server of an `http+unix` URL is a Unix socket: `http+unix://%2Frun%2Fdocker.sock`.
#[doc(alias = "HTTPConnectionPool")]
#[doc(alias = "HTTPSConnectionPool")]
#[derive(Clone)]
pub struct ConnectionPool {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
    origin: Arc<Origin>,
}

impl ConnectionPool {
    /// A pool for the host of `url`, of which only scheme, host and port count. `build` reports a URL that is none.
    #[doc(alias = "connection_from_url")]
    pub fn builder(url: &str) -> ConnectionPoolBuilder {
        ConnectionPoolBuilder {
            origin: Url::parse(url).map(|url| url.shared_origin().clone()).map_err(Error::from),
            options: PoolOptions::new(Some(10), Duration::from_secs(60)),
            policy: Policy { rules: Rules { same_origin: true, ..Rules::default() }, ..policy() },
        }
    }

    /// A request to this host. `target` is a path with its query, or a whole URL; one of another host is refused with
    /// [`ErrorKind::HostChanged`](crate::ErrorKind::HostChanged) by `send`, unless
    /// [`assert_same_host`](RequestBuilder::assert_same_host) says otherwise.
    ///
    /// The body is read as the caller reads it. `urlopen` reads it first.
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let request = self.url(target).map(|url| Request::new(method, url));
        RequestBuilder::new(&self.engine, &self.policy, request)
    }

    /// A request whose response is given out with its body: as [`request`](Self::request) with
    /// [`preload_content`](RequestBuilder::preload_content). All that urllib3's `urlopen` takes is set on the builder.
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
    ///     .redirect(false)
    ///     .timeout(Duration::from_secs(10))
    ///     .pool_timeout(Duration::from_secs(1))
    ///     .send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn urlopen(&self, method: Method, target: &str) -> RequestBuilder {
        self.request(method, target).preload_content(true)
    }

    verbs!(target: &str);

    /// `HEAD`: see [`request`](Self::request).
    pub fn head(&self, target: &str) -> RequestBuilder {
        self.request(Method::HEAD, target)
    }

    fn url(&self, target: &str) -> Result<Url> {
        if target.is_empty() || target.starts_with(['/', '?']) {
            return Ok(Url::with_target(&self.origin, target)?);
        }
        Ok(Url::parse(target)?)
    }

    /// Scheme, host and port of this pool.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How the pool stands, and what it has done.
    pub fn stats(&self) -> PoolStats {
        self.engine.gate.stats()
    }

    /// Closes idle connections, and those in use once they come back; whoever waits keeps waiting.
    pub fn clear(&self) {
        self.engine.gate.retire_idle();
    }

    /// Closes idle connections, and fails all that wait and all later calls with [`ErrorKind::Closed`]. Requests and
    /// responses that are under way finish, and their connections are closed then.
    pub fn close(&self) {
        self.engine.gate.close(false);
    }

    /// Whether the pool was closed.
    pub fn is_closed(&self) -> bool {
        self.engine.gate.is_closed()
    }
}

impl fmt::Debug for ConnectionPool {
    /// One line: `ConnectionPool(https://api.example, open 2 (at most 8 an endpoint), idle 1, in use 1, waiting 0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionPool({}, {:?})", self.origin, self.engine.gate)
    }
}

/// Builds a [`ConnectionPool`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ConnectionPoolBuilder {
    origin: Result<Arc<Origin>>,
    options: PoolOptions,
    policy: Policy,
}

impl ConnectionPoolBuilder {
    pool_setters!();

    /// The pool. Errors if the URL is none, or if options contradict each other.
    pub fn build(mut self) -> Result<ConnectionPool> {
        let origin = self.origin?;
        check_policy(&mut self.policy)?;
        let policy = Policy { home: Some(origin.clone()), ..self.policy };
        Ok(ConnectionPool { engine: self.options.build()?, policy: Arc::new(policy), origin })
    }
}
