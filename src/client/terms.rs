//! The terms of one request: its own setting where it has one, otherwise its client's. Decided here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use super::engine::{Engine, Reach};
use super::middleware::{Hooks, Middleware};
use super::options::Options;
use super::policy::{Head, Policy};
use super::request::Request;
use crate::auth::{Auth, Netrc};
use crate::cookies::CookieStore;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::exchange::Common;
use crate::headers::Headers;
use crate::redirect::{self, Rules};
use crate::response::Reading;
use crate::retry::Retry;
use crate::time::{Timeout, Until};
use crate::url::{Origin, Scheme, Url};

/// The number of redirects that are followed where nothing is set.
const MAX_REDIRECTS: u32 = 10;

/// The same where redirects count as retries: a `Retry` without a bound must not follow a circle for ever.
const MAX_COUNTED_REDIRECTS: u32 = 50;

/// The settings that hold for one request, and what ends its call.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) engine: &'a Arc<Engine>,
    policy: &'a Policy,
    /// The request's own settings.
    own: Option<&'a Options>,
    pub(super) until: Until<'a>,
}

impl<'a> Terms<'a> {
    /// Returns the terms of a call that begins now: the total deadline counts from here.
    pub(super) fn begin(engine: &'a Arc<Engine>, policy: &'a Policy, own: Option<&'a Options>) -> Terms<'a> {
        let timeout = own.and_then(|own| own.timeout.as_ref()).unwrap_or(&policy.timeout);
        Terms { engine, policy, own, until: timeout.deadline().into() }
    }

    /// Returns the terms of another request of the same client and call.
    pub(super) fn of<'b>(self, own: Option<&'b Options>) -> Terms<'b>
    where
        'a: 'b,
    {
        Terms { own, ..self }
    }

    /// Returns these terms under another deadline.
    pub(super) fn with_until<'b>(self, until: Until<'b>) -> Terms<'b>
    where
        'a: 'b,
    {
        Terms { until, ..self }
    }

    #[inline]
    pub(super) fn timeout(self) -> &'a Timeout {
        self.own.and_then(|own| own.timeout.as_ref()).unwrap_or(&self.policy.timeout)
    }

    /// Returns the longest wait for a connection of the pool.
    pub(super) fn pool_timeout(self) -> Option<Duration> {
        self.own.and_then(|own| own.pool_timeout).or(self.timeout().pool).or(self.engine.pool_timeout)
    }

    pub(super) fn retry(self) -> Option<&'a Retry> {
        self.own.and_then(|own| own.retry.as_ref()).or(self.policy.retry.as_ref())
    }

    /// Returns whether a request that died with an idle connection is sent again.
    pub(super) fn replays(self) -> bool {
        self.own.and_then(|own| own.replay).unwrap_or(!self.policy.no_replay)
    }

    /// Returns whether a status from 400 on is an error.
    pub(super) fn raises(self) -> bool {
        self.own.and_then(|own| own.raise).unwrap_or(self.policy.raise)
    }

    pub(super) fn middleware(self) -> &'a [Arc<dyn Middleware>] {
        self.own.and_then(|own| own.middleware.as_deref()).unwrap_or(&self.policy.hooks.middleware)
    }

    pub(super) fn hooks(self) -> &'a Hooks {
        &self.policy.hooks
    }
}

/// Redirects.
impl<'a> Terms<'a> {
    pub(super) fn follows(self) -> bool {
        self.own.and_then(|own| own.follow).unwrap_or(self.policy.following.follow)
    }

    pub(super) fn max_redirects(self) -> usize {
        let default = if self.counts_redirects() { MAX_COUNTED_REDIRECTS } else { MAX_REDIRECTS };
        self.own.and_then(|own| own.max_redirects).or(self.policy.following.max).unwrap_or(default) as usize
    }

    /// Returns whether a redirect counts as a retry.
    pub(super) fn counts_redirects(self) -> bool {
        self.policy.following.counted
    }

    pub(super) fn rules(self) -> Rules {
        let rules = self.policy.following.rules;
        let Some(own) = self.own else { return rules };
        Rules {
            downgrade: own.downgrade.unwrap_or(rules.downgrade),
            same_origin: rules.same_origin && !own.any_host,
            off_socket: own.off_socket.unwrap_or(rules.off_socket),
            rewrite: rules.rewrite,
        }
    }

    /// Returns whether the field stays behind when a redirect leads to another origin: it says who the caller is, is
    /// about the origin, is marked as sensitive in `headers`, or is named by the request or the client.
    pub(super) fn stays_behind(self, headers: &Headers, name: &str) -> bool {
        let own = self.own.map_or(&[][..], |own| &own.sensitive);
        let is_named = |names: &[Box<str>]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        redirect::stays_behind(name)
            || is_named(own)
            || is_named(&self.policy.following.sensitive)
            || headers.is_marked(name)
    }
}

