//! Building a configuration.

use std::fmt;
use std::path::PathBuf;

use super::backend::TlsBackend;
use super::certificates::Source;
use super::client_cert::ClientSources;
use super::config::TlsConfig;
use super::der::Certificate;
use super::key_log::{KeyLog, KeyLogFile, KeyLogFunction, path_of_environment};
use super::pins::Fingerprint;
use super::settings::{Check, Names, Revocation, Roots, Settings};
use crate::error::{Error, Phase, Reason, Result};
use crate::net::tls_info::TlsVersion;

impl TlsConfig {
    /// Returns a builder for a configuration that differs from the default.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }
}

/// Builds a [`TlsConfig`].
///
/// Files are read by [`build`](Self::build), once. Contradictions are errors there, too: an option is never without
/// effect.
///
/// ```no_run
/// use hostpool::{Session, TlsConfig, TlsVersion};
///
/// let tls = TlsConfig::builder()
///     .root_file("/etc/company/ca.pem")
///     .client_cert_file("/etc/company/client.pem")
///     .client_key_file("/etc/company/client.key")
///     .min_version(TlsVersion::V1_3)
///     .build()?;
/// let session = Session::builder().tls(tls).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
///
/// | urllib3, requests, aiohttp | here |
/// |---|---|
/// | `ca_certs`, `ca_cert_dir`, `ca_cert_data`, `verify="file"` | [`root_file`](Self::root_file), [`root_dir`](Self::root_dir), [`root_pem`](Self::root_pem) |
/// | `cert_file`, `key_file`, `key_password`, `cert=(..)` | [`client_cert_file`](Self::client_cert_file), [`client_key_file`](Self::client_key_file), [`client_key_password`](Self::client_key_password) |
/// | `cert_reqs="CERT_NONE"`, `verify=False`, `verify_ssl=False` | [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) |
/// | `assert_hostname="name"` | [`assert_hostname`](Self::assert_hostname) |
/// | `assert_hostname=False` | [`danger_accept_invalid_hostnames`](Self::danger_accept_invalid_hostnames) |
/// | `assert_fingerprint` | [`assert_fingerprint`](Self::assert_fingerprint) |
/// | aiohttp's `fingerprint` | [`fingerprint`](Self::fingerprint) |
/// | `server_hostname` | [`server_name`](Self::server_name) |
/// | `ssl_minimum_version`, `ssl_maximum_version` | [`min_version`](Self::min_version), [`max_version`](Self::max_version) |
/// | `SSLKEYLOGFILE` | [`key_log_from_env`](Self::key_log_from_env) |
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct TlsConfigBuilder {
    backend: Option<TlsBackend>,
    roots: Vec<Source>,
    exact: Vec<Source>,
    system: Option<bool>,
    check: Check,
    /// Fingerprints that add to the other checks.
    added_pins: Vec<Fingerprint>,
    /// Fingerprints that replace them.
    lone_pins: Vec<Fingerprint>,
    server_name: Option<String>,
    asserted: Option<String>,
    unsent_name: bool,
    client: ClientSources,
    min_version: Option<TlsVersion>,
    max_version: Option<TlsVersion>,
    lists: Vec<Source>,
    revocation: Revocation,
    key_log: Option<PathBuf>,
    key_log_to: Option<KeyLogFunction>,
    /// The first error of a setter.
    wrong: Option<Reason>,
}

impl fmt::Debug for TlsConfigBuilder {
    /// Leaves out certificates, keys and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfigBuilder")
            .field("roots", &self.roots.len())
            .field("system_roots", &self.system)
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}

