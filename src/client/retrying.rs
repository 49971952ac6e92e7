//! What of a call is tried again: the policy is asked, and its waits are waited.

use std::time::{Duration, Instant, SystemTime};

use super::engine::Engine;
use super::journey::{Journey, Next};
use super::policy::Policy;
use super::request::Request;
use crate::error::{Attempt, Error, ErrorKind, Phase, Result, RetryCause};
use crate::h1::Head;
use crate::observe::Retrying;
use crate::random;
use crate::redirect::Plan;
use crate::retry::{self, Retry, retry_after};
use crate::time::Deadline;

/// Another try, the policy that is left for it, and how long it is put off.
pub(super) struct Later {
    retry: Retry,
    wait: Duration,
}

impl Journey<'_> {
    /// The policy as it stands, where there is one.
    pub(super) fn retry(&self) -> Option<&Retry> {
        let own = || self.request.options().and_then(|options| options.retry.as_ref());
        self.retries.as_deref().or_else(own).or(self.policy.retry.as_ref())
    }

    /// After a failure: waits for the next try, or answers with the error.
    #[cold]
    pub(super) fn again_after(&mut self, error: Error) -> Result<()> {
        let Some(asks_for_method) = retry::asks_for_method(&error) else { return Err(error) };
        let Some(retry) = self.retry() else { return Err(error) };
        let allowed = !asks_for_method || retry.allows(&self.request.method) || self.is_keyed();
        if !allowed || !self.request.body.can_rewind() {
            return Err(error);
        }
        let (kind, phase, maybe_processed) = (error.kind().clone(), error.phase(), error.maybe_processed());
        let cause = RetryCause::Error { kind, phase, maybe_processed };
        let retry = retry.increment(&self.request.method, &self.request.url, cause);
        let wait = wait_before(&retry);
        let gives_up = retry.is_exhausted() || !may_wait(self.deadline, wait) || self.rewind().is_err();
        if gives_up || !take_from_budget(&retry) {
            self.retries = Some(Box::new(retry));
            return Err(error);
        }
        self.began |= maybe_processed;
        self.wait_for(Later { retry, wait })
    }

    /// An answer that is no redirect, or one that is not followed.
    pub(super) fn next_by_status(&mut self, head: &Head) -> Next {
        match self.retry() {
            Some(retry) if head.status.as_u16() >= 400 || retry.lists_statuses() => self.again_by_status(head),
            _ => Next::Done,
        }
    }

    #[cold]
    fn again_by_status(&mut self, head: &Head) -> Next {
        let Some(retry) = self.retry() else { return Next::Done };
        let asked = retry_after(&head.headers, SystemTime::now());
        let method = &self.request.method;
        let allowed = retry.allows(method) || self.is_keyed();
        if !allowed || !retry.is_retry_status(head.status, asked.is_some()) || !self.request.body.can_rewind() {
            return Next::Done;
        }
        let retry = retry.increment(method, &self.request.url, RetryCause::Status(head.status));
        let wait = retry.clamp(asked).filter(|wait| !wait.is_zero()).unwrap_or_else(|| wait_before(&retry));
        let gives_up = retry.is_exhausted() || !may_wait(self.deadline, wait) || self.rewind().is_err();
        if gives_up || !take_from_budget(&retry) {
            return match retry.raises_status(head.status) {
                true => self.give_up(retry, ErrorKind::Status(head.status)),
                false => Next::Done,
            };
        }
        Next::Retry(Later { retry, wait })
    }

    /// A redirect of a client that counts them as retries.
    pub(super) fn count_redirect(&mut self, head: &Head, plan: Plan) -> Next {
        let Some(retry) = self.retry() else { return Next::Follow(plan, None) };
        let cause = RetryCause::Redirect { status: head.status, location: plan.url.clone() };
        let retry = retry.increment(&self.request.method, &self.request.url, cause);
        let wait = retry.clamp(retry_after(&head.headers, SystemTime::now())).unwrap_or_default();
        if retry.is_exhausted() || !may_wait(self.deadline, wait) {
            return match retry.raises_redirects() {
                true => self.give_up(retry, ErrorKind::TooManyRedirects),
                false => Next::Done,
            };
        }
        Next::Follow(plan, Some(Later { retry, wait }))
    }

    /// The error has all tries, the last one included. A response has those before it.
    fn give_up(&mut self, retry: Retry, kind: ErrorKind) -> Next {
        self.retries = Some(Box::new(retry));
        Next::Refuse(kind)
    }

    /// Parks the thread until the next try, with no connection in its hands.
    pub(super) fn wait_for(&mut self, later: Later) -> Result<()> {
        let Later { retry, wait } = later;
        announce(self.engine, self.request, &retry, wait);
        self.retries = Some(Box::new(retry.waiting(wait)));
        pause(self.engine, self.policy, wait)
    }

    /// The server tells repetitions from new requests.
    fn is_keyed(&self) -> bool {
        ["idempotency-key", "x-idempotency-key"].iter().any(|name| self.sends(name))
    }
}

/// Tells who listens that a request is sent again, unless it was redirected.
pub(super) fn announce(engine: &Engine, request: &Request, retry: &Retry, wait: Duration) {
    let is_redirect = |cause: &RetryCause| matches!(cause, RetryCause::Redirect { .. });
    if let Some(cause) = retry.history().last().map(Attempt::cause).filter(|cause| !is_redirect(cause)) {
        let (origin, attempt) = (request.url.origin(), retry.again());
        engine.observer.retrying(&Retrying { origin, method: &request.method, attempt, wait, cause });
    }
}

/// Parks the thread; the end of the client is the end of the wait.
pub(super) fn pause(engine: &Engine, policy: &Policy, wait: Duration) -> Result<()> {
    if wait.is_zero() {
        return Ok(());
    }
    // One that the clock cannot hold is not begun.
    let until = Instant::now().checked_add(wait);
    let woken = until.is_none_or(|until| engine.gate.park_while(until, || !policy.is_closed_pool()).is_err());
    if woken { Err(Error::new(ErrorKind::Closed, Phase::Pool)) } else { Ok(()) }
}

/// A wait that ends behind the call's own end is not worth beginning.
pub(super) fn may_wait(deadline: Deadline, wait: Duration) -> bool {
    let now = Instant::now();
    wait.is_zero() || now.checked_add(wait).is_some() && deadline.remaining(now).is_none_or(|left| wait < left)
}

/// How long the next try is put off.
pub(super) fn wait_before(retry: &Retry) -> Duration {
    let mut chance = [0; 8];
    // Without any, all wait as long as the others: the tries are worth more than their spreading.
    let _ = random::fill(&mut chance);
    retry.backoff(u64::from_ne_bytes(chance))
}

/// Whether the tries that all share have one left for this.
pub(super) fn take_from_budget(retry: &Retry) -> bool {
    retry.shared_budget().is_none_or(|budget| budget.take())
}
