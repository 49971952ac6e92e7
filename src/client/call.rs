//! One call, from `send` to its last response: the deadline, then the middleware, then the redirect loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::engine::Engine;
use super::policy::Policy;
use super::request::Request;
use super::{journey, middleware};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::response::Response;
use crate::retry::Retry;
use crate::time::Deadline;

/// Starts the call: refuses a closed client and returns the deadline.
pub(super) fn begin(request: &mut Request, policy: &Policy) -> Result<Deadline> {
    if policy.reach.detached.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Closed, Phase::Prepare));
    }
    // Headers that middleware and hooks add later do not replace the client's.
    request.own_headers |= !request.headers.is_empty();
    let retry = request.options().and_then(|options| options.retry.as_ref()).or(policy.retry.as_ref());
    if let Some(budget) = retry.and_then(Retry::shared_budget) {
        budget.deposit();
    }
    Ok(request.timeout.as_ref().unwrap_or(&policy.timeout).deadline())
}

/// Sends the request through its middleware and then to the server.
pub(super) fn send(engine: &Arc<Engine>, policy: &Policy, request: Request, deadline: Deadline) -> Result<Response> {
    let own = request.options().and_then(|options| options.middleware.clone());
    let list = own.as_deref().unwrap_or(&policy.hooks.middleware);
    if list.is_empty() {
        return journey::send(engine, policy, request, deadline);
    }
    let client = |request, deadline| journey::send(engine, policy, request, deadline);
    middleware::run(&client, list, request, deadline)
}
