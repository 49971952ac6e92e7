//! Where cookies belong: which hosts and paths, and which domains are too wide for one owner.
//!
//! Only the URL counts, never a Host field. The host of a URL is in lower case and in ASCII already, and an IPv4
//! address is always a dotted quad.

use std::net::IpAddr;

use crate::urls::{self, Scheme, Url};

/// The parts of a URL that decide about cookies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    /// Only this machine and the server see what is sent: true for `https`, and for plain http to this machine if the
    /// jar allows it.
    pub(super) is_secure: bool,
}

impl<'a> Place<'a> {
    /// Takes the parts of a URL. `loopback_is_secure` is
    /// [`CookieJarBuilder::loopback_is_secure`](super::CookieJarBuilder::loopback_is_secure).
    pub(super) fn of(url: &'a Url, loopback_is_secure: bool) -> Place<'a> {
        let origin = url.origin();
        let host = match origin.kind() {
            // The host is a path here and may look like a name, so the whole origin is used.
            Scheme::HttpUnix | Scheme::HttpsUnix => origin.as_str(),
            Scheme::Http | Scheme::Https => origin.host_and_zone(),
        };
        let is_secure = match origin.kind() {
            Scheme::Https | Scheme::HttpsUnix => true,
            Scheme::Http => loopback_is_secure && is_loopback(host),
            Scheme::HttpUnix => false,
        };
        Place { host, path: url.path(), is_secure }
    }

    /// Returns the directory of the path (RFC 6265bis, section 5.1.4).
    pub(super) fn default_path(&self) -> &'a str {
        match self.path.rfind('/') {
            None | Some(0) => "/",
            Some(end) => &self.path[..end],
        }
    }
}

/// Returns whether a host is this machine: `localhost` and the names below it (RFC 6761, section 6.3), 127.0.0.0/8 and
/// `[::1]`, as a URL writes them.
fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || urls::is_own_name(host) || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Returns whether a host is a DNS name, and not an address or a socket.
pub(super) fn is_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    !host.starts_with('[') && !host.contains('/') && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether `host` is `domain` or a name below it (RFC 6265bis, section 5.1.3).
pub(super) fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.')) && is_name(host)
}

/// Returns whether `path` is `directory` or below it, with whole segments (RFC 6265bis, section 5.1.4).
pub(super) fn path_matches(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || directory.ends_with('/') || rest.starts_with('/'))
}

/// Returns the registrable domain of a name: the longest suffix that has one owner. `Some(None)` means that the name is
/// itself a public suffix, such as `com` or `co.uk`. `None` means that the list of public suffixes is not compiled in.
fn registrable(name: &str) -> Option<Option<&str>> {
    #[cfg(feature = "cookies")]
    let known = Some(psl::domain_str(name));
    #[cfg(not(feature = "cookies"))]
    let known = {
        let _ = name;
        None
    };
    known
}

/// Returns the site of a host: its registrable domain, or the host itself if it has none. Cookies are stored and
/// counted by site, because no cookie is shared between two sites.
pub(super) fn site(host: &str) -> &str {
    if !is_regular(host) {
        return host;
    }
    registrable(host).flatten().unwrap_or(host)
}

/// The hosts that a cookie may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Domain,
    HostOnly,
    Refused(&'static str),
}

/// Decides about a Domain attribute, which is in lower case.
pub(super) fn reach(host: &str, domain: &str) -> Reach {
    if !domain_matches(host, domain) {
        return Reach::Refused("the cookie is for another domain than the host's");
    }
    if !is_regular(host) {
        // A dot at the end is another spelling of the same suffix, which the list may not have.
        let is_whole = host == domain && !host.ends_with('.');
        return if is_whole { Reach::HostOnly } else { Reach::Refused("the host has no parent domain") };
    }
    match registrable(host) {
        Some(Some(site)) if domain.len() >= site.len() => Reach::Domain,
        Some(_) if host == domain => Reach::HostOnly,
        Some(_) => Reach::Refused("the cookie's domain is a public suffix"),
        None => Reach::HostOnly,
    }
}

/// Returns whether a host is a name without empty labels.
fn is_regular(host: &str) -> bool {
    is_name(host) && host.split('.').all(|label| !label.is_empty())
}

/// Returns whether a host of [`Place::of`] is the origin of a Unix socket.
pub(super) fn is_socket(host: &str) -> bool {
    host.starts_with("http+unix://") || host.starts_with("https+unix://")
}

/// Returns whether a text is the host of a URL, as [`Place::of`] returns it.
pub(super) fn is_host(text: &str) -> bool {
    let url = match is_socket(text) {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}/")),
    };
    url.is_ok_and(|url| Place::of(&url, false).host == text)
}
