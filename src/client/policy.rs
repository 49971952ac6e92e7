//! How the requests of one kind of client differ from those of another.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Version;

use super::middleware::Hooks;
use super::request::ShownHeaders;
use crate::auth::{Auth, Netrc};
use crate::cookies::CookieStore;
use crate::exchange::Common;
use crate::headers::Headers;
use crate::pool::key::ConnectionConfig;
use crate::redirect;
use crate::retry::Retry;
use crate::time::Timeout;
use crate::url::{Origin, Url};

/// All that a client says about its requests.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    pub(crate) fields: Fields,
    pub(crate) redirects: Redirects,
    pub(crate) route: Route,
    pub(crate) timeout: Timeout,
    pub(crate) common: Arc<Common>,
    /// Coded bodies are handed out as they come.
    pub(crate) keep_coded: bool,
    /// A caller's Content-Encoding asks for its coding.
    pub(crate) compresses: bool,
    pub(crate) cookies: Option<Arc<dyn CookieStore>>,
    pub(crate) auth: Option<Auth>,
    /// Where there is no `auth`.
    pub(crate) netrc: Option<Netrc>,
    /// What is tried again, but for the silent replay.
    pub(crate) retry: Option<Retry>,
    /// A request that dies with an idle connection is not sent again.
    pub(crate) no_replay: bool,
    /// A status from 400 is an error.
    pub(crate) raise: bool,
    pub(crate) hooks: Hooks,
    /// In place of HTTP/1.1.
    pub(crate) version: Option<Version>,
    /// What relative URLs are resolved against.
    pub(crate) base_url: Option<Url>,
}

/// The fields of a head, and who may leave them out.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    /// Sent with every request that does not have a field of the same name.
    pub(crate) headers: Headers,
    /// A request with headers of its own is sent without these.
    pub(crate) replaced: bool,
    /// The `Accept: */*` that a Session sends.
    pub(crate) accept: bool,
    /// The codings that can be decoded are asked for, as a Session does.
    pub(crate) ask_coded: bool,
    /// A body that nobody said anything about is said to be a text or bytes.
    pub(crate) content_type: bool,
    /// Every connection is closed after its request.
    pub(crate) close: bool,
    /// Fields that are not added by themselves.
    pub(crate) skip: Vec<Box<str>>,
}

/// Which redirects are followed, and with what.
#[derive(Clone, Default)]
pub(crate) struct Redirects {
    pub(crate) follow: bool,
    /// In place of the usual number.
    pub(crate) max: Option<u32>,
    /// They count as retries, and their limit is the policy's for those.
    pub(crate) counted: bool,
    pub(crate) rules: redirect::Rules,
    /// Fields that do not go to another origin, besides those that say who the caller is.
    pub(crate) sensitive: Vec<Box<str>>,
}

/// Which connections are used.
#[derive(Clone, Default)]
pub(crate) struct Route {
    /// In place of the engine's way of connecting.
    pub(crate) connection: Option<Arc<ConnectionConfig>>,
    /// The client is a pool of this origin.
    pub(crate) home: Option<Arc<Origin>>,
    /// The client has let go of its pools.
    pub(crate) detached: Arc<AtomicBool>,
}

impl Policy {
    /// Whether it is of one pool, by itself, which was closed. Of a session that was detached what had begun goes on.
    pub(crate) fn is_closed_pool(&self) -> bool {
        self.route.home.is_some() && self.route.detached.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field(
                "headers",
                &ShownHeaders(
                    &self.fields.headers,
                    [&self.redirects.sensitive, self.retry.as_ref().map_or(&[], |retry| retry.sensitive())],
                ),
            )
            .field("timeout", &self.timeout)
            .field("auth", &self.auth)
            .field("cookies", &self.cookies)
            .field("hooks", &self.hooks)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
