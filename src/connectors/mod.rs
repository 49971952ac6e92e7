//! Connectors as users of aiohttp know them: pools without requests of their own, for sessions to share.

mod proxy;
mod settings;
mod tcp;
mod unix;

pub use proxy::{ProxyConnector, ProxyConnectorBuilder};
pub use settings::ConnectorSettings;
pub(crate) use settings::Preset;
pub use tcp::{TcpConnector, TcpConnectorBuilder};
pub use unix::{UnixConnector, UnixConnectorBuilder};

/// The methods and conversions that all connectors have.
macro_rules! connector {
    ($connector:ident) => {
        /// # The pools
        impl $connector {
            /// Returns the pools, for a session or for requests of their own.
            pub fn pools(&self) -> &crate::PoolManager {
                &self.pools
            }

            /// Takes a connection to the host of `url`, an idle one or a new one, and waits for one at the
            /// [`limit`](Self::limit): see [`PoolManager::connect`](crate::PoolManager::connect).
            ///
            /// # Errors
            ///
            /// Those of [`RequestBuilder::connect`](crate::RequestBuilder::connect).
            pub fn connect(&self, url: impl crate::IntoUrl) -> crate::Result<crate::Connection> {
                self.pools.connect(url)
            }

            /// Closes the connector for all threads and sessions: closes idle connections, and interrupts those in use.
            /// Later calls fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed). A second call does nothing.
            pub fn close(&self) {
                self.pools.close();
            }

            /// Returns whether the connector was closed.
            #[doc(alias = "closed")]
            pub fn is_closed(&self) -> bool {
                self.pools.is_closed()
            }

            /// Returns how many connections to one host may be open, with one scheme and port. `None` is any number.
            #[doc(alias = "limit_per_host")]
            pub fn limit(&self) -> Option<usize> {
                self.pools.engine().gate.settings.open_limit
            }

            /// Returns whether each connection is closed after its request.
            pub fn force_close(&self) -> bool {
                self.pools.engine().force_close
            }

            /// Returns how long an idle connection is kept. `None` is any time.
            pub fn keepalive_timeout(&self) -> Option<std::time::Duration> {
                self.pools.engine().gate.settings.idle_timeout
            }

            /// Returns how long opening a connection may take, whatever a session allows. `None` is any time.
            pub fn conn_timeout(&self) -> Option<std::time::Duration> {
                self.pools.engine().conn_timeout
            }

            /// Returns the cookies that the sessions of this connector share, if it
            /// [shares them](crate::ClientBuilder::share_cookies).
            pub fn cookies(&self) -> Option<&crate::CookieJar> {
                self.pools.engine().shared_jar.as_ref()
            }

            /// Returns the TLS configuration: the one that was given, or one that `verify_ssl` and `fingerprint` have made.
            #[doc(alias = "ssl_context")]
            pub fn tls_config(&self) -> crate::TlsConfig {
                self.pools.engine().connection().tls.clone()
            }

            /// Returns whether the certificates of servers are verified.
            pub fn verify_ssl(&self) -> bool {
                self.tls_config().checks_chain()
            }

            /// Returns the fingerprint that the certificates of servers must have, or the first one of several.
            pub fn fingerprint(&self) -> Option<crate::Fingerprint> {
                self.tls_config().first_fingerprint().cloned()
            }
        }

        impl From<$connector> for crate::PoolManager {
            /// Returns the pools of the connector. They live as long as any clone of either.
            fn from(connector: $connector) -> crate::PoolManager {
                connector.pools
            }
        }

        impl From<&$connector> for crate::PoolManager {
            /// Returns the pools of the connector. They live as long as any clone of either.
            fn from(connector: &$connector) -> crate::PoolManager {
                connector.pools.clone()
            }
        }

        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        impl crate::client::has_pools::Pools for $connector {
            fn engine(&self) -> &std::sync::Arc<crate::client::Engine> {
                self.pools.engine()
            }
        }

        impl crate::pools::ManyHosts for $connector {}

        impl crate::connectors::Preset for $connector {}
    };
}
use connector;