/// # Trusted roots
impl TlsConfigBuilder {
    /// Adds the certificates in a text of PEM blocks to the trusted roots.
    ///
    /// A server may use such a certificate as its own, too, as a self-signed one.
    #[doc(alias = "ca_cert_data")]
    #[doc(alias = "add_root_certificate")]
    #[doc(alias = "root_certs")]
    pub fn root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(Source::Pem(pem.into()));
        self
    }

    /// Adds one certificate in DER to the trusted roots.
    pub fn root_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.roots.push(Source::Der(der.into()));
        self
    }

    /// Adds the certificates in a file to the trusted roots: PEM blocks, or one certificate in DER.
    #[doc(alias = "verify")]
    #[doc(alias = "ca_certs")]
    #[doc(alias = "cafile")]
    pub fn root_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots.push(Source::File(path.into()));
        self
    }

    /// Adds the certificates in the files of a folder to the trusted roots. The names of the files do not matter, so a
    /// folder that `openssl rehash` has prepared is one of them. Files without a certificate are skipped.
    ///
    /// ```no_run
    /// let tls = hostpool::TlsConfig::builder().root_dir("/etc/company/certs").build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "ca_cert_dir")]
    #[doc(alias = "capath")]
    pub fn root_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots.push(Source::Folder(path.into()));
        self
    }

    /// Sets whether to trust the system's roots. The default is true if no certificate is added to the trusted ones, and
    /// false otherwise: a client with roots of its own trusts only these. So `root_file(..)` replaces the system's
    /// roots, and `root_file(..).system_roots(true)` adds to them.
    #[doc(alias = "tls_built_in_root_certs")]
    #[doc(alias = "load_default_certs")]
    pub fn system_roots(mut self, trust: bool) -> Self {
        self.system = Some(trust);
        self
    }

    /// Trusts the certificates in a text of PEM blocks by themselves. A server with exactly such a certificate is
    /// accepted, whoever has issued it, if the name and the time are right. It may be the certificate of an authority
    /// that a server uses as its own, as `openssl req -x509` makes it, or one of version 1, which has no names:
    /// [`danger_accept_invalid_hostnames`](Self::danger_accept_invalid_hostnames) accepts these.
    ///
    /// What such a certificate has signed is not trusted.
    ///
    /// ```no_run
    /// use hostpool::TlsConfig;
    ///
    /// let tls = TlsConfig::builder().trusted_certificate_pem(std::fs::read("server.pem")?).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "self-signed")]
    pub fn trusted_certificate_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.exact.push(Source::Pem(pem.into()));
        self
    }

    /// Trusts a certificate in DER by itself: see [`trusted_certificate_pem`](Self::trusted_certificate_pem). A program
    /// that asks its user about an unknown server finds the certificate in [`TlsFailure::chain`](crate::TlsFailure::chain).
    pub fn trusted_certificate_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.exact.push(Source::Der(der.into()));
        self
    }

    /// Trusts the certificates in a file by themselves: see [`trusted_certificate_pem`](Self::trusted_certificate_pem).
    pub fn trusted_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.exact.push(Source::File(path.into()));
        self
    }
}

