//! The terms of one request. A setting is the request's own if it has one, otherwise its client's. This is decided here
//! and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::engine::{Dialing, Engine, Ways};
use super::middleware::{Hooks, Middleware};
use super::options::Options;
use super::policy::{Head, Policy, USER_AGENT};
use super::reach::Reach;
use super::request::Request;
use crate::auth::{Auth, Netrc, SharedScheme};
use crate::cancel::CancelToken;
use crate::cookies::CookieStore;
use crate::dial::Route;
use crate::error::{Error, ErrorKind, Phase, Reason, Result};
use crate::exchange::Common;
use crate::headers::Headers;
use crate::net::names::Overrides;
use crate::pool::key::{ConnectionConfig, PoolKey};
use crate::proxy::Proxy;
use crate::redirect::{self, RedirectWhen, Rules};
use crate::response::{Arrival, Reading};
use crate::retry::Retry;
use crate::time::{Timeout, Until};
use crate::urls::{Origin, Url};

/// The number of redirects that a call follows if nothing is set.
const MAX_REDIRECTS: u32 = 10;

/// The same limit for clients that count redirects as retries. It ends a circle of redirects if `Retry` has no bound.
const MAX_COUNTED_REDIRECTS: u32 = 50;

/// Answers which setting holds for one request, and when its call ends.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) engine: &'a Arc<Engine>,
    policy: &'a Policy,
    /// The request's own settings, if it has any.
    own: Option<&'a Options>,
    pub(super) until: Until<'a>,
    /// How often all calls of the client had been cancelled when this one began.
    begun: u64,
}

impl<'a> Terms<'a> {
    /// Returns the token of a call that begins: the request's own. A call with a check of the caller's has a token of
    /// its own.
    #[inline]
    pub(super) fn token(policy: &Policy, request: &Request) -> Option<CancelToken> {
        match request.options().and_then(|own| own.check.as_ref()).or(policy.check.as_ref()) {
            None => request.cancel_token().cloned(),
            Some(check) => Some(CancelToken::of_call(request.cancel_token(), check)),
        }
    }

    /// Returns the terms of a call that begins now. The total deadline counts from here.
    #[inline]
    pub(super) fn begin(
        engine: &'a Arc<Engine>,
        policy: &'a Policy,
        own: Option<&Options>,
        token: Option<&'a CancelToken>,
    ) -> Terms<'a> {
        let timeout = own.and_then(|own| own.timeout.as_ref()).unwrap_or(&policy.timeout);
        let begun = engine.cancelled(&policy.reach);
        Terms { engine, policy, own: None, until: Until::begin(timeout, token), begun }
    }

    /// Returns the terms of a request with these settings, in the same call of the same client. `None` leaves the
    /// client's settings.
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

    /// Returns these terms for a call that began when all calls had been cancelled so often.
    pub(super) fn since(self, begun: u64) -> Terms<'a> {
        Terms { begun, ..self }
    }

    /// Fails if the call was cancelled, by its token or with all others of the client. It is asked after each grant of the
    /// pool: what comes then is ended by the connection.
    #[inline]
    pub(super) fn check_cancelled(self, phase: Phase) -> Result<()> {
        if let Some(cancelled) = self.until.cancelled(phase) {
            return Err(cancelled);
        }
        match self.engine.cancelled(&self.policy.reach) == self.begun {
            true => Ok(()),
            false => Err(all_cancelled(phase)),
        }
    }

    /// Returns the timeouts.
    #[inline]
    pub(super) fn timeout(self) -> &'a Timeout {
        self.own.and_then(|own| own.timeout.as_ref()).unwrap_or(&self.policy.timeout)
    }

    /// Returns the longest wait for a connection of the pool.
    pub(super) fn pool_timeout(self) -> Option<Duration> {
        self.own.and_then(|own| own.pool_timeout).or(self.timeout().pool).or(self.engine.pool_timeout)
    }

    /// Returns the failures after which the request is sent again.
    pub(super) fn retry(self) -> Option<&'a Retry> {
        self.own.and_then(|own| own.retry.as_ref()).or(self.policy.retry.as_ref())
    }

    /// Returns whether a request is silently sent again if its idle connection turns out to be closed.
    pub(super) fn replays(self) -> bool {
        self.own.and_then(|own| own.replay).unwrap_or(!self.policy.no_replay)
    }

    /// Returns whether a status from 400 on is an error.
    pub(super) fn raises(self) -> bool {
        self.own.and_then(|own| own.raise).unwrap_or(self.policy.raise)
    }

    /// Returns the middleware around the call, outermost first: the client's, unless the request leaves it out, and
    /// then the request's own. `None` if there is no middleware.
    pub(super) fn middleware(self) -> Option<Vec<Arc<dyn Middleware>>> {
        let of_client = self.own.is_none_or(|own| !own.without_middleware);
        let clients: &[_] = if of_client { &self.policy.hooks.middleware } else { &[] };
        let own: &[_] = self.own.map_or(&[], |own| &own.middleware);
        let is_empty = clients.is_empty() && own.is_empty();
        (!is_empty).then(|| clients.iter().chain(own).cloned().collect())
    }

    pub(super) fn hooks(self) -> &'a Hooks {
        &self.policy.hooks
    }
}

