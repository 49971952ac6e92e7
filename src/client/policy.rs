//! How the requests of one kind of client differ from those of another.

use std::fmt;
use std::sync::Arc;

use http::Version;

use super::engine::Reach;
use super::middleware::Hooks;
use super::options;
use super::request::Request;
use crate::auth::{Auth, Netrc};
use crate::cookies::CookieStore;
use crate::error::{Error, Result};
use crate::exchange::Common;
use crate::h1::encode::check_host;
use crate::headers::{Headers, InvalidHeader, ShownHeaders};
use crate::redirect;
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::Timeout;
use crate::url::Url;

/// All that a client says about its requests.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    pub(crate) fields: Fields,
    pub(crate) redirects: Redirects,
    pub(crate) reach: Reach,
    pub(crate) timeout: Timeout,
    pub(crate) common: Arc<Common>,
    pub(crate) strictness: Strictness,
    /// Coded bodies are handed out as they come.
    pub(crate) keep_coded: bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    pub(crate) unclean_close: bool,
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

impl Policy {
    /// Refuses client settings that would break every request.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(retry) = &self.retry {
            self.redirects.sensitive.extend(options::names(retry.sensitive().iter())?);
        }
        check_host(&self.fields.headers)?;
        if let Some(auth) = &self.auth {
            auth.check()?;
            if self.fields.headers.contains("authorization") {
                return Err(Error::config("there is an Authorization header, and credentials besides"));
            }
        }
        let framing = ["content-length", "transfer-encoding"];
        match self
            .fields
            .headers
            .iter()
            .find(|field| framing.iter().any(|name| field.name().eq_ignore_ascii_case(name)))
        {
            Some(field) => Err(InvalidHeader::reserved(field.name(), "belongs to one request, not to all").into()),
            None => Ok(()),
        }
    }

    /// Returns whether the client's own header fields are left out because the request has some.
    pub(super) fn is_replaced_by(&self, request: &Request) -> bool {
        self.fields.replaced && request.own_headers
    }

    /// Returns how strictly the response to this request is read.
    pub(super) fn strictness(&self, request: &Request) -> Strictness {
        request.options().and_then(|options| options.strictness).unwrap_or(self.strictness)
    }

    /// Returns whether the body of this request's response may end with a TLS stream that its peer did not end.
    pub(super) fn allows_unclean_close(&self, request: &Request) -> bool {
        request.options().and_then(|options| options.unclean_close).unwrap_or(self.unclean_close)
    }

    /// Returns whether the body of this request's response is decoded.
    pub(super) fn decodes(&self, request: &Request) -> bool {
        request.decode_content.unwrap_or(!self.keep_coded)
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