/// # What is verified
impl TlsConfigBuilder {
    /// Sets whether to accept every server. Then anybody on the way can read and change everything, passwords included.
    /// Use [`trusted_certificate_file`](Self::trusted_certificate_file) for a self-signed certificate.
    ///
    /// Certificates are accepted that are self-signed, expired, for another name, revoked, of version 1, with short RSA
    /// keys or signed by weak algorithms, in TLS 1.2 and 1.3, and in TLS 1.3 those with a key on P-521. These servers are
    /// still not reached: those without TLS 1.2 and 1.3; in TLS 1.2 those with a key on P-521, and those without a cipher
    /// suite of ECDHE with AES-GCM or ChaCha20-Poly1305.
    ///
    /// This is about ring. AWS-LC has keys on P-521 in TLS 1.2, too. The system's library by native-tls reaches what the
    /// system allows, and refuses a server that does not have the key of its certificate.
    ///
    /// A [`fingerprint`](Self::fingerprint) is checked even so.
    /// [`TlsInfo::verified`](crate::TlsInfo::verified) tells whether a connection is a verified one.
    ///
    /// ```
    /// let tls = hostpool::TlsConfig::builder().danger_accept_invalid_certs(true).build();
    /// # #[cfg(feature = "__tls")]
    /// assert!(tls.is_ok());
    /// ```
    #[doc(alias = "verify_ssl")]
    #[doc(alias = "verify")]
    #[doc(alias = "cert_reqs")]
    #[doc(alias = "CERT_NONE")]
    #[doc(alias = "insecure")]
    #[doc(alias = "disable_verification")]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.check.accept_any = accept;
        self
    }

    /// Sets whether to accept certificates for any name. The chain is verified, so whoever has a certificate of one of
    /// the trusted roots, for any host, can pretend to be this server. [`assert_hostname`](Self::assert_hostname) is
    /// better where the name is known.
    #[doc(alias = "assert_hostname")]
    #[doc(alias = "check_hostname")]
    pub fn danger_accept_invalid_hostnames(mut self, accept: bool) -> Self {
        self.check.accept_any_name = accept;
        self
    }

    /// Sets the name or the IP address that the certificate has to be for, in place of the host of the URL. The name that
    /// is sent to the server stays: [`server_name`](Self::server_name) changes both. native-tls has one name, so this needs
    /// [`send_server_name(false)`](Self::send_server_name) there.
    ///
    /// ```
    /// let tls = hostpool::TlsConfig::builder().assert_hostname("db.internal.example").build();
    /// # #[cfg(feature = "__rustls")]
    /// assert!(tls.is_ok());
    /// ```
    pub fn assert_hostname(self, name: impl AsRef<str>) -> Self {
        self.named(name.as_ref(), |builder, name| builder.asserted = Some(name))
    }

    /// Sets a fingerprint that the server's certificate or its public key must have, in addition to all other checks, as
    /// aiohttp does. Of several calls, one fingerprint is enough, so that a certificate can be renewed.
    ///
    /// It is checked before a byte of a request leaves.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the text is not a
    /// [`Fingerprint`].
    ///
    /// ```
    /// let tls = hostpool::TlsConfig::builder().fingerprint("AA:A").build();
    /// assert!(tls.is_err());
    /// let tls = hostpool::TlsConfig::builder().fingerprint([7; 32]).build();
    /// # #[cfg(feature = "__tls")]
    /// assert!(tls.is_ok());
    /// ```
    #[doc(alias = "pinnedpubkey")]
    pub fn fingerprint(self, pin: impl TryInto<Fingerprint, Error: Into<Error>>) -> Self {
        self.pinned(pin, |builder, pin| builder.added_pins.push(pin))
    }

    /// Sets a fingerprint that replaces the check of the chain and of the name, as urllib3 documents it. The server still
    /// proves that it has the key of the certificate. Of several calls, one fingerprint is enough.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the text is not a
    /// [`Fingerprint`], and if the configuration has other checks, which this one would replace.
    ///
    /// ```
    /// use hostpool::TlsConfig;
    ///
    /// let pin = "sha256//BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    /// let tls = TlsConfig::builder().assert_fingerprint(pin).build();
    /// # #[cfg(feature = "__tls")]
    /// assert!(tls.is_ok());
    /// assert!(TlsConfig::builder().assert_fingerprint(pin).fingerprint(pin).build().is_err());
    /// ```
    pub fn assert_fingerprint(self, pin: impl TryInto<Fingerprint, Error: Into<Error>>) -> Self {
        self.pinned(pin, |builder, pin| builder.lone_pins.push(pin))
    }

    /// Sets the name or the IP address of the server, in place of the host of the URL: it is sent to the server (SNI), and
    /// the certificate has to be for it.
    ///
    /// It holds for each connection of the configuration, after a redirect to another host, too.
    ///
    /// ```no_run
    /// use hostpool::{ConnectionPool, TlsConfig};
    ///
    /// let tls = TlsConfig::builder().server_name("db.internal.example").build()?;
    /// let pool = ConnectionPool::builder("https://192.0.2.7:8443").tls(tls).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "server_hostname")]
    #[doc(alias = "sni")]
    pub fn server_name(self, name: impl AsRef<str>) -> Self {
        self.named(name.as_ref(), |builder, name| builder.server_name = Some(name))
    }

    /// Sets whether the name of the server is sent to it (SNI). On by default. Most servers with several certificates need
    /// it.
    #[doc(alias = "tls_sni")]
    #[doc(alias = "use_sni")]
    pub fn send_server_name(mut self, send: bool) -> Self {
        self.unsent_name = !send;
        self
    }

    fn named(mut self, text: &str, set: impl FnOnce(&mut Self, String)) -> Self {
        match host(text) {
            Some(name) => set(&mut self, name),
            None => self.note(Error::config(format!("{text:?} is neither a host name nor an IP address"))),
        }
        self
    }

    fn pinned(
        mut self,
        pin: impl TryInto<Fingerprint, Error: Into<Error>>,
        add: impl FnOnce(&mut Self, Fingerprint),
    ) -> Self {
        match pin.try_into() {
            Ok(pin) => add(&mut self, pin),
            Err(error) => self.note(error.into()),
        }
        self
    }

    /// Keeps the first error of a setter. An error cannot be cloned, but its reason can.
    fn note(&mut self, error: Error) {
        self.wrong.get_or_insert_with(|| error.reason().clone());
    }
}

