//! Reaches a server over TCP: finds its addresses, and connects to one of them.

use std::time::Duration;

use super::names::{Addresses, Names};
use super::options::SocketConfig;
use super::race::{self, Winner};
use super::transport::Wait;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::urls::Origin;

/// How long an attempt has no answer before the next address is tried, too (RFC 8305, section 5).
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// The shortest stagger: with a shorter one most connections of a host with several addresses would be opened in vain.
const LEAST_STAGGER: Duration = Duration::from_millis(10);

/// The longest stagger (RFC 8305, section 8).
const MOST_STAGGER: Duration = Duration::from_secs(2);

/// The settings of all connections over TCP.
#[derive(Clone, Debug)]
pub(crate) struct TcpConfig {
    pub(crate) sockets: SocketConfig,
    pub(crate) names: Names,
    /// `None` tries the addresses one after the other.
    pub(crate) stagger: Option<Duration>,
}

impl TcpConfig {
    pub(crate) const fn new() -> TcpConfig {
        TcpConfig { sockets: SocketConfig::new(), names: Names::new(), stagger: Some(STAGGER) }
    }

    /// Returns whether it opens the same connections to this host.
    pub(crate) fn is_same_for(&self, other: &TcpConfig, host: &str) -> bool {
        // Taken apart field by field: an option without a decision on its place in the key does not compile. The stagger
        // changes how long a connection takes, and not what it is.
        let TcpConfig { sockets, names, stagger: _ } = self;
        *sockets == other.sockets && names.are_same_for(&other.names, host)
    }

    /// Looks up a host by `lookup`, and connects to one of its addresses by `wait`.
    pub(crate) fn connect(&self, origin: &Origin, lookup: &Wait<'_>, wait: &Wait<'_>) -> Result<Winner> {
        self.connect_to(&self.names.addresses(origin, lookup)?, wait)
    }

    /// Connects to one of these addresses.
    pub(crate) fn connect_to(&self, addresses: &Addresses, wait: &Wait<'_>) -> Result<Winner> {
        let winner = race::tcp(addresses, &self.sockets, self.stagger, wait);
        winner.map_err(|error| wait.failure(error, ErrorKind::Connect, Phase::Connect))
    }
}

impl Default for TcpConfig {
    fn default() -> Self {
        TcpConfig::new()
    }
}

/// Returns the stagger, if it is one that the standard allows.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`] for another one.
pub(crate) fn checked_stagger(stagger: Option<Duration>) -> Result<Option<Duration>> {
    match stagger {
        Some(stagger) if !(LEAST_STAGGER..=MOST_STAGGER).contains(&stagger) => {
            Err(Error::config("the stagger of connection attempts is from 10 milliseconds to 2 seconds"))
        }
        stagger => Ok(stagger),
    }
}
