//! Settings of the connections and of their pools.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::{ClientBuilder, ManyHosts, sealed};
use crate::dial::{Dialer, shared_dialer};
use crate::error::Error;
use crate::net::options::{OwnedSocket, SocketFactory, SocketOption, SourceAddress};
use crate::observe::{Listener, Observer};
use crate::pools::PoolOptions;
use crate::proxy::{Proxy, Setting};
use crate::tls::TlsConfig;
use crate::urls::socket_path;

/// The most frequent checks of a reaper.
const REAPER_FLOOR: Duration = Duration::from_millis(100);

/// The error of a session that has both a connector and this setting.
macro_rules! clash {
    ($setting:literal) => {
        concat!("the session has a connector and its own ", $setting, ": give ", $setting, " to the connector")
    };
}

/// # Connections
///
/// These settings are for the client's own pools. A [`Session`](crate::Session) that is given a
/// [`connector`](Self::connector) uses the connector's, and `build` fails if it has one of these, too.
impl<C: sealed::Client> ClientBuilder<C> {
    /// Sets how many idle connections are kept for each host: 10 by default, and any number for a
    /// [`Session`](crate::Session). With [`block`](Self::block) the same number limits the open connections. Without it
    /// any number may be open, and a connection that is released to a full pool is closed.
    pub fn maxsize(self, connections: usize) -> Self {
        self.connecting(clash!("maxsize"), |options| options.maxsize = Some(connections))
    }

    /// Sets whether `maxsize` also limits the open connections, so that callers wait for one to become free. Off by
    /// default. [`limit`](Self::limit) sets both at once.
    pub fn block(self, block: bool) -> Self {
        self.connecting(clash!("block"), |options| options.block = block)
    }

    /// Sets how many connections to a host may be open. Callers wait for one to become free. The same number may be
    /// idle. `None` bounds neither. Unbounded by default.
    ///
    /// ```
    /// let session = hostpool::Session::builder().limit(8).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "limit_per_host")]
    #[doc(alias = "pool_max_idle_per_host")]
    pub fn limit(self, connections: impl Into<Option<usize>>) -> Self {
        self.connecting(clash!("limit"), |options| options.limit = Some(connections.into()))
    }

