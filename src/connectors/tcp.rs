//! The connector for TCP and TLS.

use std::fmt;

use super::{ConnectorSettings, connector, settings};
use crate::client::Policy;
use crate::error::Result;
use crate::net::names::Family;
use crate::net::options::SourceAddress;
use crate::pools::{ClientBuilder, PoolManager, dns_cache, sealed};

/// Connections over TCP and TLS for any number of sessions, as aiohttp's `TCPConnector`.
///
/// It is a [`PoolManager`] with the defaults of a session's own pools, and with the options and attributes that aiohttp
/// documents. Clones are the same connector. A [`Session`](crate::Session) that is built with it closes it as it is
/// closed, unless the session is [detached](crate::Session::detach) first.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::{Session, TcpConnector};
/// use std::time::Duration;
///
/// let connector = TcpConnector::builder().limit(8).conn_timeout(Duration::from_secs(5)).build()?;
/// let session = Session::builder().connector(&connector).build()?;
/// assert_eq!(session.get(&url).send()?.text()?, "hello");
/// assert_eq!(connector.limit(), Some(8));
/// session.close();
/// assert!(connector.is_closed());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "TCPConnector")]
#[doc(alias = "BaseConnector")]
#[derive(Clone)]
pub struct TcpConnector {
    pools: PoolManager,
}

connector!(TcpConnector);

impl TcpConnector {
    /// Returns a connector with the defaults.
    ///
    /// ```
    /// use hostpool::{Session, TcpConnector};
    ///
    /// let session = Session::builder().connector(TcpConnector::new()).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn new() -> TcpConnector {
        TcpConnector { pools: PoolManager::of_connector(settings::defaults().engine(None, None), None) }
    }

    /// Returns a builder for a connector that differs from the defaults.
    pub fn builder() -> TcpConnectorBuilder {
        ClientBuilder::new(settings::defaults(), Policy::default(), ConnectorSettings::default())
    }

    /// Returns the local address of connections, if one was set.
    ///
    /// ```
    /// use hostpool::TcpConnector;
    /// use std::net::Ipv4Addr;
    ///
    /// let connector = TcpConnector::builder().source_address(Ipv4Addr::LOCALHOST).build()?;
    /// assert_eq!(connector.local_addr(), Some(Ipv4Addr::LOCALHOST.into()));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "source_address")]
    pub fn local_addr(&self) -> Option<SourceAddress> {
        self.pools.engine().connection().tcp.sockets.source
    }

    /// Returns the family of addresses that are connected to.
    ///
    /// ```
    /// use hostpool::{Family, TcpConnector};
    ///
    /// assert_eq!(TcpConnector::new().family(), Family::Any);
    /// let connector = TcpConnector::builder().family(Family::V4).build()?;
    /// assert_eq!(connector.family(), Family::V4);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn family(&self) -> Family {
        self.pools.engine().connection().tcp.names.family
    }

    /// Returns whether the results of name lookups are kept for some time.
    ///
    /// ```
    /// use hostpool::TcpConnector;
    ///
    /// assert!(!TcpConnector::new().dns_cache());
    /// assert!(TcpConnector::builder().use_dns_cache(true).build()?.dns_cache());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "use_dns_cache")]
    #[doc(alias = "resolve")]
    pub fn dns_cache(&self) -> bool {
        self.pools.engine().lookups().is_some()
    }

    dns_cache!(
        self,
        self.pools.engine(),
        "let client = hostpool::TcpConnector::builder().use_dns_cache(true).build()?;"
    );
}

/// Builds a [`TcpConnector`].
///
/// | aiohttp | here |
/// |---|---|
/// | `conn_timeout` | [`conn_timeout`](ClientBuilder::conn_timeout) |
/// | `keepalive_timeout` | [`keepalive_timeout`](ClientBuilder::keepalive_timeout) |
/// | `limit` | [`limit`](ClientBuilder::limit), and in newer versions [`total_limit`](ClientBuilder::total_limit) |
/// | `force_close` | [`force_close`](ClientBuilder::force_close) |
/// | `share_cookies` | [`share_cookies`](ClientBuilder::share_cookies) |
/// | `ssl_context` | [`tls`](ClientBuilder::tls) |
/// | `verify_ssl` | [`verify_ssl`](ClientBuilder::verify_ssl) |
/// | `fingerprint` | [`fingerprint`](ClientBuilder::fingerprint) |
/// | `local_addr` | [`source_address`](ClientBuilder::source_address) |
/// | `family` | [`family`](ClientBuilder::family) |
/// | `use_dns_cache`, `resolve` | [`use_dns_cache`](ClientBuilder::use_dns_cache) |
///
/// ```
/// use hostpool::TcpConnector;
///
/// let connector = TcpConnector::builder().limit(30).force_close(true).build()?;
/// assert!(connector.force_close());
/// # Ok::<(), hostpool::Error>(())
/// ```
pub type TcpConnectorBuilder = ClientBuilder<TcpConnector>;

impl sealed::Client for TcpConnector {
    type Own = ConnectorSettings;
    const REPLACES_HEADERS: bool = true;

    fn build(builder: TcpConnectorBuilder) -> Result<TcpConnector> {
        settings::pools(builder).map(|pools| TcpConnector { pools })
    }
}

impl Default for TcpConnector {
    fn default() -> Self {
        TcpConnector::new()
    }
}

impl fmt::Debug for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpConnector({:?})", self.pools)
    }
}
