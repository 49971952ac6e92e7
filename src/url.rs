//! URLs: the text as written, and the positions of its parts.
//!
//! The `url` crate is the only parser: it decides whether an authority is valid and what its scheme, host and port are.
//! The request target is cut from the caller's own text, so that a signed URL is sent as it was signed. A known
//! authority is not parsed again ([`Origins`]).

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use crate::sync::RwLock;

mod join;
mod parts;

/// Longer URLs are refused. No server accepts them, and all work on a URL is linear in its length.
const MAX_LEN: usize = 64 * 1024;

/// An `http`, `https` or `http+unix` URL.
///
/// ```
/// use hostpool::Url;
///
/// let url = Url::parse("http://example.com:8080/a%2Fb/../c?x=1#part")?;
/// assert_eq!(url.origin().to_string(), "http://example.com:8080");
/// assert_eq!(url.target(), "/a%2Fb/../c?x=1"); // as written; only the fragment stays here
/// assert_eq!(Url::parse("http://example.com/grüße")?.target(), "/gr%C3%BC%C3%9Fe");
/// assert!(Url::parse("http://0x7f.1/").is_err()); // a numeric host that is no dotted quad
/// # Ok::<(), hostpool::InvalidUrl>(())
/// ```
///
/// A user name and password before the host are sent as Basic credentials, only to that host, unless the request has an
/// `Authorization` header of its own.
///
/// The path of a Unix socket is written percent-encoded in place of the host: `http+unix://%2Frun%2Fapp.sock/status`.
#[derive(Clone)]
pub struct Url {
    text: Box<str>,
    origin: Arc<Origin>,
    /// Bytes of `text` before the path.
    authority_end: u32,
    /// The position of the `#` of the fragment, or the end.
    fragment_start: u32,
    /// The encoded target, if the written one has bytes that may not be sent.
    encoded: Option<Box<str>>,
}

impl Url {
    /// Parses an absolute URL.
    ///
    /// Fails for other schemes, and for hosts and ports that the WHATWG URL standard refuses. Unlike that standard it
    /// refuses white space or a backslash in the authority, a second `@`, port 0, and IPv4 addresses in any spelling
    /// but four decimal numbers, because other clients read those differently.
    ///
    /// Paths, queries and fragments are kept as they are written. Bytes that may not be sent are percent-encoded when
    /// the request is sent.
    ///
    /// Spaces, tabs and line ends around the URL are trimmed. Other control characters there are refused. An empty host
    /// (`http:///a`, `http:/a`, `http:a`) is refused, too: RFC 9110, section 4.2.1 rejects it, and clients that repair
    /// it disagree on the host.
    #[doc(alias = "parse_url")]
    pub fn parse(text: &str) -> Result<Url, InvalidUrl> {
        Url::build(text, |authority| Origin::parse(authority).map(Arc::new))
    }

    fn build(text: &str, origin_of: impl FnOnce(&str) -> Result<Arc<Origin>, InvalidUrl>) -> Result<Url, InvalidUrl> {
        if text.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        let Some(authority_end) = regular_authority_end(text) else {
            return Url::parse(trimmed(text)?);
        };
        let origin = origin_of(&text[..authority_end])?;
        Ok(Url::from_parts(text.into(), origin, authority_end))
    }

    fn from_parts(text: Box<str>, origin: Arc<Origin>, authority_end: usize) -> Url {
        let fragment_start = match memchr::memchr(b'#', &text.as_bytes()[authority_end..]) {
            Some(at) => authority_end + at,
            None => text.len(),
        };
        let target = &text[authority_end..fragment_start];
        let encoded = if target.bytes().all(is_target_byte) { None } else { Some(encode_target(target)) };
        Url { origin, authority_end: authority_end as u32, fragment_start: fragment_start as u32, encoded, text }
    }

    /// Returns the URL as it was written, including credentials; `Display` and `Debug` leave those out.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn shared_origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Returns path and query as they are sent (RFC 9112, section 3.2.1), with `/` for an empty path.
    #[doc(alias = "request_uri")]
    pub fn target(&self) -> String {
        let mut target = Vec::with_capacity(self.text.len());
        self.write_target(&mut target);
        String::from_utf8_lossy(&target).into_owned()
    }

