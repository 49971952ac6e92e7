//! Finds the addresses of a host: those that the caller gives, or those that a resolver finds.

mod cache;
mod filter;
mod lookups;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod lookups_tests;
mod overrides;
mod resolver;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

pub(crate) use cache::Cache;
use cache::Key;
pub(crate) use filter::Filters;
pub use filter::is_public_address;
pub use overrides::IntoAddresses;
pub(crate) use overrides::{Overrides, spelled};
pub(crate) use resolver::shared_resolver;
pub use resolver::{Family, Lookup, Resolver, ResolverFn, SystemResolver, resolver_fn};

use super::descriptors;
use super::transport::Wait;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::urls::{Origin, is_own_name};

/// The order of RFC 6724, in which resolvers return the addresses of `localhost`.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];

/// Says how the addresses of hosts are found, and which of them may be used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Replaces the system's resolver.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) family: Family,
    /// Hosts that are not looked up.
    pub(crate) overrides: Overrides,
    pub(crate) filters: Filters,
    pub(crate) cache: Option<Arc<Cache>>,
    /// A proxy is not asked for names that it would look up.
    pub(crate) refuses_remote: bool,
}

/// The addresses of a host.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// At least one.
    pub(crate) usable: Vec<SocketAddr>,
    /// Those that the caller's filter refuses.
    pub(crate) refused: Vec<SocketAddr>,
}

impl Names {
    pub(crate) const fn new() -> Names {
        Names {
            resolver: None,
            family: Family::Any,
            overrides: Overrides::new(),
            filters: Filters::new(),
            cache: None,
            refuses_remote: false,
        }
    }

    /// Returns whether connections to this host are the same by both.
    pub(crate) fn are_same_for(&self, other: &Names, host: &str) -> bool {
        // Taken apart field by field: an option without a decision on its place in the key does not compile. A cache
        // changes when a name is looked up, but not what is found; what is refused is never connected to.
        let Names { resolver, family, overrides, filters, cache: _, refuses_remote: _ } = self;
        let same_resolver = match (resolver, &other.resolver) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same_resolver
            && *family == other.family
            && overrides.get(host) == other.overrides.get(host)
            && *filters == other.filters
    }

    /// Returns the addresses of a host, in the order in which they are to be tried. What the caller gives, and an IP
    /// address, needs no lookup. Without a deadline and a token the lookup runs on the caller's thread, and an abort is
    /// noticed when it returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resolve`] if there is no address, [`ErrorKind::AddressRefused`] if the caller's filter refuses all,
    /// and the errors of a wait.
    pub(crate) fn addresses(&self, origin: &Origin, wait: &Wait<'_>) -> Result<Addresses> {
        let failed = |error| wait.failure(error, ErrorKind::Resolve, Phase::Resolve);
        let found = self.find(origin, wait).map_err(failed)?;
        if wait.is_cancelled() {
            return Err(failed(io::ErrorKind::ConnectionAborted.into()));
        }
        let mut addresses = Addresses { usable: self.wanted(found).map_err(failed)?, refused: Vec::new() };
        if !self.filters.is_empty() {
            let (usable, refused) = addresses.usable.into_iter().partition(|address| self.filters.allow(*address));
            addresses = Addresses { usable, refused };
            if let ([], [first, more @ ..]) = (&addresses.usable[..], &addresses.refused[..]) {
                let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
                let why = io::Error::new(io::ErrorKind::PermissionDenied, format!("{}{more}", Refused(*first)));
                return Err(Error::new(ErrorKind::AddressRefused, Phase::Resolve).with_source(why));
            }
        }
        Ok(addresses)
    }

    /// Refuses a host that is an address which the caller's filter does not allow. It is for a host that a proxy connects
    /// to: what its name leads to is not known here, so a name may be refused, too. `looks_up` says that the proxy looks
    /// up names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AddressRefused`] for such a host.
    pub(crate) fn check_remote(&self, origin: &Origin, looks_up: bool) -> Result<()> {
        let Some(address) = origin.address() else {
            return match looks_up && self.refuses_remote {
                true => Err(Error::new(
                    ErrorKind::AddressRefused
                        .because("the proxy would look up the name, and refuse_remote_names is set"),
                    Phase::Resolve,
                )),
                false => Ok(()),
            };
        };
        let address = SocketAddr::new(address, origin.port().unwrap_or_default());
        if self.filters.allow(address) {
            return Ok(());
        }
        let why = io::Error::new(io::ErrorKind::PermissionDenied, Refused(address).to_string());
        Err(Error::new(ErrorKind::AddressRefused, Phase::Resolve).with_source(why))
    }

    /// Returns all addresses of a host.
    fn find(&self, origin: &Origin, wait: &Wait<'_>) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = (origin.host(), origin.port().unwrap_or_default());
        // The rest of an address stays, such as the interface of a link-local one.
        let with_port = |address: &SocketAddr| {
            let mut address = *address;
            if address.port() == 0 {
                address.set_port(port);
            }
            address
        };
        if let Some(given) = self.overrides.get(host) {
            return Ok(given.iter().map(with_port).collect());
        }
        if let (Some(IpAddr::V6(address)), Some(zone)) = (origin.address(), origin.zone()) {
            return with_interface(address, zone, port);
        }
        if let Some(address) = origin.address() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        if self.resolver.is_none() && is_own_name(host) {
            return Ok(LOOPBACK.map(|address| SocketAddr::new(address, port)).to_vec());
        }
        let key = Key { resolver: self.resolver.clone(), host: host.into(), family: self.family };
        let found = lookups::find(&key, self.cache.as_ref(), wait)?;
        Ok(found.iter().map(with_port).collect())
    }

    /// Returns the addresses of the wanted family, each once.
    fn wanted(&self, mut found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        let had_any = !found.is_empty();
        found.retain(|address| self.family.has(address));
        let mut at = 1;
        while at < found.len() {
            match found[..at].contains(&found[at]) {
                true => drop(found.remove(at)),
                false => at += 1,
            }
        }
        let why = match (found.is_empty(), had_any) {
            (false, _) => return Ok(found),
            (true, true) => format!("the host has no {} address", self.family),
            (true, false) => "the host has no address".to_owned(),
        };
        Err(io::Error::new(io::ErrorKind::NotFound, why))
    }
}

/// Returns a link-local address at the network interface of its zone (RFC 4007, section 11). The system's function for
/// names knows the interfaces, and asks no server about an address.
fn with_interface(address: Ipv6Addr, zone: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = descriptors::lookup(|| (&*format!("{address}%{zone}"), port).to_socket_addrs());
    match found {
        Ok(found) => Ok(found.collect()),
        Err(error) if descriptors::are_lacking(&error) => Err(error),
        Err(_) => {
            let why = format!("{address} has no network interface {zone:?} on this machine");
            Err(io::Error::new(io::ErrorKind::NotFound, why))
        }
    }
}

/// Says that the caller's filter refuses an address.
pub(crate) struct Refused(pub(crate) SocketAddr);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the address filter refuses it", self.0)
    }
}
