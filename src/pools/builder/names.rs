//! Settings of the way to a host: how its name is looked up, and how its addresses are tried.

use std::net::SocketAddr;
use std::time::Duration;

use super::{ClientBuilder, sealed};
use crate::net::names::{Family, IntoAddresses, Resolver, shared_resolver};
use crate::net::tcp::{TcpConfig, checked_stagger};
use crate::pools::options::Reaching;

/// The errors of a client that has this setting in vain.
macro_rules! reaching {
    ($setting:literal) => {
        Reaching {
            clash: concat!(
                "the session has a connector and its own ",
                $setting,
                ": give ",
                $setting,
                " to the connector"
            ),
            dialer: concat!(
                "a dialer opens its own connections, so ",
                $setting,
                " has no effect: give it to the dialer"
            ),
            socket: concat!("a Unix socket has no address to look up, so ", $setting, " has no effect"),
        }
    };
}

/// # Names and addresses
///
/// These settings are for connections over TCP that the client opens itself. A Unix socket has no address to look up, so
/// `build` fails if a [`unix_socket`](Self::unix_socket) is set, too. A [`dialer`](Self::dialer) opens its own
/// connections, so `build` fails with one as well; [`TcpDialer`](crate::TcpDialer) has setters for them. For a request through a proxy they find the proxy.
impl<C: sealed::Client> ClientBuilder<C> {
    /// Sets what looks up names. The default is [`SystemResolver`](crate::SystemResolver), the system's. Clones of one
    /// `Arc<dyn Resolver>` are the same resolver.
    ///
    /// ```
    /// use hostpool::{PoolManager, Resolver, SystemResolver, resolver_fn};
    ///
    /// // Addresses of IPv4 come first.
    /// let resolver = resolver_fn(|lookup| {
    ///     let mut addresses = SystemResolver.resolve(lookup)?;
    ///     addresses.sort_by_key(|address| address.is_ipv6());
    ///     Ok(addresses)
    /// });
    /// let pools = PoolManager::builder().resolver(resolver).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "dns_resolver")]
    #[doc(alias = "AsyncResolver")]
    #[doc(alias = "ThreadedResolver")]
    pub fn resolver(self, resolver: impl Resolver + 'static) -> Self {
        self.reaching(reaching!("resolver"), |tcp| tcp.names.resolver = Some(shared_resolver(resolver)))
    }

    /// Sets the family of addresses that are connected to. By default both are, in turn, beginning with the one that the
    /// resolver names first. A host without an address of the family fails with
    /// [`ErrorKind::Resolve`](crate::ErrorKind::Resolve), also if its URL has an IP address of the other one.
    ///
    /// ```
    /// use hostpool::{ErrorKind, Family, PoolManager};
    ///
    /// let pools = PoolManager::builder().family(Family::V4).build()?;
    /// let error = pools.get("http://[::1]/").retries(0).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Resolve);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "ip_family")]
    #[doc(alias = "allowed_gai_family")]
    #[doc(alias = "force_v4")]
    pub fn family(self, family: Family) -> Self {
        self.reaching(reaching!("family"), |tcp| tcp.names.family = family)
    }

    /// Sets the addresses of a host, which is then not looked up. The URL, the Host field, cookies and the name in the
    /// server's certificate stay as they are. A second call for the same host replaces the addresses.
    ///
    /// The addresses are tried as those that a resolver gives. One without a port, or with port 0, is used with the port
    /// of the URL; another port takes the place of the URL's.
    /// [`RequestBuilder::resolve_to`](crate::RequestBuilder::resolve_to) is for one request.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if `host` is not a name or an IP
    /// address alone.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let server: std::net::SocketAddr = hostpool::Url::parse(&url)?.netloc().parse().unwrap();
    /// use hostpool::Session;
    /// use std::net::Ipv4Addr;
    ///
    /// let session = Session::builder()
    ///     .resolve_to("api.example", server)
    ///     .resolve_to("www.example", [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)])
    ///     .build()?;
    /// assert_eq!(session.get("http://api.example/").send()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "resolve")]
    #[doc(alias = "resolve_to_addrs")]
    #[doc(alias = "connect_to")]
    pub fn resolve_to(self, host: &str, addresses: impl IntoAddresses) -> Self {
        let mut result = Ok(());
        let set = self.reaching(reaching!("resolve_to"), |tcp| result = tcp.names.overrides.set(host, addresses));
        set.try_set(|_| result)
    }

    /// Adds a function that must return true for each address before it is connected to. If several are added, all must
    /// allow the address.
    ///
    /// It is asked for the exact address and port, in every hop and every retry, wherever the address comes from: a
    /// lookup, [`resolve_to`](Self::resolve_to), or a URL that has an IP address as its host. No second lookup follows.
    /// So a name that leads to another address the second time (DNS rebinding) gets no further. It is not asked for
    /// connections that are open already; these belong to clients with the same filter. Behind a
    /// [proxy](Self::proxy) the function is asked for the address of the proxy, and for that of a URL whose host is an IP
    /// address. Names are looked up by the proxy, whose own rules decide then;
    /// [`refuse_remote_names`](Self::refuse_remote_names) refuses them outright.
    ///
    /// If no address is left, the request fails with [`ErrorKind::AddressRefused`](crate::ErrorKind::AddressRefused), and
    /// a [`Retry`](crate::Retry) does not try it again. [`is_public_address`](crate::is_public_address) is such a
    /// function, for URLs that come from strangers.
    ///
    /// ```
    /// use hostpool::{ErrorKind, PoolManager};
    ///
    /// let pools = PoolManager::builder().address_filter(|address| !address.ip().is_loopback()).build()?;
    /// let error = pools.get("http://127.0.0.1:8080/").send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::AddressRefused);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "ssrf")]
    #[doc(alias = "ip_filter")]
    pub fn address_filter(self, allows: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        self.reaching(reaching!("address_filter"), |tcp| tcp.names.filters.add(allows))
    }