    /// Returns path and query as they are sent, without the `/` of an empty path.
    fn sent(&self) -> &str {
        let written = &self.text[self.authority_end as usize..self.fragment_start as usize];
        self.encoded.as_deref().unwrap_or(written)
    }

    pub(crate) fn write_target(&self, out: &mut Vec<u8>) {
        let target = self.sent();
        if !target.starts_with('/') {
            out.push(b'/');
        }
        out.extend_from_slice(target.as_bytes());
    }

    /// Returns the same URL without its fragment.
    pub(crate) fn without_fragment(mut self) -> Url {
        if (self.fragment_start as usize) < self.text.len() {
            self.text = self.text[..self.fragment_start as usize].into();
        }
        self
    }

    /// Returns the path, query and fragment of this URL at another origin.
    pub(crate) fn at(&self, origin: &Arc<Origin>) -> Result<Url, InvalidUrl> {
        let text = [&*origin.text, &self.text[self.authority_end as usize..]].concat();
        if text.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Ok(Url::from_parts(text.into(), origin.clone(), origin.text.len()))
    }

    /// Returns this URL with `query`, which is already encoded, appended to its query.
    pub(crate) fn with_query(&self, query: &str) -> Result<Url, InvalidUrl> {
        let (front, fragment) = self.text.split_at(self.fragment_start as usize);
        let joint = match self.query() {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        };
        let text = [front, joint, query, fragment].concat();
        if text.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Ok(Url::from_parts(text.into(), self.origin.clone(), self.authority_end as usize))
    }

    /// Returns a URL of this origin with another target, which is an absolute path with its query.
    pub(crate) fn with_target(origin: &Arc<Origin>, target: &str) -> Result<Url, InvalidUrl> {
        if !target.starts_with(['/', '?']) && !target.is_empty() {
            return Err(InvalidUrl::NoScheme);
        }
        let text = [&*origin.text, target].concat();
        if text.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Ok(Url::from_parts(text.into(), origin.clone(), origin.text.len()))
    }
}

impl fmt::Display for Url {
    /// Shows the URL without user name and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, &self.text[self.authority_end as usize..])
    }
}

impl fmt::Debug for Url {
    /// Shows the URL without user name, password, query and fragment, because `{:?}` writes signed URLs and tokens into
    /// logs. `?***` and `#***` stand for the query and the fragment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({}{}", self.origin, self.path())?;
        f.write_str(if self.query().is_some() { "?***" } else { "" })?;
        f.write_str(if self.fragment().is_some() { "#***)" } else { ")" })
    }
}

impl PartialEq for Url {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Url {}

impl Hash for Url {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl std::str::FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Url, InvalidUrl> {
        Url::parse(text)
    }
}

impl TryFrom<&str> for Url {
    type Error = InvalidUrl;

    fn try_from(text: &str) -> Result<Url, InvalidUrl> {
        Url::parse(text)
    }
}

impl TryFrom<&http::Uri> for Url {
    type Error = InvalidUrl;

    fn try_from(uri: &http::Uri) -> Result<Url, InvalidUrl> {
        Url::parse(&uri.to_string())
    }
}

impl TryFrom<&url::Url> for Url {
    type Error = InvalidUrl;

    fn try_from(url: &url::Url) -> Result<Url, InvalidUrl> {
        Url::parse(url.as_str())
    }
}

impl From<&Url> for url::Url {
    fn from(url: &Url) -> url::Url {
        // The same parser has accepted the authority, and it refuses no path, query or fragment after one.
        url::Url::parse(&url.text).expect("an accepted URL parses again")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
    HttpUnix,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::HttpUnix => "http+unix",
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
    port: u16,
    /// The origin as a URL without a path.
    text: Box<str>,
    /// The hash of the text, with a key of this process. It is computed once, so that a pool does not hash the text for
    /// each look-up.
    hash: u64,
}

impl Origin {
    /// Parses `text`, which is a scheme, `://` and an authority.
    fn parse(text: &str) -> Result<Origin, InvalidUrl> {
        let (scheme, authority) = text.split_once("://").ok_or(InvalidUrl::NoScheme)?;
        if scheme.eq_ignore_ascii_case("http+unix") {
            return Origin::unix(authority);
        }
        let (_, host_and_port) = split_userinfo(authority)?;
        let parsed = url::Url::parse(text).map_err(InvalidUrl::from_parser)?;
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
        Ok(Origin::new(scheme, host, address, port, (port != default_port).then_some(port)))
    }

