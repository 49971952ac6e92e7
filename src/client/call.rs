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
use crate::time::Until;

/// Starts the call: refuses a closed client and returns the deadline.
pub(super) fn begin(request: &mut Request, policy: &Policy) -> Result<Until<'static>> {
    if policy.reach.detached.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Closed, Phase::Prepare));
    }
    // Headers that middleware and hooks add later do not replace the client's.
    request.own_headers |= !request.headers.is_empty();
    let retry = request.options().and_then(|options| options.retry.as_ref()).or(policy.retry.as_ref());
    if let Some(budget) = retry.and_then(Retry::shared_budget) {
        budget.deposit();
    }
    Ok(request.timeout.as_ref().unwrap_or(&policy.timeout).deadline().into())
}

/// Sends the request through its middleware and then to the server.
pub(super) fn send(engine: &Arc<Engine>, policy: &Policy, request: Request, until: Until<'_>) -> Result<Response> {
    let own = request.options().and_then(|options| options.middleware.clone());
    let list = own.as_deref().unwrap_or(&policy.hooks.middleware);
    if list.is_empty() {
        return journey::send(engine, policy, request, until);
    }
    let client = |request: Request, until: Until<'_>| journey::send(engine, policy, request, until);
    middleware::run(&client, list, request, until)
}
