//! The immutable configuration of TLS connections.

use std::fmt;
use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::identity::{Shared, Table};
use super::pins::Fingerprint;
#[cfg(feature = "__tls")]
use super::session::Backend;
use super::settings::{Roots, Settings};
#[cfg(feature = "__tls")]
use super::stream::TlsStream;
#[cfg(feature = "__tls")]
use crate::error::Phase;
use crate::error::{Error, Result};
use crate::net::transport::{Transport, Wait};
#[cfg(feature = "__tls")]
use crate::observe;
use crate::process::PerProcess;
#[cfg(feature = "__tls")]
use crate::sync::RwLock;
use crate::urls::Origin;

/// The settings of TLS connections: which servers are trusted, which certificate the client shows, which versions are
/// used, and the sessions to resume. [`TlsConfig::builder`] makes one.
///
/// A configuration never changes after it is built. Requests share connections and sessions only if they use the same
/// configuration. A clone is the same configuration, and so is one that is built from equal settings while the first one
/// is in use: two pools that name the same file share their connections. Files are compared by their content, so a file
/// that has changed makes another configuration. Sessions are resumed across all threads, pools and hosts that share a
/// configuration, and never in another one.
///
/// Certificates and host names are verified unless a method whose name begins with `danger` says otherwise.
/// [`TlsConfig::default`] is one value for the whole process. It reads its trusted roots when the first TLS connection
/// is made, from the first of these places that applies:
/// - the file that `SSL_CERT_FILE` names and the directories that `SSL_CERT_DIR` lists, if one of the variables is set;
/// - the system's store;
/// - the bundled Mozilla set, if the system has no store.
///
/// This is about rustls. By [`TlsBackend::NativeTls`](crate::TlsBackend::NativeTls), the library of the system reads its own
/// store; OpenSSL takes the variables as additions, and ignores a file that it cannot read.
///
/// What a system says about revoked roots and certificates is not used: see
/// [`revocation_list_file`](crate::TlsConfigBuilder::revocation_list_file).
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
    settings: Settings,
    /// The library, once it is needed.
    #[cfg(feature = "__tls")]
    backend: RwLock<Option<Arc<dyn Backend>>>,
}

// A panic leaves it whole: the lock holds a value that is built before it is put in.
impl RefUnwindSafe for Inner {}

static IN_USE: Shared<Inner> = PerProcess::new(Table::shared);

impl TlsConfig {
    /// Returns the configuration with these settings.
    pub(super) fn of(settings: Settings) -> TlsConfig {
        TlsConfig(Table::get(&IN_USE.get(), settings, |inner| &inner.settings, Inner::new))
    }

    /// Returns the identity of the configuration.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Returns this configuration with fingerprints added, one of which the server's certificate must have.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if a fingerprint replaces all other checks.
    pub(crate) fn with_fingerprints(&self, pins: Vec<Fingerprint>) -> Result<TlsConfig> {
        let mut settings = self.0.settings.clone();
        if settings.check.pins_alone {
            return Err(Error::config("assert_fingerprint replaces all other checks, a fingerprint among them"));
        }
        settings.check.pins.extend(pins);
        Ok(TlsConfig::of(settings))
    }

    /// Returns whether the chain of the server's certificate is verified.
    pub(crate) fn checks_chain(&self) -> bool {
        self.0.settings.checks_chain()
    }

    /// Returns the first fingerprint of those that the server's certificate may have.
    pub(crate) fn first_fingerprint(&self) -> Option<&Fingerprint> {
        self.0.settings.check.pins.first()
    }

    /// Fails if TLS is not available, or if there is no trusted root. It is called before a dial, so that no connection
    /// is opened in vain.
    #[cfg(feature = "__tls")]
    pub(crate) fn check(&self) -> Result<()> {
        self.backend().map(drop)
    }

    #[cfg(not(feature = "__tls"))]
    pub(crate) fn check(&self) -> Result<()> {
        self.0.settings.backend.check(&self.0.settings)
    }

    /// Opens a TLS connection to `origin` over `inner`. `wait` bounds the handshake.
    #[cfg(feature = "__tls")]
    pub(crate) fn wrap(
        &self,
        inner: Box<dyn Transport>,
        origin: &Origin,
        wait: &Wait<'_>,
    ) -> Result<Box<dyn Transport>> {
        let stream = TlsStream::connect(&*self.backend()?, inner, origin, wait)?;
        if !self.0.settings.verifies() {
            observe::not_verified(origin);
        }
        Ok(Box::new(stream))
    }

    #[cfg(not(feature = "__tls"))]
    pub(crate) fn wrap(&self, inner: Box<dyn Transport>, _: &Origin, _: &Wait<'_>) -> Result<Box<dyn Transport>> {
        self.check().map(|()| inner)
    }

    /// Returns the TLS library with this configuration. The first call reads the store.
    ///
    /// Does not keep a failure: otherwise a process that lacked descriptors for a moment could never use TLS again.
    #[cfg(feature = "__tls")]
    fn backend(&self) -> Result<Arc<dyn Backend>> {
        if let Some(backend) = &*self.0.backend.read() {
            return Ok(backend.clone());
        }
        let built = self.build();
        #[cfg(feature = "native-roots")]
        observe::tell_skipped_roots();
        built
    }

    /// Builds it, unless another thread has. The others wait for it.
    #[cfg(feature = "__tls")]
    fn build(&self) -> Result<Arc<dyn Backend>> {
        let mut backend = self.0.backend.write();
        if let Some(backend) = &*backend {
            return Ok(backend.clone());
        }
        let built = self.0.settings.backend.build(&self.0.settings).map_err(|error| error.with_phase(Phase::Tls))?;
        Ok(backend.insert(built).clone())
    }
}

impl Inner {
    fn new(settings: Settings) -> Inner {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            settings,
            #[cfg(feature = "__tls")]
            backend: RwLock::new(None),
        }
    }
}

impl Default for TlsConfig {
    /// Returns the configuration that all clients share by default.
    fn default() -> Self {
        // One value for each process: at a fork, a thread of the parent may hold the lock, and the child has no such
        // thread.
        static SHARED: PerProcess<TlsConfig> = PerProcess::new(|| {
            TlsConfig::of(Settings { roots: Roots { system: true, ..Roots::default() }, ..Settings::default() })
        });
        SHARED.get()
    }
}

impl PartialEq for TlsConfig {
    /// Returns whether both are the same configuration, so that requests with them share connections.
    fn eq(&self, other: &TlsConfig) -> bool {
        self.id() == other.id()
    }
}

impl Eq for TlsConfig {}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsConfig({}, {:?})", self.0.id, self.0.settings)
    }
}

#[cfg(test)]
impl TlsConfig {
    /// Returns configurations that differ from the first one in one setting each.
    pub(crate) fn each_option() -> Vec<(&'static str, TlsConfig)> {
        let base = Settings { roots: Roots { own: vec![vec![0]], ..Roots::default() }, ..Settings::default() };
        let mut all = super::settings::tests::each_changed(&base);
        all.insert(0, ("none", base));
        all.into_iter().map(|(option, settings)| (option, TlsConfig::of(settings))).collect()
    }

    /// Returns a configuration that differs from every other, without a trusted root.
    pub(crate) fn distinct() -> TlsConfig {
        TlsConfig(Arc::new(Inner::new(Settings::default())))
    }
}
