//! Takes a connection for a request, and sends nothing.

use std::time::Duration;

use crate::client::checkout::checkout;
use crate::client::connection::Connection;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::dial::Route;
use crate::error::{Error, Phase, Result};

/// Takes the connection that the request would be sent on.
pub(in crate::client) fn connect(client: Terms<'_>, request: &mut Request) -> Result<Connection> {
    let terms = client.of(request.options());
    terms.check_scheme(&request.url)?;
    if let Some(bound) = terms.timeout().passed() {
        return Err(Error::timeout(bound, Some(Duration::ZERO), Phase::Prepare));
    }
    let route = Route::to(terms.pool_origin(&request.url)?);
    let key = terms.key(&route)?;
    let lease = checkout(terms, &key)?;
    Ok(Connection::new(lease, key.origin(), terms))
}
