//! Scheme, host and port of a URL.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::LazyLock;

use super::invalid::InvalidUrl;
use super::socket::check_path;

const SOCKET_PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name of a server at a Unix socket, for the Host field and for its certificate. A socket has no name of its own.
const SOCKET_NAME: &str = "localhost";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
    HttpUnix,
    HttpsUnix,
}

impl Scheme {
    /// Returns whether connections are encrypted.
    #[inline]
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Scheme::Https | Scheme::HttpsUnix)
    }

    /// Returns whether the server is at a Unix socket.
    #[inline]
    pub(crate) fn is_unix(self) -> bool {
        matches!(self, Scheme::HttpUnix | Scheme::HttpsUnix)
    }

    fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::HttpUnix => "http+unix",
            Scheme::HttpsUnix => "https+unix",
        }
    }
}

/// Scheme, host and port: where a request is sent, and what credentials are bound to.
///
/// `Display` shows it as a URL without a path, and shows the port only if it is not the default of the scheme.
///
/// ```
/// # use hostpool::Url;
/// let url = Url::parse("HTTPS://Example.COM:443/a")?;
/// assert_eq!(url.origin().scheme(), "https");
/// assert_eq!(url.origin().host(), "example.com");
/// assert_eq!(url.origin().port(), Some(443));
/// assert_eq!(url.origin().to_string(), "https://example.com");
/// # Ok::<(), hostpool::InvalidUrl>(())
/// ```
#[derive(Clone)]
pub struct Origin {
    scheme: Scheme,
    /// A name in lower case, a dotted quad, `[v6]`, or the path of a Unix socket.
    host: Box<str>,
    address: Option<IpAddr>,
    /// The network interface of a link-local address (RFC 6874). It is for this machine alone, and is not sent.
    zone: Option<Box<Zone>>,
    port: u16,
    /// The origin as a URL without a path.
    text: Box<str>,
    /// The hash of the text, with a key of this process. It is computed once, so that a pool does not hash the text for
    /// each look-up.
    hash: u64,
}

/// The zone of an IPv6 address.
#[derive(Clone)]
struct Zone {
    name: Box<str>,
    /// The address and the zone in brackets.
    host: Box<str>,
    /// The host and the port without the zone.
    host_field: Box<str>,
}

impl Origin {
    /// Parses `text`, which is a scheme, `://` and an authority.
    pub(super) fn parse(text: &str) -> Result<Origin, InvalidUrl> {
        let (scheme, authority) = text.split_once("://").ok_or(InvalidUrl::NoScheme)?;
        for unix in [Scheme::HttpUnix, Scheme::HttpsUnix] {
            if scheme.eq_ignore_ascii_case(unix.as_str()) {
                return Origin::unix(unix, authority);
            }
        }
        let (_, host_and_port) = split_userinfo(authority)?;
        // The `url` crate knows no zones, as browsers do not.
        let zone = split_zone(host_and_port)?.map(|(_, zone, _)| zone);
        let bare = zone.and_then(|_| without_zone(text));
        let parsed = url::Url::parse(bare.as_deref().unwrap_or(text)).map_err(InvalidUrl::from_parser)?;
        let (scheme, default_port) = match parsed.scheme() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return Err(InvalidUrl::UnsupportedScheme),
        };
        let address = match parsed.host().ok_or(InvalidUrl::NoHost)? {
            url::Host::Domain(_) => None,
            url::Host::Ipv4(address) => {
                let written = host_and_port.split(':').next().unwrap_or_default();
                if written != address.to_string() {
                    return Err(InvalidUrl::NumericHost);
                }
                Some(IpAddr::V4(address))
            }
            url::Host::Ipv6(address) => Some(IpAddr::V6(address)),
        };
        let host = parsed.host_str().ok_or(InvalidUrl::NoHost)?;
        let port = parsed.port().unwrap_or(default_port);
        if port == 0 {
            return Err(InvalidUrl::Port);
        }
        Ok(Origin::new(scheme, host, address, zone, port, (port != default_port).then_some(port)))
    }

    fn unix(scheme: Scheme, authority: &str) -> Result<Origin, InvalidUrl> {
        // Other parsers of URLs would read other bytes as a user name, a port or an address.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%-._~!$&'()*+,;=".contains(&byte);
        if !authority.bytes().all(is_plain) {
            return Err(InvalidUrl::SocketPath);
        }
        let path = percent_encoding::percent_decode_str(authority).decode_utf8();
        Origin::at_socket(scheme, &path.map_err(|_| InvalidUrl::SocketPathUtf8)?)
    }

    /// Returns the origin of a server at a Unix socket.
    pub(super) fn at_socket(scheme: Scheme, path: &str) -> Result<Origin, InvalidUrl> {
        check_path(path).map(|()| Origin::new(scheme, path, None, None, 0, None))
    }

    fn new(
        scheme: Scheme,
        host: &str,
        address: Option<IpAddr>,
        zone: Option<&str>,
        port: u16,
        shown_port: Option<u16>,
    ) -> Origin {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let zoned = zone.map(|zone| format!("{}%25{zone}]", host.trim_end_matches(']')));
        let port_text = shown_port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut text = format!("{}://", scheme.as_str());
        match scheme {
            _ if scheme.is_unix() => text.extend(percent_encoding::utf8_percent_encode(host, SOCKET_PATH)),
            _ => text.push_str(zoned.as_deref().unwrap_or(host)),
        }
        text.push_str(&port_text);
        let hash = KEYS.hash_one((scheme, host, zone, port));
        let zone = zone.zip(zoned).map(|(name, zoned)| {
            let host_field = [host, &port_text].concat().into();
            Box::new(Zone { name: name.into(), host: zoned.into(), host_field })
        });
        Origin { scheme, host: host.into(), address, zone, port, text: text.into(), hash }
    }

    /// Returns `http`, `https`, `http+unix` or `https+unix`.
    pub fn scheme(&self) -> &'static str {
        self.scheme.as_str()
    }

    pub(crate) fn kind(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host in lower case. An IPv6 address stands in brackets. For `http+unix` and `https+unix` it is the
    /// path of the socket.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port as given, or the default of the scheme; a Unix socket has none.
    pub fn port(&self) -> Option<u16> {
        (!self.scheme.is_unix()).then_some(self.port)
    }

    /// Returns the origin as a URL without a path.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Returns the name that the certificate of the server must be for, if the host is not an address.
    #[cfg(feature = "__tls")]
    pub(crate) fn server_name(&self) -> &str {
        if self.scheme.is_unix() { SOCKET_NAME } else { &self.host }
    }

    /// Returns the network interface of a link-local IPv6 address, if the URL names one (RFC 6874). It says which
    /// network the address is in, and is not sent to the server.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::parse("http://[fe80::1%25eth0]:8080/")?;
    /// assert_eq!((url.origin().host(), url.origin().zone()), ("[fe80::1]", Some("eth0")));
    /// // The percent sign alone, as other programs write it.
    /// assert_eq!(Url::parse("http://[fe80::1%eth0]:8080/")?.origin(), url.origin());
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    #[doc(alias = "scope_id")]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_ref().map(|zone| &*zone.name)
    }

    /// Returns the host with the zone that it has. Two networks may have servers at one link-local address.
    pub(crate) fn host_and_zone(&self) -> &str {
        self.zone.as_ref().map_or(&self.host, |zone| &zone.host)
    }

    /// Returns the value of the Host field (RFC 9110, section 7.2). A zone is left out: it means nothing to the server
    /// (RFC 6874, section 4).
    pub(crate) fn host_field(&self) -> &str {
        match (self.scheme, &self.zone) {
            // A socket has no name. Servers still want a Host, and curl sends `localhost`.
            (scheme, _) if scheme.is_unix() => SOCKET_NAME,
            (scheme, None) => &self.text[scheme.as_str().len() + 3..],
            (_, Some(zone)) => &zone.host_field,
        }
    }
}

