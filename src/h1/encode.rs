//! Request heads as bytes.
//!
//! Nothing is escaped here and nothing is refused: a [`Url`] holds only what a target may, and a
//! [`Headers`](crate::Headers) only what a field may.

use http::{Method, Version};

use crate::headers::{Headers, InvalidHeader, is_token_byte, is_value_byte};
use crate::urls::{Origin, Url};

/// The target of a request, in the form that its connection asks for (RFC 9112, section 3.2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestTarget<'a> {
    /// Path and query, for the server of the URL.
    Origin(&'a Url),
    /// The URL without credentials and fragment, for a proxy. `server_wide` leaves out path and query: the proxy asks
    /// for `*` in its turn (RFC 9112, section 3.2.4).
    Absolute { url: &'a Url, server_wide: bool },
    /// Host and port, for the tunnel that CONNECT asks a proxy for.
    Authority(&'a Origin),
    /// The server itself, for OPTIONS.
    Asterisk,
}

impl RequestTarget<'_> {
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            RequestTarget::Origin(url) => url.write_target(out),
            RequestTarget::Absolute { url, server_wide } => {
                let origin = url.origin();
                match origin.zone() {
                    None => out.extend_from_slice(origin.as_str().as_bytes()),
                    // A zone means nothing to another machine (RFC 6874, section 4).
                    Some(_) => {
                        let parts = [origin.scheme(), "://", origin.host_field()];
                        parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
                    }
                }
                if !server_wide {
                    url.write_target(out);
                }
            }
            RequestTarget::Authority(origin) => {
                out.extend_from_slice(origin.host().as_bytes());
                if let Some(port) = origin.port() {
                    out.extend_from_slice(format!(":{port}").as_bytes());
                }
            }
            RequestTarget::Asterisk => out.push(b'*'),
        }
    }
}

/// Writes `method target version` (RFC 9112, section 3).
#[inline(always)]
pub(crate) fn request_line(out: &mut Vec<u8>, method: &Method, target: RequestTarget<'_>, version: Version) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    target.write(out);
    out.extend_from_slice(match version {
        Version::HTTP_10 => b" HTTP/1.0\r\n",
        _ => b" HTTP/1.1\r\n",
    });
}

pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    debug_assert!(!name.is_empty() && name.bytes().all(is_token_byte), "the name of a field is checked on the way in");
    debug_assert!(value.iter().all(|&byte| is_value_byte(byte)), "the value of a field is checked on the way in");
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A field whose value is a decimal number, such as Content-Length.
pub(crate) fn number_field(out: &mut Vec<u8>, name: &str, number: u64) {
    // `u64::MAX` has 20 digits.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = number;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = at;
        if rest == 0 {
            break;
        }
    }
    field(out, name, &digits[start..]);
}

/// The blank line behind the last field.
pub(crate) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Refuses a second Host field, and a value that is not `host[:port]`.
pub(crate) fn check_host(headers: &Headers) -> Result<(), InvalidHeader> {
    let mut hosts = headers.iter().filter(|field| field.name().eq_ignore_ascii_case("host"));
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(second)) => Err(InvalidHeader::reserved(second.name(), "is given twice")),
        (Some(host), None) if !is_host(host.bytes()) => {
            Err(InvalidHeader::reserved(host.name(), "is no host with an optional port"))
        }
        _ => Ok(()),
    }
}

/// `uri-host [ ":" port ]` of RFC 9110, section 7.2, without what could be read as another part of a URL.
fn is_host(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_graphic() && !b"/\\@?#<>\"'`{}|^,".contains(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_is_written_as_rfc_9112_has_it() {
        let url = Url::parse("http://u:p@h:8080/a%2Fb?x=1#fragment").unwrap();
        let mut out = Vec::new();
        request_line(&mut out, &Method::GET, RequestTarget::Origin(&url), Version::HTTP_11);
        field(&mut out, "Host", url.origin().host_field().as_bytes());
        field(&mut out, "X-Empty", b"");
        field(&mut out, "X-Obs", b"a\t\xE9");
        number_field(&mut out, "Content-Length", 0);
        end(&mut out);
        let expected = b"GET /a%2Fb?x=1 HTTP/1.1\r\nHost: h:8080\r\nX-Empty: \r\nX-Obs: a\t\xE9\r\n\
            Content-Length: 0\r\n\r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn request_lines() {
        let table = [
            ("GET", "http://h", Version::HTTP_11, false, "GET / HTTP/1.1\r\n"),
            ("GET", "http://h?q", Version::HTTP_10, false, "GET /?q HTTP/1.0\r\n"),
            ("BREW", "https://h/a b\r\nX: y", Version::HTTP_11, false, "BREW /a%20b%0D%0AX:%20y HTTP/1.1\r\n"),
            ("OPTIONS", "http+unix://%2Fs/p", Version::HTTP_11, false, "OPTIONS /p HTTP/1.1\r\n"),
            ("GET", "http://u:p@H:80?q#f", Version::HTTP_11, true, "GET http://h/?q HTTP/1.1\r\n"),
            ("GET", "http://[fe80::1%25eth0]:81/a", Version::HTTP_11, true, "GET http://[fe80::1]:81/a HTTP/1.1\r\n"),
        ];
        for (method, url, version, whole, expected) in table {
            let mut out = b"before ".to_vec();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let url = Url::parse(url).unwrap();
            let target = match whole {
                true => RequestTarget::Absolute { url: &url, server_wide: false },
                false => RequestTarget::Origin(&url),
            };
            request_line(&mut out, &method, target, version);
            assert_eq!(String::from_utf8(out).unwrap(), format!("before {expected}"));
        }
    }

    /// RFC 9112, section 3.2.3: the port is written also where it is the scheme's own.
    #[test]
    fn targets_of_tunnels() {
        for (url, expected) in [("https://h/a", "h:443"), ("http://[::1]:81", "[::1]:81")] {
            let (url, mut out) = (Url::parse(url).unwrap(), Vec::new());
            RequestTarget::Authority(url.origin()).write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    fn number(number: u64) -> String {
        let mut out = Vec::new();
        number_field(&mut out, "N", number);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_at_the_edges() {
        for edge in [0, 1, 9, 10, 99, 100, u64::from(u32::MAX), u64::MAX / 10, u64::MAX - 1, u64::MAX] {
            assert_eq!(number(edge), format!("N: {edge}\r\n"));
        }
    }

    #[test]
    #[should_panic(expected = "checked on the way in")]
    #[cfg(debug_assertions)]
    fn an_unclean_value_is_a_bug_of_ours() {
        field(&mut Vec::new(), "X", b"a\r\nY: b");
    }

    proptest! {
        #[test]
        fn numbers_read_as_the_standard_library_writes_them(n in any::<u64>(), shift in 0_u32..64) {
            prop_assert_eq!(number(n >> shift), format!("N: {}\r\n", n >> shift));
        }
    }
}
