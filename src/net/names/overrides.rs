//! Addresses that the caller gives for a host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::urls::Url;

/// The addresses of hosts that are not looked up. The map is small, and most clients have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides(Option<Arc<Vec<Given>>>);

/// A host, and its addresses.
type Given = (Box<str>, Box<[SocketAddr]>);

impl Overrides {
    pub(crate) const fn new() -> Overrides {
        Overrides(None)
    }

    /// Sets the addresses of a host, in place of those that were set before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if this is not the host of any URL, or has a port.
    pub(crate) fn set(&mut self, host: &str, addresses: impl IntoAddresses) -> Result<()> {
        let host = spelled(host)?;
        let mut list = Vec::new();
        addresses.add_to(&mut list);
        let all = Arc::make_mut(self.0.get_or_insert_default());
        match all.iter_mut().find(|(known, _)| *known == host) {
            Some((_, addresses)) => *addresses = list.into(),
            None => all.push((host, list.into())),
        }
        Ok(())
    }

    /// Returns the addresses that were given for this host, if any were.
    pub(crate) fn get(&self, host: &str) -> Option<&[SocketAddr]> {
        let (_, addresses) = self.0.as_ref()?.iter().find(|(known, _)| **known == *host)?;
        Some(addresses)
    }

    /// Adds the addresses of one host, which come before those that are known.
    pub(crate) fn put(&mut self, host: &str, addresses: &[SocketAddr]) {
        let all = Arc::make_mut(self.0.get_or_insert_default());
        all.retain(|(known, _)| **known != *host);
        all.push((host.into(), addresses.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Returns a host as the origin of a URL has it.
pub(crate) fn spelled(host: &str) -> Result<Box<str>> {
    let wrong = || Error::config("a host is a name or an IP address, without a scheme, a port and a path");
    let bare = host.parse::<Ipv6Addr>().is_ok();
    let has_port = !bare && !host.ends_with(']') && host.contains(':');
    if has_port || host.contains(['/', '?', '#', '@', '\\', '%']) {
        return Err(wrong());
    }
    let text = if bare { format!("http://[{host}]/") } else { format!("http://{host}/") };
    Ok(Url::parse(&text).map_err(|_| wrong())?.origin().host().into())
}

/// One address, or several in the order in which they are to be tried: the argument of
/// [`resolve_to`](crate::ClientBuilder::resolve_to).
///
/// It is implemented for [`IpAddr`], [`Ipv4Addr`] and [`Ipv6Addr`], for which the port of the URL is used; for
/// [`SocketAddr`], [`SocketAddrV4`] and [`SocketAddrV6`], where port 0 stands for the port of the URL; and for arrays,
/// slices and vectors of these.
pub trait IntoAddresses: sealed::Sealed {
    #[doc(hidden)]
    fn add_to(self, addresses: &mut Vec<SocketAddr>);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! addresses {
    ($($kind:ty => |$address:ident| $socket:expr,)+) => {$(
        impl sealed::Sealed for $kind {}

        impl IntoAddresses for $kind {
            fn add_to(self, addresses: &mut Vec<SocketAddr>) {
                let $address = self;
                addresses.push($socket);
            }
        }
    )+};
}

addresses! {
    IpAddr => |address| SocketAddr::new(address, 0),
    Ipv4Addr => |address| SocketAddr::new(address.into(), 0),
    Ipv6Addr => |address| SocketAddr::new(address.into(), 0),
    SocketAddr => |address| address,
    SocketAddrV4 => |address| address.into(),
    SocketAddrV6 => |address| address.into(),
}

impl<A: IntoAddresses, const N: usize> sealed::Sealed for [A; N] {}
impl<A: IntoAddresses> sealed::Sealed for Vec<A> {}
impl<A: IntoAddresses + Copy> sealed::Sealed for &[A] {}

impl<A: IntoAddresses, const N: usize> IntoAddresses for [A; N] {
    fn add_to(self, addresses: &mut Vec<SocketAddr>) {
        self.into_iter().for_each(|one| one.add_to(addresses));
    }
}

impl<A: IntoAddresses> IntoAddresses for Vec<A> {
    fn add_to(self, addresses: &mut Vec<SocketAddr>) {
        self.into_iter().for_each(|one| one.add_to(addresses));
    }
}

impl<A: IntoAddresses + Copy> IntoAddresses for &[A] {
    fn add_to(self, addresses: &mut Vec<SocketAddr>) {
        self.iter().for_each(|one| one.add_to(addresses));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let table = [
            ("h", Some("h")),
            ("Example.COM", Some("example.com")),
            ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
            ("h.", Some("h.")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("::1", Some("[::1]")),
            ("[0::1]", Some("[::1]")),
            ("h:80", None),
            ("[::1]:80", None),
            ("http://h", None),
            ("h/a", None),
            ("u@h", None),
            ("a b", None),
            ("", None),
        ];
        for (host, expected) in table {
            assert_eq!(spelled(host).ok().as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn the_last_counts() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut overrides = Overrides::new();
        assert!(overrides.is_empty() && overrides.get("h").is_none());
        overrides.set("h", Ipv4Addr::LOCALHOST).unwrap();
        overrides.set("H", [at("192.0.2.1:8"), at("[::1]:0")]).unwrap();
        overrides.set("other", vec![IpAddr::from([192, 0, 2, 2])]).unwrap();
        assert_eq!(overrides.get("h").unwrap(), [at("192.0.2.1:8"), at("[::1]:0")]);
        assert_eq!(overrides.get("other").unwrap(), [at("192.0.2.2:0")]);
        let mut own = overrides.clone();
        own.put("h", &[at("192.0.2.9:0")]);
        assert_eq!((own.get("h").unwrap().len(), overrides.get("h").unwrap().len()), (1, 2));
        assert!(own.get("other").is_some());
    }
}
