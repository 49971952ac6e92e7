//! Decides whether a request is tried again, and when. `Retry` counts the failure; this module adds the wait.

use std::time::{Duration, Instant, SystemTime};

use http::Method;

use crate::client::request::Request;
use crate::error::{Attempt, Error, RetryCause};
use crate::h1::Head;
use crate::observe::{Observer, Retrying};
use crate::redirect::{self, Plan};
use crate::retry::{Retry, retry_after};
use crate::time::Until;
use crate::urls::Url;

/// A further try: the remaining `Retry`, and the wait before it.
pub(super) struct NextTry {
    pub(super) retry: Retry,
    pub(super) wait: Duration,
}

impl NextTry {
    /// Counts a failure, and returns the try after it.
    pub(super) fn after_error(retry: &Retry, method: &Method, url: &Url, error: &Error) -> NextTry {
        let retry = retry.increment(method, url, RetryCause::from(error));
        NextTry { wait: retry.next_wait(), retry }
    }

    /// Counts a response, and returns the try after it, or `None` if its status is not tried again.
    pub(super) fn after_status(retry: &Retry, method: &Method, url: &Url, head: &Head) -> Option<NextTry> {
        let asked = retry_after(&head.headers, SystemTime::now());
        if !retry.is_retry_status(head.status, asked.is_some()) {
            return None;
        }
        let retry = retry.increment(method, url, RetryCause::Status(head.status));
        let wait = retry.clamp(asked).filter(|wait| !wait.is_zero()).unwrap_or_else(|| retry.next_wait());
        Some(NextTry { retry, wait })
    }

    /// Counts a redirect, for clients whose `Retry` limits redirects, and returns the try after it.
    pub(super) fn after_redirect(retry: &Retry, method: &Method, url: &Url, head: &Head, plan: &Plan) -> NextTry {
        let text = redirect::locations(&head.headers).next().map(redirect::text).unwrap_or_default();
        let cause = RetryCause::redirect(head.status, plan.url.clone(), &text);
        let retry = retry.increment(method, url, cause);
        let wait = retry.clamp(retry_after(&head.headers, SystemTime::now())).unwrap_or_default();
        NextTry { retry, wait }
    }

    /// Returns whether a count is used up or the wait would pass the deadline.
    pub(super) fn is_too_late(&self, until: Until<'_>) -> bool {
        self.retry.is_exhausted() || !may_wait(until, self.wait)
    }

    /// Takes one retry from the shared budget, if there is one. Returns false if the budget is empty.
    pub(super) fn takes_from_budget(&self) -> bool {
        self.retry.shared_budget().is_none_or(|budget| budget.take())
    }

    /// Reports the retry to the observer. A redirect has an event of its own.
    pub(super) fn announce(&self, observer: &Observer, request: &Request) {
        let is_redirect = |cause: &RetryCause| matches!(cause, RetryCause::Redirect { .. });
        if let Some(cause) = self.retry.history().last().map(Attempt::cause).filter(|cause| !is_redirect(cause)) {
            let (origin, attempt, wait) = (request.url.origin(), self.retry.again(), self.wait);
            observer.retrying(&Retrying { origin, method: &request.method, attempt, wait, cause });
        }
    }
}

/// Returns whether the wait ends before the deadline; otherwise it is not begun.
fn may_wait(until: Until<'_>, wait: Duration) -> bool {
    let now = Instant::now();
    wait.is_zero() || now.checked_add(wait).is_some() && until.remaining(now).is_none_or(|left| wait < left)
}
