//! URLs: the text as written, and the positions of its parts.
//!
//! The `url` crate is the only parser: it decides whether an authority is valid and what its scheme, host and port are.
//! The request target is cut from the caller's own text, so that a signed URL is sent as it was signed. A known
//! authority is not parsed again ([`Origins`]).

mod invalid;
mod join;
mod origin;
mod origins;
mod parts;
mod socket;
mod unix;
#[cfg(feature = "serde")]
mod written;
mod ws;

use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use invalid::InvalidUrl;
pub(crate) use invalid::hint;
pub use origin::Origin;
pub(crate) use origin::{Scheme, is_own_name};
pub(crate) use origins::Origins;
pub(crate) use unix::socket_path;
pub(crate) use ws::as_http;

use origin::split_userinfo;

/// Longer URLs are refused. No server accepts them, and all work on a URL is linear in its length.
const MAX_LEN: usize = 64 * 1024;

/// An `http`, `https`, `http+unix` or `https+unix` URL.
///
/// ```
/// use hostpool::Url;
///
/// let url = Url::parse("http://example.com:8080/a%2Fb/../c?x=1#part")?;
/// assert_eq!(url.origin().to_string(), "http://example.com:8080");
/// assert_eq!(url.target(), "/a%2Fb/../c?x=1"); // as written; only the fragment stays here
/// assert_eq!(Url::parse("http://example.com/grüße")?.target(), "/gr%C3%BC%C3%9Fe");
/// assert!(Url::parse("http://0x7f.1/").is_err()); // a numeric host that is not a dotted quad
/// # Ok::<(), hostpool::InvalidUrl>(())
/// ```
///
/// A user name and password before the host are sent as Basic credentials, only to that host, unless the request has an
/// `Authorization` header of its own.
///
/// The path of a Unix socket is written percent-encoded in place of the host: `http+unix://%2Frun%2Fapp.sock/status`.
/// [`Url::unix`] makes such a URL from a path, and [`Url::unix_https`] one for a server that speaks TLS there.
///
/// With the feature `serde` it is read and written as a text, including a user name and a password.
#[derive(Clone)]
pub struct Url {
    /// Shared by all clones, so that a clone allocates nothing.
    text: Arc<str>,
    origin: Arc<Origin>,
    /// Bytes of `text` before the path.
    authority_end: u32,
    /// The position of the `#` of the fragment, or the end.
    fragment_start: u32,
    /// The authority begins with user name or password, or with the `@` after none. Each request asks for this.
    has_userinfo: bool,
    /// The encoded target, if the written one has bytes that may not be sent.
    encoded: Option<Arc<str>>,
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
        let authority = &text[..authority_end];
        let (origin, has_userinfo) = (origin_of(authority)?, authority.contains('@'));
        Ok(Url { has_userinfo, ..Url::without_userinfo(text.into(), origin, authority_end) })
    }

    /// Makes the URL of a text whose authority has no user name and password.
    #[inline(always)]
    fn without_userinfo(text: Arc<str>, origin: Arc<Origin>, authority_end: usize) -> Url {
        // One pass suffices for most URLs: they have neither a fragment nor a byte that may not be sent.
        let (fragment_start, encoded) = match text.as_bytes()[authority_end..].iter().copied().all(is_target_byte) {
            true => (text.len(), None),
            false => Url::part_sent(&text, authority_end),
        };
        let (authority_end, fragment_start) = (authority_end as u32, fragment_start as u32);
        Url { origin, authority_end, fragment_start, has_userinfo: false, encoded, text }
    }

    /// Returns where the fragment of a text starts, and the target as it is sent if that is not as it is written.
    #[cold]
    fn part_sent(text: &str, authority_end: usize) -> (usize, Option<Arc<str>>) {
        let rest = &text[authority_end..];
        let target = rest.split_once('#').map_or(rest, |(target, _)| target);
        let is_sendable = target.bytes().all(is_target_byte);
        (authority_end + target.len(), (!is_sendable).then(|| encode_target(target)))
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
    pub(crate) fn sent_target(&self) -> &str {
        let written = &self.text[self.authority_end as usize..self.fragment_start as usize];
        self.encoded.as_deref().unwrap_or(written)
    }

    pub(crate) fn write_target(&self, out: &mut Vec<u8>) {
        let written = &self.text.as_bytes()[self.authority_end as usize..self.fragment_start as usize];
        let target = self.encoded.as_ref().map_or(written, |encoded| encoded.as_bytes());
        if target.first() != Some(&b'/') {
            out.push(b'/');
        }
        out.extend_from_slice(target);
    }

    /// Returns the same URL without its fragment. It is a part of its caller, because most URLs have none, and a move costs
    /// more than the look.
    #[inline(always)]
    pub(crate) fn without_fragment(mut self) -> Url {
        if (self.fragment_start as usize) < self.text.len() {
            self.text = self.text[..self.fragment_start as usize].into();
        }
        self
    }

    /// Returns the path, query and fragment of this URL at another origin.
    pub(crate) fn at(&self, origin: &Arc<Origin>) -> Result<Url, InvalidUrl> {
        let text = [origin.as_str(), &self.text[self.authority_end as usize..]].concat();
        if text.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Ok(Url::without_userinfo(text.into(), origin.clone(), origin.as_str().len()))
    }

    /// Returns the URL of a text that begins with the authority of this one.
    fn with_text(&self, text: Arc<str>) -> Url {
        let url = Url::without_userinfo(text, self.origin.clone(), self.authority_end as usize);
        Url { has_userinfo: self.has_userinfo, ..url }
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
        Ok(self.with_text(text.into()))
    }

    /// Returns a URL of this origin with another target, which is an absolute path with its query.
    pub(crate) fn with_target(origin: &Arc<Origin>, target: &str) -> Result<Url, InvalidUrl> {
        if !target.starts_with(['/', '?']) && !target.is_empty() {
            return Err(InvalidUrl::NoScheme);
        }
        let front = origin.as_str();
        if front.len() + target.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Ok(Url::without_userinfo(joined(front, target), origin.clone(), front.len()))
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

/// Parses the text of a value.
macro_rules! texts {
    ($($type:ty: |$value:ident| $text:expr;)*) => {$(
        impl TryFrom<$type> for Url {
            type Error = InvalidUrl;

            fn try_from($value: $type) -> Result<Url, InvalidUrl> {
                Url::parse($text)
            }
        }
    )*};
}

texts! {
    &str: |text| text;
    String: |text| &text;
    &String: |text| text;
    http::Uri: |uri| &uri.to_string();
    &http::Uri: |uri| &uri.to_string();
    url::Url: |url| url.as_str();
    &url::Url: |url| url.as_str();
}

impl From<&Url> for Url {
    fn from(url: &Url) -> Url {
        url.clone()
    }
}

impl From<&Url> for url::Url {
    /// Returns the same URL. The zone of an IPv6 address is left out: this type has none.
    fn from(url: &Url) -> url::Url {
        let without_zone = origin::without_zone(&url.text[..url.authority_end as usize]);
        let text = without_zone.map(|authority| [&authority, &url.text[url.authority_end as usize..]].concat());
        // The same parser has accepted the authority, and it refuses no path, query or fragment after one.
        url::Url::parse(text.as_deref().unwrap_or(&url.text)).expect("an accepted URL parses again")
    }
}

thread_local! {
    /// Room in which short texts are joined. It holds nothing between two calls.
    static ROOM: Cell<String> = const { Cell::new(String::new()) };
}

/// Joins two texts. Where the whole is short, only the result is allocated, but for the first call of a thread.
fn joined(front: &str, rest: &str) -> Arc<str> {
    const MAX_ROOM: usize = 256;
    if front.len() + rest.len() > MAX_ROOM {
        return [front, rest].concat().into();
    }
    // The room does not exist any more while the thread ends.
    let mut room = ROOM.try_with(Cell::take).unwrap_or_default();
    room.reserve(MAX_ROOM);
    room.push_str(front);
    room.push_str(rest);
    let text = Arc::from(&*room);
    room.clear();
    let _ = ROOM.try_with(|kept| kept.set(room));
    text
}

/// Returns the number of bytes before the path of a URL that is one. Any text has such a number.
fn authority_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    // After `http://`, `https://`, `http+unix://` or `https+unix://`.
    let start = [7, 8, 12, 13].into_iter().find(|&start| bytes.get(start - 3..start) == Some(b"://"));
    let start = start.unwrap_or(bytes.len());
    bytes[start..].iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).map_or(bytes.len(), |len| start + len)
}

