//! Where cookies belong: hosts, paths, and what is too large to be anybody's domain.
//!
//! Only the URL is looked at, never a Host field. Its host is in lower case and in ASCII already, and no IPv4 address
//! but a dotted quad.

use std::net::IpAddr;

use crate::url::{self, Scheme, Url};

/// What of a URL decides on cookies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    /// Only the own machine and the server see what is sent: `https`, and plain http to the own machine where the jar
    /// allows it.
    pub(super) is_secure: bool,
}

impl<'a> Place<'a> {
    /// `loopback_is_secure` as [`CookieJarBuilder::loopback_is_secure`](super::CookieJarBuilder::loopback_is_secure).
    pub(super) fn of(url: &'a Url, loopback_is_secure: bool) -> Place<'a> {
        let origin = url.origin();
        let host = match origin.kind() {
            // A path, which may look like a name; the whole origin does not.
            Scheme::HttpUnix => origin.as_str(),
            Scheme::Http | Scheme::Https => origin.host(),
        };
        let is_secure = match origin.kind() {
            Scheme::Https => true,
            Scheme::Http => loopback_is_secure && is_loopback(host),
            Scheme::HttpUnix => false,
        };
        Place { host, path: url.path(), is_secure }
    }

    /// The directory of the path (RFC 6265bis, section 5.1.4).
    pub(super) fn default_path(&self) -> &'a str {
        match self.path.rfind('/') {
            None | Some(0) => "/",
            Some(end) => &self.path[..end],
        }
    }
}

/// `localhost` and the names below it (RFC 6761, section 6.3), 127.0.0.0/8 and `[::1]`, as a URL has them.
fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || url::is_own_name(host) || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A DNS name, and no address or socket.
pub(super) fn is_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    !host.starts_with('[') && !host.contains('/') && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `host` is `domain` or a name below it (RFC 6265bis, section 5.1.3).
pub(super) fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.')) && is_name(host)
}

/// Whether `path` is `directory` or below it, on the border of a segment (RFC 6265bis, section 5.1.4).
pub(super) fn path_matches(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || directory.ends_with('/') || rest.starts_with('/'))
}

/// The registrable domain of a name: the longest that one owner holds. `Some(None)` where the name is a public suffix
/// itself, as `com` or `co.uk`, and `None` where the list of them is not compiled in.
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

/// Cookies of hosts with different sites never meet: what they are filed under, and counted by. The registrable domain,
/// or the host itself where that has none.
pub(super) fn site(host: &str) -> &str {
    if !is_regular(host) {
        return host;
    }
    registrable(host).flatten().unwrap_or(host)
}

/// What a host may have its cookies sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Domain,
    HostOnly,
    Refused(&'static str),
}

/// What comes of a Domain attribute, which is in lower case.
pub(super) fn reach(host: &str, domain: &str) -> Reach {
    if !domain_matches(host, domain) {
        return Reach::Refused("the cookie is for another domain than the host's");
    }
    if !is_regular(host) {
        // A dot at the end makes another spelling of the same suffix, which a list need not know.
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

/// A name of non-empty labels.
fn is_regular(host: &str) -> bool {
    is_name(host) && host.split('.').all(|label| !label.is_empty())
}

/// Whether a text is the host of some URL as [`Place::of`] gives it.
pub(super) fn is_host(text: &str) -> bool {
    let url = match text.starts_with("http+unix://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}/")),
    };
    url.is_ok_and(|url| Place::of(&url, false).host == text)
}
