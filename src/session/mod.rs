//! Sessions: a client with its own defaults, as aiohttp's and requests' users know it.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::Method;

use crate::client::sealed::Sealed;
use crate::client::{IntoUrl, Policy, Request, RequestBuilder, check_policy};
use crate::error::{Error, Result};
use crate::exchange::Common;
use crate::headers::Headers;
use crate::limits::Limits;
use crate::pools::{PoolManager, PoolOptions, verbs};
use crate::response::Response;
use crate::time::Timeout;
use crate::tls::TlsConfig;

/// How long connecting may take, and how long a server may be silent.
const TIMEOUT: Timeout = Timeout::new().connect(Duration::from_secs(30)).read(Duration::from_secs(60));

/// A client: connections, headers and timeouts shared by many requests, from any number of threads.
///
/// Clones are the same session. Unlike the pools a session keeps every idle connection for 30 seconds, bounds
/// connecting to 30 seconds and silence of a server to 60, and sends `Accept: */*`.
///
/// ```no_run
/// use hostpool::Session;
///
/// let session = Session::new();
/// let text = session.get("https://www.example.com/").params([("q", "rust")]).send()?.text()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "ClientSession")]
#[derive(Clone)]
pub struct Session {
    connector: PoolManager,
    policy: Arc<Policy>,
}

impl Session {
    /// A session with the defaults.
    pub fn new() -> Session {
        Session { connector: connector(None, None), policy: Arc::new(policy()) }
    }

    /// A session that differs from the defaults.
    pub fn builder() -> SessionBuilder {
        SessionBuilder { connector: None, tls: None, policy: policy() }
    }

    /// A request with any method. `send` reports a URL that is none.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let engine = self.connector.engine();
        let request = Sealed::into_url(url, &engine.origins).map_err(Error::from);
        RequestBuilder::new(engine, &self.policy, request.map(|url| Request::new(method, url)))
    }

    verbs!(url: impl IntoUrl);

    /// Sends a request that was made before. Errors as [`RequestBuilder::send`] does.
    pub fn execute(&self, request: Request) -> Result<Response> {
        RequestBuilder::new(self.connector.engine(), &self.policy, Ok(request)).send()
    }

    /// The pools of this session.
    pub fn connector(&self) -> &PoolManager {
        &self.connector
    }

    /// Ends the session in all threads: idle connections are closed, whoever waits is woken, and requests and responses
    /// that are under way are broken off. These and all later calls fail with
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn close(&self) {
        self.connector.engine().gate.close(true);
    }

    /// Whether the session was closed.
    #[doc(alias = "closed")]
    pub fn is_closed(&self) -> bool {
        self.connector.engine().gate.is_closed()
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

/// Builds a [`Session`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct SessionBuilder {
    connector: Option<PoolManager>,
    tls: Option<TlsConfig>,
    policy: Policy,
}

impl SessionBuilder {
    /// The pools to use, with their limits and TLS; they may be shared with others. Their headers, timeouts and
    /// limits are for their own requests. Closing the session closes them.
    pub fn connector(mut self, connector: impl Into<PoolManager>) -> Self {
        self.connector = Some(connector.into());
        self
    }

    /// How TLS connections are made, for a session without a connector of its own.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Headers for every request that does not have a field of the same name.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.policy.headers = headers;
        self
    }

    /// The timeouts of requests that have none of their own: 30 seconds to connect and 60 of silence by default.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.policy.timeout = timeout.into();
        self
    }

    /// How much a peer may send. [`Limits::new`] unless said otherwise.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.policy.common = Arc::new(Common::new(limits));
        self
    }

    /// The session. Errors if options contradict each other.
    pub fn build(self) -> Result<Session> {
        check_policy(&self.policy)?;
        if self.connector.is_some() && self.tls.is_some() {
            return Err(Error::config("a connector has its own TLS configuration; give it there"));
        }
        let connector = self.connector.unwrap_or_else(|| connector(self.tls, None));
        Ok(Session { connector, policy: Arc::new(self.policy) })
    }
}

fn policy() -> Policy {
    Policy { timeout: TIMEOUT, accept: true, ..Policy::default() }
}

/// The pools of a session that was given none: every idle connection is kept, or `idle_limit` of them.
fn connector(tls: Option<TlsConfig>, idle_limit: Option<usize>) -> PoolManager {
    let options = PoolOptions { tls, ..PoolOptions::new(None, Duration::from_secs(30)) };
    PoolManager::from_engine(options.engine(None, idle_limit))
}

/// The session of the free functions: each request has a connection of its own, closed behind it.
static ONE_SHOTS: LazyLock<Session> = LazyLock::new(|| {
    let policy = Policy { close: true, ..policy() };
    Session { connector: connector(None, Some(0)), policy: Arc::new(policy) }
});

/// A request on a connection of its own, without a session.
///
/// ```no_run
/// let response = hostpool::request(hostpool::Method::GET, "https://www.example.com/").send()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn request(method: Method, url: impl IntoUrl) -> RequestBuilder {
    ONE_SHOTS.request(method, url)
}

/// `GET` without a session: see [`request`].
pub fn get(url: impl IntoUrl) -> RequestBuilder {
    request(Method::GET, url)
}

/// `HEAD` without a session: see [`request`].
pub fn head(url: impl IntoUrl) -> RequestBuilder {
    request(Method::HEAD, url)
}

/// `OPTIONS` without a session: see [`request`].
pub fn options(url: impl IntoUrl) -> RequestBuilder {
    request(Method::OPTIONS, url)
}

/// `POST` without a session: see [`request`].
pub fn post(url: impl IntoUrl) -> RequestBuilder {
    request(Method::POST, url)
}

/// `PUT` without a session: see [`request`].
pub fn put(url: impl IntoUrl) -> RequestBuilder {
    request(Method::PUT, url)
}

/// `PATCH` without a session: see [`request`].
pub fn patch(url: impl IntoUrl) -> RequestBuilder {
    request(Method::PATCH, url)
}

/// `DELETE` without a session: see [`request`].
pub fn delete(url: impl IntoUrl) -> RequestBuilder {
    request(Method::DELETE, url)
}
