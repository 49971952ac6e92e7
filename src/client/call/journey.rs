//! Sends the requests of one call, one after another under one deadline. Redirects, challenges and retries ask for
//! further requests.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::credentials::Credentials;
use super::fields::{self, Before};
use super::tries::NextTry;
use super::ways;
use crate::auth::{Asked, Heard};
use crate::body::Body;
use crate::client::engine::Ways;
use crate::client::hop::{self, Hop, HopFields, LeftOut, ProxyFields, Reply, Resends};
use crate::client::middleware::OnResponse;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::close_reason::CloseReason;
use crate::dial::{OtherWays, Route, Via};
use crate::error::{Error, ErrorKind, Phase, Reason, ResponseHead, Result};
use crate::h1::Head;
use crate::observe::Redirecting;
use crate::pool::PoolLease;
use crate::proxy::{self, Proxy};
use crate::redirect::{self, Decision, Plan, RedirectAction, RedirectHop, Redirected, Rules};
use crate::response::Response;
use crate::retry::{self, Retry};
use crate::urls::Origin;

/// Sends the request, and the further requests that its responses ask for. An error names the last request.
/// `crossed` says that middleware has moved the request to another origin than the caller named.
pub(super) fn send(terms: Terms<'_>, request: &mut Request, crossed: bool) -> Result<Response> {
    travel(terms, request, crossed).map_err(|error| error.with_request(&request.method, &request.url))
}

fn travel(terms: Terms<'_>, request: &mut Request, crossed: bool) -> Result<Response> {
    let mut journey = Journey::new(terms, request, crossed);
    let response = journey.run()?;
    let raises = journey.terms().raises();
    // The caller's code is dropped before the response is on its way out: if a drop panics after that, the response and
    // its connection are lost. Hooks and middleware may wait for the end of the upload's progress.
    drop((std::mem::take(&mut request.body), request.options.take()));
    let hooks = &terms.hooks().on_response;
    if raises || !hooks.is_empty() { finish(response, hooks, raises) } else { Ok(response) }
}

/// Passes the last response through the hooks, and turns its status into an error if `raises` is set.
#[cold]
fn finish(mut response: Response, hooks: &[OnResponse], raises: bool) -> Result<Response> {
    for hook in hooks {
        let about = response.about().clone();
        response = match hook(response) {
            Ok(response) => response.in_place_of(about),
            Err(error) => {
                let error = error.with_maybe_processed(true);
                return Err(if error.history().is_empty() {
                    error.with_history(about.history().to_vec())
                } else {
                    error
                });
            }
        };
    }
    if raises { response.error_for_status() } else { Ok(response) }
}

/// Gives the connection of a response back before another is taken. Returns the head.
fn throw_away(mut response: Response) -> ResponseHead {
    let head = response.to_head(Vec::new());
    response.throw_away();
    head
}

/// Holds the state of one call between its requests.
struct Journey<'a> {
    /// The terms of the client alone. The request's own settings may change from hop to hop.
    client: Terms<'a>,
    request: &'a mut Request,
    credentials: Credentials,
    /// The state that few calls have. It is in one box, because each field by itself costs every call four instructions.
    rare: Option<Box<Rare>>,
    /// The origin that the caller named, once a redirect has led to another.
    home: Option<Arc<Origin>>,
    history: Vec<ResponseHead>,
    /// Whether a server may have acted on a request of this call.
    began: bool,
    left_out: LeftOut,
    /// The remaining `Retry`, once something was tried again.
    retries: Option<Box<Retry>>,
}

/// The state of a call that goes through a proxy, or sends a request again.
#[derive(Default)]
struct Rare {
    /// The credentials for the proxy that forwards the requests.
    at_proxy: Option<proxy::Credentials>,
    /// The way that is tried next, because nothing could be reached by the last one.
    next: Option<Ways>,
    /// The way of the last request, if the next one repeats it.
    last: Option<Last>,
    /// The connection of the last request, if the next one goes on with it.
    kept: Option<Kept>,
    /// The last request was sent without its body, because it only opened the rounds of a scheme.
    spared_body: bool,
}