/// Returns whether the last byte of a text is one that is trimmed off a URL, or refused.
fn ends_irregularly(text: &str) -> bool {
    text.as_bytes().last().is_some_and(|&last| last <= b' ' || last == 0x7F)
}

/// Returns the number of bytes before the path, if `text` begins with `scheme://authority` and no parser would repair
/// it.
fn regular_authority_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let start = ["http://", "https://", "http+unix://", "https+unix://"]
        .iter()
        .find(|known| bytes.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes())))?
        .len();
    let rest = &bytes[start..];
    let len = rest.iter().position(|&byte| ENDS_AUTHORITY[byte as usize]).unwrap_or(rest.len());
    let ended = rest.get(len).is_none_or(|byte| b"/?#".contains(byte));
    if len == 0 || !ended || ends_irregularly(text) {
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
        // `localhost:8080/a` is a host and a port without a scheme.
        if invalid::is_port(rest.split(['/', '?', '#']).next().unwrap_or_default()) {
            return Err(InvalidUrl::NoScheme);
        }
        let unix = ["http+unix", "https+unix"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
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

/// Returns whether a byte is sent in a target as it is: the bytes of RFC 3986, sections 3.3 and 3.4, and the square
/// brackets, which browsers and servers do not encode.
fn is_target_byte(byte: u8) -> bool {
    TARGET_BYTES[byte as usize]
}

const TARGET_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}');
        byte += 1;
    }
    table
};

