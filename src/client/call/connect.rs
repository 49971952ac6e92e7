//! Takes a connection for a request, and sends nothing.

use std::time::Duration;

use super::ways;
use crate::client::checkout::checkout;
use crate::client::connection::Connection;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::dial::Route;
use crate::error::{Error, Phase, Result};

/// Takes a connection to the server of the request: the one that the request would be sent on, but through a tunnel
/// where a proxy would forward it.
pub(in crate::client) fn connect(client: Terms<'_>, request: &mut Request) -> Result<Connection> {
    let terms = client.of(request.options());
    terms.check_scheme(&request.url)?;
    if let Some(bound) = terms.timeout().passed() {
        return Err(Error::timeout(bound, Some(Duration::ZERO), Phase::Prepare));
    }
    let origin = terms.pool_origin(&request.url)?;
    let (mut route, others) = terms.route(&request.method, &request.url)?;
    let mut others = others.into_iter().flat_map(|others| *others);
    let mut failed = Vec::new();
    loop {
        let error = match over(terms, request, route.clone().tunnelling(origin)) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        route = match others.next() {
            Some(next) if ways::is_out_of_reach(&error, &route) => next,
            _ => return Err(error.after_failed_ways(failed)),
        };
        failed.push(error.with_request(&request.method, &request.url));
    }
}

/// Takes a connection of this route.
fn over(terms: Terms<'_>, request: &Request, route: Route) -> Result<Connection> {
    if let Some(proxy) = route.proxy() {
        terms.check_behind_proxy(proxy, &request.url)?;
    }
    let key = terms.key(&route, None)?;
    let lease = checkout(terms, &key)?;
    Ok(Connection::new(lease, key.origin(), terms))
}