    fn unix(authority: &str) -> Result<Origin, InvalidUrl> {
        // Other parsers of URLs would read other bytes as a user name, a port or an address.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%-._~!$&'()*+,;=".contains(&byte);
        let path = percent_encoding::percent_decode_str(authority).decode_utf8().map_err(|_| InvalidUrl::SocketPath)?;
        if path.is_empty() || path.contains('\0') || !authority.bytes().all(is_plain) {
            return Err(InvalidUrl::SocketPath);
        }
        Ok(Origin::new(Scheme::HttpUnix, &path, None, 0, None))
    }

    fn new(scheme: Scheme, host: &str, address: Option<IpAddr>, port: u16, shown_port: Option<u16>) -> Origin {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let mut text = format!("{}://", scheme.as_str());
        match scheme {
            Scheme::HttpUnix => text.extend(percent_encoding::utf8_percent_encode(host, SOCKET_PATH)),
            _ => text.push_str(host),
        }
        if let Some(port) = shown_port {
            text.push_str(&format!(":{port}"));
        }
        let hash = KEYS.hash_one((scheme, host, port));
        Origin { scheme, host: host.into(), address, port, text: text.into(), hash }
    }

    /// Returns `http`, `https` or `http+unix`.
    pub fn scheme(&self) -> &'static str {
        self.scheme.as_str()
    }

    pub(crate) fn kind(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host in lower case. An IPv6 address stands in brackets. For `http+unix` it is the path of the
    /// socket.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port as given, or the default of the scheme; a Unix socket has none.
    pub fn port(&self) -> Option<u16> {
        (self.scheme != Scheme::HttpUnix).then_some(self.port)
    }

    /// Returns the origin as a URL without a path.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Returns the value of the Host field (RFC 9110, section 7.2).
    pub(crate) fn host_field(&self) -> &str {
        match self.scheme {
            // A socket has no name. Servers still want a Host, and curl sends `localhost`.
            Scheme::HttpUnix => "localhost",
            scheme => &self.text[scheme.as_str().len() + 3..],
        }
    }
}

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

/// Authorities that were parsed before, by their text. A full table forgets those that nobody else holds.
#[derive(Debug)]
pub(crate) struct Origins(RwLock<Known>);

#[derive(Debug)]
struct Known {
    origins: HashMap<Box<str>, Arc<Origin>>,
    /// The number of origins at which the table is full.
    full: usize,
}

impl Default for Origins {
    fn default() -> Origins {
        Origins::of(Self::CAPACITY)
    }
}

impl Origins {
    /// The first size of the table, which is enough for a crawler's working set. Forgetting an origin costs one parse.
    const CAPACITY: usize = 2048;

    /// Most bytes of a stored authority: more than a host of 253 bytes with scheme and port.
    const LONGEST: usize = 512;

    fn of(capacity: usize) -> Origins {
        Origins(RwLock::new(Known { origins: HashMap::new(), full: capacity }))
    }

