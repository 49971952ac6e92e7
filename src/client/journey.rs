//! The way of one call: requests that redirects and challenges make of it, one after another, under one deadline.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::credentials::Credentials;
use super::encode::{self, Extra};
use super::engine::Engine;
use super::options::Options;
use super::policy::Policy;
use super::request::Request;
use super::send::{Answered, Hop, Subject};
use super::tries::Later;
use crate::body::Body;
use crate::cookies::CookieRequest;
use crate::error::{Error, ErrorKind, Phase, ResponseHead, Result, Violation};
use crate::h1::Head;
use crate::headers::is_value_byte;
use crate::observe::Redirecting;
use crate::redirect::{self, Decision, Plan, Redirected, Rules};
use crate::response::Response;
use crate::retry::{self, Retry};
use crate::time::Until;

/// How many redirects are followed where nothing is said.
const MAX_REDIRECTS: u32 = 10;

/// How many are followed in any case: policies without a bound on retries mean no endless circle of redirects.
const MOST_REDIRECTS: u32 = 50;

pub(super) fn send(engine: &Arc<Engine>, policy: &Policy, mut request: Request, until: Until<'_>) -> Result<Response> {
    let mut journey = Journey::new(engine, policy, &mut request, until);
    // One answer after the other, each in its place until it is known to be the last: moving them costs.
    loop {
        let extra = match journey.begin() {
            Ok(extra) => extra,
            Err(error) => return Err(journey.explain(error)),
        };
        let answered = match journey.ask(&extra) {
            Ok(answered) => answered,
            Err(error) => match journey.again_after(error) {
                Ok(()) => continue,
                Err(error) => return Err(journey.explain(error)),
            },
        };
        let passed = match journey.next(&answered) {
            Next::Done if journey.request.preload || journey.request.release => match journey.deliver(answered) {
                Ok(Some(response)) => return finish(response, policy, journey.raises()),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            Next::Done => {
                let raise = journey.raises();
                let (history, retries) = (std::mem::take(&mut journey.history), journey.retries.take());
                // The caller's reader may panic as it is dropped; while there is no response yet the lease gives itself
                // back.
                drop(std::mem::take(&mut request.body));
                let finishes = raise || !policy.hooks.on_response.is_empty();
                let response = answered.response(policy, Subject::of(request, policy), history, retries);
                return if finishes { finish(response, policy, raise) } else { Ok(response) };
            }
            next => journey.pass(answered, next),
        };
        if let Err(error) = passed {
            return Err(journey.explain(error));
        }
    }
}

/// What is done to a last response where something is.
#[cold]
fn finish(mut response: Response, policy: &Policy, raise: bool) -> Result<Response> {
    for hook in &policy.hooks.on_response {
        let (origin, history) = (response.url().shared_origin().clone(), response.history().to_vec());
        response = hook(response).map_err(|error| {
            let error = error.with_maybe_processed(true).with_origin(&origin);
            if error.history().is_empty() { error.with_history(history) } else { error }
        })?;
    }
    if raise { response.error_for_status() } else { Ok(response) }
}

pub(super) struct Journey<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) policy: &'a Policy,
    pub(super) request: &'a mut Request,
    pub(super) until: Until<'a>,
    credentials: Credentials,
    history: Vec<ResponseHead>,
    /// A server may have acted on a request of this call.
    pub(super) began: bool,
    /// A redirect has led to another origin than the caller named. What was left behind there is never brought back,
    /// not even on the way home.
    crossed: bool,
    /// The request has headers in place of the client's.
    replaced: bool,
    /// A redirect has taken the body off.
    bodiless: bool,
    /// A server has refused to say whether it wants the body (417): it is not asked again.
    unasked: bool,
    /// What is left to try, once something was tried.
    pub(super) retries: Option<Box<Retry>>,
}

