//! The settings that all builders of pools have.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{Engine, EngineConfig};
use crate::dial::Dialer;
use crate::error::{Error, Result};
use crate::net::options::{SocketConfig, SocketOption, SourceAddress};
use crate::observe::Observer;
use crate::pool::key::ConnectionConfig;
use crate::pool::types::Settings;
use crate::tls::TlsConfig;

/// The settings of a pool before they are checked.
#[derive(Clone, Debug)]
pub(crate) struct PoolOptions {
    /// The number of idle connections to keep if `maxsize` is not set.
    pub(crate) default_maxsize: Option<usize>,
    pub(crate) maxsize: Option<usize>,
    pub(crate) block: bool,
    /// `None` if it was not set.
    pub(crate) limit: Option<Option<usize>>,
    pub(crate) total_limit: Option<usize>,
    pub(crate) pool_timeout: Option<Duration>,
    pub(crate) max_idle: Option<usize>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) probe_after: Duration,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) dialer: Option<Arc<dyn Dialer>>,
    pub(crate) num_pools: Option<usize>,
    pub(crate) source_address: Option<SourceAddress>,
    pub(crate) socket_options: Option<Vec<SocketOption>>,
    pub(crate) observer: Observer,
    pub(crate) refuse_self_deadlock: bool,
    pub(crate) reap_every: Option<Duration>,
}

impl PoolOptions {
    pub(crate) fn new(default_maxsize: Option<usize>, idle_timeout: Duration) -> Self {
        PoolOptions {
            default_maxsize,
            maxsize: None,
            block: false,
            limit: None,
            total_limit: None,
            pool_timeout: None,
            max_idle: None,
            idle_timeout: Some(idle_timeout),
            max_age: None,
            probe_after: Duration::ZERO,
            tls: None,
            dialer: None,
            num_pools: None,
            source_address: None,
            socket_options: None,
            observer: Observer::default(),
            refuse_self_deadlock: false,
            reap_every: None,
        }
    }

    /// Returns the limits on open and on idle connections of an endpoint.
    fn limits(&self) -> Result<(Option<usize>, Option<usize>)> {
        let idle = self.maxsize.or(self.default_maxsize);
        match (self.limit, self.maxsize) {
            (Some(_), Some(_)) => Err(Error::config("limit sets what maxsize sets too; give one of them")),
            (Some(Some(0)), _) => Err(Error::config("a limit of 0 lets no connection be opened")),
            (Some(None), _) if self.block => Err(Error::config("block needs a limit to wait at, and limit is None")),
            (Some(limit), _) => Ok((limit, limit)),
            (None, _) if !self.block => Ok((None, idle)),
            (None, _) => match idle {
                None => Err(Error::config("block needs a maxsize or a limit to wait at")),
                Some(0) => Err(Error::config("block with a maxsize of 0 lets no connection be opened")),
                limit => Ok((limit, limit)),
            },
        }
    }

    pub(crate) fn build(self) -> Result<Arc<Engine>> {
        let (open_limit, idle_limit) = self.limits()?;
        if self.num_pools == Some(0) {
            return Err(Error::config("num_pools of 0 keeps no pool"));
        }
        if self.total_limit == Some(0) {
            return Err(Error::config("a total limit of 0 lets no connection be opened"));
        }
        if self.dialer.is_some() && (self.source_address.is_some() || self.socket_options.is_some()) {
            return Err(Error::config("a dialer opens sockets of its own, which no source address or option reaches"));
        }
        Ok(self.engine(open_limit, idle_limit))
    }

    /// Builds the engine with these limits, which have been checked or are the defaults.
    pub(crate) fn engine(self, open_limit: Option<usize>, idle_limit: Option<usize>) -> Arc<Engine> {
        let settings = Settings {
            open_limit,
            idle_limit,
            total_limit: self.total_limit,
            idle_timeout: self.idle_timeout,
            max_age: self.max_age,
            refuse_self_deadlock: self.refuse_self_deadlock,
            reap_every: self.reap_every,
            max_idle: self.max_idle,
        };
        let mut sockets = SocketConfig { source: self.source_address, ..SocketConfig::new() };
        if let Some(options) = self.socket_options {
            sockets.options = options.into();
        }
        let connection = ConnectionConfig { tls: self.tls.unwrap_or_default(), dialer: self.dialer, sockets };
        Engine::new(EngineConfig {
            settings,
            probe_after: self.probe_after,
            pool_timeout: self.pool_timeout,
            connection,
            num_pools: self.num_pools,
            observer: self.observer,
        })
    }
}

