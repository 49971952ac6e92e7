//! TLS: an immutable configuration, and streams over any transport.

#[cfg(feature = "rustls")]
mod backlog;
mod certificates;
#[cfg(feature = "rustls")]
mod roots;
#[cfg(feature = "rustls")]
mod stream;

use std::fmt;
use std::panic::RefUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use certificates::{Roots, Source};
#[cfg(feature = "rustls")]
use stream::TlsStream;

use crate::error::{Error, Phase, Result};
use crate::net::transport::{Transport, Wait};
use crate::process::PerProcess;
#[cfg(feature = "rustls")]
use crate::sync::RwLock;
use crate::urls::Origin;

/// The settings of TLS connections: the trusted root certificates, and the sessions to resume.
///
/// A configuration never changes after it is built. Requests share connections only if they use the same configuration.
/// A clone is the same configuration; two configurations that are built alike are different ones. Sessions are resumed
/// across all threads, pools and hosts that share a configuration.
///
/// Certificates and host names are always verified. [`TlsConfig::default`] is one value for the whole process. It reads
/// its trusted roots when the first TLS connection is made, from the first of these places that applies:
/// - the file that `SSL_CERT_FILE` names and the directories that `SSL_CERT_DIR` lists, if one of the variables is set;
/// - the system's store;
/// - the bundled Mozilla set, if the system has no store.
///
/// # Errors
/// A connection fails, and the next connection reads the store again:
/// - with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig), which names the variable, if `SSL_CERT_FILE`
///   is set and names no file with a certificate, or if `SSL_CERT_DIR` alone is set and lists no directory with a
///   certificate;
/// - with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the system has a store and no certificate in
///   it can be read;
/// - with [`ErrorKind::Connect`](crate::ErrorKind::Connect) if there is no file descriptor for a file of the store, and
///   no idle connection that can be closed to free one. A store that was read in part is not used.
///
/// ```
/// use hostpool::{Session, TlsConfig};
///
/// # fn main() -> hostpool::Result<()> {
/// # let certificate = "";
/// let tls = TlsConfig::builder().root_pem(certificate).system_roots(true).build();
/// assert!(tls.is_err()); // there was no certificate in the text
/// let session = Session::builder().tls(TlsConfig::default()).build()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "SSLContext")]
#[derive(Clone)]
pub struct TlsConfig(Arc<Inner>);

struct Inner {
    /// The identity of the configuration: part of the key of a pooled connection.
    id: u64,
    roots: Roots,
    #[cfg(feature = "rustls")]
    client: RwLock<Option<Arc<rustls::ClientConfig>>>,
}

// A panic leaves it whole: the lock holds a value that is built before it is put in.
impl RefUnwindSafe for Inner {}

impl TlsConfig {
    /// Returns a builder for a configuration that differs from the default.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder { sources: Vec::new(), system: None }
    }

    fn new(roots: Roots) -> TlsConfig {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        TlsConfig(Arc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            roots,
            #[cfg(feature = "rustls")]
            client: RwLock::new(None),
        }))
    }

    /// Returns the identity of the configuration.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Fails if TLS is not available, or if there is no trusted root. It is called before a dial, so that no connection
    /// is opened in vain.
    #[cfg(feature = "rustls")]
    pub(crate) fn check(&self) -> Result<()> {
        self.client().map(drop)
    }

    #[cfg(not(feature = "rustls"))]
    pub(crate) fn check(&self) -> Result<()> {
        Err(Error::unsupported("https needs the feature rustls", Phase::Prepare))
    }

    /// Opens a TLS connection to `origin` over `inner`. `wait` bounds the handshake.
    #[cfg(feature = "rustls")]
    pub(crate) fn wrap(
        &self,
        inner: Box<dyn Transport>,
        origin: &Origin,
        wait: &Wait<'_>,
    ) -> Result<Box<dyn Transport>> {
        Ok(Box::new(TlsStream::connect(self.client()?, inner, origin, wait)?))
    }

    #[cfg(not(feature = "rustls"))]
    pub(crate) fn wrap(&self, inner: Box<dyn Transport>, _: &Origin, _: &Wait<'_>) -> Result<Box<dyn Transport>> {
        self.check().map(|()| inner)
    }

    /// Returns the configuration of the TLS library. The first call reads the store.
    ///
    /// Does not keep a failure: otherwise a process that lacked descriptors for a moment could never use TLS again.
    #[cfg(feature = "rustls")]
    fn client(&self) -> Result<Arc<rustls::ClientConfig>> {
        if let Some(client) = &*self.0.client.read() {
            return Ok(client.clone());
        }
        let mut client = self.0.client.write();
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let built = roots::client_config(&self.0.roots).map_err(|error| error.with_phase(Phase::Tls))?;
        Ok(client.insert(Arc::new(built)).clone())
    }
}