/// What follows an answer.
pub(super) enum Next {
    Done,
    /// The same request once more, with other credentials.
    Again,
    /// The same request once more, after a wait.
    Retry(Later),
    /// Counted as a retry or not.
    Follow(Plan, Option<Later>),
    Refuse(ErrorKind),
}

impl<'a> Journey<'a> {
    fn new(engine: &'a Arc<Engine>, policy: &'a Policy, request: &'a mut Request, until: Until<'a>) -> Self {
        let replaced = policy.is_replaced_by(request);
        Journey {
            engine,
            policy,
            request,
            until,
            credentials: Credentials::default(),
            history: Vec::new(),
            began: false,
            crossed: false,
            replaced,
            bodiless: false,
            unasked: false,
            retries: None,
        }
    }

    /// In front of each request.
    #[inline]
    fn begin(&mut self) -> Result<Extra> {
        if let Some(home) = &self.policy.reach.home {
            if self.policy.reach.is_closed_pool() {
                return Err(Error::new(ErrorKind::Closed, Phase::Prepare));
            }
            self.request.stays_at(home)?;
        }
        for hook in &self.policy.hooks.on_request {
            hook(self.request)?;
            self.until = self.request.bounded(self.until);
        }
        self.extra()
    }

    #[inline]
    fn ask(&mut self, extra: &Extra) -> Result<Answered> {
        // Only a body can be stopped by an early redirect.
        let resends = if self.request.body.is_empty() { None } else { self.resends() };
        let hop = Hop::new(self.engine, self.policy, self.request, self.until, extra, resends)?;
        let answered = match hop.run() {
            Ok(answered) => answered,
            Err(error) => return Err(self.about_upgrade(error)),
        };
        self.began = true;
        self.keep_cookies(&answered);
        Ok(answered)
    }

    /// From an answer that is not the last to the next request.
    #[cold]
    fn pass(&mut self, answered: Answered, next: Next) -> Result<()> {
        match next {
            Next::Done => Ok(()),
            Next::Again => {
                self.part(answered);
                self.rewind()
            }
            Next::Retry(later) => {
                self.part(answered);
                self.rewind()?;
                self.wait_for(later)
            }
            Next::Follow(plan, later) => {
                let (from, to, status) = (&self.request.url, &plan.url, answered.head().status);
                self.engine.observer.redirecting(&Redirecting { from, to, status });
                let head = self.part(answered);
                self.history.push(head);
                self.follow(plan)?;
                later.map_or(Ok(()), |later| self.wait_for(later))
            }
            Next::Refuse(kind) => {
                let phase = if matches!(kind, ErrorKind::Status(_)) { Phase::Head } else { Phase::Redirect };
                Err(self.response(answered).into_error(kind).with_phase(phase))
            }
        }
    }

    /// A response whose body is read here or not at all. `None` says that it broke off, and is to be tried again.
    #[cold]
    fn deliver(&mut self, answered: Answered) -> Result<Option<Response>> {
        let mut response = self.response(answered);
        if !self.request.preload {
            response.release();
        } else if let Err(error) = response.load() {
            drop(response);
            return self.again_after(error).map(|()| None);
        }
        Ok(Some(response.after(std::mem::take(&mut self.history), self.retries.take())))
    }

    fn raises(&self) -> bool {
        self.request.options().and_then(|options| options.raise).unwrap_or(self.policy.raise)
    }

    /// The error that ends the call.
    fn explain(&mut self, error: Error) -> Error {
        let error = error.with_history(std::mem::take(&mut self.history));
        let error = match self.retries.take() {
            Some(retries) => error.with_retries(retries.history().to_vec()),
            None => error,
        };
        // Whatever answered before has acted on what it was sent.
        let error = if self.began { error.with_maybe_processed(true) } else { error };
        error.with_origin(self.request.url.shared_origin())
    }