/// The setters that every builder of pools has, over its fields `options` and `policy`.
macro_rules! pool_setters {
    () => {
        /// Sets how many idle connections are kept for each host, 10 by default. With [`block`](Self::block) the same
        /// number limits the open connections. Without it any number may be open, and a connection that is released to
        /// a full pool is closed.
        pub fn maxsize(mut self, connections: usize) -> Self {
            self.options.maxsize = Some(connections);
            self
        }

        /// Sets whether `maxsize` also limits the open connections, so that callers wait for one to become free. Off by
        /// default.
        pub fn block(mut self, block: bool) -> Self {
            self.options.block = block;
            self
        }

        /// Sets how many connections to a host may be open. Callers wait for one to become free. The same number may be
        /// idle. `None` bounds neither.
        pub fn limit(mut self, connections: impl Into<Option<usize>>) -> Self {
            self.options.limit = Some(connections.into());
            self
        }

        /// Sets how long a call waits for a connection at the limit before it fails with
        /// [`ErrorKind::PoolTimeout`](crate::ErrorKind::PoolTimeout). With zero a call does not wait. By default only
        /// the timeouts of the request bound the wait.
        pub fn pool_timeout(mut self, limit: ::std::time::Duration) -> Self {
            self.options.pool_timeout = Some(limit);
            self
        }

        /// Sets how many idle connections are kept in total, over all hosts. Unbounded by default. If there are more,
        /// the connection that has been idle for longest is closed. Connections in use do not count, and no caller
        /// waits.
        ///
        /// Whether it is set or not, a dial or a name lookup that finds no file descriptor left closes the connection
        /// that has been idle for longest, and tries again.
        ///
        /// ```
        /// use hostpool::PoolManager;
        ///
        /// let http = PoolManager::builder().num_pools(None).max_idle(200).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        pub fn max_idle(mut self, connections: impl Into<Option<usize>>) -> Self {
            self.options.max_idle = connections.into();
            self
        }

        /// Sets how long an idle connection is kept. `None` keeps it until it is found closed. The
        /// `Keep-Alive: timeout` of a server shortens the time for its connection. Time during which the machine sleeps
        /// counts.
        #[doc(alias = "keepalive_timeout")]
        pub fn idle_timeout(mut self, limit: impl Into<Option<::std::time::Duration>>) -> Self {
            self.options.idle_timeout = limit.into();
            self
        }

        /// Sets the age from which a connection is not used again, so that a change of the server's address is noticed.
        /// Unbounded by default. Time during which the machine sleeps counts.
        pub fn max_age(mut self, limit: impl Into<Option<::std::time::Duration>>) -> Self {
            self.options.max_age = limit.into();
            self
        }

        /// Sets how long a connection may have been idle and still be used without being checked. Zero by default: each
        /// connection is checked before it is used again, by one system call, also if another caller hands it over.
        ///
        /// A longer time saves that call. Then only the next request notices that the server has closed the connection,
        /// and a `POST` is lost. Bytes that a server sends unasked are taken for the start of the next response.
        pub fn probe_after(mut self, idle: ::std::time::Duration) -> Self {
            self.options.probe_after = idle;
            self
        }

        /// Sets the TLS configuration. The default is [`TlsConfig::default`](crate::TlsConfig::default).
        #[doc(alias = "ssl_context")]
        pub fn tls(mut self, tls: crate::TlsConfig) -> Self {
            self.options.tls = Some(tls);
            self
        }

        /// Sets the local address of connections. Addresses of a server that are of the other family are not tried. If
        /// none is left, or the local address cannot be used, requests fail with
        /// [`ErrorKind::Connect`](crate::ErrorKind::Connect). By default the system chooses the address.
        ///
        /// A Unix socket has no such address. A [`dialer`](Self::dialer) opens sockets of its own, so `build` fails if
        /// both are set. A [`TcpDialer`](crate::TcpDialer) has a setter for it.
        ///
        /// ```
        /// use hostpool::PoolManager;
        /// use std::net::Ipv4Addr;
        ///
        /// let pools = PoolManager::builder().source_address(Ipv4Addr::LOCALHOST).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "local_addr")]
        pub fn source_address(mut self, address: impl Into<crate::SourceAddress>) -> Self {
            self.options.source_address = Some(address.into());
            self
        }

        /// Sets the options of TCP sockets. The default is [`NoDelay(true)`](crate::SocketOption::NoDelay) alone, and
        /// an empty list leaves Nagle's algorithm on. `build` fails if a [`dialer`](Self::dialer) is set too.
        ///
        /// ```
        /// use hostpool::{PoolManager, SocketOption};
        ///
        /// let options = [SocketOption::NoDelay(true), SocketOption::ReceiveBuffer(1 << 20)];
        /// let pools = PoolManager::builder().socket_options(options).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        pub fn socket_options(mut self, options: impl IntoIterator<Item = crate::SocketOption>) -> Self {
            self.options.socket_options = Some(options.into_iter().collect());
            self
        }

        /// Sets a dialer that opens connections in place of the crate's own.
        pub fn dialer(mut self, dialer: impl crate::Dialer + 'static) -> Self {
            self.options.dialer = Some(::std::sync::Arc::new(dialer));
            self
        }

        /// Sets a listener that receives the events of the pools: see [`Listener`](crate::Listener).
        #[doc(alias = "trace_configs")]
        pub fn listener(mut self, listener: impl crate::Listener + 'static) -> Self {
            self.options.observer = crate::observe::Observer::new(listener);
            self
        }

        /// Sets whether a call fails with [`ErrorKind::WouldDeadlock`](crate::ErrorKind::WouldDeadlock) if it would
        /// wait without bound while its own thread holds all connections, by responses whose bodies are not read. Off
        /// by default. Such a wait is always logged as a warning and reported to a [`Listener`](crate::Listener).
        ///
        /// A response counts as held by the thread that sent its request. Leave this off if another thread reads it.
        pub fn refuse_self_deadlock(mut self, refuse: bool) -> Self {
            self.options.refuse_self_deadlock = refuse;
            self
        }

        /// Starts a thread that closes idle connections that have expired or that their servers have closed. It checks
        /// them this often, but not more often than every 100 ms. By default no thread is started, and such connections
        /// are closed when the pool is used.
        ///
        /// One thread serves everything that this builder builds. It runs while a connection is open, and ends with the
        /// pool.
        pub fn reaper(mut self, every: ::std::time::Duration) -> Self {
            self.options.reap_every = Some(every.max(::std::time::Duration::from_millis(100)));
            self
        }

        /// Sets the timeouts of requests that have none of their own. There are none by default.
        pub fn timeout(mut self, timeout: impl Into<crate::Timeout>) -> Self {
            self.policy.timeout = timeout.into();
            self
        }

        /// Sets how much a peer may send. The default is [`Limits::new`](crate::Limits::new).
        pub fn limits(mut self, limits: crate::Limits) -> Self {
            self.policy.common = ::std::sync::Arc::new(crate::exchange::Common::new(limits));
            self
        }

        /// Sets whether the end of a TLS stream without `close_notify` is accepted as the end of a body that nothing
        /// else delimits. Off by default: see
        /// [`RequestBuilder::allow_unclean_close`](crate::RequestBuilder::allow_unclean_close).
        ///
        /// ```
        /// let pools = hostpool::PoolManager::builder().allow_unclean_close(true).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        pub fn allow_unclean_close(mut self, allow: bool) -> Self {
            self.policy.reading.unclean_close = allow;
            self
        }

        /// Sets which failures are retried by requests without a `Retry` of their own. By default there are up to three
        /// retries. A number means that many retries.
        pub fn retries(mut self, retry: impl Into<crate::Retry>) -> Self {
            self.policy.retry = Some(retry.into());
            self
        }

        /// Sets whether a `POST` stays a `POST` after a 301 or 302. On by default, as in urllib3: see
        /// [`RequestBuilder::keep_method`](crate::RequestBuilder::keep_method).
        ///
        /// ```
        /// use hostpool::PoolManager;
        ///
        /// let http = PoolManager::builder().keep_method(false).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "post301")]
        #[doc(alias = "post302")]
        pub fn keep_method(mut self, keep: bool) -> Self {
            self.policy.following.rules.rewrite = crate::redirect::Rewrite::keeping(keep);
            self
        }

        /// Sets whether all requests, also those that redirects lead to, may only be for `https` URLs. Off by default:
        /// see [`RequestBuilder::https_only`](crate::RequestBuilder::https_only).
        ///
        /// ```
        /// use hostpool::PoolManager;
        ///
        /// let http = PoolManager::builder().https_only(true).build()?;
        /// assert!(http.get("http://example.com/").send().is_err());
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        pub fn https_only(mut self, only: bool) -> Self {
            self.policy.following.https_only = only;
            self
        }

        /// Sets a function that decides about each redirect that all other rules allow: see
        /// [`RequestBuilder::redirect_when`](crate::RequestBuilder::redirect_when).
        ///
        /// ```
        /// use hostpool::{PoolManager, RedirectAction};
        ///
        /// let http = PoolManager::builder().redirect_when(|_| RedirectAction::Stop).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        pub fn redirect_when(
            mut self,
            decide: impl Fn(&crate::RedirectHop<'_>) -> crate::RedirectAction + Send + Sync + 'static,
        ) -> Self {
            self.policy.following.when = Some(crate::redirect::RedirectWhen::new(decide));
            self
        }

        /// Adds a hook that sees, and may change, each request before it is sent, also after a redirect and for a
        /// retry: see [`SessionBuilder::on_request`](crate::SessionBuilder::on_request).
        pub fn on_request(
            mut self,
            hook: impl Fn(&mut crate::Request) -> crate::Result<()> + Send + Sync + 'static,
        ) -> Self {
            self.policy.hooks.on_request.push(::std::sync::Arc::new(hook));
            self
        }

        /// Adds a hook that sees the last response of each call before the caller does. It may return another response
        /// or an error in its place. In urllib3 this is a custom response class.
        #[doc(alias = "ResponseCls")]
        pub fn on_response(
            mut self,
            hook: impl Fn(crate::Response) -> crate::Result<crate::Response> + Send + Sync + 'static,
        ) -> Self {
            self.policy.hooks.on_response.push(::std::sync::Arc::new(hook));
            self
        }

        /// Sets how strictly responses are read. The default is [`Strictness::Tolerant`](crate::Strictness::Tolerant).
        /// [`RequestBuilder::strictness`](crate::RequestBuilder::strictness) replaces it for one request.
        ///
        /// ```
        /// use hostpool::{ConnectionPool, Strictness};
        ///
        /// let pool = ConnectionPool::builder("http://example.com").strictness(Strictness::Strict).build()?;
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "strict")]
        pub fn strictness(mut self, strictness: crate::Strictness) -> Self {
            self.policy.reading.strictness = strictness;
            self
        }

        /// Sets headers for every request that has no headers of its own. A request with at least one header is sent
        /// without these.
        pub fn headers(mut self, headers: crate::Headers) -> Self {
            self.policy.head.headers = headers;
            self
        }
    };
}
pub(super) use pool_setters;

