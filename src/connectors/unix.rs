//! The connector for a Unix socket.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::{ConnectorSettings, connector, settings};
use crate::client::Policy;
use crate::error::Result;
use crate::pools::{ClientBuilder, PoolManager, sealed};

/// Connections to one Unix socket for any number of sessions, as aiohttp's `UnixConnector`.
///
/// Every URL leads to the socket: its host is only sent as the Host, and with `https` the certificate must be for it. The
/// options and attributes are those of a [`TcpConnector`](crate::TcpConnector), without those of TCP. `limit` counts the
/// connections for each host that URLs name, as if they led there; [`total_limit`](ClientBuilder::total_limit) counts them
/// all.
///
/// ```no_run
/// use hostpool::{Session, UnixConnector};
///
/// let docker = UnixConnector::new("/run/docker.sock")?;
/// let session = Session::builder().connector(docker).build()?;
/// println!("{}", session.get("http://docker/v1.47/containers/json").send()?.text()?);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone)]
pub struct UnixConnector {
    pools: PoolManager,
    path: Arc<str>,
}

connector!(UnixConnector);

impl UnixConnector {
    /// Returns a connector with the defaults for the socket at this path. The server may begin to listen later.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) if the path is empty, too long or not UTF-8: see
    ///   [`Url::unix`](crate::Url::unix).
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this system has no Unix sockets.
    pub fn new(path: impl AsRef<Path>) -> Result<UnixConnector> {
        UnixConnector::builder(path).build()
    }

    /// Returns a builder for a connector that differs from the defaults. `build` fails as [`new`](Self::new) does.
    pub fn builder(path: impl AsRef<Path>) -> UnixConnectorBuilder {
        let options = settings::defaults();
        ClientBuilder::new(options, Policy::default(), ConnectorSettings::default()).unix_socket(path)
    }

    /// Returns the path of the socket. An abstract one begins with a NUL.
    ///
    /// ```
    /// use hostpool::UnixConnector;
    /// use std::path::Path;
    ///
    /// # if cfg!(unix) {
    /// let docker = UnixConnector::new("/run/docker.sock")?;
    /// assert_eq!(docker.path(), Path::new("/run/docker.sock"));
    /// # }
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        Path::new(&*self.path)
    }
}

/// Builds a [`UnixConnector`].
///
/// ```
/// use hostpool::UnixConnector;
///
/// # if cfg!(unix) {
/// let connector = UnixConnector::builder("/run/app.sock").limit(4).keepalive_timeout(None).build()?;
/// assert_eq!(connector.limit(), Some(4));
/// # }
/// # Ok::<(), hostpool::Error>(())
/// ```
pub type UnixConnectorBuilder = ClientBuilder<UnixConnector>;

impl sealed::Client for UnixConnector {
    type Own = ConnectorSettings;
    const REPLACES_HEADERS: bool = true;

    fn build(builder: UnixConnectorBuilder) -> Result<UnixConnector> {
        let pools = settings::pools(builder)?;
        let path = pools.engine().connection().socket.clone().unwrap_or_default();
        Ok(UnixConnector { pools, path })
    }
}

impl fmt::Debug for UnixConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixConnector({:?}, {:?})", self.path(), self.pools)
    }
}