/// # Client certificates
impl TlsConfigBuilder {
    /// Sets the certificate that the client shows to servers that ask for one, in a text of PEM blocks: its own, and those
    /// of its issuers, in any order. The text may have the private key, too.
    ///
    /// ```no_run
    /// use hostpool::TlsConfig;
    ///
    /// let (certificate, key) = (std::fs::read("client.pem")?, std::fs::read("client.key")?);
    /// let tls = TlsConfig::builder().client_cert_pem(certificate).client_key_pem(key).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "identity")]
    pub fn client_cert_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client.certificates = Some(Source::Pem(pem.into()));
        self
    }

    /// Sets the client's certificate in DER: see [`client_cert_pem`](Self::client_cert_pem).
    pub fn client_cert_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.client.certificates = Some(Source::Der(der.into()));
        self
    }

    /// Sets the file of the client's certificate, in PEM or DER: see [`client_cert_pem`](Self::client_cert_pem). A PEM file
    /// may have the private key, too.
    #[doc(alias = "cert_file")]
    #[doc(alias = "cert")]
    pub fn client_cert_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client.certificates = Some(Source::File(path.into()));
        self
    }

    /// Sets the private key of the client's certificate, in a text of PEM blocks: `PRIVATE KEY` (PKCS #8),
    /// `RSA PRIVATE KEY`, `EC PRIVATE KEY`, or `ENCRYPTED PRIVATE KEY` with the feature `encrypted-keys`.
    pub fn client_key_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client.key = Some(Source::Pem(pem.into()));
        self
    }

    /// Sets the private key of the client's certificate in DER.
    pub fn client_key_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.client.key = Some(Source::Der(der.into()));
        self
    }

    /// Sets the file of the private key, in PEM or DER: see [`client_key_pem`](Self::client_key_pem).
    #[doc(alias = "key_file")]
    pub fn client_key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client.key = Some(Source::File(path.into()));
        self
    }

    /// Sets the client's certificate, those of its issuers and the private key in one PKCS #12 value, as `.p12` and `.pfx`
    /// files have them. It needs [`TlsBackend::NativeTls`]; the system's library decides which ciphers it reads.
    ///
    /// ```no_run
    /// use hostpool::{TlsBackend, TlsConfig};
    ///
    /// let file = std::fs::read("client.p12")?;
    /// let tls = TlsConfig::builder().backend(TlsBackend::NativeTls).client_pkcs12(file, "password").build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "from_pkcs12_der")]
    #[doc(alias = "pfx")]
    pub fn client_pkcs12(mut self, der: impl Into<Vec<u8>>, password: impl Into<String>) -> Self {
        self.client.pkcs12 = Some((Source::Der(der.into()), password.into()));
        self
    }

    /// Sets the file of the client's certificates and key in PKCS #12: see [`client_pkcs12`](Self::client_pkcs12).
    pub fn client_pkcs12_file(mut self, path: impl Into<PathBuf>, password: impl Into<String>) -> Self {
        self.client.pkcs12 = Some((Source::File(path.into()), password.into()));
        self
    }

    /// Sets the password of the private key. Nobody is asked for it if it is not set.
    #[doc(alias = "key_password")]
    pub fn client_key_password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.client.password = Some(password.as_ref().to_vec());
        self
    }
}

