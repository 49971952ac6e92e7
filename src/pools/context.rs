//! The host of a pool of a manager, and its settings in place of the manager's.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::connection_pool::login_of;
use crate::auth::Auth;
use crate::client::sealed::Sealed;
use crate::client::{IntoUrl, Policy};
use crate::dial::{Dialer, shared_dialer};
use crate::error::{Error, Result};
use crate::headers::{Headers, IntoHeaders, InvalidHeader};
use crate::net::names::{Family, Filters, IntoAddresses, Resolver, shared_resolver};
use crate::net::options::{self, OwnedSocket, SocketFactory, SocketOption, SourceAddress};
use crate::net::tcp::TcpConfig;
use crate::pool::key::ConnectionConfig;
use crate::retry::Retry;
use crate::time::Timeout;
use crate::tls::TlsConfig;
use crate::urls::{Origin, Origins, Url};

/// A host, and settings for its pool in place of the manager's.
///
/// A setting that changes connections makes a separate pool: a TLS configuration (for `https`), a dialer, socket
/// options, a function that makes sockets. A setting that only changes requests does not: timeouts, retries, headers. The limits are those of the
/// manager, and hold for all pools of a host together.
///
/// ```
/// use hostpool::{PoolContext, PoolManager, Timeout};
/// use std::time::Duration;
///
/// let http = PoolManager::new();
/// let patient = PoolContext::new("http://slow.example")?.timeout(Timeout::from(Duration::from_secs(300)));
/// let pool = http.connection_from_context(patient)?;
/// // Both use the same connections.
/// assert!(pool == http.connection_from_url("http://slow.example")?);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "pool_kwargs")]
#[doc(alias = "PoolKey")]
#[derive(Clone)]
#[must_use = "a context does nothing until it is given to a manager"]
pub struct PoolContext {
    origin: Arc<Origin>,
    auth: Option<Auth>,
    tls: Option<TlsConfig>,
    dialer: Option<Arc<dyn Dialer>>,
    source_address: Option<SourceAddress>,
    socket_options: Option<Vec<SocketOption>>,
    socket_factory: Option<SocketFactory>,
    resolver: Option<Arc<dyn Resolver>>,
    family: Option<Family>,
    /// The addresses of the host, which is not looked up.
    addresses: Option<Arc<[SocketAddr]>>,
    filters: Filters,
    timeout: Option<Timeout>,
    retry: Option<Retry>,
    headers: Option<Result<Headers, InvalidHeader>>,
}

// Nothing here changes once it is set.
impl UnwindSafe for PoolContext {}
impl RefUnwindSafe for PoolContext {}

impl PoolContext {
    /// Returns a context for the host of `url`. Only the scheme, host, port and login of the URL are used: see
    /// [`ConnectionPool::builder`](crate::ConnectionPool::builder).
    pub fn new(url: impl IntoUrl) -> Result<PoolContext> {
        Ok(PoolContext::of(&Sealed::into_url(url, &Origins::default(), None)?))
    }

    pub(super) fn of(url: &Url) -> PoolContext {
        let origin = url.shared_origin().clone();
        PoolContext {
            origin,
            auth: login_of(url),
            tls: None,
            dialer: None,
            source_address: None,
            socket_options: None,
            socket_factory: None,
            resolver: None,
            family: None,
            addresses: None,
            filters: Filters::new(),
            timeout: None,
            retry: None,
            headers: None,
        }
    }

    /// Sets the TLS configuration. A pool whose dialer does TLS by itself, the context's or the manager's, refuses it.
    pub fn tls(self, tls: TlsConfig) -> PoolContext {
        PoolContext { tls: Some(tls), ..self }
    }

    /// Sets the dialer that opens connections. Two contexts with clones of one `Arc<dyn Dialer>` share a pool, and so do
    /// clones of one context. Any other two dialers make two pools. A manager with a proxy refuses it, because a dialer
    /// knows of no proxy.
    pub fn dialer(self, dialer: impl Dialer + 'static) -> PoolContext {
        PoolContext { dialer: Some(shared_dialer(dialer)), ..self }
    }

    /// Sets the local address of connections: see
    /// [`PoolManagerBuilder::source_address`](crate::PoolManagerBuilder::source_address).
    pub fn source_address(self, address: impl Into<SourceAddress>) -> PoolContext {
        PoolContext { source_address: Some(address.into()), ..self }
    }

    /// Sets the options of sockets, in place of the manager's: see
    /// [`PoolManagerBuilder::socket_options`](crate::PoolManagerBuilder::socket_options).
    pub fn socket_options(self, options: impl IntoIterator<Item = SocketOption>) -> PoolContext {
        PoolContext { socket_options: Some(options.into_iter().collect()), ..self }
    }

    /// Sets a function that makes the sockets, in place of the manager's: see
    /// [`ClientBuilder::socket_factory`](crate::ClientBuilder::socket_factory). Clones of one context share a pool. Any
    /// other two functions make two pools.
    pub fn socket_factory<S: Into<OwnedSocket>>(
        self,
        factory: impl Fn(&SocketAddr) -> io::Result<S> + Send + Sync + 'static,
    ) -> PoolContext {
        PoolContext { socket_factory: Some(SocketFactory::new(factory)), ..self }
    }

    /// Sets what looks up names, in place of the manager's: see
    /// [`PoolManagerBuilder::resolver`](crate::PoolManagerBuilder::resolver).
    pub fn resolver(self, resolver: impl Resolver + 'static) -> PoolContext {
        PoolContext { resolver: Some(shared_resolver(resolver)), ..self }
    }

