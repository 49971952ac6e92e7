//! TLS: one immutable configuration, and streams that run over memory buffers.

#[cfg(feature = "rustls")]
mod roots;
#[cfg(feature = "rustls")]
mod stream;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "rustls")]
use stream::TlsStream;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::{Transport, Wait};
use crate::process::PerProcess;
#[cfg(feature = "rustls")]
use crate::sync::RwLock;
use crate::url::Origin;

/// How TLS connections are made: whom to trust, and the sessions to resume.
///
/// A configuration never changes once it is built, and connections are shared only among requests with the same one.
/// Clones are the same one; two that are built alike are not. Sessions are resumed across all threads, pools and hosts
/// that share it.
///
/// Certificates and host names are always verified. [`TlsConfig::default`] trusts what the system trusts: the file that
/// `SSL_CERT_FILE` names and the directories that `SSL_CERT_DIR` lists, or where neither is set the system's store, or
/// where the system has none the bundled Mozilla set. It is one value for the whole process, and the store is read when
/// the first TLS connection is made.
///
/// A connection fails with [`ErrorKind::InvalidConfig`], which names the variable, where `SSL_CERT_FILE` is set and names
/// no file with a certificate, or where `SSL_CERT_DIR` is set, no directory in it has one, and there is no
/// `SSL_CERT_FILE`. It fails with the same kind where the system has a store of which nothing can be read. The store is
/// then read once more for the next connection. Where descriptors are lacking for a file of the store, the connection
/// fails with [`ErrorKind::Connect`] if no idle connection can be closed for it; no part of a store is kept.
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
    /// Part of the key that connections are pooled by.
    id: u64,
    roots: Roots,
    #[cfg(feature = "rustls")]
    client: RwLock<Option<Arc<rustls::ClientConfig>>>,
}

/// Whom to trust.
#[derive(Clone, Debug, Default)]
struct Roots {
    system: bool,
    /// DER.
    own: Vec<Vec<u8>>,
}

impl TlsConfig {
    /// A configuration that differs from the default.
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

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Fails if there is no TLS, or nobody to trust. Asked before anything is dialled, so that nobody is connected to in
    /// vain.
    #[cfg(feature = "rustls")]
    pub(crate) fn check(&self) -> Result<()> {
        self.client().map(drop)
    }

    #[cfg(not(feature = "rustls"))]
    pub(crate) fn check(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported("https needs the feature rustls"), Phase::Prepare))
    }

    /// Makes a TLS connection to `origin` over `inner`: the handshake, under `wait`.
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

    /// Returns the configuration of the TLS library, for which the first caller reads the store.
    ///
    /// A failure is not kept: a process that was out of descriptors for a moment would never speak TLS again.
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
    /// The one configuration that every client shares unless it is given another.
    fn default() -> Self {
        // A thread that a child of `fork` does not have may be reading the parent's store.
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

#[derive(Clone, Debug)]
enum Source {
    Pem(Vec<u8>),
    Der(Vec<u8>),
    File(PathBuf),
}

impl TlsConfigBuilder {
    /// Trusts the certificates in a text of PEM blocks.
    #[doc(alias = "ca_cert_data")]
    pub fn root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.sources.push(Source::Pem(pem.into()));
        self
    }

    /// Trusts one certificate in DER.
    pub fn root_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.sources.push(Source::Der(der.into()));
        self
    }

    /// Trusts the certificates in a file, of PEM blocks or one in DER. It is read by `build`.
    #[doc(alias = "ca_certs")]
    pub fn root_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::File(path.into()));
        self
    }

    /// Whether to trust what the system trusts. By default that is so where no roots of one's own are given: a client
    /// with its own roots trusts these alone.
    pub fn system_roots(mut self, trust: bool) -> Self {
        self.system = Some(trust);
        self
    }

    /// Reads and checks the certificates.
    ///
    /// Errors if a file cannot be read, if a text has no certificate in it or one that is none, or if nobody would be
    /// trusted; and with [`ErrorKind::Unsupported`] where this crate was built without TLS.
    pub fn build(self) -> Result<TlsConfig> {
        if cfg!(not(feature = "rustls")) {
            return Err(Error::new(ErrorKind::Unsupported("TLS needs the feature rustls"), Phase::Prepare));
        }
        let mut own = Vec::new();
        for source in &self.sources {
            let found = source.certificates()?;
            if found.is_empty() {
                return Err(Error::config("a source of root certificates has none"));
            }
            own.extend(found);
        }
        let system = self.system.unwrap_or(self.sources.is_empty());
        if own.is_empty() && !system {
            return Err(Error::config("no root certificate is trusted"));
        }
        let roots = Roots { system, own };
        #[cfg(feature = "rustls")]
        roots::check(&roots)?;
        Ok(TlsConfig::new(roots))
    }
}

impl Source {
    fn certificates(&self) -> Result<Vec<Vec<u8>>> {
        match self {
            Source::Pem(pem) => certificates_in(pem),
            Source::Der(der) => Ok(vec![der.clone()]),
            Source::File(path) => {
                let bytes = std::fs::read(path)
                    .map_err(|error| Error::config("a file of root certificates cannot be read").with_source(error))?;
                let is_pem = memchr::memmem::find(&bytes, b"-----BEGIN").is_some();
                if is_pem { certificates_in(&bytes) } else { Ok(vec![bytes]) }
            }
        }
    }
}

#[cfg(feature = "rustls")]
fn certificates_in(pem: &[u8]) -> Result<Vec<Vec<u8>>> {
    use rustls_pki_types::pem::PemObject;
    rustls_pki_types::CertificateDer::pem_slice_iter(pem)
        .map(|certificate| match certificate {
            Ok(certificate) => Ok(certificate.to_vec()),
            Err(error) => Err(Error::config("a PEM text cannot be read").with_source(error)),
        })
        .collect()
}

#[cfg(not(feature = "rustls"))]
fn certificates_in(_: &[u8]) -> Result<Vec<Vec<u8>>> {
    Ok(Vec::new())
}

#[cfg(test)]
impl TlsConfig {
    /// Another configuration than every other, with nobody to trust.
    pub(crate) fn distinct() -> TlsConfig {
        TlsConfig::new(Roots::default())
    }
}