/// # Library, versions, revocation, key log
impl TlsConfigBuilder {
    /// Sets who does TLS for this configuration. The default is the first one that this build has:
    /// [`TlsBackend::default`]. Configurations of several libraries can be used in one program, and in one client one
    /// after the other.
    ///
    /// # Errors
    ///
    /// `build` fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this build does not have it, and if
    /// it cannot do what the configuration asks for.
    ///
    /// ```
    /// use hostpool::{ErrorKind, TlsBackend, TlsConfig, TlsVersion};
    ///
    /// // For a device that has no better version.
    /// let old = TlsConfig::builder().backend(TlsBackend::NativeTls).min_version(TlsVersion::V1_0).build();
    /// match old {
    ///     Ok(_) => assert!(TlsBackend::NativeTls.is_available()),
    ///     Err(error) => assert_eq!(error.kind(), &ErrorKind::Unsupported),
    /// }
    /// ```
    #[doc(alias = "use_native_tls")]
    #[doc(alias = "use_rustls_tls")]
    #[doc(alias = "provider")]
    #[doc(alias = "ssl_context")]
    pub fn backend(mut self, backend: TlsBackend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Sets the lowest version of TLS. The default is TLS 1.2. Lower ones need [`TlsBackend::NativeTls`] and a system that
    /// allows them.
    ///
    /// ```
    /// use hostpool::{TlsConfig, TlsVersion};
    ///
    /// let tls = TlsConfig::builder().min_version(TlsVersion::V1_3).build();
    /// # #[cfg(feature = "__tls")]
    /// assert!(tls.is_ok());
    /// ```
    #[doc(alias = "ssl_minimum_version")]
    #[doc(alias = "ssl_version")]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = Some(version);
        self
    }

    /// Sets the highest version of TLS. The default is TLS 1.3.
    #[doc(alias = "ssl_maximum_version")]
    pub fn max_version(mut self, version: TlsVersion) -> Self {
        self.max_version = Some(version);
        self
    }

