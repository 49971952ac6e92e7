//! The settings of one request. Most requests have none, so they are kept beside it.

use std::sync::Arc;
use std::time::Duration;

use super::middleware::Middleware;
use crate::auth::Auth;
use crate::body::{Chunking, Compress, Progress};
use crate::error::{Error, Result};
use crate::headers::is_token_byte;
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::Timeout;

/// Settings of one request. They replace those of its client, or add to them.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Timeout>,
    /// The most bytes of a body that are collected in memory.
    pub(crate) max_body: Option<u64>,
    /// Whether a coded body is decoded.
    pub(crate) decode_content: Option<bool>,
    /// The request asks for the server itself (`*`) and not for the path of its URL.
    pub(crate) server_wide: bool,
    /// Whether redirects are followed.
    pub(crate) follow: Option<bool>,
    pub(crate) max_redirects: Option<u32>,
    /// Whether `https` may lead to `http`.
    pub(crate) downgrade: Option<bool>,
    /// Whether a Unix socket may lead to the network.
    pub(crate) off_socket: Option<bool>,
    pub(crate) auth: Option<Auth>,
    /// Pairs for the Cookie field, beside those of the cookie store.
    pub(crate) cookies: Vec<(Box<str>, Box<str>)>,
    /// Names of fields that are not added.
    pub(crate) skip: Vec<Box<str>>,
    /// Names of fields that stay behind at another origin, beside credentials.
    pub(crate) sensitive: Vec<Box<str>>,
    /// Whether a status from 400 is an error.
    pub(crate) raise: Option<bool>,
    /// A body that neither a length nor chunks delimit is not read.
    pub(crate) no_body_until_close: bool,
    /// A body may end before its Content-Length.
    pub(crate) early_end: bool,
    /// Whether the end of a TLS stream may be unclean.
    pub(crate) unclean_close: Option<bool>,
    /// Whether a request that died with an idle connection is sent again.
    pub(crate) replay: Option<bool>,
    /// The failures that are tried again.
    pub(crate) retry: Option<Retry>,
    /// How strictly the response is read.
    pub(crate) strictness: Option<Strictness>,
    /// The longest wait for a connection of the pool.
    pub(crate) pool_timeout: Option<Duration>,
    /// A pool of one host sends URLs of other hosts to its own.
    pub(crate) any_host: bool,
    pub(crate) middleware: Option<Arc<[Arc<dyn Middleware>]>>,
    /// The charset that a text or a form is sent in.
    pub(crate) encoding: Option<Box<str>>,
    pub(crate) compress: Compress,
    pub(crate) chunking: Chunking,
    pub(crate) progress: Option<Progress>,
}

/// Checks names of fields.
pub(crate) fn names<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Vec<Box<str>>> {
    let check = |name: N| match name.as_ref() {
        name if !name.is_empty() && name.bytes().all(is_token_byte) => Ok(name.into()),
        _ => Err(Error::request("a header name is empty or has a byte that names may not have")),
    };
    names.into_iter().map(check).collect()
}

/// Checks names of fields that are not to be added. Some fields cannot be left out: without its length a message cannot
/// be told from the next one, and a coded body is of no use without the name of its coding.
pub(crate) fn skipped<N: AsRef<str>>(skipped: impl IntoIterator<Item = N>) -> Result<Vec<Box<str>>> {
    let skipped = names(skipped)?;
    let needed = ["host", "content-length", "transfer-encoding", "content-encoding"];
    match skipped.iter().any(|name| needed.iter().any(|needed| name.eq_ignore_ascii_case(needed))) {
        true => {
            let why = "Host, Content-Length, Transfer-Encoding and Content-Encoding are sent where they are needed, \
                       and cannot be skipped";
            Err(Error::request(why))
        }
        false => Ok(skipped),
    }
}

/// Checks a pair for the Cookie field (RFC 6265, section 4.2.1). The value is sent as it is, so a byte that would end it
/// is refused.
pub(crate) fn cookie(name: &str, value: &str) -> Result<(Box<str>, Box<str>)> {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(Error::request("a cookie's name is empty or has a byte that names may not have"));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() || byte == b';') {
        return Err(Error::request("a cookie's value has a semicolon or a control character"));
    }
    Ok((name.into(), value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        for (name, value, expected) in [
            ("a", "b", true),
            ("a", "", true),
            ("a", "\"b, c\" \u{e9}=", true),
            ("", "b", false),
            ("a=", "b", false),
            ("a b", "c", false),
            ("a", "b;c", false),
            ("a", "b\r\nX: y", false),
            ("a", "b\tc", false),
        ] {
            assert_eq!(cookie(name, value).is_ok(), expected, "{name:?} {value:?}");
        }
        assert_eq!(names(["X-A", "b"]).unwrap(), ["X-A".into(), "b".into()]);
        for name in ["", "a b", "a:", "\u{17f}"] {
            assert!(names([name]).is_err(), "{name:?}");
            assert!(skipped([name]).is_err(), "{name:?}");
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "Content-Encoding"] {
            assert!(skipped(["User-Agent", name]).is_err(), "{name:?}");
        }
        assert_eq!(skipped(["user-agent"]).unwrap(), ["user-agent".into()]);
    }
}
