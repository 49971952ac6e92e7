//! Requests without a session.

use std::sync::Arc;

use http::{Method, Version};

use super::{Session, policy, pools};
use crate::client::{IntoUrl, RequestBuilder};
use crate::pools::{PoolManager, PoolOptions};
use crate::process::PerProcess;
#[cfg(feature = "websocket")]
use crate::websocket::WebSocketBuilder;

/// The session of the free functions. Each request has a connection of its own, which is closed after it.
static ONE_SHOTS: PerProcess<Session> = PerProcess::new(|| {
    let mut policy = policy();
    policy.head.close = true;
    Session {
        connector: PoolManager::from_engine(PoolOptions { max_idle: None, ..pools() }.engine(None, Some(0))),
        jar: None,
        policy: Arc::new(policy),
        base_url: None,
        version: Version::HTTP_11,
        #[cfg(feature = "websocket")]
        websocket_hooks: Arc::default(),
    }
});

/// Begins a request on a connection of its own, without a session.
///
/// ```no_run
/// let response = hostpool::request(hostpool::Method::GET, "https://www.example.com/").send()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn request(method: Method, url: impl IntoUrl) -> RequestBuilder {
    ONE_SHOTS.get().request(method, url)
}

/// Begins the opening handshake of a WebSocket on a connection of its own, without a session: see
/// [`Session::ws_connect`].
///
/// ```no_run
/// let socket = hostpool::ws_connect("wss://chat.example/").connect()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[cfg(feature = "websocket")]
pub fn ws_connect(url: impl IntoUrl) -> WebSocketBuilder {
    ONE_SHOTS.get().ws_connect(url)
}

/// Begins a `GET` request without a session: see [`request`].
pub fn get(url: impl IntoUrl) -> RequestBuilder {
    request(Method::GET, url)
}

/// Begins a `HEAD` request without a session: see [`request`].
pub fn head(url: impl IntoUrl) -> RequestBuilder {
    request(Method::HEAD, url)
}

/// Begins an `OPTIONS` request without a session: see [`request`].
pub fn options(url: impl IntoUrl) -> RequestBuilder {
    request(Method::OPTIONS, url)
}

/// Begins a `POST` request without a session: see [`request`].
pub fn post(url: impl IntoUrl) -> RequestBuilder {
    request(Method::POST, url)
}

/// Begins a `PUT` request without a session: see [`request`].
pub fn put(url: impl IntoUrl) -> RequestBuilder {
    request(Method::PUT, url)
}

/// Begins a `PATCH` request without a session: see [`request`].
pub fn patch(url: impl IntoUrl) -> RequestBuilder {
    request(Method::PATCH, url)
}

/// Begins a `DELETE` request without a session: see [`request`].
pub fn delete(url: impl IntoUrl) -> RequestBuilder {
    request(Method::DELETE, url)
}