    /// Adds the revocation lists in a text of PEM blocks. A certificate that one of them revokes is refused, also if a
    /// later list of the same issuer does not name it.
    ///
    /// By default a certificate whose issuer has no list is accepted, and a certificate whose issuer's newest list is out
    /// of date is refused. [`refuse_unknown_revocation`](Self::refuse_unknown_revocation) and
    /// [`accept_expired_revocation_lists`](Self::accept_expired_revocation_lists) change that. Each certificate of a chain
    /// is looked up. Nothing is fetched from the network, and a list is not read again: build another configuration for a
    /// newer list, and give it to the client by [`Session::set_tls`](crate::Session::set_tls).
    #[doc(alias = "crl")]
    #[doc(alias = "add_crl")]
    #[doc(alias = "load_verify_locations")]
    pub fn revocation_list_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.lists.push(Source::Pem(pem.into()));
        self
    }

    /// Adds one revocation list in DER: see [`revocation_list_pem`](Self::revocation_list_pem).
    pub fn revocation_list_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.lists.push(Source::Der(der.into()));
        self
    }

    /// Adds the revocation lists in a file: PEM blocks, or one list in DER. See
    /// [`revocation_list_pem`](Self::revocation_list_pem).
    ///
    /// ```no_run
    /// let tls = hostpool::TlsConfig::builder().root_file("ca.pem").revocation_list_file("ca.crl").build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "crlfile")]
    pub fn revocation_list_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.lists.push(Source::File(path.into()));
        self
    }

    /// Sets whether to refuse a certificate that no revocation list is about. Off by default.
    pub fn refuse_unknown_revocation(mut self, refuse: bool) -> Self {
        self.revocation.refuse_unknown = refuse;
        self
    }

    /// Sets whether a revocation list that is out of date counts as one that is not. Off by default.
    pub fn accept_expired_revocation_lists(mut self, accept: bool) -> Self {
        self.revocation.accept_expired = accept;
        self
    }

    /// Sets whether only the server's own certificate is looked up in the revocation lists, and not those of its issuers.
    /// Off by default.
    pub fn check_revocation_of_server_alone(mut self, alone: bool) -> Self {
        self.revocation.server_alone = alone;
        self
    }

    /// Sets a file that gets the secrets of each connection, in the format that Wireshark reads. Whoever has the file can
    /// decrypt everything. It is appended to. A new file is for its owner alone.
    ///
    /// ```no_run
    /// let tls = hostpool::TlsConfig::builder().key_log_file("/tmp/keys.log").build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn key_log_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_log = Some(path.into());
        self
    }

    /// Sets a function that gets the secrets of each connection, one line a call, without the end of the line, in the
    /// format that Wireshark reads. Whoever has the lines can decrypt everything. It is in addition to
    /// [`key_log_file`](Self::key_log_file).
    ///
    /// It is called in the middle of a handshake, on the thread that connects. So it must not wait for a request that needs
    /// this connection. A panic of it is ignored. Two configurations are equal only if they have the same function: a
    /// builder and its clone have.
    ///
    /// ```
    /// use hostpool::{TlsBackend, TlsConfig};
    /// use std::io::Write;
    /// use std::sync::Mutex;
    ///
    /// # let file = tempfile::tempfile()?;
    /// let writer = Mutex::new(file);
    /// let tls = TlsConfig::builder().key_log(move |line| {
    ///     let _ = writeln!(writer.lock().unwrap(), "{line}");
    /// });
    /// // The library of the system does not tell its secrets.
    /// assert!(tls.clone().backend(TlsBackend::NativeTls).build().is_err());
    /// # if TlsBackend::RustlsRing.is_available() {
    /// let tls = tls.backend(TlsBackend::RustlsRing).build()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "keylog_callback")]
    #[doc(alias = "KeyLog")]
    pub fn key_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.key_log_to = Some(KeyLogFunction::new(log));
        self
    }

    /// Sets the key log that the environment variable `SSLKEYLOGFILE` names now, with `$NAME` and `${NAME}` in it
    /// replaced. If it is not set or empty, there is no key log. The variable has no effect without this call.
    #[doc(alias = "SSLKEYLOGFILE")]
    #[doc(alias = "keylog_filename")]
    pub fn key_log_from_env(mut self) -> Self {
        self.key_log = path_of_environment();
        self
    }
}

impl TlsConfigBuilder {
    /// Reads the files, checks everything, and builds the configuration. If a configuration with equal settings is in use,
    /// returns that one.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if a file cannot be read, if something in it is
    ///   not valid, if the private key is encrypted without a password or does not belong to the certificate, if no root
    ///   would be trusted, or if settings contradict each other. The error names the file.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this build of the crate, or its TLS library, lacks
    ///   something.
    pub fn build(self) -> Result<TlsConfig> {
        let backend = self.backend.unwrap_or_default();
        backend.available()?;
        let settings = self.settings(backend)?;
        backend.check(&settings)?;
        Ok(TlsConfig::of(settings))
    }