impl Default for TlsConfig {
    /// Returns the configuration that all clients share by default.
    fn default() -> Self {
        // One value for each process: at a fork, a thread of the parent may hold the lock, and the child has no such
        // thread.
        static SHARED: PerProcess<TlsConfig> =
            PerProcess::new(|| TlsConfig::new(Roots { system: true, own: Vec::new() }));
        SHARED.get()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Roots { system, own } = &self.0.roots;
        write!(f, "TlsConfig({}, system roots {system}, own roots {})", self.0.id, own.len())
    }
}

/// Builds a [`TlsConfig`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct TlsConfigBuilder {
    sources: Vec<Source>,
    system: Option<bool>,
}

impl TlsConfigBuilder {
    /// Adds the certificates in a text of PEM blocks to the trusted roots.
    #[doc(alias = "add_root_certificate")]
    #[doc(alias = "root_certs")]
    #[doc(alias = "ca_cert_data")]
    pub fn root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.sources.push(Source::Pem(pem.into()));
        self
    }

    /// Adds one certificate in DER to the trusted roots.
    pub fn root_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.sources.push(Source::Der(der.into()));
        self
    }

    /// Adds the certificates in a file to the trusted roots: PEM blocks, or one certificate in DER. `build` reads the
    /// file.
    #[doc(alias = "verify")]
    #[doc(alias = "ca_certs")]
    pub fn root_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::File(path.into()));
        self
    }

    /// Sets whether to trust the system's roots. The default is true if no root certificate is added, and false
    /// otherwise: a client with roots of its own trusts only these.
    pub fn system_roots(mut self, trust: bool) -> Self {
        self.system = Some(trust);
        self
    }

    /// Reads and checks the certificates, and builds the configuration.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if a file cannot be read, if a source has no
    ///   certificate or one that is not valid, or if no root would be trusted.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this crate was built without TLS.
    pub fn build(self) -> Result<TlsConfig> {
        if cfg!(not(feature = "rustls")) {
            return Err(Error::unsupported("TLS needs the feature rustls", Phase::Prepare));
        }
        let mut own = Vec::new();
        for source in &self.sources {
            let found = usable(source).map_err(|error| match source.file() {
                Some(path) => error.with_file(path),
                None => error,
            });
            own.extend(found?);
        }
        let system = self.system.unwrap_or(self.sources.is_empty());
        if own.is_empty() && !system {
            return Err(Error::config("no root certificate is trusted"));
        }
        Ok(TlsConfig::new(Roots { system, own }))
    }
}

/// Returns the certificates of a source. Fails here if one is not valid, so that the caller gets the error from
/// `build`.
fn usable(source: &Source) -> Result<Vec<Vec<u8>>> {
    let found = source.certificates()?;
    if found.is_empty() {
        return Err(Error::config("a source of root certificates has none"));
    }
    #[cfg(feature = "rustls")]
    roots::check(&found)?;
    Ok(found)
}

#[cfg(test)]
impl TlsConfig {
    /// Returns a configuration that differs from every other, without a trusted root.
    pub(crate) fn distinct() -> TlsConfig {
        TlsConfig::new(Roots::default())
    }
}
