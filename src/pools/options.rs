//! The settings that all builders of pools have.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Engine, EngineConfig};
use crate::cookies::CookieJar;
use crate::dial::Dialer;
use crate::error::{Error, Phase, Result};
use crate::net::names::Cache;
use crate::net::options::{self, SocketFactory, SocketOption, SourceAddress};
use crate::net::tcp::TcpConfig;
use crate::observe::Observer;
use crate::pool::key::ConnectionConfig;
use crate::pool::types::{OWN_WAIT, Settings};
use crate::proxy::Setting;
use crate::tls::TlsConfig;
use crate::urls::InvalidUrl;

/// How long a cache of lookups keeps a result if nothing else is set.
const DNS_CACHE_TTL: Duration = Duration::from_secs(10);

/// The most threads that send submitted requests, by default.
const WORKERS: usize = 16;

/// A setting of the way to a host: the errors of a client that has it in vain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaching {
    /// A session has a connector, too.
    pub(crate) clash: &'static str,
    /// The client has a dialer.
    pub(crate) dialer: &'static str,
    /// All connections lead to one Unix socket.
    pub(crate) socket: &'static str,
}

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
    pub(crate) socket_factory: Option<SocketFactory>,
    /// The path of the Unix socket that all connections lead to, or why it is not valid.
    pub(crate) unix_socket: Option<Result<Arc<str>, InvalidUrl>>,
    pub(crate) force_close: bool,
    /// `None` if it was not set.
    pub(crate) conn_timeout: Option<Duration>,
    pub(crate) shared_jar: Option<CookieJar>,
    /// How names are looked up, and how their addresses are tried.
    pub(crate) tcp: TcpConfig,
    /// The first setting of `tcp` that the caller gave.
    pub(crate) reaching: Option<Reaching>,
    pub(crate) use_dns_cache: Option<bool>,
    /// How long results of lookups are kept; `None` if it was not set.
    pub(crate) dns_cache_ttl: Option<Option<Duration>>,
    pub(crate) observer: Observer,
    /// How long a call without a bound waits for its own thread.
    pub(crate) own_wait: Option<Duration>,
    pub(crate) reap_every: Option<Duration>,
    /// Whether each request checks that this process made the client.
    pub(crate) fork_guard: bool,
    /// The most threads that send submitted requests.
    pub(crate) workers: usize,
    /// The proxy of requests whose client says nothing about it.
    pub(crate) proxy: Option<Setting>,
    /// The error for the first setting that the caller gave, for a session that has a connector, too.
    pub(crate) clash: Option<&'static str>,
}

