//! Begins a call, and sends its request through the middleware.

use std::cell::Cell;
use std::sync::Arc;

use super::fields::Before;
use super::journey;
use crate::cancel::CancelToken;
use crate::client::engine::Engine;
use crate::client::middleware::{Middleware, Next};
use crate::client::policy::Policy;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::error::{Error, Phase, Result};
use crate::response::{About, Response};
use crate::retry::Retry;
use crate::urls::Origin;

/// Begins the call: its total deadline counts from here. Makes the deposit in the shared retry budget. Returns the
/// terms of the client.
///
/// # Errors
///
/// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the client is closed.
/// - [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) if the token has fired.
/// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the client has a guard against forks, and belongs
///   to another process.
#[inline]
pub(in crate::client) fn begin<'a>(
    engine: &'a Arc<Engine>,
    policy: &'a Policy,
    request: &mut Request,
    token: Option<&'a CancelToken>,
) -> Result<Terms<'a>> {
    engine.check_process()?;
    let client = Terms::begin(engine, policy, request.options(), token);
    let terms = client.of(request.options());
    if let Some(cancelled) = terms.until.cancelled(Phase::Prepare) {
        return Err(cancelled);
    }
    if terms.reach().is_closed() {
        return Err(Error::new(terms.reach().closed(), Phase::Prepare));
    }
    if let Some(budget) = terms.retry().and_then(Retry::shared_budget) {
        budget.deposit();
    }
    // Headers that middleware and hooks add later do not replace the client's.
    request.own_headers = request.has_own_headers();
    Ok(client)
}

/// Sends the request through its middleware and then to the server.
pub(in crate::client) fn send(terms: Terms<'_>, request: &mut Request) -> Result<Response> {
    let Some(list) = terms.of(request.options()).middleware() else {
        return journey::send(terms, request, false);
    };
    let chain = Chain { terms, named: request.url.shared_origin().clone(), acted: Cell::new(false) };
    // The middleware owns the request. The caller of this function needs only the method and the URL, for an error.
    let hollow = Request::new(request.method.clone(), request.url.clone());
    let response = chain.run(&list, std::mem::replace(request, hollow));
    // Middleware may panic as it is dropped. The response is not on its way out yet, so it is not lost.
    drop(list);
    // Another call may get this response, from a middleware that has sent the request by a client of its own.
    let response = response.map(|response| response.judged(false));
    response.map_err(|error| if chain.acted.get() { error.with_maybe_processed(true) } else { error })
}

/// The way of a request through middleware.
struct Chain<'a> {
    terms: Terms<'a>,
    /// The origin that the caller of the client named.
    named: Arc<Origin>,
    /// Set once a server may have acted on one of the requests of this call.
    acted: Cell<bool>,
}

impl Chain<'_> {
    /// Sends the request through all of this middleware, and then to the server.
    fn run(&self, list: &[Arc<dyn Middleware>], mut request: Request) -> Result<Response> {
        let Some((first, rest)) = list.split_first() else { return self.send(request) };
        let (method, url) = (request.method.clone(), request.url.clone());
        let raises = self.terms.of(request.options()).raises();
        // Each middleware is judged by itself: what the one before it has set is for the origin that this one gets.
        let before = Before::note(&mut request);
        let pass = |mut request: Request| {
            before.leave_if_moved(self.terms, &mut request)?;
            self.run(rest, request)
        };
        let response = first.handle(request, Next::new(&pass, rest.len()))?;
        judge(response.in_place_of(About::new(method, url.without_fragment())), raises)
    }

    /// Sends the request to the server.
    fn send(&self, mut request: Request) -> Result<Response> {
        let crossed = *request.url.shared_origin() != self.named;
        // Middleware may have set a token. It ends this part of the call, beside the token of the whole call.
        let whole = self.terms.until;
        let own = request.cancel_token().filter(|own| whole.token().is_none_or(|token| !token.is(own)));
        let both = own.map(|own| CancelToken::any_of(whole.token().into_iter().chain([own])));
        let until = request.bounded(both.as_ref().map_or(whole, |both| whole.with_token(both)));
        let result = journey::send(self.terms.with_until(until), &mut request, crossed);
        if result.as_ref().map_or_else(Error::maybe_processed, |_| true) {
            self.acted.set(true);
        }
        // It is judged by the settings of the request that was sent.
        result.map(|response| response.judged(true))
    }
}

/// Decides whether the status of a middleware's response is an error. A response that came from further inside is
/// judged already, by the settings of the request that was sent. So a middleware that passes a request on can say that
/// its status is no error. A response that the middleware itself has made is judged by the request that it was given.
fn judge(response: Response, raises: bool) -> Result<Response> {
    let response = if raises && !response.is_judged() { response.error_for_status()? } else { response };
    Ok(response.judged(true))
}
