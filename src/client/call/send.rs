//! Begins a call, and sends its request through the middleware.

use super::journey;
use crate::client::middleware;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::response::Response;
use crate::retry::Retry;
use crate::time::Until;

/// Begins the call, and makes its deposit in the shared retry budget.
///
/// # Errors
///
/// [`ErrorKind::Closed`] if the client is closed.
pub(in crate::client) fn begin(terms: Terms<'_>, request: &mut Request) -> Result<()> {
    if terms.reach().is_closed() {
        return Err(Error::new(ErrorKind::Closed, Phase::Prepare));
    }
    // Headers that middleware and hooks add later do not replace the client's.
    request.own_headers |= !request.headers.is_empty();
    if let Some(budget) = terms.retry().and_then(Retry::shared_budget) {
        budget.deposit();
    }
    Ok(())
}

/// Sends the request through its middleware and then to the server.
pub(in crate::client) fn send(terms: Terms<'_>, request: Request) -> Result<Response> {
    let list = terms.middleware();
    if list.is_empty() {
        return journey::send(terms, request);
    }
    let client = |request: Request, until: Until<'_>| journey::send(terms.with_until(until), request);
    middleware::run(&client, list, request, terms.until)
}