/// Splits the zone from an IPv6 address, if there is one: `[fe80::1%25eth0]:80` is `[fe80::1`, `eth0` and `]:80`. The
/// `25` may be missing, as in the text form of RFC 4007.
fn split_zone(host_and_port: &str) -> Result<Option<(&str, &str, &str)>, InvalidUrl> {
    let Some(end) = host_and_port.find(']').filter(|_| host_and_port.starts_with('[')) else { return Ok(None) };
    let (inside, after) = host_and_port.split_at(end);
    let Some((address, zone)) = inside.split_once('%') else { return Ok(None) };
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    // The unreserved characters. The name of an interface has no others.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match !zone.is_empty() && zone.len() <= LONGEST_ZONE && zone.bytes().all(is_plain) {
        true => Ok(Some((address, zone, after))),
        false => Err(InvalidUrl::Host),
    }
}

/// Returns a URL that ends after its authority without the zone, if there is one.
pub(super) fn without_zone(text: &str) -> Option<String> {
    let (_, authority) = text.split_once("://")?;
    let (_, host_and_port) = split_userinfo(authority).ok()?;
    let (before, _, after) = split_zone(host_and_port).ok()??;
    let start = &text[..text.len() - host_and_port.len()];
    Some([start, before, after].concat())
}

/// No system has longer names of interfaces.
const LONGEST_ZONE: usize = 255;

/// Returns whether a host is this machine, whatever a resolver says (RFC 6761, section 6.3). Some resolvers know only
/// `localhost` itself, and ask public name servers for the names below it. The system answers for `localhost`, because
/// it may have one family only.
pub(crate) fn is_own_name(host: &str) -> bool {
    let absolute = host.strip_suffix('.');
    let below = absolute.unwrap_or(host).strip_suffix(".localhost");
    // An empty or too long label is not part of a name (RFC 1035, section 2.3.4).
    let is_name = |name: &str| name.split('.').all(|label| (1..64).contains(&label.len()));
    absolute == Some("localhost") || below.is_some_and(is_name)
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.text == other.text
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Splits user name and password from what follows them.
pub(super) fn split_userinfo(authority: &str) -> Result<(Option<&str>, &str), InvalidUrl> {
    match authority.split_once('@') {
        None => Ok((None, authority)),
        Some((_, rest)) if rest.contains('@') => Err(InvalidUrl::Authority),
        Some((userinfo, rest)) => Ok((Some(userinfo), rest)),
    }
}