    pub(crate) fn url(&self, text: &str) -> Result<Url, InvalidUrl> {
        Url::build(text, |authority| {
            if let Some(origin) = self.0.read().origins.get(authority) {
                return Ok(origin.clone());
            }
            let origin = Arc::new(Origin::parse(authority)?);
            // The table lives as long as the client, so it keeps no credentials, and no text that is too long for a
            // host.
            if !authority.contains('@') && authority.len() <= Self::LONGEST {
                self.0.write().insert(authority, &origin);
            }
            Ok(origin)
        })
    }
}

impl Known {
    fn insert(&mut self, authority: &str, origin: &Arc<Origin>) {
        if self.origins.len() >= self.full {
            self.origins.retain(|_, origin| Arc::strong_count(origin) > 1);
            // The table is searched so rarely that the cost for each origin stays the same.
            self.full = Origins::CAPACITY.max(2 * self.origins.len());
        }
        self.origins.insert(authority.into(), origin.clone());
    }
}

/// Why this client cannot use a text as a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "LocationParseError")]
pub enum InvalidUrl {
    /// No scheme, or no `//` after it: the URL is not absolute.
    NoScheme,
    /// A scheme other than `http`, `https` and `http+unix`.
    #[doc(alias = "URLSchemeUnknown")]
    UnsupportedScheme,
    /// The host is missing, or more or fewer than two slashes precede it.
    NoHost,
    /// The host is not a domain name or address of the WHATWG URL standard.
    Host,
    /// A number that is not an IPv4 address of four decimal parts, such as `0x7f.1` or `127.1`.
    NumericHost,
    /// The authority has white space, a control character, a backslash, or a second `@`.
    Authority,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The socket path of an `http+unix` URL is empty, not UTF-8, has a NUL, or is not percent-encoded.
    SocketPath,
    /// A control character other than a tab or a line end precedes or follows the URL.
    ControlCharacter,
    /// The URL is longer than 64 KiB.
    TooLong,
}

impl InvalidUrl {
    fn from_parser(error: url::ParseError) -> InvalidUrl {
        match error {
            url::ParseError::EmptyHost => InvalidUrl::NoHost,
            url::ParseError::InvalidPort => InvalidUrl::Port,
            url::ParseError::InvalidIpv4Address => InvalidUrl::NumericHost,
            url::ParseError::RelativeUrlWithoutBase => InvalidUrl::NoScheme,
            url::ParseError::Overflow => InvalidUrl::TooLong,
            _ => InvalidUrl::Host,
        }
    }
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidUrl::NoScheme => "not an absolute URL: it does not begin with http://, https:// or http+unix://",
            InvalidUrl::UnsupportedScheme => "the scheme is not http, https or http+unix",
            InvalidUrl::NoHost => "the host is missing: it stands after exactly two slashes, as in http://host/path",
            InvalidUrl::Host => "the host is not a valid domain name or address",
            InvalidUrl::NumericHost => "the host is a number but not an IPv4 address of four decimal parts",
            InvalidUrl::Authority => "white space, a backslash or a second @ stands in front of the path",
            InvalidUrl::Port => "the port is not a number from 1 to 65535",
            InvalidUrl::SocketPath => {
                "the path of the socket is empty, not UTF-8, has a NUL, or is not percent-encoded"
            }
            InvalidUrl::ControlCharacter => "a control character stands before or after the URL",
            InvalidUrl::TooLong => "longer than 64 KiB",
        })
    }
}

impl std::error::Error for InvalidUrl {}

/// Returns the number of bytes before the path, if `text` begins with `scheme://authority` and no parser would repair
/// it.
fn regular_authority_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let start = ["http://", "https://", "http+unix://"]
        .iter()
        .find(|known| bytes.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes())))?
        .len();
    let rest = &bytes[start..];
    let len = rest.iter().position(|&byte| ENDS_AUTHORITY[byte as usize]).unwrap_or(rest.len());
    let ended = rest.get(len).is_none_or(|byte| b"/?#".contains(byte));
    if len == 0 || !ended || bytes.last().is_some_and(|&last| last <= b' ' || last == 0x7F) {
        return None;
    }
    Some(start + len)
}

/// Bytes that end an authority, or may not be in one.
const ENDS_AUTHORITY: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte <= b' ' {
        table[byte as usize] = true;
        byte += 1;
    }
    table[b'/' as usize] = true;
    table[b'?' as usize] = true;
    table[b'#' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// Trims the white space around a text. Fails if the rest cannot be a URL.
fn trimmed(text: &str) -> Result<&str, InvalidUrl> {
    let inner = text.trim_matches(is_white_space);
    if inner.len() < text.len() && regular_authority_end(inner).is_some() {
        return Ok(inner);
    }
    if inner.starts_with(|c: char| c.is_ascii_control()) || inner.ends_with(|c: char| c.is_ascii_control()) {
        return Err(InvalidUrl::ControlCharacter);
    }
    let (scheme, rest) = inner.split_once(':').ok_or(InvalidUrl::NoScheme)?;
    let is_scheme =
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme || !scheme.as_bytes()[0].is_ascii_alphabetic() {
        return Err(InvalidUrl::NoScheme);
    }
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        let unix = scheme.eq_ignore_ascii_case("http+unix");
        return Err(if unix { InvalidUrl::SocketPath } else { InvalidUrl::UnsupportedScheme });
    }
    // Some parsers drop these bytes or read them as slashes, and others keep them.
    let authority = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    if authority.bytes().any(|byte| byte <= b' ' || byte == b'\\') {
        return Err(InvalidUrl::Authority);
    }
    // RFC 3986 reads `http:///a` as an empty host, the URL standard as the host `a`.
    Err(InvalidUrl::NoHost)
}

