//! The settings of a configuration, read and checked. Two configurations with equal settings are the same one.

use std::fmt;

use super::client_cert::ClientCert;
use super::key_log::KeyLogFile;
use super::pins::Fingerprint;
use crate::net::tls_info::TlsVersion;

/// Everything that a TLS connection depends on, besides the name of its server. All files are read: a file that has
/// changed makes other settings.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    pub(super) roots: Roots,
    pub(super) check: Check,
    pub(super) names: Names,
    /// The certificate that the client shows to a server that asks for one.
    pub(super) client: Option<ClientCert>,
    pub(super) min_version: Option<TlsVersion>,
    pub(super) max_version: Option<TlsVersion>,
    pub(super) revocation: Revocation,
    pub(super) key_log: Option<KeyLogFile>,
}

/// Which certificates are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Roots {
    /// The system's roots are trusted too.
    pub(super) system: bool,
    /// The roots of the caller, in DER.
    pub(super) own: Vec<Vec<u8>>,
    /// The certificates of servers that are trusted by themselves, in DER.
    pub(super) exact: Vec<Vec<u8>>,
}

/// What is checked of the server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Check {
    /// Nothing of it is checked but its fingerprint, if there is one.
    pub(super) accept_any: bool,
    /// Its names are not checked.
    pub(super) accept_any_name: bool,
    /// It must have one of these fingerprints.
    pub(super) pins: Vec<Fingerprint>,
    /// The fingerprint replaces the check of chain and name.
    pub(super) pins_alone: bool,
}

/// The names in the handshake. They are ASCII: a host name, or an address without brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Names {
    /// Replaces the host of the URL.
    pub(super) server: Option<String>,
    /// The name that the certificate must be for, in place of the server's.
    pub(super) asserted: Option<String>,
    /// The name is not sent to the server.
    pub(super) unsent: bool,
}

/// The revocation lists, and what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Revocation {
    /// The lists, in DER.
    pub(super) lists: Vec<Vec<u8>>,
    /// A certificate that no list tells about is refused.
    pub(super) refuse_unknown: bool,
    /// A list that is out of date still counts.
    pub(super) accept_expired: bool,
    /// Only the server's own certificate is looked up.
    pub(super) server_alone: bool,
}

impl Settings {
    /// Returns whether the chain of the server is checked, so that roots are needed.
    pub(super) fn checks_chain(&self) -> bool {
        !self.check.accept_any && !self.check.pins_alone
    }

    /// Returns whether the server is verified, by its chain or by a fingerprint.
    #[cfg(feature = "rustls")]
    pub(super) fn verifies(&self) -> bool {
        self.checks_chain() || !self.check.pins.is_empty()
    }
}

impl fmt::Debug for Settings {
    /// Shows numbers of certificates in place of their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { roots, check, names, client, min_version, max_version, revocation, key_log } = self;
        write!(f, "system roots {}, own roots {}", roots.system, roots.own.len())?;
        write!(f, ", trusted certificates {}, {check:?}, {names:?}", roots.exact.len())?;
        write!(f, ", client certificate {}, versions {min_version:?} to {max_version:?}", client.is_some())?;
        write!(f, ", revocation lists {}, key log {}", revocation.lists.len(), key_log.is_some())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tls::TlsConfig;
    use crate::tls::client_cert::{KeyForm, PrivateKey};

    /// Returns settings that differ from the given ones in one field each. The structs are taken apart field by field: a
    /// field without a difference here does not compile.
    pub(in crate::tls) fn each_changed(base: &Settings) -> Vec<(&'static str, Settings)> {
        let Settings { roots, check, names, client: _, min_version: _, max_version: _, revocation, key_log: _ } = base;
        let Roots { system, own: _, exact: _ } = *roots;
        let Check { accept_any, accept_any_name, pins: _, pins_alone } = *check;
        let Names { server: _, asserted: _, unsent } = *names;
        let Revocation { lists: _, refuse_unknown, accept_expired, server_alone } = *revocation;
        let mut all = Vec::new();
        let mut changed = |field, change: &dyn Fn(&mut Settings)| {
            let mut settings = base.clone();
            change(&mut settings);
            all.push((field, settings));
        };
        let key = |form| PrivateKey { form, der: vec![1] };
        let client = |chain: u8, form| ClientCert { chain: vec![vec![chain]], key: key(form) };
        let log = tempfile::NamedTempFile::new().unwrap();
        changed("system", &|all| all.roots.system = !system);
        changed("own", &|all| all.roots.own.push(vec![1]));
        changed("exact", &|all| all.roots.exact.push(vec![1]));
        changed("accept_any", &|all| all.check.accept_any = !accept_any);
        changed("accept_any_name", &|all| all.check.accept_any_name = !accept_any_name);
        changed("pins", &|all| all.check.pins.push([1; 32].into()));
        changed("pins of keys", &|all| all.check.pins.push(Fingerprint::of_public_key([1; 32])));
        changed("pins_alone", &|all| all.check.pins_alone = !pins_alone);
        changed("server", &|all| all.names.server = Some("a".into()));
        changed("asserted", &|all| all.names.asserted = Some("a".into()));
        changed("unsent", &|all| all.names.unsent = !unsent);
        changed("client", &|all| all.client = Some(client(1, KeyForm::Pkcs8)));
        changed("the client's chain", &|all| all.client = Some(client(2, KeyForm::Pkcs8)));
        changed("the client's key", &|all| all.client = Some(client(1, KeyForm::Sec1)));
        changed("min_version", &|all| all.min_version = Some(TlsVersion::V1_2));
        changed("max_version", &|all| all.max_version = Some(TlsVersion::V1_2));
        changed("lists", &|all| all.revocation.lists.push(vec![1]));
        changed("refuse_unknown", &|all| all.revocation.refuse_unknown = !refuse_unknown);
        changed("accept_expired", &|all| all.revocation.accept_expired = !accept_expired);
        changed("server_alone", &|all| all.revocation.server_alone = !server_alone);
        changed("key_log", &|all| all.key_log = Some(KeyLogFile::open(log.path()).unwrap()));
        all
    }

    #[test]
    fn which_settings_are_the_same_configuration() {
        let base = Settings { roots: Roots { own: vec![vec![0]], ..Roots::default() }, ..Settings::default() };
        let mut all = each_changed(&base);
        all.push(("none", base));
        let configs: Vec<TlsConfig> = all.iter().map(|(_, settings)| TlsConfig::of(settings.clone())).collect();
        for (one, config) in all.iter().zip(&configs) {
            assert_eq!(TlsConfig::of(one.1.clone()), *config, "{}", one.0);
            let same = configs.iter().filter(|other| *other == config).count();
            assert_eq!(same, 1, "{}", one.0);
        }
    }

    /// No key and no certificate is shown.
    #[test]
    fn shown() {
        for (field, settings) in each_changed(&Settings::default()) {
            let text = format!("{settings:?}");
            assert!(text.len() < 600 && !text.contains("[1]"), "{field}: {text}");
        }
    }
}