/// Redirects.
impl<'a> Terms<'a> {
    /// Returns whether redirects are followed.
    pub(super) fn follows(self) -> bool {
        self.own.and_then(|own| own.follow).unwrap_or(self.policy.following.follow)
    }

    /// Returns the most redirects that the call follows.
    pub(super) fn max_redirects(self) -> usize {
        let default = if self.counts_redirects() { MAX_COUNTED_REDIRECTS } else { MAX_REDIRECTS };
        self.own.and_then(|own| own.max_redirects).or(self.policy.following.max).unwrap_or(default) as usize
    }

    /// Returns whether a redirect counts as a retry.
    pub(super) fn counts_redirects(self) -> bool {
        self.policy.following.counted
    }

    /// Returns whether requests are sent to `https` URLs only.
    fn https_only(self) -> bool {
        self.own.and_then(|own| own.https_only).unwrap_or(self.policy.following.https_only)
    }

    /// Refuses a URL that is not `https`, if the request or its client asks for that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] for such a URL.
    #[inline]
    pub(super) fn check_scheme(self, url: &Url) -> Result<()> {
        match url.origin().kind().is_encrypted() || !self.https_only() {
            true => Ok(()),
            false => Err(Error::request("https_only is set, and the URL is not https")),
        }
    }

    /// Returns the rules by which a redirect is followed.
    pub(super) fn rules(self) -> Rules {
        let rules = self.policy.following.rules;
        let rules = Rules { downgrade: rules.downgrade && !self.https_only(), ..rules };
        let Some(own) = self.own else { return rules };
        Rules {
            downgrade: own.downgrade.unwrap_or(rules.downgrade) && !self.https_only(),
            same_origin: rules.same_origin && !own.any_host,
            off_socket: own.off_socket.unwrap_or(rules.off_socket),
            websocket: own.websocket,
            rewrite: own.rewrite.unwrap_or(rules.rewrite),
        }
    }

    /// Returns the caller's function that decides about redirects.
    pub(super) fn redirect_when(self) -> Option<&'a RedirectWhen> {
        self.own.and_then(|own| own.redirect_when.as_ref()).or(self.policy.following.when.as_ref())
    }

    /// Returns whether credentials may follow a redirect to this origin, because the caller names it for that.
    pub(super) fn trusts(self, origin: &Arc<Origin>) -> bool {
        let trusted = self.own.and_then(|own| own.trusted.as_ref()).or(self.policy.following.trusted.as_ref());
        trusted.is_some_and(|trusted| trusted.contains(origin))
    }

    /// Returns whether a redirect to another origin removes the field. It does if the field is about the origin. Unless
    /// the other origin is trusted, it also does if the field identifies the caller, if it is marked as sensitive in
    /// `headers`, or if the request or the client names it as sensitive.
    pub(super) fn stays_behind(self, headers: &Headers, name: &str, trusted: bool) -> bool {
        let own = self.own.map_or(&[][..], |own| &own.sensitive);
        let is_named = |names: &[Box<str>]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        let is_secret = redirect::is_credential(name)
            || is_named(own)
            || self.own.and_then(|own| own.retry.as_ref()).is_some_and(|retry| is_named(retry.sensitive()))
            || is_named(&self.policy.following.sensitive)
            || headers.is_marked(name);
        redirect::is_of_the_origin(name) || !trusted && is_secret
    }
}

