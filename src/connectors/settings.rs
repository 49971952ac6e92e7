//! The settings that only connectors have.

use std::sync::Arc;
use std::time::Duration;

use crate::cookies::{CookieJar, CookieStore};
use crate::error::{Error, Result};
use crate::pools::{ClientBuilder, PoolManager, PoolOptions, sealed};
use crate::tls::{Fingerprint, TlsConfig, TlsConfigBuilder};

/// The most idle connections of a connector, as of a session's own pools.
const MAX_IDLE: usize = 100;

/// The settings that only connectors have.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct ConnectorSettings {
    share_cookies: bool,
    /// The caller has set a time for which idle connections are kept, and not `None`.
    keeps_alive: bool,
    /// Certificates are not verified.
    accepts_any: bool,
    pins: Vec<Fingerprint>,
}

/// A connector. It cannot be implemented for other types.
pub trait Preset: sealed::Client<Own = ConnectorSettings> {}

/// Returns the settings of a connector before the caller changes them: those of a session's own pools.
pub(super) fn defaults() -> PoolOptions {
    PoolOptions { max_idle: Some(MAX_IDLE), ..PoolOptions::new(None, Duration::from_secs(30)) }
}

/// Builds the pools of a connector.
pub(super) fn pools<C: Preset>(mut builder: ClientBuilder<C>) -> Result<PoolManager> {
    builder.read_environment(true, true)?;
    let ClientBuilder { mut options, own, .. } = builder;
    let ConnectorSettings { share_cookies, keeps_alive, accepts_any, pins } = own;
    if options.force_close && keeps_alive {
        return Err(Error::config("force_close keeps no connection alive, so it has no keepalive_timeout"));
    }
    options.tls = tls(options.tls, accepts_any, pins)?;
    options.shared_jar = share_cookies.then(CookieJar::default);
    let cookies = options.shared_jar.clone().map(|jar| Arc::new(jar) as Arc<dyn CookieStore>);
    Ok(PoolManager::of_connector(options.build()?, cookies))
}

/// Returns the TLS configuration with what the connector adds to it.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if both say what is verified.
fn tls(given: Option<TlsConfig>, accepts_any: bool, pins: Vec<Fingerprint>) -> Result<Option<TlsConfig>> {
    match given {
        Some(_) if accepts_any => Err(Error::config(
            "verify_ssl(false) and a TLS configuration contradict each other: give danger_accept_invalid_certs to the latter",
        )),
        given if !accepts_any && pins.is_empty() => Ok(given),
        Some(tls) => tls.with_fingerprints(pins).map(Some),
        None => {
            let tls = TlsConfig::builder().danger_accept_invalid_certs(accepts_any);
            pins.into_iter().fold(tls, TlsConfigBuilder::fingerprint).build().map(Some)
        }
    }
}

/// # Connectors
///
/// These settings are for a [`TcpConnector`](crate::TcpConnector) and a [`UnixConnector`](crate::UnixConnector).
impl<C: Preset> ClientBuilder<C> {
    /// Sets how long opening a connection may take: the lookup of the name, connecting, and TLS. Zero and `None` are no
    /// bound, which is the default. A session and a request have a [`connect`](crate::Timeout::connect) timeout, too;
    /// the shorter one counts. A wait at the [`limit`](Self::limit) has bounds of its own.
    ///
    /// ```
    /// use hostpool::TcpConnector;
    /// use std::time::Duration;
    ///
    /// let connector = TcpConnector::builder().conn_timeout(Duration::from_secs(5)).build()?;
    /// assert_eq!(connector.conn_timeout(), Some(Duration::from_secs(5)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "connect_timeout")]
    pub fn conn_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.options.conn_timeout = limit.into().filter(|limit| !limit.is_zero());
        self
    }

    /// Sets how long an idle connection is kept: 30 seconds by default. Zero and `None` keep it until it is found closed.
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if
    /// [`force_close`](Self::force_close) is on, too, and this is not `None`. [`idle_timeout`](Self::idle_timeout) sets the same.
    ///
    /// ```
    /// use hostpool::TcpConnector;
    /// use std::time::Duration;
    ///
    /// let connector = TcpConnector::builder().keepalive_timeout(Duration::from_secs(5)).build()?;
    /// assert_eq!(connector.keepalive_timeout(), Some(Duration::from_secs(5)));
    /// let for_ever = TcpConnector::builder().keepalive_timeout(None).build()?;
    /// assert_eq!(for_ever.keepalive_timeout(), None);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn keepalive_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        let limit = limit.into();
        self.options.idle_timeout = limit.filter(|limit| !limit.is_zero());
        self.own.keeps_alive = limit.is_some();
        self
    }

    /// Sets whether the certificates of servers are verified. On by default. With `false` anybody on the way can read and
    /// change everything: see [`danger_accept_invalid_certs`](crate::TlsConfigBuilder::danger_accept_invalid_certs).
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for `false` and a
    /// [`tls`](Self::tls) configuration together, because it says itself what is verified.
    ///
    /// ```
    /// use hostpool::TcpConnector;
    ///
    /// assert!(TcpConnector::new().verify_ssl());
    /// # #[cfg(feature = "__tls")]
    /// assert!(!TcpConnector::builder().verify_ssl(false).build()?.verify_ssl());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "danger_accept_invalid_certs")]
    #[doc(alias = "ssl")]
    pub fn verify_ssl(mut self, verify: bool) -> Self {
        self.own.accepts_any = !verify;
        self
    }

    /// Sets a fingerprint that the certificates of servers must have, beside what is verified of them: see
    /// [`TlsConfigBuilder::fingerprint`](crate::TlsConfigBuilder::fingerprint). Of several calls, one fingerprint is
    /// enough. A [`tls`](Self::tls) configuration is used with the fingerprint added.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if it is not a
    /// [`Fingerprint`], and if the TLS configuration has an
    /// [`assert_fingerprint`](crate::TlsConfigBuilder::assert_fingerprint).
    ///
    /// ```
    /// use hostpool::TcpConnector;
    ///
    /// # #[cfg(feature = "__tls")] {
    /// let connector = TcpConnector::builder().fingerprint([7; 32]).build()?;
    /// assert_eq!(connector.fingerprint(), Some([7; 32].into()));
    /// # }
    /// assert!(TcpConnector::builder().fingerprint("AA:A").build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn fingerprint(self, pin: impl TryInto<Fingerprint, Error: Into<Error>>) -> Self {
        self.try_set(|builder| {
            builder.own.pins.push(pin.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Sets whether the sessions of this connector share their cookies. Off by default. A session that has a
    /// [`cookie_jar`](crate::SessionBuilder::cookie_jar) or a [`cookie_store`](crate::SessionBuilder::cookie_store) of its
    /// own keeps that.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::{Session, TcpConnector};
    ///
    /// let connector = TcpConnector::builder().share_cookies(true).build()?;
    /// let one = Session::builder().connector(&connector).build()?;
    /// let other = Session::builder().connector(&connector).build()?;
    /// one.get(&url).send()?;
    /// assert_eq!(other.cookies().unwrap().len(), 1);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn share_cookies(mut self, share: bool) -> Self {
        self.own.share_cookies = share;
        self
    }
}