    /// What this hop sends beside the request's own fields.
    fn extra(&mut self) -> Result<Extra> {
        let authorization = self.credentials.value(self.request, self.policy, self.crossed)?;
        let stored =
            self.policy.cookies.as_ref().and_then(|store| {
                store.cookie_header(&CookieRequest::new(&self.request.url).cross_origin(self.crossed))
            });
        let stored = stored.filter(|stored| !stored.is_empty());
        // It may be a store of the caller's own.
        if stored.iter().flatten().any(|&byte| !is_value_byte(byte)) {
            return Err(Error::request("the cookie store gave a byte that no header may have"));
        }
        let cookie = match self.request.options() {
            Some(options) if !options.cookies.is_empty() => Some(join_cookies(stored, options)),
            _ => stored,
        };
        Ok(Extra { authorization, cookie, ..self.taken_off() })
    }

    /// Returns which of the client's fields this hop goes without, and nothing that it sends besides.
    fn taken_off(&self) -> Extra {
        let Journey { crossed, replaced, bodiless, unasked, .. } = *self;
        Extra { crossed, replaced, bodiless, unasked, ..Extra::default() }
    }

    fn keep_cookies(&self, answered: &Answered) {
        let head = answered.head();
        if head.facts.set_cookie
            && let Some(store) = &self.policy.cookies
        {
            store.store(&self.request.url, &mut head.headers.values("set-cookie"));
        }
    }

    fn next(&mut self, answered: &Answered) -> Next {
        let head = answered.head();
        if self.credentials.answer(self.request, head) {
            // A body that is gone cannot be sent with the answer to a challenge: the challenge is the answer.
            return if self.request.body.can_rewind() { Next::Again } else { Next::Done };
        }
        // The server does not know the expectation, and nothing else is wrong (RFC 9110, section 10.1.1).
        if head.status == StatusCode::EXPECTATION_FAILED && answered.expected() && self.request.body.can_rewind() {
            self.unasked = true;
            return Next::Again;
        }
        match self.follows() && redirect::is_redirect(head.status) {
            true => self.next_by_redirect(head),
            false => self.next_by_status(head),
        }
    }

    fn next_by_redirect(&mut self, head: &Head) -> Next {
        if self.retry().is_some_and(Retry::returns_redirects) {
            return Next::Done;
        }
        let extra = self.taken_off();
        let host = encode::host(self.request, self.policy, &extra);
        let redirected = Redirected { method: &self.request.method, url: &self.request.url, host };
        match redirect::decide(redirected, head.status, &head.headers, self.rules()) {
            Decision::Stay => self.next_by_status(head),
            Decision::Leaves => Next::Refuse(ErrorKind::HostChanged),
            Decision::Refuse(why) => Next::Refuse(ErrorKind::InvalidRedirect(why)),
            Decision::Follow(_) if !self.may_follow_more() => Next::Refuse(ErrorKind::TooManyRedirects),
            Decision::Follow(plan) if self.policy.redirects.counted => self.count_redirect(head, plan),
            Decision::Follow(plan) => Next::Follow(plan, None),
        }
    }

    /// Returns whether redirects of this request are followed.
    fn follows(&self) -> bool {
        let own = self.request.options().and_then(|options| options.follow);
        own.unwrap_or(self.policy.redirects.follow)
    }

    /// Returns the rules for the redirects of this request.
    fn rules(&self) -> Rules {
        let options = self.request.options();
        let downgrade = options.and_then(|options| options.downgrade).unwrap_or(self.policy.redirects.rules.downgrade);
        let same_origin = self.policy.redirects.rules.same_origin && !options.is_some_and(|options| options.any_host);
        let off_socket =
            options.and_then(|options| options.off_socket).unwrap_or(self.policy.redirects.rules.off_socket);
        Rules { downgrade, same_origin, off_socket, ..self.policy.redirects.rules }
    }

    /// Returns whether another redirect is within the limit on their number.
    fn may_follow_more(&self) -> bool {
        let own = self.request.options().and_then(|options| options.max_redirects);
        let usual = if self.policy.redirects.counted { MOST_REDIRECTS } else { MAX_REDIRECTS };
        self.history.len() < own.or(self.policy.redirects.max).unwrap_or(usual) as usize
    }

