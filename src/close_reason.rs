//! The reasons for which connections are closed. The pool counts by them, and listeners are told them.

use std::fmt;

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The connection was idle for longer than `idle_timeout` or the server's `Keep-Alive: timeout` allows.
    IdleTimeout,
    /// The connection was open for longer than `max_age`.
    MaxAge,
    /// The peer closed the connection while it was idle.
    PeerClosed,
    /// Bytes arrived that belong to no request.
    UnexpectedBytes,
    /// Either side sent `Connection: close`, the response was HTTP/1.0, or only the end of the connection delimits its
    /// body.
    NotReusable,
    /// The response broke a rule of HTTP in a way that is tolerated but leaves it in doubt where the next response
    /// begins. A line of its head or trailers was left out, a field that decides on framing was mended, a fold may be
    /// taken for such a field or for the end of the head, a line of the head ends in a lone LF, it has both a
    /// Content-Length and a Transfer-Encoding, HTTP/1.0 came in chunks, or a 204 or an interim response announced a
    /// body. See [`Strictness`](crate::Strictness).
    Tolerated,
    /// The response was dropped before its body was read.
    BodyAbandoned,
    /// The exchange failed.
    Failed,
    /// The pool had as many idle connections as it keeps.
    PoolFull,
    /// The connection was closed to make room for another under a limit, such as `max_idle`.
    EvictedForLimit,
    /// The pool was closed.
    PoolClosed,
    /// The pool was cleared after the connection was opened, or the connection belongs to the process that this one was
    /// forked from.
    Retired,
    /// The connection was idle when the process had no descriptor left for another connection or a name lookup.
    OutOfDescriptors,
    /// The caller closed a [`Connection`](crate::Connection) that it had taken, or dropped it without releasing it.
    ClosedByCaller,
    /// The caller took a [`Connection`](crate::Connection) out of the pool. It is still open, but no longer counted.
    Detached,
    /// The connection was [upgraded](crate::Response::upgrade) to another protocol, and has ended.
    Upgraded,
}

impl CloseReason {
    /// All reasons, in the order of their declaration. The place of each is its number.
    pub(crate) const ALL: [CloseReason; 16] = {
        use CloseReason::*;
        [
            IdleTimeout,
            MaxAge,
            PeerClosed,
            UnexpectedBytes,
            NotReusable,
            Tolerated,
            BodyAbandoned,
            Failed,
            PoolFull,
            EvictedForLimit,
            PoolClosed,
            Retired,
            OutOfDescriptors,
            ClosedByCaller,
            Detached,
            Upgraded,
        ]
    };
}

impl fmt::Display for CloseReason {
    /// Shows a few words, for statistics and logs.
    ///
    /// ```
    /// assert_eq!(hostpool::CloseReason::PeerClosed.to_string(), "closed by the peer");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CloseReason::IdleTimeout => "idle for too long",
            CloseReason::MaxAge => "open for too long",
            CloseReason::PeerClosed => "closed by the peer",
            CloseReason::UnexpectedBytes => "unexpected bytes",
            CloseReason::NotReusable => "not reusable",
            CloseReason::Tolerated => "the response broke a rule",
            CloseReason::BodyAbandoned => "the body was not read",
            CloseReason::Failed => "the exchange failed",
            CloseReason::PoolFull => "the pool is full",
            CloseReason::EvictedForLimit => "evicted for a limit",
            CloseReason::PoolClosed => "the pool was closed",
            CloseReason::Retired => "retired",
            CloseReason::OutOfDescriptors => "out of descriptors",
            CloseReason::ClosedByCaller => "closed by the caller",
            CloseReason::Detached => "detached",
            CloseReason::Upgraded => "the end of an upgraded connection",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_unlike_the_others() {
        let shown: std::collections::HashSet<_> = CloseReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), CloseReason::ALL.len());
    }
}