/// The way of a request, and the origin that it is for.
struct Last {
    route: Route,
    origin: Arc<Origin>,
}

/// A connection that is kept between two requests of a call, because they are rounds of one scheme.
struct Kept {
    lease: PoolLease,
    route: Route,
}

/// The next step of the call after a reply.
enum FollowUp {
    /// The reply is the response.
    None,
    /// The same request, with other fields. Its body is rewound.
    Repeat,
    /// The same request, after a wait. Its body is rewound.
    Retry(NextTry),
    /// The request that a redirect asks for. It may count as a retry.
    Redirect(Plan, Option<NextTry>),
    /// The reply ends the call with this error.
    Refuse(Reason),
    /// The caller's code about the reply has failed.
    Fail(Error),
}

impl<'a> Journey<'a> {
    fn new(terms: Terms<'a>, request: &'a mut Request, crossed: bool) -> Self {
        // Middleware that moves a request leads to an origin that is not trusted.
        let left_out = LeftOut { replaced: request.own_headers, moved: crossed, crossed, ..LeftOut::default() };
        Journey {
            client: terms,
            request,
            credentials: Credentials::default(),
            rare: None,
            home: None,
            history: Vec::new(),
            began: false,
            left_out,
            retries: None,
        }
    }

    /// Sends one request after another, and returns the last response.
    fn run(&mut self) -> Result<Response> {
        loop {
            if self.client.until.is_fired() {
                return Err(self.cancelled());
            }
            let mut fields = HopFields::default();
            let (route, others) = match self.prepare_hop(&mut fields) {
                Ok(prepared) => prepared,
                Err(error) => return Err(self.explain(error)),
            };
            let mut reply = match self.send_hop(&route, &fields) {
                Ok(reply) => reply,
                Err(error) => match self.after_failure(error, &route, others) {
                    Ok(()) => continue,
                    Err(error) => return Err(self.explain(error)),
                },
            };
            let followed = match self.decide(&mut reply) {
                None => match self.deliver(reply.response) {
                    Ok(Some(response)) => return Ok(response),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                },
                Some(follow_up) => self.follow_up(reply.response, *follow_up, route),
            };
            if let Err(error) = followed {
                return Err(self.explain(error));
            }
        }
    }

    /// Returns the error of a call whose token fired before its next request.
    #[cold]
    fn cancelled(&mut self) -> Error {
        let phase = if self.history.is_empty() { Phase::Prepare } else { Phase::Redirect };
        let error = self.client.until.cancelled(phase).unwrap_or_else(|| Error::new(ErrorKind::Cancelled, phase));
        self.explain(error)
    }

