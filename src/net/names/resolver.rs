//! What looks names up: the system, or code of the caller's.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::super::descriptors;
use crate::shared;

/// Looks up the addresses of host names, in place of the system. A closure becomes a resolver by [`resolver_fn`].
///
/// A lookup may block. For a request that has a deadline or a token it runs on a thread of this crate, and the request
/// stops waiting for it at its deadline. The lookup goes on then, and keeps its thread: at most 8 lookups that somebody
/// waits for run at once, and 8 more that nobody waits for. A resolver that never returns uses these up. Without a
/// deadline and a token the lookup runs on the caller's own thread.
///
/// Requests that need the same name at the same time share one lookup, and its result. An IP address in a URL is not
/// looked up, nor is a name that [`resolve_to`](crate::ClientBuilder::resolve_to) gives addresses for.
///
/// ```
/// use hostpool::{ErrorKind, Lookup, PoolManager, Resolver};
/// use std::collections::HashMap;
/// use std::io;
/// use std::net::{IpAddr, SocketAddr};
///
/// /// The services of a test environment, and no other name.
/// struct Services(HashMap<String, IpAddr>);
///
/// impl Resolver for Services {
///     fn resolve(&self, lookup: &Lookup<'_>) -> io::Result<Vec<SocketAddr>> {
///         match self.0.get(lookup.host()) {
///             // Port 0 stands for the port of the URL.
///             Some(address) => Ok(vec![SocketAddr::new(*address, 0)]),
///             None => Err(io::ErrorKind::NotFound.into()),
///         }
///     }
/// }
///
/// let pools = PoolManager::builder().resolver(Services(HashMap::new())).build()?;
/// let error = pools.get("http://unknown.test/").retries(0).send().unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::Resolve);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "AbstractResolver")]
#[doc(alias = "dns_resolver")]
#[doc(alias = "getaddrinfo")]
pub trait Resolver: Send + Sync {
    /// Returns the addresses of the host, in the order in which they are to be tried. Port 0 stands for the port of the
    /// URL; another port is connected to in its place. Addresses of a family that was not asked for are not used.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] says that there is no such name: a [cache](crate::ClientBuilder::use_dns_cache) keeps
    /// this answer. Any other error may be over the next time, and is not kept. The request fails with
    /// [`ErrorKind::Resolve`](crate::ErrorKind::Resolve), and the error is its source. An empty list is an error, too.
    fn resolve(&self, lookup: &Lookup<'_>) -> io::Result<Vec<SocketAddr>>;
}

impl fmt::Debug for dyn Resolver + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Resolver")
    }
}

/// Passes each call on to the resolver that the pointer leads to.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<R: Resolver + ?Sized> Resolver for $pointer {
            fn resolve(&self, lookup: &Lookup<'_>) -> io::Result<Vec<SocketAddr>> {
                (**self).resolve(lookup)
            }
        }
    )*};
}

forward!(&R, Box<R>, Arc<R>);

/// Shares a resolver. An `Arc<dyn Resolver>` is not wrapped again, so that it stays the same resolver wherever it is
/// given.
pub(crate) fn shared_resolver<R: Resolver + 'static>(resolver: R) -> Arc<dyn Resolver> {
    shared::already::<Arc<dyn Resolver>>(&resolver).unwrap_or_else(|| Arc::new(resolver))
}

/// Makes a [`Resolver`] of a function or a closure.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// # let server: std::net::SocketAddr = hostpool::Url::parse(&url)?.netloc().parse().unwrap();
/// use hostpool::{Session, SystemResolver, Resolver, resolver_fn};
///
/// // One name is found elsewhere, the system knows the others.
/// let resolver = resolver_fn(move |lookup| match lookup.host() {
///     "api.test" => Ok(vec![server]),
///     _ => SystemResolver.resolve(lookup),
/// });
/// let session = Session::builder().resolver(resolver).build()?;
/// assert_eq!(session.get("http://api.test/").send()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn resolver_fn<F>(function: F) -> ResolverFn<F>
where
    F: Fn(&Lookup<'_>) -> io::Result<Vec<SocketAddr>> + Send + Sync,
{
    ResolverFn(function)
}

/// A function as a [`Resolver`]: the value of [`resolver_fn`].
#[derive(Clone, Copy)]
pub struct ResolverFn<F>(F);

impl<F> Resolver for ResolverFn<F>
where
    F: Fn(&Lookup<'_>) -> io::Result<Vec<SocketAddr>> + Send + Sync,
{
    fn resolve(&self, lookup: &Lookup<'_>) -> io::Result<Vec<SocketAddr>> {
        self.0(lookup)
    }
}

impl<F> fmt::Debug for ResolverFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolverFn")
    }
}

