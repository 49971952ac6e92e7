//! TLS by native-tls: the library of the system.

mod explain;
mod keys;
mod pipe;
mod records;
mod rules;
mod session;

use std::net::IpAddr;
use std::sync::Arc;

use native_tls::{Certificate, Protocol, TlsConnector, TlsConnectorBuilder};

use self::rules::Rules;
use self::session::NativeSession;
use super::der;
use super::session::{Backend, Session};
use super::settings::Settings;
use crate::error::{Error, Phase, Result, TlsFailure, TlsFault};
use crate::net::tls_info::TlsVersion;
use crate::urls::Origin;

/// The library of the system with a configuration.
pub(super) struct NativeTls {
    connector: TlsConnector,
    /// Replaces the host of the URL.
    server_name: Option<String>,
    /// The rules for a server with a name, and for one with an address.
    rules: [Arc<Rules>; 2],
}

impl NativeTls {
    /// Builds the configuration of the library, which reads the system's roots.
    pub(super) fn new(settings: &Settings) -> Result<NativeTls> {
        let connector = build(&mut builder(settings)?)?;
        let server_name = settings.names.asserted.clone().or_else(|| settings.names.server.clone());
        let rules = [false, true].map(|is_address| Arc::new(Rules::new(settings, is_address)));
        Ok(NativeTls { connector, server_name, rules })
    }

    /// Checks the settings, but for the system's roots.
    pub(super) fn check(settings: &Settings) -> Result<()> {
        expressible(settings)?;
        build(builder(settings)?.disable_built_in_roots(true)).map(drop)
    }

    /// Fails if one of these certificates cannot be a root.
    pub(super) fn check_roots(found: &[Vec<u8>]) -> Result<()> {
        found.iter().try_for_each(|der| certificate(der).map(drop))
    }
}

impl Backend for NativeTls {
    fn begin(&self, origin: &Origin) -> Result<Box<dyn Session>, TlsFailure> {
        let name = match (&self.server_name, origin.address()) {
            (Some(name), _) => name.clone(),
            (None, Some(address)) => address.to_string(),
            // The final dot of an absolute name is no part of it in TLS (RFC 6066, section 3).
            (None, None) => origin.server_name().trim_end_matches('.').to_owned(),
        };
        if !is_name(&name) {
            let text = format!("the host {name} cannot be a name in TLS");
            return Err(TlsFailure::new(TlsFault::InvalidName, text, true));
        }
        let [of_names, of_addresses] = &self.rules;
        let rules = if name.parse::<IpAddr>().is_ok() { of_addresses } else { of_names };
        Ok(Box::new(NativeSession::begin(&self.connector, &name, rules.clone())?))
    }
}

fn builder(settings: &Settings) -> Result<TlsConnectorBuilder> {
    let mut builder = TlsConnector::builder();
    let (check, roots) = (&settings.check, &settings.roots);
    // Without a name to compare, the certificate alone is compared, byte for byte.
    let by_bytes = !roots.exact.is_empty() && check.accept_any_name;
    let accept_any = !settings.checks_chain() || by_bytes;
    builder
        .danger_accept_invalid_certs(accept_any)
        .danger_accept_invalid_hostnames(accept_any || check.accept_any_name)
        .disable_built_in_roots(!roots.system || accept_any)
        .use_sni(!settings.names.unsent)
        .request_alpns(&["http/1.1"])
        .min_protocol_version(Some(protocol(settings.min_version.unwrap_or(TlsVersion::V1_2))))
        .max_protocol_version(settings.max_version.map(protocol));
    for der in roots.own.iter().chain(&roots.exact) {
        builder.add_root_certificate(certificate(der)?);
    }
    if let Some(client) = &settings.client {
        builder.identity(keys::identity(client)?);
    }
    Ok(builder)
}

fn build(builder: &mut TlsConnectorBuilder) -> Result<TlsConnector> {
    builder.build().map_err(|error| {
        Error::config("the TLS library of the system refuses the configuration").with_source(error.to_string())
    })
}

/// Returns whether the library can be given this name. It panics over some, and takes one that begins with a dot for all
/// names that end so.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_part) && !label.starts_with('-')
    };
    name.parse::<IpAddr>().is_ok() || name.len() <= 253 && name.split('.').all(is_label)
}

fn certificate(der: &[u8]) -> Result<Certificate> {
    Certificate::from_der(der).map_err(|_| Error::config("a root certificate cannot be read"))
}

fn protocol(version: TlsVersion) -> Protocol {
    match version {
        TlsVersion::V1_0 => Protocol::Tlsv10,
        TlsVersion::V1_1 => Protocol::Tlsv11,
        TlsVersion::V1_2 => Protocol::Tlsv12,
        TlsVersion::V1_3 => Protocol::Tlsv13,
    }
}

/// Fails if the library has no way to do what the settings say.
fn expressible(settings: &Settings) -> Result<()> {
    let Settings { roots, check, names, max_version, min_version, revocation, key_log, .. } = settings;
    let is_exact = settings.checks_chain() && !roots.exact.is_empty();
    let is_self_issued = |der: &Vec<u8>| der::Certificate::read(der).is_some_and(|read| read.is_self_issued());
    let is_openssl = !cfg!(any(windows, target_vendor = "apple"));
    let has_no_root = !roots.system && !roots.own.is_empty() && !roots.own.iter().any(is_self_issued);
    let table = [
        (!revocation.lists.is_empty(), "native-tls takes no revocation lists"),
        (!key_log.is_off(), "native-tls writes no key log"),
        (
            names.asserted.is_some() && !names.unsent,
            "native-tls has one name to send and to compare: server_name sets it, and with send_server_name(false) \
             assert_hostname does",
        ),
        (
            is_exact && (roots.system || !roots.own.is_empty()),
            "native-tls cannot trust a certificate by itself beside roots",
        ),
        (
            is_exact && !check.accept_any_name && !roots.exact.iter().all(is_self_issued),
            "native-tls cannot trust a certificate by itself that is not self-signed, unless any name is accepted",
        ),
        (
            is_openssl && settings.checks_chain() && has_no_root,
            "native-tls with OpenSSL trusts no certificate as a root that is not self-signed",
        ),
        (
            cfg!(target_vendor = "apple") && *min_version == Some(TlsVersion::V1_3),
            "native-tls has no TLS 1.3 on systems of Apple",
        ),
        (
            cfg!(target_os = "android") && settings.checks_chain() && !roots.system,
            "native-tls always trusts the system's roots on Android",
        ),
    ];
    if let Some((_, why)) = table.into_iter().find(|(is_asked, _)| *is_asked) {
        return Err(Error::unsupported(why, Phase::Prepare));
    }
    if let Some(name) = [&names.server, &names.asserted].into_iter().flatten().find(|name| !is_name(name)) {
        return Err(Error::config(format!("{name} cannot be a name in TLS")));
    }
    match min_version.is_none() && max_version.is_some_and(|max| max < TlsVersion::V1_2) {
        true => Err(Error::config("max_version is lower than TLS 1.2, which min_version is by default: set both")),
        false => Ok(()),
    }
}