    /// Returns the terms of the current request.
    #[inline]
    fn terms(&self) -> Terms<'_> {
        self.client.of(self.request.options())
    }

    /// Returns the rare state, to change it.
    #[cold]
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Returns the credentials for the proxy, if the last request had some to choose from.
    #[inline]
    fn at_proxy(&mut self) -> Option<&mut proxy::Credentials> {
        self.rare.as_mut()?.at_proxy.as_mut()
    }

    /// Decides the route and the added fields of the next request.
    #[inline(always)]
    fn prepare_hop(&mut self, fields: &mut HopFields) -> Result<Ways> {
        let (route, others) = match self.rare.as_mut().and_then(|rare| rare.next.take()) {
            None => self.choose_way()?,
            Some(next) => next,
        };
        match self.set_fields(fields, &route) {
            Ok(()) => Ok((route, others)),
            Err(error) => Err(error.after_failed_ways(others.map(|others| others.failed).unwrap_or_default())),
        }
    }

    /// Runs the hooks, and decides the way of the next request.
    #[inline(always)]
    fn choose_way(&mut self) -> Result<Ways> {
        let terms = self.terms();
        if terms.reach().is_closed_pool() {
            return Err(Error::new(terms.reach().closed(), Phase::Prepare));
        }
        terms.pool_origin(&self.request.url)?;
        if !self.client.hooks().on_request.is_empty() {
            self.run_hooks()?;
        }
        let terms = self.client.of(self.request.options());
        // A hook may have put another request in the place of this one. A pool refuses it if it is for another host.
        terms.check_scheme(&self.request.url)?;
        match self.rare.as_mut().and_then(|rare| rare.last.take()) {
            None => terms.route(&self.request.method, &self.request.url),
            Some(last) => self.repeat_way(last),
        }
    }

    /// Decides the added fields of the next request on this route.
    #[inline(always)]
    fn set_fields(&mut self, fields: &mut HopFields, route: &Route) -> Result<()> {
        let terms = self.client.of(self.request.options());
        fields::set_hop_fields(fields, terms, self.request, &mut self.credentials, self.left_out)?;
        match (route.proxy(), &mut self.rare) {
            (None, None) => {}
            (None, Some(rare)) => rare.at_proxy = None,
            (Some(proxy), _) => {
                if self.request.method == Method::CONNECT {
                    // They are for the server, and the proxy reads a CONNECT.
                    (fields.authorization, fields.cookie, fields.scheme) = (None, None, None);
                    fields.left_out.for_proxy = true;
                    self.credentials.stay_silent();
                }
                fields.proxy = Some(self.fields_for(proxy, route)?);
            }
        }
        Ok(())
    }

    /// Returns the way of the next request, and those that are tried if nothing can be reached by it. A request that is
    /// repeated, as the answer to a challenge, goes the same way again: a function may choose another one each time, which
    /// knows nothing of the challenge.
    #[cold]
    fn repeat_way(&mut self, last: Last) -> Result<Ways> {
        let terms = self.terms();
        match terms.asks_for_proxy() && last.origin == *self.request.url.shared_origin() {
            true => Ok((last.route, None)),
            false => terms.route(&self.request.method, &self.request.url),
        }
    }

    /// Goes on after a hop that failed: by the next way of the choice, if nothing could be reached by the last one, or with
    /// the next try. Before another way nothing of the request was sent. The error of the last way has those of the others.
    #[cold]
    fn after_failure(&mut self, error: Error, route: &Route, others: Option<Box<OtherWays>>) -> Result<()> {
        let Some(mut others) = others else { return self.again_after(error) };
        match others.next().filter(|_| ways::is_out_of_reach(&error, route)) {
            Some(next) => {
                others.failed.push(error.with_request(&self.request.method, &self.request.url));
                let next = self.terms().on_way(next, &self.request.method, &self.request.url)?;
                self.rare().next = Some((next, Some(others)));
                Ok(())
            }
            None => self.again_after(error.after_failed_ways(others.failed)),
        }
    }

    /// Returns what the request has for its proxy. What a call knows of one proxy is not for another.
    #[cold]
    fn fields_for(&mut self, proxy: &Proxy, route: &Route) -> Result<Box<ProxyFields>> {
        self.terms().check_behind_proxy(proxy, &self.request.url)?;
        let forwards = matches!(route.via(), Via::Forward(_));
        if !forwards {
            // The credentials of a tunnel belong to its dial.
            self.rare().at_proxy = None;
            return Ok(Box::new(ProxyFields { proxy: proxy.clone(), forwards, authorization: None }));
        }
        let at_proxy = &mut self.rare.get_or_insert_default().at_proxy;
        let credentials = match at_proxy.take().filter(|known| known.proxy == *proxy) {
            Some(known) => at_proxy.insert(known),
            None => at_proxy.insert(proxy::Credentials::new(proxy)),
        };
        let mut target = Vec::new();
        self.request.target_on(route).write(&mut target);
        let Request { method, body, .. } = &*self.request;
        let asked = Asked { method: method.as_str(), target: &target, body: body.as_bytes() };
        let authorization = credentials.value(&asked)?;
        Ok(Box::new(ProxyFields { proxy: proxy.clone(), forwards, authorization }))
    }

    /// Lets the hooks change the request. If one moves it to another origin, what was for the old one stays behind.
    #[cold]
    fn run_hooks(&mut self) -> Result<()> {
        let from = self.request.url.shared_origin().clone();
        for hook in &self.client.hooks().on_request {
            let before = Before::note(self.request);
            let token = self.request.cancel_token().cloned();
            hook(self.request)?;
            // The token of a call is settled when the call begins.
            if let Some(set) = self.request.cancel_token()
                && !token.is_some_and(|token| token.is(set))
            {
                let why = "a hook cannot set a token: give it to the request, or set it in a middleware";
                return Err(Error::request(why));
            }
            before.leave_if_moved(self.client, self.request)?;
            self.client = self.client.with_until(self.request.bounded(self.client.until));
        }
        if *self.request.url.shared_origin() != from {
            fields::cross(&mut self.credentials, &mut self.left_out, false);
        }
        Ok(())
    }

    /// Sends the request, and stores the cookies of its reply.
    #[inline]
    fn send_hop(&mut self, route: &Route, fields: &HopFields) -> Result<Reply> {
        match self.rare.as_ref().is_some_and(|rare| rare.kept.is_some()) || fields.has_rounds() {
            true => self.send_round(route, fields),
            false => self.send_over(None, route, fields),
        }
    }

    /// Sends a request whose connection is authenticated in rounds: over that of the round before, if there was one.
    #[cold]
    fn send_round(&mut self, route: &Route, fields: &HopFields) -> Result<Reply> {
        let (kept, spared) = (self.take_kept(route, fields), self.spare_body());
        let reply = self.send_over(kept, route, fields);
        if let Some(body) = spared {
            self.request.body = body;
        }
        reply
    }

    /// Sends the request over this connection, or over one of its pool.
    #[inline(always)]
    fn send_over(&mut self, kept: Option<Box<PoolLease>>, route: &Route, fields: &HopFields) -> Result<Reply> {
        // Only a body can be stopped by an early redirect.
        let rules = if self.request.body.is_empty() { None } else { self.resends() };
        let resends = rules.map(|rules| Resends { rules, history: &self.history });
        let own = self.request.options.clone();
        let terms = self.client.of(own.as_deref());
        let key = Hop::check(terms, self.request, fields, route)?;
        let mut hop = Hop::new(terms, self.request, fields, key, resends);
        let reply = hop.run(kept)?;
        self.began = true;
        fields::store_cookies(terms, self.request, reply.response.head());
        Ok(reply)
    }

    /// Returns the connection that was kept for the next round, if that takes the same way. Otherwise it is closed before
    /// another one is waited for, because its slot may be the only one.
    fn take_kept(&mut self, route: &Route, fields: &HopFields) -> Option<Box<PoolLease>> {
        let Kept { lease, route: kept } = self.rare.as_mut()?.kept.take()?;
        match kept == *route && fields.has_rounds() {
            true => Some(Box::new(lease)),
            false => {
                lease.discard(CloseReason::BodyAbandoned);
                None
            }
        }
    }

    /// Takes the body out of a request that only opens the rounds of a scheme. The server refuses it in any case, and
    /// would close the connection in the midst of a long body. Fields of the caller's about the body keep it.
    fn spare_body(&mut self) -> Option<Body> {
        let opens = self.credentials.is_opening() || self.at_proxy().is_some_and(|known| known.is_opening());
        let is_framed = ["content-length", "transfer-encoding"].iter().any(|name| self.request.headers.contains(name));
        let spares = opens && !is_framed && !self.request.body.is_empty() && self.request.body.can_rewind();
        self.rare().spared_body = spares;
        spares.then(|| std::mem::take(&mut self.request.body))
    }

    /// Prepares the next request after a reply, or ends the call with an error.
    #[cold]
    fn follow_up(&mut self, response: Response, follow_up: FollowUp, route: Route) -> Result<()> {
        if let FollowUp::Repeat = follow_up {
            let origin = self.request.url.shared_origin().clone();
            self.rare().last = Some(Last { route: route.clone(), origin });
        }
        match follow_up {
            FollowUp::None => Ok(()),
            FollowUp::Fail(error) => Err(error),
            FollowUp::Repeat if response.can_go_on() => {
                self.rare().kept = response.into_connection().map(|lease| Kept { lease, route });
                self.rewind()
            }
            FollowUp::Repeat => {
                throw_away(response);
                self.rewind()
            }
            FollowUp::Retry(later) => {
                throw_away(response);
                self.wait_for(later)
            }
            FollowUp::Redirect(plan, later) => {
                let (from, to, status) = (&self.request.url, &plan.url, response.status());
                self.client.engine.observer.redirecting(&Redirecting { from, to, status });
                let head = throw_away(response);
                self.history.push(head);
                self.redirect(plan)?;
                later.map_or(Ok(()), |later| self.wait_for(later))
            }
            FollowUp::Refuse(reason) => {
                let phase = if matches!(reason.kind, ErrorKind::Status(_)) { Phase::Head } else { Phase::Redirect };
                Err(response.into_error(reason).with_phase(phase))
            }
        }
    }

    /// Finishes the last response. Reads or releases its body first where the request says so. Returns `None` if the
    /// body broke off and the request is tried again.
    fn deliver(&mut self, mut response: Response) -> Result<Option<Response>> {
        if self.request.preload {
            if let Err(error) = response.load() {
                drop(response);
                return self.again_after(error).map(|()| None);
            }
        } else if self.request.release {
            response.release();
        }
        Ok(Some(response.after(std::mem::take(&mut self.history), self.retries.take())))
    }

    /// Adds to an error that ends the call what happened before it.
    fn explain(&mut self, error: Error) -> Error {
        let error = error.with_history(std::mem::take(&mut self.history));
        let error = match self.retries.take() {
            Some(retries) => error.with_retries(retries.history().to_vec()),
            None => error,
        };
        // A server that replied has acted on what it was sent.
        if self.began { error.with_maybe_processed(true) } else { error }
    }

    /// Decides what follows the reply. Returns `None` if it is the response. So is a success, unless credentials or the
    /// `Retry` look at it, and nothing else is asked then.
    #[inline]
    fn decide(&mut self, reply: &mut Reply) -> Option<Box<FollowUp>> {
        let is_heard = self.credentials.may_be_asked() || self.rare.is_some();
        match is_heard || !reply.response.head().status.is_success() || self.retry().is_some_and(Retry::lists_statuses)
        {
            false => None,
            true => match self.decide_follow_up(reply) {
                FollowUp::None => None,
                follow_up => Some(Box::new(follow_up)),
            },
        }
    }

    #[cold]
    fn decide_follow_up(&mut self, reply: &mut Reply) -> FollowUp {
        if (self.credentials.may_be_asked() || self.at_proxy().is_some())
            && let Some(follow_up) = self.hear(&mut reply.response)
        {
            return follow_up;
        }
        let (head, repeatable) = (reply.response.head(), self.request.body.can_rewind());
        // The server does not know the expectation, and nothing else is wrong (RFC 9110, section 10.1.1).
        if head.status == StatusCode::EXPECTATION_FAILED && reply.expected && repeatable {
            self.left_out.no_expect = true;
            return FollowUp::Repeat;
        }
        let follows = self.request.method != Method::CONNECT && self.terms().follows();
        match redirect::is_redirect(head.status) && follows {
            true => self.decide_redirect(head, reply.asked),
            false => self.decide_status(head),
        }
    }

    /// Decides about a reply by the credentials of its request. Returns `None` if they have no part in what follows.
    #[cold]
    fn hear(&mut self, response: &mut Response) -> Option<FollowUp> {
        let has_bytes = self.request.body.as_bytes().is_some();
        let certificate = response.peer_certificate();
        let Head { status, headers, .. } = response.head();
        let heard =
            Heard { status: *status, headers, certificate: certificate.as_deref(), keeps: response.can_go_on() };
        let is_asked = match self.credentials.answer(&heard, has_bytes) {
            Ok(false) => self.at_proxy().map_or(Ok(false), |known| known.answer(&heard, has_bytes)),
            asked => asked,
        };
        let is_asked = match is_asked {
            Ok(is_asked) => is_asked,
            Err(error) => return Some(FollowUp::Fail(error)),
        };
        let is_refused = matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        // A server that does not ask further has acted on the request, but without its body.
        let is_partial = self.rare.as_mut().is_some_and(|rare| std::mem::take(&mut rare.spared_body)) && !is_refused;
        // A request is not sent again without its body: then the reply is the response.
        if (is_asked || is_partial) && self.request.body.can_rewind() {
            return Some(FollowUp::Repeat);
        }
        response.end_keeping_back();
        is_asked.then_some(FollowUp::None)
    }

    /// Lets the rounds of a scheme begin anew, because the next try may take another connection.
    fn leave_rounds(&mut self) {
        self.credentials.leave_rounds();
        if let Some(known) = self.at_proxy() {
            known.leave_rounds();
        }
    }

    /// Decides about a reply with the status of a redirect. `asked` is the answer of the caller's function, if it was
    /// asked before.
    fn decide_redirect(&mut self, head: &Head, asked: Option<RedirectAction>) -> FollowUp {
        if self.retry().is_some_and(Retry::returns_redirects) {
            return FollowUp::None;
        }
        let terms = self.terms();
        let sent = HopFields { left_out: self.left_out, ..HopFields::default() };
        let host = hop::host(self.request, terms, &sent);
        let redirected = Redirected { method: &self.request.method, url: &self.request.url, host };
        match redirect::decide(redirected, head.status, &head.headers, terms.rules()) {
            Decision::Stay => self.decide_status(head),
            Decision::Leaves(to) => {
                FollowUp::Refuse(ErrorKind::HostChanged.because(format!("a redirect leads to {to}")))
            }
            Decision::Refuse(why) => FollowUp::Refuse(ErrorKind::InvalidRedirect.because(why)),
            Decision::Follow(_) if !self.may_follow_more() => FollowUp::Refuse(ErrorKind::TooManyRedirects.into()),
            Decision::Follow(plan) if terms.counts_redirects() => match self.count_redirect(head, plan) {
                FollowUp::Redirect(plan, later) => self.ask(head, plan, later, asked),
                other => other,
            },
            Decision::Follow(plan) => self.ask(head, plan, None, asked),
        }
    }

    /// Asks the caller's function about a redirect that all rules and limits allow.
    fn ask(&mut self, head: &Head, plan: Plan, later: Option<NextTry>, asked: Option<RedirectAction>) -> FollowUp {
        let Request { method, url: from, .. } = &*self.request;
        let (to, to_get, history) = (&plan.url, plan.to_get, &self.history[..]);
        let hop = RedirectHop { status: head.status, from, to, method, to_get, history };
        match asked.unwrap_or_else(|| redirect::ask(self.terms().redirect_when(), &hop)) {
            RedirectAction::Follow => FollowUp::Redirect(plan, later),
            RedirectAction::Stop => self.decide_status(head),
            RedirectAction::Refuse => FollowUp::Refuse(ErrorKind::InvalidRedirect.because("redirect_when refused it")),
        }
    }

    /// Returns whether another redirect is within the limit on their number.
    fn may_follow_more(&self) -> bool {
        self.history.len() < self.terms().max_redirects()
    }

    /// Returns the rules by which the next redirect is followed, or `None` if none is followed.
    fn resends(&self) -> Option<Rules> {
        let terms = self.terms();
        let counts = |retry: &Retry| !retry.returns_redirects() && (!terms.counts_redirects() || retry.may_redirect());
        let follows = terms.follows() && self.may_follow_more() && self.retry().is_none_or(counts);
        follows.then(|| terms.rules())
    }

    /// Returns the `Retry` in its current state.
    fn retry(&self) -> Option<&Retry> {
        self.retries.as_deref().or_else(|| self.terms().retry())
    }

    /// Returns whether the request has an `Idempotency-Key`.
    fn is_keyed(&self) -> bool {
        fields::is_keyed(self.terms(), self.request, self.left_out)
    }

    /// Waits for the next try after a failure, or returns the error.
    #[cold]
    fn again_after(&mut self, error: Error) -> Result<()> {
        let Some(depends_on_method) = retry::depends_on_method(&error) else { return Err(error) };
        let Some(retry) = self.retry() else { return Err(error) };
        let Request { method, url, body, .. } = &*self.request;
        let allowed = !depends_on_method || retry.allows(method) || self.is_keyed();
        if !allowed || !body.can_rewind() {
            return Err(error);
        }
        let later = NextTry::after_error(retry, method, url, &error);
        if !self.begins_try(&later) {
            self.retries = Some(Box::new(later.retry));
            return Err(error);
        }
        self.began |= error.maybe_processed();
        self.wait_for(later)
    }

    /// Decides about a reply that is not a followed redirect.
    fn decide_status(&mut self, head: &Head) -> FollowUp {
        match self.retry() {
            Some(retry) if head.status.as_u16() >= 400 || retry.lists_statuses() => self.again_by_status(head),
            _ => FollowUp::None,
        }
    }

    /// Decides by `Retry` about a reply that is not a followed redirect.
    #[cold]
    fn again_by_status(&mut self, head: &Head) -> FollowUp {
        let Some(retry) = self.retry() else { return FollowUp::None };
        let Request { method, url, body, .. } = &*self.request;
        if !(retry.allows(method) || self.is_keyed()) || !body.can_rewind() {
            return FollowUp::None;
        }
        let Some(later) = NextTry::after_status(retry, method, url, head) else { return FollowUp::None };
        if !self.begins_try(&later) {
            return match later.retry.raises_status(head.status) {
                true => self.give_up(later.retry, ErrorKind::Status(head.status)),
                false => FollowUp::None,
            };
        }
        FollowUp::Retry(later)
    }

    /// Rewinds the body for a further try, and takes the try from the shared budget. Returns false if there is no
    /// further try.
    fn begins_try(&mut self, later: &NextTry) -> bool {
        !later.is_too_late(self.client.until) && self.request.rewind().is_ok() && later.takes_from_budget()
    }

    /// Counts a redirect as a retry, as urllib3 does.
    fn count_redirect(&mut self, head: &Head, plan: Plan) -> FollowUp {
        let Some(retry) = self.retry() else { return FollowUp::Redirect(plan, None) };
        let later = NextTry::after_redirect(retry, &self.request.method, &self.request.url, head, &plan);
        if later.is_too_late(self.client.until) {
            return match later.retry.raises_redirects() {
                true => self.give_up(later.retry, ErrorKind::TooManyRedirects),
                false => FollowUp::None,
            };
        }
        FollowUp::Redirect(plan, Some(later))
    }

    /// Refuses the reply with this kind of error. The error lists all tries including the last; a response lists those
    /// before it.
    fn give_up(&mut self, retry: Retry, kind: ErrorKind) -> FollowUp {
        self.retries = Some(Box::new(retry));
        FollowUp::Refuse(kind.into())
    }

    /// Reports the next try, and sleeps until then. The call holds no connection meanwhile.
    fn wait_for(&mut self, later: NextTry) -> Result<()> {
        self.leave_rounds();
        later.announce(&self.client.engine.observer, self.request);
        let NextTry { retry, wait } = later;
        self.retries = Some(Box::new(retry.waiting(wait)));
        self.client.pause(wait)
    }

    /// Rewinds the body for a request that follows a reply.
    fn rewind(&mut self) -> Result<()> {
        self.request.rewind().map_err(|error| error.with_maybe_processed(true))
    }

    /// Turns the request into the one that the redirect asks for.
    fn redirect(&mut self, plan: Plan) -> Result<()> {
        let Plan { url, to_get, cross_origin } = plan;
        self.credentials.leave(&self.request.url, &url);
        if let Some(credentials) = self.at_proxy() {
            credentials.leave();
        }
        let from = std::mem::replace(&mut self.request.url, url);
        // A Location names a resource, so the target `*` ends with a redirect.
        if self.request.options().is_some_and(|own| own.server_wide) {
            self.request.options_mut().server_wide = false;
        }
        if to_get {
            self.request.method = Method::GET;
            fields::leave_body(self.request, &mut self.left_out);
        } else {
            self.rewind()?;
        }
        if cross_origin {
            let own = self.request.options.clone();
            let terms = self.client.of(own.as_deref());
            let home = self.home.get_or_insert_with(|| from.shared_origin().clone());
            fields::leave_origin(terms, self.request, &mut self.credentials, &mut self.left_out, home);
        }
        Ok(())
    }
}
