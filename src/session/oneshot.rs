//! Requests without a session.

use std::sync::Arc;

use http::{Method, Version};

use super::{Session, connector, policy};
use crate::client::{IntoUrl, RequestBuilder};
use crate::observe::Observer;
use crate::process::PerProcess;

/// The session of the free functions: each request has a connection of its own, closed behind it.
static ONE_SHOTS: PerProcess<Session> = PerProcess::new(|| {
    let mut policy = policy();
    policy.head.close = true;
    Session {
        connector: connector(None, Observer::default(), Some(0), None),
        jar: None,
        policy: Arc::new(policy),
        base_url: None,
        version: Version::HTTP_11,
    }
});

/// A request on a connection of its own, without a session.
///
/// ```no_run
/// let response = hostpool::request(hostpool::Method::GET, "https://www.example.com/").send()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn request(method: Method, url: impl IntoUrl) -> RequestBuilder {
    ONE_SHOTS.get().request(method, url)
}

/// `GET` without a session: see [`request`].
pub fn get(url: impl IntoUrl) -> RequestBuilder {
    request(Method::GET, url)
}

/// `HEAD` without a session: see [`request`].
pub fn head(url: impl IntoUrl) -> RequestBuilder {
    request(Method::HEAD, url)
}

/// `OPTIONS` without a session: see [`request`].
pub fn options(url: impl IntoUrl) -> RequestBuilder {
    request(Method::OPTIONS, url)
}

/// `POST` without a session: see [`request`].
pub fn post(url: impl IntoUrl) -> RequestBuilder {
    request(Method::POST, url)
}

/// `PUT` without a session: see [`request`].
pub fn put(url: impl IntoUrl) -> RequestBuilder {
    request(Method::PUT, url)
}

/// `PATCH` without a session: see [`request`].
pub fn patch(url: impl IntoUrl) -> RequestBuilder {
    request(Method::PATCH, url)
}

/// `DELETE` without a session: see [`request`].
pub fn delete(url: impl IntoUrl) -> RequestBuilder {
    request(Method::DELETE, url)
}
