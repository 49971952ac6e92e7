//! What is checked of a server's certificate after the library has accepted it, and before a byte of a request leaves.

use std::time::SystemTime;

use super::explain;
use crate::error::{TlsFailure, TlsFault};
use crate::tls::der;
use crate::tls::pins::{self, Fingerprint};
use crate::tls::settings::Settings;

pub(super) struct Rules {
    /// It has one of these fingerprints, if there are any.
    pins: Vec<Fingerprint>,
    /// It is one of these, if there are any.
    exact: Vec<Vec<u8>>,
    /// The library does not look at its time.
    checks_time: bool,
    /// It has a name other than its common name. OpenSSL takes a common name otherwise, which nobody issues for servers
    /// any more (RFC 9525, section 2).
    needs_name: bool,
    /// The configuration has a client certificate.
    pub(super) has_client: bool,
    /// The server is verified, by its chain or by a fingerprint.
    pub(super) verified: bool,
}

impl Rules {
    /// Returns the rules for a server that has this name.
    pub(super) fn new(settings: &Settings, is_address: bool) -> Rules {
        let exact = if settings.checks_chain() { settings.roots.exact.clone() } else { Vec::new() };
        Rules {
            pins: settings.check.pins.clone(),
            checks_time: !exact.is_empty() && settings.check.accept_any_name,
            exact,
            needs_name: settings.checks_chain() && !settings.check.accept_any_name && !is_address,
            has_client: settings.client.is_some(),
            verified: settings.verifies(),
        }
    }

    pub(super) fn check(&self, leaf: &[u8]) -> Result<(), TlsFailure> {
        if !self.exact.is_empty() && !self.exact.iter().any(|exact| exact == leaf) {
            let text = "the server's certificate is none of those that are trusted";
            return Err(explain::refused(TlsFault::UntrustedIssuer, text, leaf));
        }
        if self.checks_time {
            explain::validity(leaf, SystemTime::now())?;
        }
        if self.needs_name && !der::has_dns_name(leaf) {
            let text = "the server's certificate has no alternative names that can be compared";
            return Err(explain::refused(TlsFault::WrongName, text, leaf));
        }
        match self.pins.is_empty() {
            true => Ok(()),
            false => pins::check(&self.pins, leaf).map_err(|text| explain::refused(TlsFault::PinMismatch, text, leaf)),
        }
    }
}
