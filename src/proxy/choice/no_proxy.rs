//! The hosts that are reached without a proxy: the list of `NO_PROXY`.
//!
//! No name is looked up, and no entry makes the list unusable. An entry that means nothing matches nothing.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::urls::{Origin, is_own_name};

/// A list of hosts that are reached without a proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct NoProxy {
    entries: Vec<Entry>,
    /// The entries that match nothing, as they were written.
    unknown: Vec<Box<str>>,
}

/// What one entry names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// `None` for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name without dots around it, in lower case, and all names below it.
    Domain(Box<str>),
    /// The addresses whose first bits are those of this one. The zone counts if the entry names one.
    Net {
        address: IpAddr,
        bits: u8,
        zone: Option<Box<str>>,
    },
}

impl NoProxy {
    /// Adds the entries of a list. Commas and white space separate them.
    pub(super) fn add(&mut self, list: &str) {
        for text in list.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty()) {
            match Entry::parse(text) {
                Some(entry) => self.entries.push(entry),
                None => self.unknown.push(text.into()),
            }
        }
    }

    /// Returns the entries that match nothing.
    pub(super) fn unknown(&self) -> &[Box<str>] {
        &self.unknown
    }

    /// Returns whether an origin is reached without a proxy.
    pub(super) fn matches(&self, origin: &Origin) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let host = Host { name: relative(origin.host()), address: origin.address().map(canonical), origin };
        self.entries.iter().any(|entry| entry.matches(&host))
    }
}

impl fmt::Debug for NoProxy {
    /// Leaves out the entries that match nothing. They may be anything, also a URL with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoProxy").field("entries", &self.entries).finish_non_exhaustive()
    }
}

/// A host that entries are compared with.
struct Host<'a> {
    name: &'a str,
    address: Option<IpAddr>,
    origin: &'a Origin,
}

impl Entry {
    /// Reads one entry: `*`, a name, an address, or a range of addresses, and a port after all but a range.
    fn parse(text: &str) -> Option<Entry> {
        if let Some((net, bits)) = text.split_once('/') {
            return Some(Entry { hosts: range(net, bits)?, port: None });
        }
        // Without brackets, all colons are of the address.
        if let Some((address, zone)) = address_of(text) {
            return Some(Entry { hosts: one_address(address, zone), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port_of(port)?)),
            None => (text, None),
        };
        let hosts = match address_of(host) {
            // `::1:8080` is an address.
            Some((IpAddr::V6(_), _)) if !host.starts_with('[') => return None,
            Some((address, zone)) => one_address(address, zone),
            None if host == "*" => Hosts::All,
            None => Hosts::Domain(domain(host)?),
        };
        Some(Entry { hosts, port })
    }

    fn matches(&self, host: &Host<'_>) -> bool {
        let is_host = match (&self.hosts, host.address) {
            (Hosts::All, _) => true,
            (Hosts::Domain(domain), None) => is_below(host.name, domain),
            (Hosts::Net { address, bits, zone }, Some(asked)) => {
                let is_zone = zone.is_none() || zone.as_deref() == host.origin.zone();
                is_zone && is_within(asked, *address, *bits)
            }
            // An address has no domain, and a name no address that is known without a lookup.
            (Hosts::Domain(_), Some(_)) | (Hosts::Net { .. }, None) => false,
        };
        is_host && (self.port.is_none() || self.port == host.origin.port())
    }
}

/// Returns whether an origin is this machine, as far as its name or address says so.
pub(super) fn is_loopback(origin: &Origin) -> bool {
    match origin.address() {
        Some(address) => canonical(address).is_loopback(),
        None => is_own_name(origin.host()) || relative(origin.host()) == "localhost",
    }
}

/// Returns an address as the one that it stands for: an IPv4 address may be written as one of IPv6 (RFC 4291, section
/// 2.5.5.2).
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Returns a name without the dot at its end, which says that it is complete.
fn relative(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Returns whether a name is this domain or one below it.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns whether the first bits of two addresses are the same.
fn is_within(asked: IpAddr, net: IpAddr, bits: u8) -> bool {
    let differ = |differing: u128, width: u8| differing.checked_shr(u32::from(width - bits)).unwrap_or_default() != 0;
    match (asked, net) {
        (IpAddr::V4(asked), IpAddr::V4(net)) => !differ(u128::from(asked.to_bits() ^ net.to_bits()), 32),
        (IpAddr::V6(asked), IpAddr::V6(net)) => !differ(asked.to_bits() ^ net.to_bits(), 128),
        _ => false,
    }
}

fn one_address(address: IpAddr, zone: Option<&str>) -> Hosts {
    let address = canonical(address);
    Hosts::Net { address, bits: if address.is_ipv4() { 32 } else { 128 }, zone: zone.map(Into::into) }
}

/// Reads a range of addresses. Bits after its length do not count.
fn range(net: &str, bits: &str) -> Option<Hosts> {
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits: u8 = bits.parse().ok().filter(|_| is_number)?;
    let (address, zone) = address_of(net)?;
    let is_valid = zone.is_none() && bits <= if address.is_ipv4() { 32 } else { 128 };
    let (address, bits) = match (address, canonical(address)) {
        // A range within the IPv4 addresses that are written as those of IPv6.
        (IpAddr::V6(_), IpAddr::V4(address)) if bits >= 96 => (IpAddr::V4(address), bits - 96),
        (address, _) => (address, bits),
    };
    is_valid.then_some(Hosts::Net { address, bits, zone: None })
}

/// Reads an address with its zone, in brackets or without.
fn address_of(text: &str) -> Option<(IpAddr, Option<&str>)> {
    let inside = text.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
    match inside {
        Some(inside) => v6_of(inside?),
        None => v6_of(text).or_else(|| Some((IpAddr::V4(text.parse().ok()?), None))),
    }
}

fn v6_of(text: &str) -> Option<(IpAddr, Option<&str>)> {
    let Some((address, zone)) = text.split_once('%') else { return Some((IpAddr::V6(text.parse().ok()?), None)) };
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let address: Ipv6Addr = address.parse().ok()?;
    (!zone.is_empty() && zone.bytes().all(is_plain)).then_some((IpAddr::V6(address), Some(zone)))
}

fn port_of(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

/// Returns a name as URLs have it, without `*.` or a dot before it and a dot after it. Returns `None` for a text that no
/// host can be.
fn domain(text: &str) -> Option<Box<str>> {
    let text = text.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(text);
    let text = relative(text.strip_prefix('.').unwrap_or(text));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.is_empty() || text.starts_with('.') || text.ends_with('.') {
        return None;
    }
    // A host whose last label is a number is an address (WHATWG URL, "ends in a number"), as in `10.` and `192.168.`.
    if text.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    if text.chars().all(is_plain) {
        return Some(text.to_ascii_lowercase().into());
    }
    if text.is_ascii() {
        return None;
    }
    match url::Host::parse(text) {
        Ok(url::Host::Domain(name)) => Some(name.into()),
        _ => None,
    }
}