    /// Sets whether a request through a proxy is refused if its URL names a host that the proxy would look up: the
    /// [`address_filter`](Self::address_filter) cannot be asked for an address that is not known here. Default: no. Then
    /// only URLs with IP addresses pass, and those that go without a proxy or through `socks4` or `socks5`.
    ///
    /// A refused request fails with [`ErrorKind::AddressRefused`](crate::ErrorKind::AddressRefused), before anything is
    /// connected to.
    ///
    /// ```
    /// use hostpool::{ErrorKind, Session};
    ///
    /// let session = Session::builder()
    ///     .proxy("http://proxy.example:3128")
    ///     .address_filter(hostpool::is_public_address)
    ///     .refuse_remote_names(true)
    ///     .build()?;
    /// let error = session.get("http://internal.example/").send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::AddressRefused);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "ssrf")]
    pub fn refuse_remote_names(self, refuse: bool) -> Self {
        self.reaching(reaching!("refuse_remote_names"), |tcp| tcp.names.refuses_remote = refuse)
    }

    /// Sets how long an address has no answer before the next one is tried, too: 250 milliseconds by default, as RFC
    /// 8305 recommends. A failure begins the next attempt at once. The first connection wins, and the others are closed
    /// before it is used. At most 4 attempts go on at a time, and none is given up before one wins: a distant host may
    /// take longer than this time.
    ///
    /// `None` tries one address after the other, each until it fails or has used its share of the time. So does a
    /// [`source_address`](Self::source_address) with a port, because only one socket can have that.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for less than 10 milliseconds or
    /// more than 2 seconds.
    ///
    /// ```
    /// use hostpool::Session;
    /// use std::time::Duration;
    ///
    /// let session = Session::builder().connect_stagger(Duration::from_millis(100)).build()?;
    /// assert!(Session::builder().connect_stagger(Duration::from_millis(1)).build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "happy_eyeballs_delay")]
    #[doc(alias = "happy_eyeballs")]
    pub fn connect_stagger(self, stagger: impl Into<Option<Duration>>) -> Self {
        let mut result = Ok(());
        let set = self.reaching(reaching!("connect_stagger"), |tcp| {
            result = checked_stagger(stagger.into()).map(|stagger| tcp.stagger = stagger);
        });
        set.try_set(|_| result)
    }

    /// Sets whether the results of name lookups are kept for some time, and used for further connections. Off by
    /// default: the system may have a cache of its own. With a cache a client notices later that a host has moved.
    ///
    /// A result is kept for [`dns_cache_ttl`](Self::dns_cache_ttl), however often it is used. That there is no such name
    /// is kept for a second at most, and other failures are not kept. The cache keeps 1,000 names, and drops the oldest
    /// for a new one. It belongs to this client and its clones.
    ///
    /// ```
    /// use hostpool::PoolManager;
    ///
    /// let pools = PoolManager::builder().use_dns_cache(true).build()?;
    /// assert!(pools.cached_hosts().is_empty());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "dns_cache")]
    #[doc(alias = "resolve")]
    pub fn use_dns_cache(self, keep: bool) -> Self {
        let set = self.reaching(reaching!("use_dns_cache"), |_| {});
        set.with_options(|options| options.use_dns_cache = Some(keep))
    }

    /// Sets how long the results of name lookups are kept: 10 seconds by default. `None` keeps them until they are
    /// cleared. Turns the cache on, unless [`use_dns_cache`](Self::use_dns_cache) turns it off.
    ///
    /// ```
    /// use hostpool::PoolManager;
    /// use std::time::Duration;
    ///
    /// let pools = PoolManager::builder().dns_cache_ttl(Duration::from_secs(60)).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "ttl_dns_cache")]
    pub fn dns_cache_ttl(self, life: impl Into<Option<Duration>>) -> Self {
        let set = self.reaching(reaching!("dns_cache_ttl"), |_| {});
        set.with_options(|options| options.dns_cache_ttl = Some(life.into()))
    }

    /// Changes a setting of the way to a host.
    fn reaching(mut self, errors: Reaching, set: impl FnOnce(&mut TcpConfig)) -> Self {
        self.options.clash.get_or_insert(errors.clash);
        self.options.reaching.get_or_insert(errors);
        set(&mut self.options.tcp);
        self
    }

    fn with_options(mut self, set: impl FnOnce(&mut crate::pools::PoolOptions)) -> Self {
        set(&mut self.options);
        self
    }
}