    /// Sets the family of addresses that are connected to, in place of the manager's: see
    /// [`PoolManagerBuilder::family`](crate::PoolManagerBuilder::family).
    pub fn family(self, family: Family) -> PoolContext {
        PoolContext { family: Some(family), ..self }
    }

    /// Sets the addresses of the host, which is then not looked up: see
    /// [`PoolManagerBuilder::resolve_to`](crate::PoolManagerBuilder::resolve_to).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let server: std::net::SocketAddr = hostpool::Url::parse(&url)?.netloc().parse().unwrap();
    /// use hostpool::{PoolContext, PoolManager};
    ///
    /// let context = PoolContext::new("http://new.example")?.resolve_to(server);
    /// let pool = PoolManager::new().connection_from_context(context)?;
    /// assert_eq!(pool.get("/").send()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn resolve_to(self, addresses: impl IntoAddresses) -> PoolContext {
        let mut list = Vec::new();
        addresses.add_to(&mut list);
        PoolContext { addresses: Some(list.into()), ..self }
    }

    /// Adds a function that must allow each address before it is connected to, beside those of the manager: see
    /// [`PoolManagerBuilder::address_filter`](crate::PoolManagerBuilder::address_filter).
    pub fn address_filter(mut self, allows: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) -> PoolContext {
        self.filters.add(allows);
        self
    }

    /// Sets the timeouts of requests that have none of their own.
    pub fn timeout(self, timeout: impl Into<Timeout>) -> PoolContext {
        PoolContext { timeout: Some(timeout.into()), ..self }
    }

    /// Sets which failures are retried by requests without a `Retry` of their own.
    pub fn retries(self, retry: impl Into<Retry>) -> PoolContext {
        PoolContext { retry: Some(retry.into()), ..self }
    }

    /// Sets headers for every request that has no headers of its own. The manager's
    /// [`headers`](crate::ClientBuilder::headers) are not sent then. A header that cannot be sent is an error of
    /// [`connection_from_context`](crate::PoolManager::connection_from_context).
    pub fn headers(self, headers: impl IntoHeaders) -> PoolContext {
        PoolContext { headers: Some(Headers::from_pairs(headers)), ..self }
    }

    /// Returns the origin, and the manager's connection settings and policy with those of this context in their place.
    pub(super) fn merge(
        self,
        connection: &Arc<ConnectionConfig>,
        policy: &Policy,
    ) -> Result<(Arc<Origin>, Arc<ConnectionConfig>, Policy)> {
        let PoolContext { origin, auth, tls, dialer, source_address, socket_options, socket_factory, .. } = self;
        let PoolContext { resolver, family, addresses, filters, timeout, retry, headers, .. } = self;
        let mut config = ConnectionConfig::clone(connection);
        config.dialer = dialer.or(config.dialer);
        if config.dialer.is_some() && tls.is_some() {
            return Err(Error::config(
                "a dialer does TLS by itself; give the TLS configuration to a TlsDialer around it",
            ));
        }
        config.tls = tls.unwrap_or(config.tls);
        let has_sockets = source_address.is_some() || socket_options.is_some() || socket_factory.is_some();
        let has_names = resolver.is_some() || family.is_some() || addresses.is_some() || !filters.is_empty();
        if config.dialer.is_some() && (has_sockets || has_names) {
            return Err(Error::config("a dialer opens its own sockets; give it their options"));
        }
        if config.socket.is_some() && (has_sockets || has_names) {
            return Err(Error::config("a Unix socket has no address to look up, and no options of TCP"));
        }
        options::check(socket_options.as_deref().unwrap_or_default())?;
        let TcpConfig { sockets, names, .. } = &mut config.tcp;
        sockets.source = source_address.or(sockets.source);
        sockets.factory = socket_factory.or(sockets.factory.take());
        if let Some(options) = socket_options {
            sockets.options = options.into();
        }
        names.resolver = resolver.or(names.resolver.take());
        names.family = family.unwrap_or(names.family);
        if let Some(addresses) = addresses {
            names.overrides.put(origin.host(), &addresses);
        }
        names.filters.extend(filters);
        let mut policy = policy.clone();
        policy.timeout = timeout.unwrap_or(policy.timeout);
        policy.head.block = headers.unwrap_or(Ok(policy.head.block))?;
        policy.retry = retry.or(policy.retry);
        // A login in the URL is for this pool alone, and comes before that of the manager.
        policy.identity.auth = auth.or(policy.identity.auth);
        policy.check()?;
        Ok((origin, Arc::new(config), policy))
    }
}

impl fmt::Debug for PoolContext {
    /// Hides the values of headers: only the manager may know which of them are sensitive.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PoolContext { origin, auth, dialer, source_address, socket_options, socket_factory, .. } = self;
        let PoolContext { resolver, family, addresses, filters, timeout, retry, headers, .. } = self;
        let names = headers.iter().flatten().flat_map(Headers::iter).map(|field| field.name()).collect::<Vec<_>>();
        f.debug_struct("PoolContext")
            .field("origin", origin)
            .field("auth", auth)
            .field("dialer", dialer)
            .field("source_address", source_address)
            .field("socket_options", socket_options)
            .field("socket_factory", socket_factory)
            .field("resolver", resolver)
            .field("family", family)
            .field("resolve_to", addresses)
            .field("address_filter", filters)
            .field("timeout", timeout)
            .field("retries", retry)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}