    /// Returns the rules by which the next redirect is followed; `None` if it is not followed, whatever it says.
    fn resends(&self) -> Option<Rules> {
        let counts =
            |retry: &Retry| !retry.returns_redirects() && (!self.policy.redirects.counted || retry.may_redirect());
        let follows = self.follows() && self.may_follow_more() && self.retry().is_none_or(counts);
        follows.then(|| self.rules())
    }

    /// Tells a 101 that the request asked for, which this crate cannot follow yet, from one that breaks HTTP.
    #[cold]
    fn about_upgrade(&self, error: Error) -> Error {
        let unexpected = ErrorKind::Protocol(Violation::UnexpectedUpgrade);
        match *error.kind() == unexpected && self.sends("upgrade") {
            true => {
                error.with_kind(ErrorKind::Unsupported("upgrades: the server answered 101 to the request's Upgrade"))
            }
            false => error,
        }
    }

    /// Done with a response that is not the last: its connection goes back before another is taken.
    fn part(&self, answered: Answered) -> ResponseHead {
        let mut response = self.response(answered);
        let head = response.to_head(Vec::new());
        response.throw_away();
        head
    }

    /// Whether a field of this name goes with the request.
    pub(super) fn sends(&self, name: &str) -> bool {
        self.request.headers.contains(name)
            || encode::defaults(self.request, self.policy, &self.taken_off())
                .any(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// Returns the `Retry` in its present state.
    fn retry(&self) -> Option<&Retry> {
        let own = || self.request.options().and_then(|options| options.retry.as_ref());
        self.retries.as_deref().or_else(own).or(self.policy.retry.as_ref())
    }

    /// After a failure: waits for the next try, or returns the error.
    #[cold]
    fn again_after(&mut self, error: Error) -> Result<()> {
        let Some(asks_for_method) = retry::asks_for_method(&error) else { return Err(error) };
        let Some(retry) = self.retry() else { return Err(error) };
        let Request { method, url, body, .. } = &*self.request;
        let allowed = !asks_for_method || retry.allows(method) || self.is_keyed();
        if !allowed || !body.can_rewind() {
            return Err(error);
        }
        let later = Later::after_error(retry, method, url, &error);
        if later.is_too_late(self.until) || self.rewind().is_err() || !later.takes_from_budget() {
            self.retries = Some(Box::new(later.retry));
            return Err(error);
        }
        self.began |= error.maybe_processed();
        self.wait_for(later)
    }

    /// Decides about a response that is not a followed redirect.
    fn next_by_status(&mut self, head: &Head) -> Next {
        match self.retry() {
            Some(retry) if head.status.as_u16() >= 400 || retry.lists_statuses() => self.again_by_status(head),
            _ => Next::Done,
        }
    }

    #[cold]
    fn again_by_status(&mut self, head: &Head) -> Next {
        let Some(retry) = self.retry() else { return Next::Done };
        let Request { method, url, body, .. } = &*self.request;
        if !(retry.allows(method) || self.is_keyed()) || !body.can_rewind() {
            return Next::Done;
        }
        let Some(later) = Later::after_status(retry, method, url, head) else { return Next::Done };
        if later.is_too_late(self.until) || self.rewind().is_err() || !later.takes_from_budget() {
            return match later.retry.raises_status(head.status) {
                true => self.give_up(later.retry, ErrorKind::Status(head.status)),
                false => Next::Done,
            };
        }
        Next::Retry(later)
    }

    /// Counts a redirect as a retry, as urllib3 does.
    fn count_redirect(&mut self, head: &Head, plan: Plan) -> Next {
        let Some(retry) = self.retry() else { return Next::Follow(plan, None) };
        let later = Later::after_redirect(retry, &self.request.method, &self.request.url, head, &plan);
        if later.is_too_late(self.until) {
            return match later.retry.raises_redirects() {
                true => self.give_up(later.retry, ErrorKind::TooManyRedirects),
                false => Next::Done,
            };
        }
        Next::Follow(plan, Some(later))
    }

    /// An error lists all tries including the last; a response lists those before it.
    fn give_up(&mut self, retry: Retry, kind: ErrorKind) -> Next {
        self.retries = Some(Box::new(retry));
        Next::Refuse(kind)
    }

    /// Sleeps until the next try. The call holds no connection meanwhile.
    fn wait_for(&mut self, later: Later) -> Result<()> {
        later.announce(self.engine, self.request);
        let Later { retry, wait } = later;
        self.retries = Some(Box::new(retry.waiting(wait)));
        self.engine.pause(&self.policy.reach, wait, self.until)
    }

    /// The request has an `Idempotency-Key`: the server recognises a repetition.
    fn is_keyed(&self) -> bool {
        ["idempotency-key", "x-idempotency-key"].iter().any(|name| self.sends(name))
    }

    fn response(&self, answered: Answered) -> Response {
        answered.response(self.policy, Subject::about(self.request, self.policy), Vec::new(), None)
    }

    pub(super) fn rewind(&mut self) -> Result<()> {
        self.request.body.rewind().map_err(|error| {
            Error::new(ErrorKind::UnrewindableBody, Phase::Send).with_own_source(error).with_maybe_processed(true)
        })
    }

    fn follow(&mut self, plan: Plan) -> Result<()> {
        self.credentials.leave(plan.cross_origin);
        let Plan { url, to_get, cross_origin } = plan;
        self.request.url = url;
        // A Location names a resource, also where the request asked for the server itself.
        if let Some(options) = &mut self.request.options {
            options.server_wide = false;
        }
        if to_get {
            self.request.method = Method::GET;
            self.request.forget_body();
            self.bodiless = true;
        } else {
            self.rewind()?;
        }
        if cross_origin {
            self.crossed = true;
            redirect::forget_origin(&mut self.request.headers, &self.policy.redirects.sensitive);
            if let Some(options) = &mut self.request.options {
                redirect::forget_origin(&mut self.request.headers, &options.sensitive);
                options.cookies.clear();
            }
        }
        Ok(())
    }
}

impl Request {
    /// The request becomes one without a body.
    fn forget_body(&mut self) {
        self.body = Body::empty();
        self.content_type = None;
        self.expect = false;
        redirect::forget_body(&mut self.headers);
    }
}

/// What the jar has, without those that the request names itself, and these.
fn join_cookies(stored: Option<Vec<u8>>, options: &Options) -> Vec<u8> {
    let own = |pair: &[u8]| {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        options.cookies.iter().any(|(own, _)| own.as_bytes() == name)
    };
    let mut pairs: Vec<Vec<u8>> = Vec::new();
    for pair in stored.iter().flat_map(|stored| stored.split(|&byte| byte == b';')) {
        let pair = pair.trim_ascii();
        if !own(pair) {
            pairs.push(pair.to_vec());
        }
    }
    pairs.extend(options.cookies.iter().map(|(name, value)| format!("{name}={value}").into_bytes()));
    pairs.join(&b"; "[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_the_jar_and_of_the_request() {
        let options = |pairs: &[(&str, &str)]| Options {
            cookies: pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            ..Options::default()
        };
        let table = [
            ("a=1; b=2", vec![("c", "3")], "a=1; b=2; c=3"),
            ("a=1; b=2", vec![("a", "3")], "b=2; a=3"),
            ("a=1; a=2", vec![("a", "3"), ("a", "4")], "a=3; a=4"),
            ("a=b=c", vec![("d", "")], "a=b=c; d="),
        ];
        for (stored, own, expected) in table {
            let joined = join_cookies(Some(stored.into()), &options(&own));
            assert_eq!(String::from_utf8(joined).unwrap(), expected);
        }
        assert_eq!(join_cookies(None, &options(&[("a", "1")])), b"a=1");
    }
}
