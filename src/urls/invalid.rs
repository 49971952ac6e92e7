//! The reasons to refuse a URL.

use std::fmt;

/// Why this client cannot use a text as a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "LocationParseError")]
pub enum InvalidUrl {
    /// No scheme, or no `//` after it: the URL is not absolute.
    NoScheme,
    /// A scheme other than `http`, `https`, `http+unix` and `https+unix`.
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
    /// The socket path of an `http+unix` or `https+unix` URL is empty or not percent-encoded.
    SocketPath,
    /// The socket path has a NUL byte. On Linux it may begin with one: see [`Url::unix`](crate::Url::unix).
    SocketPathNul,
    /// The socket path is not UTF-8.
    SocketPathUtf8,
    /// The socket path is longer than the address of a socket may be: 107 bytes on Linux, 103 elsewhere.
    SocketPathTooLong,
    /// The target given to [`Url::unix`](crate::Url::unix) begins neither with `/` nor with `?`.
    Target,
    /// A control character other than a tab or a line end precedes or follows the URL.
    ControlCharacter,
    /// The URL is longer than 64 KiB.
    TooLong,
}

impl InvalidUrl {
    pub(super) fn from_parser(error: url::ParseError) -> InvalidUrl {
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

/// Returns what to write instead of a text that is not a URL, if the text shows it. Only a host and a port are repeated,
/// because the rest of the text may hold secrets.
pub(crate) fn hint(text: &str, why: InvalidUrl) -> Option<String> {
    if why == InvalidUrl::UnsupportedScheme && text.trim_start().starts_with("unix:") {
        return Some("the scheme of a Unix socket is http+unix, and Url::unix writes such a URL".to_owned());
    }
    let start = text.trim_start().split(['/', '?', '#']).next().unwrap_or_default().trim_end();
    let (host, port) = start.split_once(':').map_or((start, None), |(host, port)| (host, Some(port)));
    let is_host = host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        && start.len() <= LONGEST_HINT;
    let looks_like_one = match port {
        Some(port) => is_port(port),
        None => host == "localhost" || host.contains('.'),
    };
    (why == InvalidUrl::NoScheme && is_host && looks_like_one).then(|| format!("no scheme: write http://{start}"))
}

/// The bytes of a host and a port that a hint repeats.
const LONGEST_HINT: usize = 260;

/// Returns whether a text looks like a port.
pub(super) fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidUrl::NoScheme => "no scheme: it does not begin with http://, https:// or http+unix://",
            InvalidUrl::UnsupportedScheme => "the scheme is not http, https, http+unix or https+unix",
            InvalidUrl::NoHost => "the host is missing: it stands after exactly two slashes, as in http://host/path",
            InvalidUrl::Host => "the host is not a valid domain name or address",
            InvalidUrl::NumericHost => "the host is a number but not an IPv4 address of four decimal parts",
            InvalidUrl::Authority => "white space, a backslash or a second @ stands before the path",
            InvalidUrl::Port => "the port is not a number from 1 to 65535",
            InvalidUrl::SocketPath => {
                "the path of the socket is empty or not percent-encoded, as in http+unix://%2Frun%2Fapp.sock/status"
            }
            InvalidUrl::SocketPathNul => "the path of the socket has a NUL byte",
            InvalidUrl::SocketPathUtf8 => "the path of the socket is not UTF-8",
            InvalidUrl::SocketPathTooLong => {
                "the path of the socket is longer than the address of a socket may be: 107 bytes on Linux, 103 elsewhere"
            }
            InvalidUrl::Target => "the target does not begin with a slash, as in /status?all=1",
            InvalidUrl::ControlCharacter => "a control character stands before or after the URL",
            InvalidUrl::TooLong => "longer than 64 KiB",
        })
    }
}

impl std::error::Error for InvalidUrl {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::urls::Url;

    #[test]
    fn what_to_write_instead() {
        let table = [
            ("localhost:8080/a?token=canary", Some("http://localhost:8080")),
            ("localhost", Some("http://localhost")),
            (" example.com\n", Some("http://example.com")),
            ("example.com:443/canary", Some("http://example.com:443")),
            ("127.0.0.1:80", Some("http://127.0.0.1:80")),
            ("user:canary@example.com", None),
            ("canary", None),
            ("/canary.html", None),
            ("tel:5551234", None),
            ("mailto:canary", None),
            ("ftp://h/", None),
            ("", None),
        ];
        for (text, expected) in table {
            let hint = hint(text, Url::parse(text).unwrap_err());
            assert_eq!(hint, expected.map(|url| format!("no scheme: write {url}")), "{text:?}");
            assert!(expected.is_none_or(|url| Url::parse(url).is_ok()), "{text:?}");
        }
    }
}