fn encode_target(target: &str) -> Arc<str> {
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
            ("http://[fe80::1%25eth0]/a", "http://[fe80::1%25eth0]", "/a"),
            ("http://u@[FE80::1%eth0.7]:81", "http://[fe80::1%25eth0.7]:81", "/"),
            ("https://[fe80::1%25]:443/", "https://[fe80::1%2525]", "/"),
            ("https://[fe80::1%251]/", "https://[fe80::1%251]", "/"),
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
            ("localhost:80/", NoScheme),
            ("user:secret@h/", UnsupportedScheme),
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
            ("http://[fe80::1%]/", Host),
            ("http://[fe80::1%25eth0%25]/", Host),
            ("http://[fe80::1%25a%2Fb]/", Host),
            ("http://[fe80::1%25a@b]/", Host),
            ("http://[192.0.2.1%25eth0]/", Host),
            ("http://[fe80::1%25eth0/", Host),
            ("http://fe80::1%25eth0/", Port),
            ("http://a<b/", Host),
            ("http+unix:///run/a.sock", SocketPath),
            ("http+unix://a%00b/", SocketPathNul),
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

    /// A zone makes another origin. It is not sent, and other types of URLs have none.
    #[test]
    fn zones() {
        let url = Url::parse("https://u:p@[fe80::1%25eth0]:8443/a/b?c").unwrap();
        let origin = url.origin();
        assert_eq!((origin.host(), origin.zone(), origin.port()), ("[fe80::1]", Some("eth0"), Some(8443)));
        assert_eq!(origin.host_field(), "[fe80::1]:8443");
        assert_eq!(origin.host_and_zone(), "[fe80::1%25eth0]");
        assert_eq!(url::Url::from(&url).as_str(), "https://u:p@[fe80::1]:8443/a/b?c");
        let same = ["https://[FE80::1%eth0]:8443/", &origin.to_string()].map(|text| Url::parse(text).unwrap());
        assert!(same.iter().all(|same| same.origin() == origin));
        let others = ["https://[fe80::1%25eth1]:8443/", "https://[fe80::1]:8443/"];
        assert!(others.iter().all(|other| Url::parse(other).unwrap().origin() != origin));
        assert_eq!(url.join("../d").unwrap().as_str(), "https://u:p@[fe80::1%25eth0]:8443/d");
        assert_eq!(url.join("https://[fe80::1]:8443/").unwrap().origin().zone(), None);
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

    /// A URL has its user name and password however it was made, and only a URL that is written with them has any.
    #[test]
    fn userinfo() {
        let origins = Origins::default();
        for (text, expected) in [
            ("http://u:p@h/a?q", Some("u:p")),
            (" http://u@h", Some("u")),
            ("http://@h/a", Some("")),
            ("http://h/a?q=u@h#@", None),
            ("http://h:80/a", None),
            ("HTTP://H/@", None),
            ("http+unix://a/@", None),
        ] {
            // The second time the origin is known.
            for url in [Url::parse(text), origins.url(text), origins.url(text)].map(Result::unwrap) {
                let same = [url.clone(), url.with_query("a@b=1").unwrap(), url.join("?b@c").unwrap()];
                assert_eq!(same.each_ref().map(Url::userinfo), [expected; 3], "{text}");
                let origin = url.shared_origin();
                let bare = [url.at(origin).unwrap(), Url::with_target(origin, "/@").unwrap()];
                assert_eq!(bare.each_ref().map(Url::userinfo), [None; 2], "{text}");
            }
        }
    }

    #[test]
    fn targets_of_any_length() {
        let url = Url::parse("http://h").unwrap();
        for len in 0..300 {
            let target = format!("?{}é", "a".repeat(len));
            let joined = Url::with_target(url.shared_origin(), &target).unwrap();
            assert_eq!(joined.as_str(), format!("http://h{target}"));
        }
        let long = "/".repeat(MAX_LEN - "http://h".len());
        assert_eq!(Url::with_target(url.shared_origin(), &long).unwrap().as_str().len(), MAX_LEN);
        assert_eq!(Url::with_target(url.shared_origin(), &(long + "/")), Err(InvalidUrl::TooLong));
    }
}
