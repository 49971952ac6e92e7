//! The connector for an HTTP proxy.

use std::fmt;

use super::{ConnectorSettings, connector, settings};
use crate::auth::BasicAuth;
use crate::client::Policy;
use crate::error::{Error, Result};
use crate::pools::{ClientBuilder, PoolManager, PoolOptions, sealed};
use crate::proxy::{Proxy, Setting};

/// Connections through a proxy for any number of sessions, as aiohttp's `ProxyConnector`.
///
/// It is a [`TcpConnector`](crate::TcpConnector) with a proxy of any kind, and with
/// [`force_close`](ClientBuilder::force_close) on by default, as aiohttp documents: each request has a connection of its
/// own. A [`ProxyManager`](crate::ProxyManager), and a session with a [`proxy`](ClientBuilder::proxy), keep connections.
///
/// ```
/// use hostpool::{BasicAuth, ProxyConnector, Session};
///
/// let auth = BasicAuth::new("Aladdin", "open sesame");
/// let connector = ProxyConnector::builder("http://proxy.example:3128").proxy_auth(auth).build()?;
/// assert!(connector.force_close());
/// let session = Session::builder().connector(connector).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone)]
pub struct ProxyConnector {
    pools: PoolManager,
    proxy: Proxy,
}

connector!(ProxyConnector);

impl ProxyConnector {
    /// Returns a connector with the defaults, for a [`Proxy`] or its URL.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::parse`].
    ///
    /// ```
    /// use hostpool::{ProxyConnector, Session};
    ///
    /// let connector = ProxyConnector::new("http://user:secret@proxy.example:3128")?;
    /// let session = Session::builder().connector(connector).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn new<P: TryInto<Proxy>>(proxy: P) -> Result<ProxyConnector>
    where
        Error: From<P::Error>,
    {
        ProxyConnector::builder(proxy).build()
    }

    /// Returns a builder for a connector that differs from the defaults. `build` fails as [`new`](Self::new) does.
    pub fn builder<P: TryInto<Proxy>>(proxy: P) -> ProxyConnectorBuilder
    where
        Error: From<P::Error>,
    {
        let options = PoolOptions { force_close: true, ..settings::defaults() };
        ClientBuilder::new(options, Policy::default(), ConnectorSettings::default()).proxy(proxy)
    }

    /// Returns the proxy. Its `Display` is the URL without credentials.
    ///
    /// ```
    /// use hostpool::ProxyConnector;
    ///
    /// let connector = ProxyConnector::new("http://user:secret@proxy.example:3128")?;
    /// assert_eq!(connector.proxy().to_string(), "http://proxy.example:3128");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Returns the Basic credentials for the proxy, if it has such: those of
    /// [`proxy_auth`](ClientBuilder::proxy_auth), or of its URL.
    ///
    /// ```
    /// use hostpool::ProxyConnector;
    ///
    /// let connector = ProxyConnector::new("http://user:secret@proxy.example:3128")?;
    /// assert_eq!(connector.proxy_auth().unwrap().login(), "user");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn proxy_auth(&self) -> Option<&BasicAuth> {
        self.proxy.basic_auth()
    }
}

/// Builds a [`ProxyConnector`].
///
/// | aiohttp | here |
/// |---|---|
/// | `proxy` | [`ProxyConnector::builder`] |
/// | `proxy_auth` | [`proxy_auth`](ClientBuilder::proxy_auth), and [`Proxy::auth`] for other schemes |
/// | `force_close` | [`force_close`](ClientBuilder::force_close), here on by default |
/// | the others | as of a [`TcpConnectorBuilder`](crate::TcpConnectorBuilder) |
///
/// ```
/// use hostpool::ProxyConnector;
///
/// let connector = ProxyConnector::builder("http://proxy.example:3128").limit(8).force_close(false).build()?;
/// assert_eq!(connector.limit(), Some(8));
/// # Ok::<(), hostpool::Error>(())
/// ```
pub type ProxyConnectorBuilder = ClientBuilder<ProxyConnector>;

/// # Connectors with a proxy
impl ClientBuilder<ProxyConnector> {
    /// Sets the credentials for the proxy, in place of those of its URL. [`Proxy::auth`] takes other schemes, too.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a login that Basic
    /// credentials cannot carry: one with a colon.
    ///
    /// ```
    /// use hostpool::{BasicAuth, ProxyConnector};
    ///
    /// let builder = || ProxyConnector::builder("http://proxy.example:3128");
    /// let connector = builder().proxy_auth(BasicAuth::new("user", "secret")).build()?;
    /// assert_eq!(connector.proxy_auth(), Some(&BasicAuth::new("user", "secret")));
    /// assert!(builder().proxy_auth(BasicAuth::new("a:b", "secret")).build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn proxy_auth(self, auth: BasicAuth) -> Self {
        self.try_set(|builder| {
            if let Some(Setting::One(proxy)) = builder.policy.proxy.take() {
                let proxy = proxy.auth(auth);
                proxy.check()?;
                builder.policy.proxy = Some(Setting::One(proxy));
                builder.options.proxy = builder.policy.proxy.clone();
            }
            Ok(())
        })
    }
}

impl sealed::Client for ProxyConnector {
    type Own = ConnectorSettings;
    const REPLACES_HEADERS: bool = true;

    fn build(builder: ProxyConnectorBuilder) -> Result<ProxyConnector> {
        let Some(Setting::One(proxy)) = builder.policy.proxy.clone() else {
            return Err(Error::config("a ProxyConnector needs a proxy; without one it is a TcpConnector"));
        };
        settings::pools(builder).map(|pools| ProxyConnector { pools, proxy })
    }
}

impl fmt::Debug for ProxyConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyConnector({:?}, {:?})", self.proxy, self.pools)
    }
}