/// Returns whether text files and terminals leave such white space around a URL.
fn is_white_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Splits user name and password from what follows them.
fn split_userinfo(authority: &str) -> Result<(Option<&str>, &str), InvalidUrl> {
    match authority.split_once('@') {
        None => Ok((None, authority)),
        Some((_, rest)) if rest.contains('@') => Err(InvalidUrl::Authority),
        Some((userinfo, rest)) => Ok((Some(userinfo), rest)),
    }
}

/// Returns whether a byte is sent in a target as it is: the bytes of RFC 3986, sections 3.3 and 3.4, and the square
/// brackets, which browsers and servers do not encode.
fn is_target_byte(byte: u8) -> bool {
    TARGET_BYTES[byte as usize]
}

const TARGET_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}');
        byte += 1;
    }
    table
};

const SOCKET_PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode_target(target: &str) -> Box<str> {
    let mut encoded = String::with_capacity(target.len() + 16);
    for byte in target.bytes() {
        match is_target_byte(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(percent_encoding::percent_encode_byte(byte)),
        }
    }
    encoded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        let table = [
            ("http://h", "http://h", "/"),
            ("http://h/", "http://h", "/"),
            ("http://h?q", "http://h", "/?q"),
            ("http://h#f", "http://h", "/"),
            ("http://h/p?a=b?c#f#g", "http://h", "/p?a=b?c"),
            ("HTTP://H:80/P", "http://h", "/P"),
            ("https://h:443/", "https://h", "/"),
            ("https://h:80/", "https://h:80", "/"),
            ("http://h:8080/a/./../b//c", "http://h:8080", "/a/./../b//c"),
            ("http://h/a%2f%zz?%", "http://h", "/a%2f%zz?%"),
            ("http://h/a b\t\"<>\\^`{|}[]", "http://h", "/a%20b%09%22%3C%3E%5C%5E%60%7B%7C%7D[]"),
            ("http://h/a\r\nX: y", "http://h", "/a%0D%0AX:%20y"),
            ("http://h/\u{e9}?\u{20ac}", "http://h", "/%C3%A9?%E2%82%AC"),
            ("http://u:p@h/", "http://h", "/"),
            ("http://[::1]:8080/", "http://[::1]:8080", "/"),
            ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]", "/"),
            ("http://127.0.0.1/", "http://127.0.0.1", "/"),
            ("http://b\u{fc}cher.example/", "http://xn--bcher-kva.example", "/"),
            ("http://ex%61mple.com/", "http://example.com", "/"),
            ("http://h./", "http://h.", "/"),
            ("  http://h/p \n", "http://h", "/p"),
            ("http+unix://%2Frun%2Fa.sock/v1?x", "http+unix://%2Frun%2Fa.sock", "/v1?x"),
        ];
        for (text, origin, target) in table {
            let url = Url::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(url.origin().to_string(), origin, "{text:?}");
            assert_eq!(url.target(), target, "{text:?}");
            let again = Url::parse(&url.to_string()).unwrap();
            assert_eq!((again.origin(), again.target()), (url.origin(), url.target()), "{text:?}");
            assert!(!format!("{url:?} {url}").contains("u:p"), "{text:?}");
        }
    }

    #[test]
    fn refused() {
        use InvalidUrl::*;
        let table = [
            ("", NoScheme),
            ("/path", NoScheme),
            ("h/path", NoScheme),
            ("//h/", NoScheme),
            ("localhost:80/", UnsupportedScheme),
            ("ftp://h/", UnsupportedScheme),
            ("file:///etc/passwd", UnsupportedScheme),
            ("javascript:alert(1)", UnsupportedScheme),
            ("http://", NoHost),
            ("http:///", NoHost),
            ("http:///a", NoHost),
            ("http:/a", NoHost),
            ("http:a", NoHost),
            ("http:////a/", NoHost),
            ("HTTPS:/a", NoHost),
            (" http:a", NoHost),
            ("http:", NoHost),
            ("\0http://h/", ControlCharacter),
            ("http://h/\0", ControlCharacter),
            ("http://h/\u{1b} ", ControlCharacter),
            (" \u{1}http://h/", ControlCharacter),
            ("http://h/\u{7f}", ControlCharacter),
            ("http://h/\u{c}", ControlCharacter),
            ("\u{a0}http://h/", NoScheme),
            ("http://:80/", NoHost),
            ("http://h:0/", Port),
            ("http://h:65536/", Port),
            ("http://h:8a/", Port),
            ("http://h:-1/", Port),
            ("http://0x7f.1/", NumericHost),
            ("http://127.1/", NumericHost),
            ("http://2130706433/", NumericHost),
            ("http://0177.0.0.1/", NumericHost),
            ("http://127.0.0.1./", NumericHost),
            ("http://1.2.3.4.5/", NumericHost),
            ("http://256.0.0.1/", NumericHost),
            ("http://a@b@c/", Authority),
            ("http://a b/", Authority),
            ("http://a\tb/", Authority),
            ("http://a\r\nb/", Authority),
            ("http://h\\evil/", Authority),
            ("http:\\\\h/", Authority),
            ("http://a%2Fb/", Host),
            ("http://a%00b/", Host),
            ("http://[::1/", Host),
            ("http://[::g]/", Host),
            ("http://a<b/", Host),
            ("http+unix:///run/a.sock", SocketPath),
            ("http+unix://a%00b/", SocketPath),
            ("http+unix://a:b/", SocketPath),
            ("http+unix://user:canary@a/", SocketPath),
            ("http+unix://[/", SocketPath),
            ("http+unix://a|b/", SocketPath),
        ];
        for (text, expected) in table {
            assert_eq!(Url::parse(text).map(|url| url.to_string()), Err(expected), "{text:?}");
        }
        assert_eq!(Url::parse(&format!("http://h/{}", "a".repeat(MAX_LEN))), Err(TooLong));
    }

    #[test]
    fn every_accepted_url_is_one_for_the_url_crate() {
        for text in
            ["http://h:1/a b", "https://u:p@[::1]/?q#f", "http+unix://%2Frun%2Fa.sock/x", "http+unix://a!$&'()*+,;=~/"]
        {
            let url = Url::parse(text).unwrap();
            assert_eq!(url::Url::from(&url).scheme(), url.origin().scheme());
        }
    }

    #[test]
    fn a_known_authority_is_shared() {
        let origins = Origins::default();
        let first = origins.url("http://h:81/a").unwrap();
        let second = origins.url("http://h:81/b").unwrap();
        assert!(Arc::ptr_eq(first.shared_origin(), second.shared_origin()));
        origins.url("http://u:secret@h:81/").unwrap();
        assert_eq!(origins.0.read().origins.len(), 1);
        assert!(origins.url("http://h:0/").is_err());
        for port in 1..=Origins::CAPACITY + 1 {
            origins.url(&format!("http://h:{port}/")).unwrap();
        }
        assert!(origins.0.read().origins.len() <= Origins::CAPACITY);
    }

    #[test]
    fn an_authority_that_is_held_is_not_forgotten() {
        let origins = Origins::of(64);
        let url = |number: usize| origins.url(&format!("http://h{number}/")).unwrap();
        let held: Vec<_> = (0..640).map(url).collect();
        for (number, held) in held.iter().enumerate() {
            assert!(Arc::ptr_eq(url(number).shared_origin(), held.shared_origin()), "{number}");
        }
        drop(held);
        (0..2 * Origins::CAPACITY).for_each(|number| drop(url(1000 + number)));
        assert!(origins.0.read().origins.len() <= Origins::CAPACITY);
    }

    #[test]
    fn a_query_is_added_in_front_of_the_fragment() {
        let table = [
            ("http://h", "http://h?a=1"),
            ("http://h/p#f", "http://h/p?a=1#f"),
            ("http://h/p?x#f", "http://h/p?x&a=1#f"),
            ("http://h/p?", "http://h/p?a=1"),
        ];
        for (text, expected) in table {
            assert_eq!(Url::parse(text).unwrap().with_query("a=1").unwrap().as_str(), expected);
        }
    }
}
