//! Which addresses may be connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

type Allows = dyn Fn(SocketAddr) -> bool + Send + Sync;

/// The caller's functions that must allow an address.
#[derive(Clone, Default)]
pub(crate) struct Filters(Vec<Arc<Allows>>);

impl Filters {
    pub(crate) const fn new() -> Filters {
        Filters(Vec::new())
    }

    /// Adds a function that must allow an address, too.
    pub(crate) fn add(&mut self, allows: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) {
        self.0.push(Arc::new(allows));
    }

    /// Adds the functions of `others`.
    pub(crate) fn extend(&mut self, others: Filters) {
        self.0.extend(others.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn allow(&self, address: SocketAddr) -> bool {
        self.0.iter().all(|allows| allows(address))
    }
}

impl PartialEq for Filters {
    /// Two functions are equal only if they are one: what another one allows cannot be known.
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filters({})", self.0.len())
    }
}

/// Returns whether an address belongs to the public internet. It is for
/// [`address_filter`](crate::ClientBuilder::address_filter), where URLs come from strangers: a URL of theirs must not
/// reach services of this machine, of its network or of its cloud (server-side request forgery).
///
/// It refuses loopback, private and shared, link-local, multicast, broadcast, reserved, documentation and benchmark
/// addresses, unique local and site-local IPv6, and everything of IPv6 outside of the space for global addresses. That
/// includes the metadata services of clouds: `169.254.169.254`, `fd00:ec2::254`, `100.100.100.200`, `192.0.0.192`, and
/// `168.63.129.16`, which looks like a public address. An IPv6 address that carries an IPv4 address (mapped, NAT64,
/// 6to4) is as public as that one.
///
/// ```
/// use hostpool::{ErrorKind, Session, is_public_address};
///
/// assert!(is_public_address(([93, 184, 215, 14], 443).into()));
/// assert!(!is_public_address("[::ffff:10.0.0.1]:443".parse().unwrap()));
///
/// let session = Session::builder().address_filter(is_public_address).build()?;
/// let error = session.get("http://169.254.169.254/latest/meta-data/").send().unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::AddressRefused);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "ssrf")]
#[doc(alias = "is_global")]
pub fn is_public_address(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The blocks of IPv4 that are not for the public internet: the IANA registry of special-purpose addresses (RFC 6890),
/// multicast, and one service of a cloud.
const SPECIAL_V4: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Shared by the customers of a provider (RFC 6598); Alibaba's metadata service.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Azure's service for its virtual machines.
    ([168, 63, 129, 16], 32),
    // Link-local; the metadata service of most clouds.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    // IETF protocols; Oracle's metadata service.
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    // Relays of 6to4, given up by RFC 7526.
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    ([255, 255, 255, 255], 32),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(block, len): ([u8; 4], u32)| {
        let mask = u32::MAX << (32 - len);
        address.to_bits() & mask == u32::from_be_bytes(block)
    };
    !SPECIAL_V4.into_iter().any(within)
}

/// The blocks of global unicast IPv6 (2000::/3) that are not for the public internet.
const SPECIAL_V6: [(Ipv6Addr, u32); 3] = [
    // IETF protocols, Teredo among them (RFC 2928).
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |block: Ipv6Addr, len: u32| {
        let mask = u128::MAX << (128 - len);
        address.to_bits() & mask == block.to_bits()
    };
    let octets = address.octets();
    let inner = |at: usize| is_public_v4(Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]));
    // An IPv4 address as IPv6 (RFC 4291, section 2.5.5.2), or behind a translator (RFC 6052).
    if within(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96) || within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        return inner(12);
    }
    // 6to4 (RFC 3056).
    if within(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16) {
        return inner(2);
    }
    within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6.into_iter().any(|(block, len)| within(block, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last address of each block, and their neighbours.
    #[test]
    fn public_addresses() {
        let public = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2606:4700::1",
            "3ffe::1",
            "3fff:1000::",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2a00::1",
        ];
        let special = [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.0.255",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.1.2.3",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "1fff::1",
            "2001::1",
            "2001:1ff:ffff::",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ];
        for (list, expected) in [(&public[..], true), (&special[..], false)] {
            for text in list {
                let address = SocketAddr::new(text.parse().unwrap(), 443);
                assert_eq!(is_public_address(address), expected, "{text}");
            }
        }
    }

    /// Each function must allow an address. Clones are equal, and any other two are not.
    #[test]
    fn several_filters() {
        let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut filters = Filters::new();
        assert!(filters.is_empty() && filters.allow(at(1)));
        filters.add(|address| address.port() > 1);
        let one = filters.clone();
        assert!(one == filters);
        filters.add(|address| address.port() < 9);
        assert!([(1, false), (5, true), (9, false)].into_iter().all(|(port, ok)| filters.allow(at(port)) == ok));
        let mut same_code = Filters::new();
        same_code.add(|address| address.port() > 1);
        assert!(one != filters && one != same_code);
    }
}
