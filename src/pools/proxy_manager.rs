//! The pools of connections to all hosts through one proxy.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{ClientBuilder, ManyHosts, PoolManager, sealed};
use crate::client::Engine;
use crate::client::has_pools::Pools;
use crate::error::{Error, Result};
use crate::proxy::{Proxy, Setting};

/// A [`PoolManager`] whose requests go through a proxy, as urllib3's `ProxyManager`. It has all methods of a
/// `PoolManager`.
///
/// `http` URLs are forwarded by the proxy, and share its connections: they are one pool, whatever their hosts are. Each
/// host of an `https` URL is reached through tunnels of its own, and has a pool of its own. A request may have
/// [another proxy](crate::RequestBuilder::proxy) or [none](crate::RequestBuilder::no_proxy).
///
/// | urllib3 | here |
/// |---|---|
/// | `proxy_url` | [`new`](Self::new), [`builder`](Self::builder) |
/// | `proxy_headers` | [`Proxy::header`], and [`Proxy::auth`] for credentials |
/// | `proxy_ssl_context`, `proxy_assert_hostname`, `proxy_assert_fingerprint` | [`Proxy::tls`] |
/// | `use_forwarding_for_https` | [`Proxy::forward_https`] |
/// | `SOCKSProxyManager(proxy_url, username, password)` | the URL of a SOCKS proxy, and [`Proxy::auth`] |
///
/// ```no_run
/// use hostpool::{Proxy, ProxyManager};
///
/// let http = ProxyManager::new("http://user:secret@proxy.example:3128")?;
/// println!("{}", http.get("https://www.example.com/").send()?.status());
///
/// let tor = ProxyManager::new("socks5h://127.0.0.1:9050")?;
///
/// let proxy = Proxy::parse("https://proxy.example")?.header("X-Team", "7")?;
/// let http = ProxyManager::builder(proxy).limit(8).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "SOCKSProxyManager")]
#[derive(Clone)]
pub struct ProxyManager {
    pools: PoolManager,
    proxy: Proxy,
}

impl ProxyManager {
    /// Returns a manager with the defaults of a [`PoolManager`], for a [`Proxy`] or its URL.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::parse`].
    pub fn new<P: TryInto<Proxy>>(proxy: P) -> Result<ProxyManager>
    where
        Error: From<P::Error>,
    {
        ProxyManager::builder(proxy).build()
    }

    /// Returns a builder for a manager that differs from the defaults. A URL that is not that of a proxy is an error of
    /// [`build`](ClientBuilder::build).
    ///
    /// ```
    /// use hostpool::ProxyManager;
    ///
    /// let http = ProxyManager::builder("http://proxy.example:3128").maxsize(4).build()?;
    /// assert!(ProxyManager::builder("proxy.example:3128").build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn builder<P: TryInto<Proxy>>(proxy: P) -> ProxyManagerBuilder
    where
        Error: From<P::Error>,
    {
        let ClientBuilder { options, policy, .. } = PoolManager::builder();
        ClientBuilder::new(options, policy, ()).proxy(proxy)
    }

    /// Returns the proxy.
    ///
    /// ```
    /// use hostpool::ProxyManager;
    ///
    /// let http = ProxyManager::new("http://user:secret@proxy.example")?;
    /// assert_eq!(http.proxy().to_string(), "http://proxy.example");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxy_url")]
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }
}

/// Returns a manager whose requests go through the proxy at this URL: [`ProxyManager::new`].
///
/// # Errors
///
/// Those of [`Proxy::parse`].
///
/// ```
/// let http = hostpool::proxy_from_url("http://proxy.example:3128")?;
/// assert_eq!(http.proxy().origin().port(), Some(3128));
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn proxy_from_url(url: &str) -> Result<ProxyManager> {
    ProxyManager::new(url)
}

/// Builds a [`ProxyManager`]. It has the methods and defaults of a [`PoolManagerBuilder`](crate::PoolManagerBuilder).
pub type ProxyManagerBuilder = ClientBuilder<ProxyManager>;

impl ManyHosts for ProxyManager {}

impl sealed::Client for ProxyManager {
    type Own = ();
    const REPLACES_HEADERS: bool = true;

    fn build(builder: ProxyManagerBuilder) -> Result<ProxyManager> {
        let ClientBuilder { options, policy, .. } = builder;
        let Some(Setting::One(proxy)) = policy.proxy.clone() else {
            return Err(Error::config("a ProxyManager needs a proxy; without one it is a PoolManager"));
        };
        Ok(ProxyManager { pools: sealed::Client::build(ClientBuilder::new(options, policy, ()))?, proxy })
    }
}

impl Deref for ProxyManager {
    type Target = PoolManager;

    fn deref(&self) -> &PoolManager {
        &self.pools
    }
}

impl From<ProxyManager> for PoolManager {
    fn from(manager: ProxyManager) -> PoolManager {
        manager.pools
    }
}

impl From<&ProxyManager> for PoolManager {
    fn from(manager: &ProxyManager) -> PoolManager {
        manager.pools.clone()
    }
}

#[allow(private_interfaces, reason = "the trait cannot be named outside")]
impl Pools for ProxyManager {
    fn engine(&self) -> &Arc<Engine> {
        self.pools.engine()
    }
}

impl fmt::Debug for ProxyManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyManager({:?}, {:?})", self.proxy, self.pools)
    }
}
