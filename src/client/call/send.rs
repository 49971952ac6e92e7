//! Begins a call, and sends its request through the middleware.

use std::sync::Arc;

use super::fields::Before;
use super::journey;
use crate::cancel::CancelToken;
use crate::client::engine::Engine;
use crate::client::middleware;
use crate::client::policy::Policy;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::error::{Error, Phase, Result};
use crate::response::Response;
use crate::retry::Retry;
use crate::time::Until;

/// Begins the call: its total deadline counts from here. Makes the deposit in the shared retry budget. Returns the
/// terms of the client.
///
/// # Errors
///
/// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the client is closed.
/// - [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) if the token has fired.
/// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the client has a guard against forks, and belongs
///   to another process.
pub(in crate::client) fn begin<'a>(
    engine: &'a Arc<Engine>,
    policy: &'a Policy,
    request: &mut Request,
    token: Option<&'a CancelToken>,
) -> Result<Terms<'a>> {
    engine.check_process()?;
    let client = Terms::begin(engine, policy, request.options(), token);
    let terms = client.of(request.options());
    terms.check_cancelled(Phase::Prepare)?;
    if terms.reach().is_closed() {
        return Err(Error::new(terms.reach().closed(), Phase::Prepare));
    }
    if let Some(budget) = terms.retry().and_then(Retry::shared_budget) {
        budget.deposit();
    }
    // Headers that middleware and hooks add later do not replace the client's.
    request.own_headers |= !request.headers.is_empty();
    Ok(client)
}

/// Sends the request through its middleware and then to the server.
pub(in crate::client) fn send(terms: Terms<'_>, request: &mut Request) -> Result<Response> {
    let Some(list) = terms.of(request.options()).middleware() else {
        return journey::send(terms, request, false);
    };
    let raises = terms.of(request.options()).raises();
    let before = Before::note(request);
    let client = |mut request: Request, until: Until<'_>| {
        let own = request.options.clone();
        let crossed = before.leave_if_moved(terms.of(own.as_deref()), &mut request);
        drop(own);
        journey::send(terms.with_until(until), &mut request, crossed)
    };
    // The middleware owns the request. The caller of this function needs only the method and the URL, for an error.
    let hollow = Request::new(request.method.clone(), request.url.clone());
    let response = middleware::run(&client, &list, std::mem::replace(request, hollow), terms.until);
    // Middleware may panic as it is dropped. The response is not on its way out yet, so it is not lost.
    drop(list);
    // The response may be one that the middleware has made.
    if raises { response?.error_for_status() } else { response }
}
