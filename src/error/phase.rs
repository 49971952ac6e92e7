//! The phases of a request, and the bounds on their time.

use std::fmt;

/// The bounds of a [`Timeout`](crate::Timeout) that an error can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// On the whole request.
    Total,
    /// On waiting for the pool.
    Pool,
    /// On opening a connection, name lookup and TLS included.
    Connect,
    /// On the name lookup.
    Resolve,
    /// On the TLS handshake.
    Tls,
    /// On one write.
    Write,
    /// On the response's head.
    Head,
    /// On the gap between received bytes.
    Read,
    /// On the speed of a body: see [`Timeout::min_rate`](crate::Timeout::min_rate).
    Rate,
    /// On waiting for a WebSocket message.
    Receive,
    /// On the closing handshake of a WebSocket.
    Close,
    /// On the answer to a ping of a WebSocket.
    Heartbeat,
    /// On everything that has the same cancel token: see [`CancelToken::with_deadline`](crate::CancelToken::with_deadline).
    Token,
}

impl fmt::Display for Bound {
    /// Shows the text that errors show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Bound::Total => "total",
            Bound::Pool => "pool",
            Bound::Connect => "connect",
            Bound::Resolve => "resolve",
            Bound::Tls => "tls",
            Bound::Write => "write",
            Bound::Head => "head",
            Bound::Read => "read",
            Bound::Rate => "min_rate",
            Bound::Receive => "receive",
            Bound::Close => "close",
            Bound::Heartbeat => "heartbeat",
            Bound::Token => "token",
        })
    }
}

/// The phases of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Before anything was tried: URL, headers, configuration.
    Prepare,
    /// Waiting for the pool.
    Pool,
    /// Looking up the name.
    Resolve,
    /// Connecting the socket.
    Connect,
    /// Reaching the proxy: looking up its name, connecting and TLS with it, and asking it for a tunnel.
    #[doc(alias = "ProxyError")]
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the head of the response. Errors about the head itself, such as
    /// [`ErrorKind::Status`](crate::ErrorKind::Status), are of this phase too.
    Head,
    /// Reading the response's body.
    Body,
    /// Following a redirect.
    Redirect,
    /// Sleeping between two tries of a [`Retry`](crate::Retry).
    Backoff,
    /// Reading from or writing to a connection that does not speak HTTP any more: an [`Upgraded`](crate::Upgraded) one,
    /// or that of a WebSocket.
    Upgraded,
}

impl fmt::Display for Phase {
    /// Shows the text that errors show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Prepare => "preparing the request",
            Phase::Pool => "waiting for the pool",
            Phase::Resolve => "looking up the host",
            Phase::Connect => "connecting",
            Phase::Proxy => "reaching the proxy",
            Phase::Tls => "in the TLS handshake",
            Phase::Send => "sending the request",
            Phase::Head => "waiting for the response",
            Phase::Body => "reading the body",
            Phase::Redirect => "following a redirect",
            Phase::Backoff => "waiting for the next try",
            Phase::Upgraded => "on the upgraded connection",
        })
    }
}