// Nothing here changes once it is set.
impl UnwindSafe for PoolOptions {}
impl RefUnwindSafe for PoolOptions {}

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
            socket_factory: None,
            unix_socket: None,
            force_close: false,
            conn_timeout: None,
            shared_jar: None,
            tcp: TcpConfig::new(),
            reaching: None,
            use_dns_cache: None,
            dns_cache_ttl: None,
            observer: Observer::default(),
            own_wait: Some(OWN_WAIT),
            reap_every: None,
            fork_guard: false,
            workers: WORKERS,
            proxy: None,
            clash: None,
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
        if self.workers == 0 {
            return Err(Error::config("without a worker no submitted request is ever sent"));
        }
        self.check_sockets()?;
        if self.dialer.is_some() && self.tls.is_some() {
            return Err(Error::config(
                "a dialer does TLS by itself; give the TLS configuration to a TlsDialer around it",
            ));
        }
        if self.dialer.is_some() && matches!(self.proxy, Some(Setting::One(_))) {
            return Err(Error::config("a dialer opens connections by itself, and knows of no proxy"));
        }
        if self.unix_socket.is_some() && matches!(self.proxy, Some(Setting::One(_))) {
            return Err(Error::config("unix_socket leads all connections to one socket, and reaches no proxy"));
        }
        Ok(self.engine(open_limit, idle_limit))
    }

    /// Refuses settings of sockets that contradict each other, or that this system cannot do.
    fn check_sockets(&self) -> Result<()> {
        let of_tcp = self.source_address.is_some() || self.socket_options.is_some() || self.socket_factory.is_some();
        if self.dialer.is_some() && of_tcp {
            return Err(Error::config("a dialer opens sockets of its own, which no source address or option reaches"));
        }
        if let (Some(_), Some(setting)) = (&self.dialer, self.reaching) {
            return Err(Error::config(setting.dialer));
        }
        options::check(self.socket_options.as_deref().unwrap_or_default())?;
        match &self.unix_socket {
            None => Ok(()),
            Some(Err(why)) => Err((*why).into()),
            Some(Ok(_)) if cfg!(not(unix)) => {
                Err(Error::unsupported("this system has no Unix sockets", Phase::Prepare))
            }
            Some(Ok(_)) if self.dialer.is_some() => Err(Error::config("a dialer chooses its own Unix socket")),
            Some(Ok(_)) if of_tcp => Err(Error::config("a Unix socket has no source address and no options of TCP")),
            Some(Ok(_)) => self.reaching.map_or(Ok(()), |setting| Err(Error::config(setting.socket))),
        }
    }

    /// Builds the engine with these limits, which have been checked or are the defaults.
    pub(crate) fn engine(self, open_limit: Option<usize>, idle_limit: Option<usize>) -> Arc<Engine> {
        let settings = Settings {
            open_limit,
            idle_limit,
            total_limit: self.total_limit,
            idle_timeout: self.idle_timeout,
            max_age: self.max_age,
            own_wait: self.own_wait,
            reap_every: self.reap_every,
            max_idle: self.max_idle,
        };
        let mut tcp = self.tcp;
        tcp.sockets.source = self.source_address;
        tcp.sockets.factory = self.socket_factory;
        if let Some(options) = self.socket_options {
            tcp.sockets.options = options.into();
        }
        if self.use_dns_cache.unwrap_or(self.dns_cache_ttl.is_some()) {
            tcp.names.cache = Some(Arc::new(Cache::new(self.dns_cache_ttl.unwrap_or(Some(DNS_CACHE_TTL)))));
        }
        let connection = ConnectionConfig {
            tls: self.tls.unwrap_or_default(),
            dialer: self.dialer,
            tcp,
            scheme: None,
            socket: self.unix_socket.and_then(Result::ok),
        };
        Engine::new(EngineConfig {
            settings,
            probe_after: self.probe_after,
            pool_timeout: self.pool_timeout,
            connection,
            num_pools: self.num_pools,
            observer: self.observer,
            fork_guard: self.fork_guard,
            workers: self.workers,
            proxy: self.proxy,
            force_close: self.force_close,
            conn_timeout: self.conn_timeout,
            shared_jar: self.shared_jar,
        })
    }
}

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

/// The methods of a client for the cache of name lookups of its engine.
macro_rules! dns_cache {
    ($client:ident, $engine:expr, $example:literal) => {
        /// Removes every result from the cache of name lookups. A lookup that runs now is not kept. Does nothing without
        /// a [cache](crate::ClientBuilder::use_dns_cache).
        ///
        /// ```
        #[doc = $example]
        /// client.clear_dns_cache();
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "clear_resolved_hosts")]
        pub fn clear_dns_cache(&$client) {
            if let Some(cache) = $engine.lookups() {
                cache.clear();
            }
        }

        /// Removes the results for one host from the cache of name lookups. The port plays no part in a lookup.
        ///
        /// ```
        #[doc = $example]
        /// client.clear_dns_cache_for("example.com");
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "clear_dns_cache")]
        pub fn clear_dns_cache_for(&$client, host: &str) {
            if let (Some(cache), Ok(host)) = ($engine.lookups(), crate::net::names::spelled(host)) {
                cache.clear_host(&host);
            }
        }

        /// Returns the hosts that the cache of name lookups knows, and their addresses. Empty without a
        /// [cache](crate::ClientBuilder::use_dns_cache).
        ///
        /// ```
        #[doc = $example]
        /// assert!(client.cached_hosts().is_empty());
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "resolved_hosts")]
        pub fn cached_hosts(&$client) -> std::collections::BTreeMap<String, Vec<std::net::IpAddr>> {
            let now = std::time::Instant::now();
            $engine.lookups().map_or_else(std::collections::BTreeMap::new, |cache| cache.hosts(now))
        }
    };
}
pub(crate) use dns_cache;

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
        assert!(
            builder()
                .socket_factory(|_| Err::<std::net::TcpStream, _>(std::io::ErrorKind::Other.into()))
                .build()
                .is_err()
        );
        assert!(builder().tls(TlsConfig::default()).build().is_err());
    }
}