/// The head of the request.
impl<'a> Terms<'a> {
    pub(super) fn head(self) -> &'a Head {
        &self.policy.head
    }

    /// Returns whether the client has a default field of this name for the request.
    pub(super) fn has_default(self, request: &Request, name: &str) -> bool {
        self.policy.head.fields(!request.own_headers).any(|(_, field)| field.name().eq_ignore_ascii_case(name))
    }

    /// Returns the names of fields that the client does not add by itself.
    pub(super) fn skipped(self) -> impl Iterator<Item = &'a str> {
        let own = self.own.map_or(&[][..], |own| &own.skip);
        own.iter().chain(&self.policy.head.skip).map(|name| &**name)
    }

    /// Returns whether each request ends its connection.
    #[inline]
    pub(super) fn closes(self) -> bool {
        self.policy.head.close || self.engine.force_close
    }

    /// Returns the credentials, whatever the origin.
    pub(super) fn auth(self) -> Option<&'a Auth> {
        self.own.and_then(|own| own.auth.as_ref()).or(self.policy.identity.auth.as_ref())
    }

    /// Returns the credentials for this origin. Those of the request are left out if they stay at an origin that the
    /// call has left. The login of a `ConnectionPool` is for the host of the pool and for trusted origins, even if the
    /// pool sends requests for other hosts.
    pub(super) fn auth_at(self, origin: &Arc<Origin>) -> Option<&'a Auth> {
        let is_abroad = || self.home().is_some_and(|home| home != origin && !self.trusts(origin));
        self.own_auth().or_else(|| self.policy.identity.auth.as_ref().filter(|_| !is_abroad()))
    }

    /// Returns the request's own credentials, unless they stay at an origin that the call has left.
    pub(super) fn own_auth(self) -> Option<&'a Auth> {
        self.own.and_then(Options::own_auth)
    }

    pub(super) fn netrc(self) -> Option<&'a Netrc> {
        self.policy.identity.netrc.as_ref()
    }

    pub(super) fn cookie_store(self) -> Option<&'a Arc<dyn CookieStore>> {
        self.policy.identity.cookies.as_ref()
    }

    /// Returns the request's own settings, for those that a client does not have.
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

    /// Returns the bounds on the body of the response as it arrives.
    pub(super) fn arrival(self) -> Arrival {
        let of_client = self.policy.common.limits.max_wire_body;
        let most = self.own.and_then(|own| own.max_wire_body).unwrap_or(of_client);
        Arrival { most, rate: self.timeout().rate }
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

    /// Returns the origin of the pool, if the client is one `ConnectionPool`.
    pub(super) fn home(self) -> Option<&'a Arc<Origin>> {
        self.policy.reach.home.as_ref()
    }

    /// Returns the origin whose pool sends a request for this URL: the URL's, or that of the `ConnectionPool`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HostChanged`] if the `ConnectionPool` does not send to the URL's host.
    #[inline(always)]
    pub(super) fn pool_origin(self, url: &'a Url) -> Result<&'a Arc<Origin>> {
        match self.home() {
            None => Ok(url.shared_origin()),
            Some(home) => self.home_for(url, home),
        }
    }

    #[inline(always)]
    fn home_for(self, url: &Url, home: &'a Arc<Origin>) -> Result<&'a Arc<Origin>> {
        let origin = url.shared_origin();
        // A request for an `https` URL is not sent to a proxy in clear.
        let in_clear = origin.kind().is_encrypted() && !home.kind().is_encrypted();
        let any_host = self.own.is_some_and(|own| own.any_host) && !in_clear;
        match any_host || origin == home {
            true => Ok(home),
            false => {
                let why = ErrorKind::HostChanged.because(format!("the pool is for {home}"));
                Err(Error::new(why, Phase::Prepare).with_origin(home))
            }
        }
    }

    /// Returns the key of the pool that sends a request along this route. A route without a pool gets a new one. The
    /// addresses that the request gives for the host come before those of the client, and are part of the key; those for
    /// other hosts are not. So is the scheme by which the request authenticates its connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] if the request has addresses for the host, and a dialer or a Unix socket of the
    /// client would not heed them.
    #[inline(always)]
    pub(super) fn key(self, route: &Route, scheme: Option<&SharedScheme>) -> Result<PoolKey> {
        let own = self.own.filter(|own| !own.resolve_to.is_empty());
        self.engine.with_config(self.reach(), |config| match own.is_none() && scheme.is_none() {
            true => Ok(self.engine.key(route, config)),
            false => self.key_with(route, config, own.map(|own| &own.resolve_to), scheme),
        })
    }

    #[cold]
    fn key_with(
        self,
        route: &Route,
        config: &Arc<ConnectionConfig>,
        own: Option<&Overrides>,
        scheme: Option<&SharedScheme>,
    ) -> Result<PoolKey> {
        let dialed = (!route.is_over_socket()).then(|| route.dialed());
        let hosts = dialed.into_iter().chain(route.found_for_proxy()).map(|origin| origin.host());
        let given: Vec<_> = hosts.filter_map(|host| Some((host, own?.get(host)?))).collect();
        if given.is_empty() && scheme.is_none() {
            return Ok(self.engine.key(route, config));
        }
        if !given.is_empty() && config.dialer.is_some() {
            return Err(Error::request("resolve_to has no effect on a dialer, which finds addresses by itself"));
        }
        if !given.is_empty() && config.socket.is_some() {
            return Err(Error::request(
                "resolve_to has no effect: all connections of the client lead to a Unix socket",
            ));
        }
        let mut config = ConnectionConfig::clone(config);
        config.scheme = scheme.cloned();
        for (host, addresses) in given {
            config.tcp.names.overrides.put(host, addresses);
        }
        Ok(self.engine.key(route, &Arc::new(config)))
    }

    /// Returns the way to the server of a URL, and the ways that are tried if nothing can be reached by it: through the
    /// proxies of the request, of its client or of its pools, or without one. What chooses by the URL is asked here.
    ///
    /// # Errors
    ///
    /// Those of [`pool_origin`](Self::pool_origin), and of the caller's function that chooses.
    #[inline(always)]
    pub(super) fn route(self, method: &Method, url: &'a Url) -> Result<Ways> {
        let setting = self.own.and_then(|own| own.proxy.as_ref()).or(self.policy.proxy.as_ref());
        let origin = self.pool_origin(url)?;
        let (route, others) = self.engine.route(setting, origin, url)?;
        match route.proxy() {
            None => Ok((route, others)),
            Some(_) => Ok((self.through_proxy(route, method, origin), others)),
        }
    }

    /// Returns the route of a request that takes another way of the choice.
    ///
    /// # Errors
    ///
    /// Those of [`pool_origin`](Self::pool_origin).
    #[cold]
    pub(super) fn on_way(self, route: Route, method: &Method, url: &'a Url) -> Result<Route> {
        match route.proxy() {
            None => Ok(route),
            Some(_) => Ok(self.through_proxy(route, method, self.pool_origin(url)?)),
        }
    }

    /// Returns whether a function of the caller's chooses the way of the request.
    pub(super) fn asks_for_proxy(self) -> bool {
        let setting = self.own.and_then(|own| own.proxy.as_ref()).or(self.policy.proxy.as_ref());
        self.engine.asks_for_proxy(setting)
    }

    /// Returns whether the request may go through a proxy by its settings, although it may not do so this time.
    pub(super) fn may_use_proxy(self) -> bool {
        let setting = self.own.and_then(|own| own.proxy.as_ref()).or(self.policy.proxy.as_ref());
        self.engine.may_use_proxy(setting)
    }

    /// Changes a route through a proxy for a request that is about a tunnel. A CONNECT is for the proxy itself. A request
    /// for another protocol goes through a tunnel, because a proxy that forwards takes its Upgrade for its own (RFC 9110,
    /// section 7.8).
    #[cold]
    fn through_proxy(self, route: Route, method: &Method, origin: &Arc<Origin>) -> Route {
        if *method == Method::CONNECT {
            return route.forwarding();
        }
        match self.own.is_some_and(|own| own.tunnels) {
            true => route.tunnelling(origin),
            false => route,
        }
    }

    /// Refuses a URL whose host is an address that the caller's filter does not allow. It is asked for requests through a
    /// proxy, which looks up names by itself; such names may be refused, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AddressRefused`] for such a URL.
    pub(super) fn check_behind_proxy(self, proxy: &Proxy, url: &Url) -> Result<()> {
        let looks_up = proxy.looks_up_names();
        self.engine.with_config(self.reach(), |config| config.tcp.names.check_remote(url.origin(), looks_up))
    }

    /// Returns what the request wants of a connection that is opened for it.
    pub(super) fn dialing(self) -> Dialing<'a> {
        Dialing {
            until: self.until,
            timeout: self.timeout(),
            common: &self.policy.common,
            strictness: self.reading().strictness,
            user_agent: self.user_agent(),
        }
    }

    /// Returns the User-Agent of the client, which a proxy is told when it is asked for a tunnel. What the request says is
    /// for its server.
    fn user_agent(self) -> Option<&'a [u8]> {
        let name = "user-agent";
        if self.policy.head.skip.iter().any(|skipped| skipped.eq_ignore_ascii_case(name)) {
            return None;
        }
        let mut fields = self.policy.head.fields(true).map(|(_, field)| field);
        let given = fields.find(|field| field.name().eq_ignore_ascii_case(name));
        Some(given.map_or(USER_AGENT.as_bytes(), |field| field.bytes()))
    }

    /// Sleeps between two tries.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the client is closed during the sleep, and [`ErrorKind::Cancelled`] if the call is
    /// cancelled.
    pub(super) fn pause(self, wait: Duration) -> Result<()> {
        self.engine.pause(&self.policy.reach, wait, self.until, self.begun)
    }
}

