//! TLS by rustls.

mod crl;
mod explain;
mod keys;
mod notes;
mod roots;
mod session;
mod verify;

use std::net::IpAddr;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};

use self::crl::Lists;
use self::session::RustlsSession;
use self::verify::{Answer, Verifier};
use super::session::{Backend, Session};
use super::settings::Settings;
use crate::error::{Error, Phase, Result, TlsFailure, TlsFault};
use crate::net::tls_info::TlsVersion;
use crate::urls::Origin;

/// The library that does the arithmetic.
const PROVIDER: &str = "ring";

/// rustls with a configuration.
pub(super) struct Rustls {
    config: Arc<ClientConfig>,
    /// Replaces the host of the URL.
    server_name: Option<ServerName<'static>>,
    verified: bool,
}

impl Rustls {
    /// Reads the system's roots if they are trusted, and builds the configuration of rustls.
    pub(super) fn new(settings: &Settings) -> Result<Rustls> {
        let mut store = RootCertStore::empty();
        let mut origin_of_roots = String::new();
        if settings.checks_chain() {
            origin_of_roots = roots::fill(&settings.roots, &mut store)?;
        }
        Rustls::with_roots(settings, store, origin_of_roots)
    }

    /// Checks the settings, but for the system's roots.
    pub(super) fn check(settings: &Settings) -> Result<()> {
        Rustls::with_roots(settings, RootCertStore::empty(), String::new()).map(drop)
    }

    /// Fails if one of these certificates cannot be a root.
    pub(super) fn check_roots(found: &[Vec<u8>]) -> Result<()> {
        roots::check(found)
    }

    fn with_roots(settings: &Settings, roots: RootCertStore, origin_of_roots: String) -> Result<Rustls> {
        // Name the provider: the process default panics if two providers are compiled in and none is installed.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let answer = settings.client.as_ref().map(|client| keys::certified(client, &provider)).transpose()?;
        let verifier = Verifier {
            check: settings.check.clone(),
            asserted: settings.names.asserted.as_deref().map(name).transpose()?,
            roots,
            origin_of_roots,
            exact: settings.roots.exact.iter().chain(&settings.roots.own).cloned().collect(),
            lists: Lists::new(&settings.revocation)?,
            algorithms,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(settings.min_version, settings.max_version)?)
            .map_err(|_| Error::config("the TLS versions are not supported"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Answer(answer)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.enable_sni = !settings.names.unsent;
        if let Some(file) = &settings.key_log {
            config.key_log = Arc::new(file.clone());
        }
        Ok(Rustls {
            config: Arc::new(config),
            server_name: settings.names.server.as_deref().map(name).transpose()?,
            verified: settings.verifies(),
        })
    }
}

impl Backend for Rustls {
    fn begin(&self, origin: &Origin) -> Result<Box<dyn Session>, TlsFailure> {
        let invalid = |why: String| TlsFailure::new(TlsFault::InvalidName, why, true);
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(origin)
                .ok_or_else(|| invalid(format!("the host {} cannot be a name in TLS", origin.host())))?,
        };
        let tls = ClientConnection::new(self.config.clone(), name)
            .map_err(|error| explain::connection(&error, explain::Situation::default()))?;
        Ok(Box::new(RustlsSession::new(tls, self.verified)))
    }
}

/// Returns the name to verify. An IP address is verified as an address and not sent as a name (RFC 6066, section 3).
/// The final dot of an absolute name is removed, as that section requires.
fn server_name(origin: &Origin) -> Option<ServerName<'static>> {
    match origin.address() {
        Some(IpAddr::V4(address)) => Some(ServerName::IpAddress(address.into())),
        Some(IpAddr::V6(address)) => Some(ServerName::IpAddress(address.into())),
        None => ServerName::try_from(origin.server_name().trim_end_matches('.').to_owned()).ok(),
    }
}

/// Returns a name of the settings, which is a host name or an address.
fn name(text: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(text.to_owned()).map_err(|_| Error::config(format!("{text} cannot be a name in TLS")))
}

/// Returns the versions from `min` to `max`.
fn versions(min: Option<TlsVersion>, max: Option<TlsVersion>) -> Result<Vec<&'static SupportedProtocolVersion>> {
    if let Some(old) = min.into_iter().chain(max).find(|version| *version < TlsVersion::V1_2) {
        let why = format!("rustls has no {old}, which is broken; native-tls may have it");
        return Err(Error::unsupported("", Phase::Prepare).because(why));
    }
    let within = |version| min.is_none_or(|min| min <= version) && max.is_none_or(|max| version <= max);
    let all = [(TlsVersion::V1_3, &rustls::version::TLS13), (TlsVersion::V1_2, &rustls::version::TLS12)];
    Ok(all.into_iter().filter(|(version, _)| within(*version)).map(|(_, supported)| supported).collect())
}

/// Returns certificates as rustls takes them.
fn certificates(chain: &[Vec<u8>]) -> Vec<CertificateDer<'static>> {
    chain.iter().map(|der| CertificateDer::from(der.clone())).collect()
}