    /// Reads what the settings name.
    fn settings(self, backend: TlsBackend) -> Result<Settings> {
        self.contradiction()?;
        let mut revocation = self.revocation;
        for source in &self.lists {
            revocation.lists.extend(source.revocation_lists()?);
        }
        let pins_alone = !self.lone_pins.is_empty();
        let pins = if pins_alone { self.lone_pins } else { self.added_pins };
        let trusts_own = !self.roots.is_empty() || !self.exact.is_empty();
        let roots = Roots {
            system: self.system.unwrap_or(!trusts_own),
            own: certificates(&self.roots, "root certificates", |found| backend.check_roots(found))?,
            exact: certificates(&self.exact, "trusted certificates", check_readable)?,
        };
        let settings = Settings {
            backend,
            check: Check { pins, pins_alone, ..self.check },
            names: Names { server: self.server_name, asserted: self.asserted, unsent: self.unsent_name },
            client: self.client.read()?,
            min_version: self.min_version,
            max_version: self.max_version,
            revocation,
            key_log: KeyLog {
                file: self
                    .key_log
                    .as_deref()
                    .map(KeyLogFile::open)
                    .transpose()
                    .map_err(|error| Error::config("the key log cannot be opened").with_source(error))?,
                function: self.key_log_to,
            },
            roots,
        };
        let Roots { system, own, exact } = &settings.roots;
        if settings.checks_chain() && !system && own.is_empty() && exact.is_empty() {
            return Err(Error::config("no root certificate is trusted"));
        }
        Ok(settings)
    }

    /// Fails if a setter failed, or if a setting would have no effect because of another one.
    fn contradiction(&self) -> Result<()> {
        if let Some(wrong) = &self.wrong {
            return Err(Error::new(wrong.clone(), Phase::Prepare));
        }
        let Check { accept_any, accept_any_name, .. } = self.check;
        let (pins_alone, pins_add) = (!self.lone_pins.is_empty(), !self.added_pins.is_empty());
        let policy = Revocation { lists: Vec::new(), ..self.revocation.clone() };
        let is_too_low = |(min, max)| max < min;
        let table = [
            (
                pins_alone && pins_add,
                "assert_fingerprint replaces the checks that fingerprint adds to: set one of them",
            ),
            (pins_alone && accept_any, "assert_fingerprint has no effect if invalid certificates are accepted"),
            (
                pins_alone && self.asserted.is_some(),
                "assert_fingerprint replaces the check that assert_hostname is about",
            ),
            (pins_alone && accept_any_name, "assert_fingerprint replaces the check of the name already"),
            (pins_alone && !self.lists.is_empty(), "assert_fingerprint replaces the check of revocation lists"),
            (accept_any_name && self.asserted.is_some(), "assert_hostname has no effect if any name is accepted"),
            (
                accept_any && self.asserted.is_some(),
                "assert_hostname has no effect if invalid certificates are accepted",
            ),
            (
                accept_any && !self.lists.is_empty(),
                "revocation lists have no effect if invalid certificates are accepted",
            ),
            (self.lists.is_empty() && policy != Revocation::default(), "a policy for revocation lists needs a list"),
            (self.min_version.zip(self.max_version).is_some_and(is_too_low), "max_version is lower than min_version"),
        ];
        match table.into_iter().find(|(contradicts, _)| *contradicts) {
            Some((_, why)) => Err(Error::config(why)),
            None => Ok(()),
        }
    }
}

/// Returns the certificates of these sources. Each source that fails the check is blamed for it.
fn certificates(sources: &[Source], what: &str, check: impl Fn(&[Vec<u8>]) -> Result<()>) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for source in sources {
        let found = source.certificates(what)?;
        check(&found).map_err(|error| source.blame(error))?;
        all.extend(found);
    }
    Ok(all)
}

fn check_readable(found: &[Vec<u8>]) -> Result<()> {
    match found.iter().all(|der| Certificate::read(der).is_some()) {
        true => Ok(()),
        false => Err(Error::config("a trusted certificate cannot be read")),
    }
}

/// Returns a host name in ASCII, without its final dot, or an IP address without brackets and zone.
fn host(text: &str) -> Option<String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = inner.unwrap_or(text).split('%').next()?;
    if let Ok(address) = address.parse::<std::net::Ipv6Addr>() {
        return Some(address.to_string());
    }
    match url::Host::parse(text).ok()? {
        // A name in brackets is no name.
        _ if inner.is_some() => None,
        url::Host::Domain(name) => Some(name.trim_end_matches('.').to_owned()).filter(|name| !name.is_empty()),
        url::Host::Ipv4(address) => Some(address.to_string()),
        url::Host::Ipv6(address) => Some(address.to_string()),
    }
}