/// The head of the request.
impl<'a> Terms<'a> {
    pub(super) fn head(self) -> &'a Head {
        &self.policy.head
    }

    /// Returns whether the client's header fields are left out because the request has some.
    pub(super) fn replaces_headers(self, request: &Request) -> bool {
        self.policy.head.replaced && request.own_headers
    }

    /// Returns the names of fields that are not added.
    pub(super) fn skipped(self) -> impl Iterator<Item = &'a str> {
        let own = self.own.map_or(&[][..], |own| &own.skip);
        own.iter().chain(&self.policy.head.skip).map(|name| &**name)
    }

    /// Returns the credentials, for whatever origin.
    pub(super) fn auth(self) -> Option<&'a Auth> {
        self.own_auth().or(self.policy.identity.auth.as_ref())
    }

    /// Returns the credentials for this origin. The login of a pool's URL is for the host of the pool, whatever else is
    /// sent through it.
    pub(super) fn auth_at(self, origin: &Arc<Origin>) -> Option<&'a Auth> {
        let is_abroad = || self.home().is_some_and(|home| home != origin);
        self.own_auth().or_else(|| self.policy.identity.auth.as_ref().filter(|_| !is_abroad()))
    }

    pub(super) fn own_auth(self) -> Option<&'a Auth> {
        self.own.and_then(|own| own.auth.as_ref())
    }

    pub(super) fn netrc(self) -> Option<&'a Netrc> {
        self.policy.identity.netrc.as_ref()
    }

    pub(super) fn cookie_store(self) -> Option<&'a Arc<dyn CookieStore>> {
        self.policy.identity.cookies.as_ref()
    }

    /// Returns the settings that only a request can have.
    pub(super) fn own(self) -> Option<&'a Options> {
        self.own
    }
}

/// The response.
impl<'a> Terms<'a> {
    /// Returns how the body of the response is read.
    pub(super) fn reading(self) -> Reading {
        let max_body = self.policy.common.limits.max_body;
        let reading = Reading { max_body, ..self.policy.reading };
        let Some(own) = self.own else { return reading };
        Reading {
            strictness: own.strictness.unwrap_or(reading.strictness),
            decode: own.decode_content.unwrap_or(reading.decode),
            unclean_close: own.unclean_close.unwrap_or(reading.unclean_close),
            early_end: own.early_end,
            until_close: !own.no_body_until_close,
            max_body: own.max_body.unwrap_or(max_body),
        }
    }

    pub(super) fn common(self) -> &'a Arc<Common> {
        &self.policy.common
    }
}

/// The connections.
impl<'a> Terms<'a> {
    pub(super) fn reach(self) -> &'a Reach {
        &self.policy.reach
    }

    /// Returns the origin of the pool, where the client is one `ConnectionPool`.
    pub(super) fn home(self) -> Option<&'a Arc<Origin>> {
        self.policy.reach.home.as_ref()
    }

    /// Returns the origin whose pool sends this request: the URL's, or that of the one pool.
    ///
    /// # Errors
    ///
    /// `HostChanged` if the pool does not send to the URL's host.
    pub(super) fn pool_origin(self, url: &'a Url) -> Result<&'a Arc<Origin>> {
        let origin = url.shared_origin();
        let Some(home) = self.home() else { return Ok(origin) };
        // A request that is to be encrypted does not go to a proxy in clear.
        let in_clear = origin.kind() == Scheme::Https && home.kind() != Scheme::Https;
        let any_host = self.own.is_some_and(|own| own.any_host) && !in_clear;
        match any_host || origin == home {
            true => Ok(home),
            false => Err(Error::new(ErrorKind::HostChanged, Phase::Prepare).with_origin(home)),
        }
    }

    /// Sleeps between two tries. Closing the client ends the sleep with an error.
    pub(super) fn pause(self, wait: Duration) -> Result<()> {
        self.engine.pause(&self.policy.reach, wait, self.until)
    }
}

#[cfg(test)]
impl<'a> Terms<'a> {
    /// Returns the terms of a request that is not sent.
    pub(super) fn for_test(policy: &'a Policy, own: Option<&'a Options>) -> Terms<'a> {
        static ENGINE: std::sync::LazyLock<Arc<Engine>> =
            std::sync::LazyLock::new(|| Engine::new(super::EngineConfig::default()));
        Terms::begin(&ENGINE, policy, own)
    }
}
