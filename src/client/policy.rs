//! The settings of a client, grouped by the code that reads them.
//!
//! A request may have settings of its own. [`Terms`](super::terms::Terms) decides between the two.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::middleware::Hooks;
use super::options;
use super::reach::Reach;
use crate::auth::{Auth, Netrc};
use crate::cancel::Check;
use crate::cookies::CookieStore;
use crate::error::{Error, Result};
use crate::exchange::Common;
use crate::h1::encode::check_host;
use crate::headers::{Header, Headers, InvalidHeader, ShownHeaders};
use crate::proxy::Setting;
use crate::redirect;
use crate::response::Reading;
use crate::retry::Retry;
use crate::time::Timeout;

/// The User-Agent of a client that has no other.
pub(crate) const USER_AGENT: &str = concat!("hostpool/", env!("CARGO_PKG_VERSION"));

/// Holds the settings of a client for all of its requests.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    pub(crate) head: Head,
    pub(crate) following: Following,
    pub(crate) identity: Identity,
    pub(crate) reading: Reading,
    pub(crate) reach: Reach,
    pub(crate) hooks: Hooks,
    pub(crate) timeout: Timeout,
    /// May end a call while it waits.
    pub(crate) check: Option<Check>,
    pub(crate) common: Arc<Common>,
    /// The failures after which a request is sent again, in addition to the silent replay.
    pub(crate) retry: Option<Retry>,
    /// The proxy of the requests.
    pub(crate) proxy: Option<Setting>,
    /// The proxy is that of the environment, and not one of the caller's code.
    pub(crate) proxy_of_env: bool,
    /// Turns the silent replay off: a request is not sent again if its idle connection turns out to be closed.
    pub(crate) no_replay: bool,
    /// A status from 400 on is an error.
    pub(crate) raise: bool,
}

// Nothing here changes while a request is sent. What a panic in the caller's own code leaves behind is the caller's.
impl UnwindSafe for Policy {}
impl RefUnwindSafe for Policy {}

/// Says which fields a client adds to the head of a request.
#[derive(Clone, Default)]
pub(crate) struct Head {
    /// The fields that are sent with every request that does not have a field of the same name.
    pub(crate) headers: Headers,
    /// The fields that are sent with every request that has no headers of its own.
    pub(crate) block: Headers,
    /// `Accept: */*` is added, as a Session does.
    pub(crate) accept: bool,
    /// Accept-Encoding names the codings that can be decoded, as a Session does. Otherwise it is `identity`.
    pub(crate) offers_codings: bool,
    /// A body without a type of its own is sent with a Content-Type for text or for bytes.
    pub(crate) content_type: bool,
    /// Each request ends its connection.
    pub(crate) close: bool,
    /// Names of fields that the client does not add by itself.
    pub(crate) skip: Vec<Box<str>>,
}

/// Says which redirects a client follows.
#[derive(Clone, Default)]
pub(crate) struct Following {
    pub(crate) follow: bool,
    /// The most redirects of a call; `None` for the default.
    pub(crate) max: Option<u32>,
    /// A redirect counts as a retry, and `Retry` limits their number.
    pub(crate) counted: bool,
    pub(crate) rules: redirect::Rules,
    /// Decides about each redirect that the rules allow.
    pub(crate) when: Option<redirect::RedirectWhen>,
    /// Requests are sent to `https` URLs only, the first of a call and those after redirects.
    pub(crate) https_only: bool,
    /// The origins that credentials may follow a redirect to.
    pub(crate) trusted: Option<options::Trusted>,
    /// Names of fields that a redirect to another origin removes, in addition to credentials.
    pub(crate) sensitive: Vec<Box<str>>,
}

/// Holds the cookies and the credentials of a client.
#[derive(Clone, Default)]
pub(crate) struct Identity {
    pub(crate) cookies: Option<Arc<dyn CookieStore>>,
    pub(crate) auth: Option<Auth>,
    /// The logins of a netrc file. They are used where neither `auth` nor the URL gives a complete login.
    pub(crate) netrc: Option<Netrc>,
}

impl Head {
    /// Returns the default fields, each with its set. `alone` says whether the request has no headers of its own.
    #[inline]
    pub(crate) fn fields(&self, alone: bool) -> impl Iterator<Item = (&Headers, Header<'_>)> {
        let block =
            alone.then_some(&self.block).into_iter().flat_map(|block| block.iter().map(move |field| (block, field)));
        let merged = self.headers.iter().map(|field| (&self.headers, field));
        merged.chain(block.filter(|(_, field)| !self.headers.contains(field.name())))
    }

    /// Returns whether there is no default field.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.headers.is_empty() && self.block.is_empty()
    }
}

impl Policy {
    /// Refuses settings that would break every request, and adds the sensitive headers of `retry` to those of the
    /// client.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if there are two credentials.
    /// - [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if a field is not valid, or frames one message.
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a sensitive header of `retry` is not a
    ///   token.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(retry) = &self.retry {
            self.following.sensitive.extend(options::check_names(retry.sensitive().iter())?);
        }
        check_host(&self.head.headers)?;
        check_host(&self.head.block)?;
        if let Some(auth) = &self.identity.auth {
            auth.check()?;
            if self.head.headers.contains("authorization") || self.head.block.contains("authorization") {
                return Err(Error::config("the client has an Authorization header and other credentials"));
            }
        }
        let framing = ["content-length", "transfer-encoding"];
        let mut fields = self.head.fields(true).map(|(_, field)| field);
        match fields.find(|field| framing.iter().any(|name| field.name().eq_ignore_ascii_case(name))) {
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
            .field("block", &ShownHeaders(&self.head.block, [&self.following.sensitive, of_retry]))
            .field("timeout", &self.timeout)
            .field("auth", &self.identity.auth)
            .field("cookies", &self.identity.cookies)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_a_client_cannot_have() {
        for (name, value) in [("Host", "u@evil/x y"), ("Content-Length", "1"), ("transfer-encoding", "chunked")] {
            let mut policy = Policy::default();
            policy.head.headers.append(name, value).unwrap();
            assert!(policy.check().is_err(), "{name}");
        }
    }
}