/// The methods `get`, `options`, `post`, `put`, `patch` and `delete` of a client, over its `request`.
macro_rules! verbs {
    ($target:ident: $type:ty) => {
        /// Begins a `GET` request: see [`request`](Self::request).
        pub fn get(&self, $target: $type) -> crate::RequestBuilder {
            self.request(::http::Method::GET, $target)
        }

        /// Begins an `OPTIONS` request: see [`request`](Self::request).
        pub fn options(&self, $target: $type) -> crate::RequestBuilder {
            self.request(::http::Method::OPTIONS, $target)
        }

        /// Begins a `POST` request: see [`request`](Self::request).
        pub fn post(&self, $target: $type) -> crate::RequestBuilder {
            self.request(::http::Method::POST, $target)
        }

        /// Begins a `PUT` request: see [`request`](Self::request).
        pub fn put(&self, $target: $type) -> crate::RequestBuilder {
            self.request(::http::Method::PUT, $target)
        }

        /// Begins a `PATCH` request: see [`request`](Self::request).
        pub fn patch(&self, $target: $type) -> crate::RequestBuilder {
            self.request(::http::Method::PATCH, $target)
        }

        /// Begins a `DELETE` request: see [`request`](Self::request).
        pub fn delete(&self, $target: $type) -> crate::RequestBuilder {
            self.request(::http::Method::DELETE, $target)
        }
    };
}
pub(crate) use verbs;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_knobs_mean() {
        let options = |maxsize, block, limit| PoolOptions {
            maxsize,
            block,
            limit,
            ..PoolOptions::new(Some(10), Duration::from_secs(60))
        };
        let table = [
            (options(None, false, None), Some((None, Some(10)))),
            (options(Some(3), false, None), Some((None, Some(3)))),
            (options(Some(0), false, None), Some((None, Some(0)))),
            (options(Some(3), true, None), Some((Some(3), Some(3)))),
            (options(None, true, None), Some((Some(10), Some(10)))),
            (options(None, false, Some(Some(4))), Some((Some(4), Some(4)))),
            (options(None, true, Some(Some(4))), Some((Some(4), Some(4)))),
            (options(None, false, Some(None)), Some((None, None))),
            (options(None, true, Some(None)), None),
            (options(Some(3), false, Some(Some(4))), None),
            (options(None, false, Some(Some(0))), None),
            (options(Some(0), true, None), None),
        ];
        for (options, expected) in table {
            assert_eq!(options.limits().ok(), expected, "{options:?}");
        }
        let unbounded = PoolOptions { block: true, ..PoolOptions::new(None, Duration::ZERO) };
        assert!(unbounded.limits().is_err());
        let nothing = PoolOptions { total_limit: Some(0), ..PoolOptions::new(None, Duration::ZERO) };
        assert!(nothing.build().is_err());
        let builder = || crate::PoolManager::builder().dialer(crate::TcpDialer::new());
        assert!(builder().build().is_ok());
        assert!(builder().source_address(std::net::Ipv4Addr::LOCALHOST).build().is_err());
        assert!(builder().socket_options([]).build().is_err());
    }
}
