//! The reasons to refuse a URL.

use std::fmt;

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
    /// The socket path of an `http+unix` URL is empty or not percent-encoded.
    SocketPath,
    /// The socket path has a NUL byte.
    SocketPathNul,
    /// The socket path is not UTF-8.
    SocketPathUtf8,
    /// The socket path given to [`Url::unix`](crate::Url::unix) is longer than the address of a socket may be.
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