    /// Sets how long a call waits for a connection at the limit before it fails with
    /// [`ErrorKind::PoolTimeout`](crate::ErrorKind::PoolTimeout). With zero a call does not wait. By default only the
    /// timeouts of the request bound the wait.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ConnectionPool, ErrorKind};
    /// use std::time::Duration;
    ///
    /// let pool = ConnectionPool::builder(&url).limit(1).pool_timeout(Duration::from_millis(20)).build()?;
    /// let unread = pool.get("/").send()?;
    /// let error = pool.get("/").send().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::PoolTimeout { .. }));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn pool_timeout(self, limit: Duration) -> Self {
        self.connecting(clash!("pool_timeout"), |options| options.pool_timeout = Some(limit))
    }

    /// Sets how many idle connections are kept in total, over all hosts: 100 by default for a
    /// [`Session`](crate::Session), and any number for pools. If there are more, the connection that has been idle for
    /// longest is closed. Connections in use do not count, and no caller waits.
    ///
    /// Whether it is set or not, a dial or a name lookup that finds no file descriptor left closes the connection that
    /// has been idle for longest, and tries again.
    ///
    /// ```
    /// use hostpool::PoolManager;
    ///
    /// let http = PoolManager::builder().num_pools(None).max_idle(200).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "max_idle_connections")]
    pub fn max_idle(self, connections: impl Into<Option<usize>>) -> Self {
        self.connecting(clash!("max_idle"), |options| options.max_idle = connections.into())
    }

    /// Sets how long an idle connection is kept: 60 seconds by default, 30 for a [`Session`](crate::Session). `None`
    /// keeps it until it is found closed. The `Keep-Alive: timeout` of a server shortens the time for its connection.
    /// Time during which the machine sleeps counts.
    #[doc(alias = "keepalive_timeout")]
    #[doc(alias = "pool_idle_timeout")]
    pub fn idle_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.connecting(clash!("idle_timeout"), |options| options.idle_timeout = limit.into())
    }

    /// Sets the age from which a connection is not used again, so that a change of the server's address is noticed.
    /// Unbounded by default. Time during which the machine sleeps counts.
    pub fn max_age(self, limit: impl Into<Option<Duration>>) -> Self {
        self.connecting(clash!("max_age"), |options| options.max_age = limit.into())
    }

    /// Sets how long a connection may have been idle and still be used without being checked. Zero by default: each
    /// connection is checked before it is used again, by one system call, also if another caller hands it over.
    ///
    /// A longer time saves that call. Then only the next request notices that the server has closed the connection, and
    /// a `POST` is lost. Bytes that a server sends unasked are taken for the start of the next response.
    pub fn probe_after(self, idle: Duration) -> Self {
        self.connecting(clash!("probe_after"), |options| options.probe_after = idle)
    }

    /// Sets the TLS configuration. The default is [`TlsConfig::default`](crate::TlsConfig::default). `build` fails if a
    /// [`dialer`](Self::dialer) is set too, which does TLS by itself.
    #[doc(alias = "ssl_context")]
    pub fn tls(self, tls: TlsConfig) -> Self {
        self.connecting(clash!("tls"), |options| options.tls = Some(tls))
    }

    /// Sets the local address of connections. Addresses of a server that are of the other family are not tried. If none
    /// is left, or the local address cannot be used, requests fail with
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect). By default the system chooses the address.
    ///
    /// A Unix socket has no such address. A [`dialer`](Self::dialer) opens sockets of its own, so `build` fails if both
    /// are set. A [`TcpDialer`](crate::TcpDialer) has a setter for it.
    ///
    /// ```
    /// use hostpool::PoolManager;
    /// use std::net::Ipv4Addr;
    ///
    /// let pools = PoolManager::builder().source_address(Ipv4Addr::LOCALHOST).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "local_addr")]
    #[doc(alias = "local_address")]
    pub fn source_address(self, address: impl Into<SourceAddress>) -> Self {
        self.connecting(clash!("source_address"), |options| options.source_address = Some(address.into()))
    }

    /// Sets the options of TCP sockets. The default is [`NoDelay(true)`](SocketOption::NoDelay) alone, and an empty list
    /// leaves Nagle's algorithm on. `build` fails if a [`dialer`](Self::dialer) is set too.
    ///
    /// ```
    /// use hostpool::{PoolManager, SocketOption};
    ///
    /// let options = [SocketOption::NoDelay(true), SocketOption::ReceiveBuffer(1 << 20)];
    /// let pools = PoolManager::builder().socket_options(options).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn socket_options(self, options: impl IntoIterator<Item = SocketOption>) -> Self {
        self.connecting(clash!("socket_options"), |all| all.socket_options = Some(options.into_iter().collect()))
    }

    /// Sets a function that makes the socket for an address, for what no [`SocketOption`] can do: another protocol, a
    /// network namespace, a descriptor of a broker. It returns a socket that is not connected yet, as an
    /// [`OwnedFd`](std::os::fd::OwnedFd) of Unix, an `OwnedSocket` of Windows, or a type that becomes one, such as
    /// `socket2::Socket`. The options, the [source address](Self::source_address) and the connection are the crate's own.
    ///
    /// It is called for each address that is tried, on the thread of the request, and should not wait. An error of it is
    /// one of that address. `build` fails if a [`dialer`](Self::dialer) or a Unix socket is set too.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Session;
    /// use socket2::{Domain, Socket, Type};
    ///
    /// // Where Linux has Multipath TCP, use it.
    /// let session = Session::builder()
    ///     .socket_factory(|address| {
    ///         let domain = Domain::for_address(*address);
    ///         let mptcp = Socket::new(domain, Type::STREAM, Some(262.into()));
    ///         mptcp.or_else(|_| Socket::new(domain, Type::STREAM, None))
    ///     })
    ///     .build()?;
    /// assert_eq!(session.get(&url).send()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn socket_factory<S: Into<OwnedSocket>>(
        self,
        factory: impl Fn(&SocketAddr) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        self.connecting(clash!("socket_factory"), |options| {
            options.socket_factory = Some(SocketFactory::new(factory));
        })
    }

    /// Sets the path of a Unix socket that all connections lead to, whatever host the URL names. The host is sent as the
    /// Host, and with `https` the certificate must be for it. An `http+unix` URL of another socket is refused.
    ///
    /// On Linux and Android a path that begins with a NUL is an abstract address, as in [`Url::unix`](crate::Url::unix).
    /// `build` fails with [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) if the path is empty, too long or not
    /// UTF-8, with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this system has no Unix sockets, and if a
    /// [`dialer`](Self::dialer), a [`source_address`](Self::source_address) or
    /// [`socket_options`](Self::socket_options) are set too. The server may begin to listen later.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// # if cfg!(unix) {
    /// let docker = Session::builder().unix_socket("/run/docker.sock").build()?;
    /// let request = docker.get("http://docker/v1.47/containers/json");
    /// # }
    /// assert!(Session::builder().unix_socket("").build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "UnixConnector")]
    #[doc(alias = "uds")]
    pub fn unix_socket(self, path: impl AsRef<Path>) -> Self {
        self.connecting(clash!("unix_socket"), |options| options.unix_socket = Some(socket_path(path.as_ref())))
    }

    /// Sets whether each connection is closed after its request, and none is used again. Off by default. Each request
    /// says so to its server by `Connection: close`, unless it has a `Connection` of its own.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let pools = hostpool::PoolManager::builder().force_close(true).build()?;
    /// pools.get(&url).send()?.bytes()?;
    /// assert_eq!(pools.stats().idle, 0);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "forbid_reuse")]
    pub fn force_close(self, close: bool) -> Self {
        self.connecting(clash!("force_close"), |options| options.force_close = close)
    }

    /// Sets a dialer that opens connections in place of the crate's own.
    ///
    /// It does TLS by itself: `build` fails if [`tls`](Self::tls) is set too. A [`TlsDialer`](crate::TlsDialer) around
    /// it adds TLS for `https`.
    ///
    /// ```
    /// use hostpool::{Session, dialer_fn};
    /// use std::net::TcpStream;
    ///
    /// // Whatever the URL says, connect to a server of this machine.
    /// let dialer = dialer_fn(|_, _| Ok(Box::new(TcpStream::connect("127.0.0.1:8080")?)));
    /// let session = Session::builder().dialer(dialer).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "Resolver")]
    #[doc(alias = "Connector")]
    #[doc(alias = "ConnectionCls")]
    pub fn dialer(self, dialer: impl Dialer + 'static) -> Self {
        self.connecting(clash!("dialer"), |options| options.dialer = Some(shared_dialer(dialer)))
    }

    /// Sets a listener that receives the events of the connections and requests: see [`Listener`].
    #[doc(alias = "trace_configs")]
    pub fn listener(self, listener: impl Listener + 'static) -> Self {
        self.connecting(clash!("listener"), |options| options.observer = Observer::new(listener))
    }

    /// Sets whether a call fails at once with [`ErrorKind::WouldDeadlock`](crate::ErrorKind::WouldDeadlock) if it would
    /// wait without a bound for connections that its own thread holds, by responses that are not read to their end.
    /// With `false` it never fails so. By default it fails after 5 seconds in which no other thread has read from one
    /// of these connections or released one.
    ///
    /// The calling thread has to hold all connections that the call waits for: those of the host, or of the whole pool
    /// at the total limit. A connection is held by the thread that sent the request, and later by the thread that reads
    /// from the response. So a thread can send requests and give the responses to other threads. Set `false` if these
    /// begin to read more than 5 seconds later, and do not set `true` there.
    ///
    /// A call with a [`pool_timeout`](Self::pool_timeout) or a total timeout waits until that ends. A wait without a
    /// bound for connections of the caller's own thread is always logged as a warning and reported to a [`Listener`].
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ErrorKind, PoolManager};
    ///
    /// let pools = PoolManager::builder().limit(1).refuse_self_deadlock(true).build()?;
    /// let unread = pools.get(&url).send()?;
    /// let error = pools.get(&url).send().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::WouldDeadlock { .. }));
    ///
    /// assert_eq!(unread.text()?, "hello");
    /// assert_eq!(pools.get(&url).send()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "deadlock")]
    pub fn refuse_self_deadlock(self, refuse: bool) -> Self {
        self.connecting(clash!("refuse_self_deadlock"), |options| {
            options.own_wait = refuse.then_some(Duration::ZERO);
        })
    }

    /// Starts a thread that closes idle connections that have expired or that their servers have closed. It checks them
    /// this often, but not more often than every 100 ms. By default no thread is started, and such connections are
    /// closed when the pool is used.
    ///
    /// One thread serves everything that this builder builds. It runs while a connection is open, and ends with the
    /// pool.
    pub fn reaper(self, every: Duration) -> Self {
        self.connecting(clash!("reaper"), |options| options.reap_every = Some(every.max(REAPER_FLOOR)))
    }

    /// Sets whether each request checks that this is the process that made the client. Off by default; on costs one
    /// system call a request. A request in a child of `fork` then fails with
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) before it touches a connection of its parent.
    ///
    /// Make clients after the fork. This is for programs that cannot be sure, such as a library in a server that forks.
    ///
    /// ```
    /// let session = hostpool::Session::builder().fork_guard(true).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn fork_guard(self, guard: bool) -> Self {
        self.connecting(clash!("fork_guard"), |options| options.fork_guard = guard)
    }

    /// Sets how many threads at most send the requests that are [submitted](crate::Session::submit) or sent as a
    /// [batch](crate::Session::batch): 16 by default. A thread starts when a request waits for one, and ends after 10
    /// seconds without a request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for 0.
    ///
    /// ```
    /// let session = hostpool::Session::builder().workers(64).limit(64).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "max_workers")]
    #[doc(alias = "concurrency")]
    pub fn workers(self, threads: usize) -> Self {
        self.connecting(clash!("workers"), |options| options.workers = threads)
    }

    /// Sets the proxy that requests go through: a [`Proxy`](crate::Proxy), or its URL. A request may have
    /// [another](crate::RequestBuilder::proxy) or [none](crate::RequestBuilder::no_proxy). Each redirect is sent through the
    /// same proxy. A Unix socket is reached without it.
    ///
    /// A session with a [`connector`](Self::connector) may have a proxy, too; it comes before that of the connector. A
    /// [`dialer`](Self::dialer) opens connections by itself, and no proxy can be given beside it.
    ///
    /// ```
    /// use hostpool::{PoolManager, Proxy, Session};
    ///
    /// let session = Session::builder().proxy("http://user:secret@proxy.example:3128").build()?;
    /// let pools = PoolManager::builder().proxy(Proxy::parse("https://proxy.example")?.header("X-Team", "7")?).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxies")]
    pub fn proxy<P: TryInto<Proxy>>(self, proxy: P) -> Self
    where
        Error: From<P::Error>,
    {
        self.try_set(|builder| {
            let proxy = proxy.try_into()?;
            proxy.check()?;
            builder.policy.proxy = Some(Setting::One(proxy));
            builder.options.proxy = builder.policy.proxy.clone();
            Ok(())
        })
    }

    /// Sends requests without a proxy, also those of a session whose connector has one. A request may have a
    /// [proxy](crate::RequestBuilder::proxy) all the same. This is the default, unless something else sets a proxy.
    ///
    /// ```
    /// let session = hostpool::Session::builder().no_proxy().build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "noproxy")]
    pub fn no_proxy(mut self) -> Self {
        self.policy.proxy = Some(Setting::Direct);
        self.options.proxy = self.policy.proxy.clone();
        self
    }

    /// Changes a setting of the connections. A session that has a connector, too, fails with this text.
    pub(crate) fn connecting(mut self, clash: &'static str, set: impl FnOnce(&mut PoolOptions)) -> Self {
        self.options.clash.get_or_insert(clash);
        set(&mut self.options);
        self
    }
}

/// # Many hosts
impl<C: ManyHosts> ClientBuilder<C> {
    /// Sets how many pools are kept: 10 by default, and any number for a [`Session`](crate::Session). There is one for
    /// each host and way of connecting. If there are more, the least recently used pool is evicted: its idle
    /// connections are closed now, and its connections in use when they are released. Until then these count towards
    /// the limit of their host. `None` evicts no pool.
    pub fn num_pools(self, pools: impl Into<Option<usize>>) -> Self {
        self.connecting(clash!("num_pools"), |options| options.num_pools = pools.into())
    }

    /// Sets how many connections may be open in total. Unbounded by default. At the limit, the connection that has been
    /// idle for longest is closed, so that a caller waits only if all connections are in use.
    pub fn total_limit(self, connections: impl Into<Option<usize>>) -> Self {
        self.connecting(clash!("total_limit"), |options| options.total_limit = connections.into())
    }
}
