//! The settings of a client, grouped by the code that reads them.
//!
//! A request may have settings of its own. [`Terms`](super::terms::Terms) decides between the two.

use std::fmt;
use std::sync::Arc;

use super::engine::Reach;
use super::middleware::Hooks;
use super::options;
use crate::auth::{Auth, Netrc};
use crate::cookies::CookieStore;
use crate::error::{Error, Result};
use crate::exchange::Common;
use crate::h1::encode::check_host;
use crate::headers::{Headers, InvalidHeader, ShownHeaders};
use crate::redirect;
use crate::response::Reading;
use crate::retry::Retry;
use crate::time::Timeout;

/// The settings of a client for all of its requests.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    pub(crate) head: Head,
    pub(crate) following: Following,
    pub(crate) identity: Identity,
    pub(crate) reading: Reading,
    pub(crate) reach: Reach,
    pub(crate) hooks: Hooks,
    pub(crate) timeout: Timeout,
    pub(crate) common: Arc<Common>,
    /// The failures that are tried again, beside the silent replay.
    pub(crate) retry: Option<Retry>,
    /// A request that dies with an idle connection is not sent again.
    pub(crate) no_replay: bool,
    /// A status from 400 on is an error.
    pub(crate) raise: bool,
}

/// The fields that a client adds to the head of a request.
#[derive(Clone, Default)]
pub(crate) struct Head {
    /// Sent with every request that does not have a field of the same name.
    pub(crate) headers: Headers,
    /// A request with headers of its own is sent without these.
    pub(crate) replaced: bool,
    /// The `Accept: */*` of a Session.
    pub(crate) accept: bool,
    /// Accept-Encoding names the codings that can be decoded, as a Session does.
    pub(crate) offers_codings: bool,
    /// Content-Type says whether a body is text or bytes, where the request does not.
    pub(crate) content_type: bool,
    /// Every connection is closed after its request.
    pub(crate) close: bool,
    /// Names of fields that are not added.
    pub(crate) skip: Vec<Box<str>>,
}

/// The redirects that a client follows.
#[derive(Clone, Default)]
pub(crate) struct Following {
    pub(crate) follow: bool,
    /// The most redirects of a call; `None` for the default.
    pub(crate) max: Option<u32>,
    /// A redirect counts as a retry, and `Retry` limits their number.
    pub(crate) counted: bool,
    pub(crate) rules: redirect::Rules,
    /// Names of fields that stay behind at another origin, beside credentials.
    pub(crate) sensitive: Vec<Box<str>>,
}

/// The names under which a client is known to servers.
#[derive(Clone, Default)]
pub(crate) struct Identity {
    pub(crate) cookies: Option<Arc<dyn CookieStore>>,
    pub(crate) auth: Option<Auth>,
    /// Used where there is no `auth`.
    pub(crate) netrc: Option<Netrc>,
}

impl Policy {
    /// Refuses client settings that would break every request.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(retry) = &self.retry {
            self.following.sensitive.extend(options::names(retry.sensitive().iter())?);
        }
        let headers = &self.head.headers;
        check_host(headers)?;
        if let Some(auth) = &self.identity.auth {
            auth.check()?;
            if headers.contains("authorization") {
                return Err(Error::config("there is an Authorization header, and credentials besides"));
            }
        }
        let framing = ["content-length", "transfer-encoding"];
        match headers.iter().find(|field| framing.iter().any(|name| field.name().eq_ignore_ascii_case(name))) {
            Some(field) => Err(InvalidHeader::reserved(field.name(), "belongs to one request, not to all").into()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_retry = self.retry.as_ref().map_or(&[][..], |retry| retry.sensitive());
        f.debug_struct("Policy")
            .field("headers", &ShownHeaders(&self.head.headers, [&self.following.sensitive, of_retry]))
            .field("timeout", &self.timeout)
            .field("auth", &self.identity.auth)
            .field("cookies", &self.identity.cookies)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}
