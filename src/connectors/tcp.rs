//! The connector for TCP and TLS.

use std::fmt;

use super::{ConnectorSettings, connector, settings};
use crate::client::Policy;
use crate::error::Result;
use crate::net::options::SourceAddress;
use crate::pools::{ClientBuilder, PoolManager, sealed};

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