/// Returns the error of a call that ended with all others of its client.
#[cold]
#[inline(never)]
fn all_cancelled(phase: Phase) -> Error {
    Error::new(Reason::all_cancelled(), phase)
}

#[cfg(test)]
impl<'a> Terms<'a> {
    /// Returns the terms of a request that is not sent.
    pub(super) fn for_test(policy: &'a Policy, own: Option<&'a Options>) -> Terms<'a> {
        static ENGINE: std::sync::LazyLock<Arc<Engine>> =
            std::sync::LazyLock::new(|| Engine::new(super::EngineConfig::default()));
        Terms { own, ..Terms::begin(&ENGINE, policy, own, None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::BasicAuth;
    use crate::proxy;
    use crate::redirect::Rewrite;
    use crate::strictness::Strictness;

    type Setting = (&'static str, fn(&mut Policy), fn(&mut Options), fn(Terms<'_>) -> String, [&'static str; 3]);

    /// A setting of the request replaces that of the client, and each has its default.
    #[test]
    fn own_otherwise_the_clients() {
        let second = Duration::from_secs(1);
        let table: [Setting; 15] = [
            (
                "timeout",
                |client| client.timeout = Timeout::from(Duration::from_secs(1)),
                |own| own.timeout = Some(Timeout::from(Duration::from_secs(2))),
                |terms| terms.timeout().to_string(),
                ["Timeout()", "Timeout(total=1s)", "Timeout(total=2s)"],
            ),
            (
                "pool_timeout",
                |client| client.timeout = Timeout::new().pool(Duration::from_secs(1)),
                |own| own.pool_timeout = Some(Duration::from_secs(2)),
                |terms| format!("{:?}", terms.pool_timeout()),
                ["None", "Some(1s)", "Some(2s)"],
            ),
            (
                "retry",
                |client| client.retry = Some(Retry::new(1)),
                |own| own.retry = Some(Retry::new(2)),
                |terms| format!("{:?}", terms.retry().map(|retry| [1, 2].map(|n| *retry == Retry::new(n)))),
                ["None", "Some([true, false])", "Some([false, true])"],
            ),
            (
                "replays",
                |client| client.no_replay = true,
                |own| own.replay = Some(true),
                |terms| terms.replays().to_string(),
                ["true", "false", "true"],
            ),
            (
                "raises",
                |client| client.raise = true,
                |own| own.raise = Some(false),
                |terms| terms.raises().to_string(),
                ["false", "true", "false"],
            ),
            (
                "follows",
                |client| client.following.follow = true,
                |own| own.follow = Some(false),
                |terms| terms.follows().to_string(),
                ["false", "true", "false"],
            ),
            (
                "max_redirects",
                |client| client.following.max = Some(1),
                |own| own.max_redirects = Some(2),
                |terms| terms.max_redirects().to_string(),
                ["10", "1", "2"],
            ),
            (
                "rules",
                |client| (client.following.rules.downgrade, client.following.rules.same_origin) = (true, true),
                |own| (own.downgrade, own.any_host) = (Some(false), true),
                |terms| format!("{:?}", (terms.rules().downgrade, terms.rules().same_origin)),
                ["(false, false)", "(true, true)", "(false, false)"],
            ),
            (
                "keep_method",
                |client| client.following.rules.rewrite = Rewrite::AlsoAfterPost,
                |own| own.rewrite = Some(Rewrite::SeeOther),
                |terms| format!("{:?}", terms.rules().rewrite),
                ["SeeOther", "AlsoAfterPost", "SeeOther"],
            ),
            (
                "https_only",
                |client| client.following.https_only = true,
                |own| own.https_only = Some(false),
                |terms| terms.check_scheme(&Url::parse("http://h/").unwrap()).is_ok().to_string(),
                ["true", "false", "true"],
            ),
            (
                "auth",
                |client| client.identity.auth = Some(BasicAuth::new("client", "").into()),
                |own| own.auth = Some(BasicAuth::new("own", "").into()),
                |terms| format!("{:?}", terms.auth().is_some().then(|| terms.own_auth().is_some())),
                ["None", "Some(false)", "Some(true)"],
            ),
            (
                "proxy",
                |client| client.proxy = Some(proxy::Setting::One("http://p".parse().unwrap())),
                |own| own.proxy = Some(proxy::Setting::Direct),
                |terms| {
                    let url = Url::parse("http://h/").unwrap();
                    let route = terms.route(&Method::GET, &url).map(|(route, _)| route.proxy().is_some());
                    route.is_ok_and(|proxied| proxied).to_string()
                },
                ["false", "true", "false"],
            ),
            (
                "strictness",
                |client| client.reading.strictness = Strictness::Strict,
                |own| own.strictness = Some(Strictness::Tolerant),
                |terms| format!("{:?}", terms.reading().strictness),
                ["Tolerant", "Strict", "Tolerant"],
            ),
            (
                "decode",
                |client| client.reading.decode = false,
                |own| own.decode_content = Some(true),
                |terms| terms.reading().decode.to_string(),
                ["true", "false", "true"],
            ),
            (
                "unclean_close",
                |client| client.reading.unclean_close = true,
                |own| own.unclean_close = Some(false),
                |terms| terms.reading().unclean_close.to_string(),
                ["false", "true", "false"],
            ),
        ];
        for (setting, by_client, by_request, read, [default, of_client, of_request]) in table {
            let (mut policy, mut own) = (Policy::default(), Options::default());
            assert_eq!(read(Terms::for_test(&policy, None)), default, "{setting}");
            assert_eq!(read(Terms::for_test(&policy, Some(&own))), default, "{setting}: a request without it");
            by_client(&mut policy);
            assert_eq!(read(Terms::for_test(&policy, Some(&own))), of_client, "{setting}: the client's");
            by_request(&mut own);
            assert_eq!(read(Terms::for_test(&policy, Some(&own))), of_request, "{setting}: the request's");
            assert_eq!(read(Terms::for_test(&Policy::default(), Some(&own))), of_request, "{setting}: no client's");
        }
        // The total deadline is settled the same way.
        let policy = Policy { timeout: Timeout::from(second), ..Policy::default() };
        let own = Options { timeout: Some(Timeout::new()), ..Options::default() };
        assert!(Terms::for_test(&policy, None).until.at().is_some());
        assert!(Terms::for_test(&policy, Some(&own)).until.at().is_none());
    }

    /// The credentials of a pool are for its host; a request's own go wherever the request goes.
    #[test]
    fn credentials_of_a_pool() {
        let origin = |url: &str| Url::parse(url).unwrap().shared_origin().clone();
        let mut policy = Policy::default();
        policy.identity.auth = Some(BasicAuth::new("pool", "").into());
        policy.reach.home = Some(origin("http://h/"));
        let own = Options { auth: Some(BasicAuth::new("own", "").into()), ..Options::default() };
        for (url, of_pool) in [("http://h/", true), ("http://other/", false)] {
            assert_eq!(Terms::for_test(&policy, None).auth_at(&origin(url)).is_some(), of_pool, "{url}");
            assert!(Terms::for_test(&policy, Some(&own)).auth_at(&origin(url)).is_some(), "{url}");
        }
    }
}
