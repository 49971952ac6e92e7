//! The settings of one request, and checks of what a caller passes for them.
//!
//! Most requests have no settings of their own, so a `Request` holds them in an `Option<Arc<_>>`.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::middleware::Middleware;
use crate::auth::Auth;
use crate::body::{Chunking, Compress, Progress};
use crate::cancel::Check;
use crate::error::{Error, Result};
use crate::headers::is_token_byte;
use crate::net::names::Overrides;
use crate::proxy::Setting;
use crate::redirect::{RedirectWhen, Rewrite};
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::Timeout;
use crate::urls::{Origin, Url};
use crate::values::Values;

/// Holds the settings of one request. They replace those of its client, or add to them.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Timeout>,
    /// May end the call while it waits.
    pub(crate) check: Option<Check>,
    /// The most bytes of a response body that are collected in memory.
    pub(crate) max_body: Option<u64>,
    /// The most bytes of a response body that are received, before they are decoded.
    pub(crate) max_wire_body: Option<u64>,
    /// Whether a coded body is decoded.
    pub(crate) decode_content: Option<bool>,
    /// The request target is `*`: the request is for the server, not for the path of its URL.
    pub(crate) server_wide: bool,
    /// Whether redirects are followed.
    pub(crate) follow: Option<bool>,
    pub(crate) max_redirects: Option<u32>,
    /// Decides about each redirect that the rules allow.
    pub(crate) redirect_when: Option<RedirectWhen>,
    /// The origins that credentials may follow a redirect to.
    pub(crate) trusted: Option<Trusted>,
    /// The redirects that change the method to GET.
    pub(crate) rewrite: Option<Rewrite>,
    /// Whether requests are sent to `https` URLs only.
    pub(crate) https_only: Option<bool>,
    /// Whether a redirect from `https` to `http` is followed.
    pub(crate) downgrade: Option<bool>,
    /// Whether a redirect from a Unix socket to a host of the network is followed.
    pub(crate) off_socket: Option<bool>,
    pub(crate) auth: Option<Auth>,
    pub(crate) auth_standing: Standing,
    /// Pairs for the Cookie field, in addition to the cookies of the store.
    pub(crate) cookies: Vec<(Box<str>, Box<str>)>,
    /// Names of fields that the client does not add by itself.
    pub(crate) skip: Vec<Box<str>>,
    /// Names of fields that a redirect to another origin removes, in addition to credentials.
    pub(crate) sensitive: Vec<Box<str>>,
    /// Whether a status from 400 on is an error.
    pub(crate) raise: Option<bool>,
    /// A body that neither a length nor chunks delimit is not read, and counts as empty.
    pub(crate) no_body_until_close: bool,
    /// A body may end before its Content-Length.
    pub(crate) early_end: bool,
    /// Whether a TLS stream may end without `close_notify`.
    pub(crate) unclean_close: Option<bool>,
    /// Whether a request is silently sent again if its idle connection turns out to be closed.
    pub(crate) replay: Option<bool>,
    /// The failures after which the request is sent again.
    pub(crate) retry: Option<Retry>,
    /// How strictly the response is read.
    pub(crate) strictness: Option<Strictness>,
    /// The proxy of the request.
    pub(crate) proxy: Option<Setting>,
    /// The request is the handshake of a WebSocket.
    pub(crate) websocket: bool,
    /// A proxy opens a tunnel for the request, also for an `http` URL.
    pub(crate) tunnels: bool,
    /// The longest wait for a connection of the pool.
    pub(crate) pool_timeout: Option<Duration>,
    /// The addresses of hosts that are not looked up.
    pub(crate) resolve_to: Overrides,
    /// A `ConnectionPool` accepts URLs of other hosts, and sends them to its own host.
    pub(crate) any_host: bool,
    /// Middleware around this request, in addition to the client's.
    pub(crate) middleware: Vec<Arc<dyn Middleware>>,
    /// The client's middleware does not run.
    pub(crate) without_middleware: bool,
    /// The charset that a text or a form is sent in.
    pub(crate) encoding: Option<Box<str>>,
    pub(crate) compress: Compress,
    pub(crate) chunking: Chunking,
    pub(crate) progress: Option<Progress>,
    /// Values of the caller's own, for middleware and hooks.
    pub(crate) extensions: Values,
}

// As for a `Policy`: nothing here changes while a request is sent.
impl UnwindSafe for Options {}
impl RefUnwindSafe for Options {}

/// Whether the credentials of a request are for the origin that its URL names now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They were set after the last look at the origin, so they are for the origin of the next request.
    #[default]
    Fresh,
    /// They were there before the caller's code ran that may change the origin.
    Settled,
    /// They are for an origin that the call has left. Only their scheme still counts.
    Left,
}

impl Options {
    /// Returns the credentials, unless they are for another origin.
    pub(crate) fn own_auth(&self) -> Option<&Auth> {
        self.auth.as_ref().filter(|_| self.auth_standing != Standing::Left)
    }
}

/// The origins that credentials may follow a redirect to.
pub(crate) type Trusted = Arc<[Arc<Origin>]>;

/// Returns the origin of a URL that is nothing but an origin.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the URL has more: the rest would look like a
/// condition, and be ignored.
pub(crate) fn only_origin(url: &Url) -> Result<Arc<Origin>> {
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    match is_bare && url.userinfo().is_none() {
        true => Ok(url.shared_origin().clone()),
        false => Err(Error::config("an origin is a scheme, a host and a port, and nothing after them")),
    }
}

/// Returns the names if all are valid names of fields.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a name is not a token.
pub(crate) fn check_names<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Vec<Box<str>>> {
    let check = |name: N| match name.as_ref() {
        name if !name.is_empty() && name.bytes().all(is_token_byte) => Ok(name.into()),
        _ => Err(Error::request("a header name is empty or has a byte that names may not have")),
    };
    names.into_iter().map(check).collect()
}

/// Returns the names if all are names of fields that a client may omit. Some fields are necessary: without the length
/// of a message the server cannot find the start of the next one, and without the name of its coding it cannot read a
/// coded body.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a name is not a token, or is that of a necessary
/// field.
pub(crate) fn check_skipped<N: AsRef<str>>(skipped: impl IntoIterator<Item = N>) -> Result<Vec<Box<str>>> {
    let skipped = check_names(skipped)?;
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

/// Returns the pair if it may be sent in a Cookie field (RFC 6265, section 4.2.1). The value is sent unchanged, so it
/// must not have a byte that would end it.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the name is not a token, or if the value has a
/// semicolon or a control character.
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
        assert_eq!(check_names(["X-A", "b"]).unwrap(), ["X-A".into(), "b".into()]);
        for name in ["", "a b", "a:", "\u{17f}"] {
            assert!(check_names([name]).is_err(), "{name:?}");
            assert!(check_skipped([name]).is_err(), "{name:?}");
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "Content-Encoding"] {
            assert!(check_skipped(["User-Agent", name]).is_err(), "{name:?}");
        }
        assert_eq!(check_skipped(["user-agent"]).unwrap(), ["user-agent".into()]);
    }
}
