//! Takes a connection for a request, and sends nothing.

use std::time::Duration;

use crate::client::checkout::checkout;
use crate::client::connection::Connection;
use crate::client::request::Request;
use crate::client::terms::Terms;
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
    let route = terms.route(&request.method, &request.url)?.ending_at(origin);
    if let Some(proxy) = route.proxy() {
        terms.check_behind_proxy(proxy, &request.url)?;
    }
    let key = terms.key(&route, None)?;
    let lease = checkout(terms, &key)?;
    Ok(Connection::new(lease, key.origin(), terms))
}