/// The question to a [`Resolver`].
///
/// ```
/// use hostpool::{Family, Lookup, Resolver, SystemResolver};
///
/// // For a test of your own resolver. Within a request the client asks.
/// let lookup = Lookup::new("localhost").family(Family::V4);
/// assert!(SystemResolver.resolve(&lookup)?.iter().all(|address| address.ip().is_loopback()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    host: &'a str,
    family: Family,
}

impl<'a> Lookup<'a> {
    /// Returns the question for the addresses of a host, of any family.
    pub const fn new(host: &'a str) -> Lookup<'a> {
        Lookup { host, family: Family::Any }
    }

    /// Sets the family of the wanted addresses.
    pub const fn family(self, family: Family) -> Lookup<'a> {
        Lookup { family, ..self }
    }

    /// Returns the name of the host as the URL has it: in lower case, and in Punycode where it is international.
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// Returns the family of the wanted addresses. A resolver may return others too: they are not used.
    pub const fn wanted_family(&self) -> Family {
        self.family
    }
}

/// The kind of IP addresses that connections are made to.
#[doc(alias = "AF_INET")]
#[doc(alias = "AF_INET6")]
#[doc(alias = "IpFamily")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Both, in the order that the resolver gives.
    #[default]
    #[doc(alias = "AF_UNSPEC")]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Family {
    /// Returns whether the address is of this family.
    pub(crate) fn has(self, address: &SocketAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }
}

impl fmt::Display for Family {
    /// Writes `IPv4`, `IPv6` or `IP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Any => "IP",
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// The resolver of the operating system, which is the default. It reads `/etc/hosts` and asks name servers, as the
/// system is configured.
///
/// Its error has the kind [`io::ErrorKind::NotFound`] if the system says that there is no such name.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, lookup: &Lookup<'_>) -> io::Result<Vec<SocketAddr>> {
        let found = descriptors::lookup(|| (lookup.host, 0).to_socket_addrs());
        Ok(found.map_err(told_apart)?.filter(|address| lookup.family.has(address)).collect())
    }
}

/// What resolvers write if there is no such name, or if it has no address: glibc (both), musl (both), the systems of
/// BSD and Apple.
const NO_SUCH_NAME: [&str; 7] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided, or not known",
    "hostname nor servname provided, or not known",
    "no address associated with name",
];

/// `WSAHOST_NOT_FOUND` and `WSANO_DATA`.
#[cfg(windows)]
const NO_SUCH_HOST: [i32; 2] = [11001, 11004];

/// Gives the error of a name that does not exist the kind `NotFound`. std passes on the text alone. An unknown text
/// counts as a failure that may be over soon.
fn told_apart(error: io::Error) -> io::Error {
    #[cfg(windows)]
    let is_missing = error.raw_os_error().is_some_and(|code| NO_SUCH_HOST.contains(&code));
    #[cfg(not(windows))]
    let is_missing = error.raw_os_error().is_none();
    let text = error.to_string();
    match is_missing && (cfg!(windows) || NO_SUCH_NAME.iter().any(|known| text.ends_with(known))) {
        true => io::Error::new(io::ErrorKind::NotFound, text),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EAI_AGAIN` and `EAI_FAIL` are over some day; `EAI_NONAME` and `EAI_NODATA` say something about the name.
    #[cfg(not(windows))]
    #[test]
    fn which_failures_last() {
        let table = [
            ("Name or service not known", true),
            ("No address associated with hostname", true),
            ("Name does not resolve", true),
            ("nodename nor servname provided, or not known", true),
            ("Temporary failure in name resolution", false),
            ("Non-recoverable failure in name resolution", false),
            ("System error", false),
            ("Try again", false),
        ];
        for (text, expected) in table {
            let text = format!("failed to lookup address information: {text}");
            let error = told_apart(io::Error::other(text.clone()));
            assert_eq!(error.kind() == io::ErrorKind::NotFound, expected, "{text}");
            assert_eq!(error.to_string(), text);
        }
        let by_number = told_apart(io::Error::from_raw_os_error(24));
        assert_eq!(by_number.raw_os_error(), Some(24));
    }
}
