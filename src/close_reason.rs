//! Why connections are closed: the pool counts by it, and listeners are told it.

/// Why a connection was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It sat idle for longer than `idle_timeout`, or than the server's `Keep-Alive: timeout` allows.
    IdleTimeout,
    /// It was open for longer than `max_age`.
    MaxAge,
    /// The peer closed it while it was idle.
    PeerClosed,
    /// Bytes arrived that belong to no request.
    UnexpectedBytes,
    /// A `Connection: close` of either side, HTTP/1.0, or a body that only the end of the connection delimits.
    NotReusable,
    /// The response broke a rule of HTTP that is tolerated, but that leaves in doubt where the next one begins: a line
    /// of its head or trailers was left out, a field that decides on framing was mended, a fold may be taken for such a
    /// field or for the end of the head, a line of the head ends in a lone LF, it has both a Content-Length and a
    /// Transfer-Encoding, HTTP/1.0 came in chunks, or a 204 or an interim response announced a body. See
    /// [`Strictness`](crate::Strictness).
    Tolerated,
    /// The response was dropped before its body was read.
    BodyAbandoned,
    /// The exchange failed.
    Failed,
    /// As many idle connections were there as the pool keeps.
    PoolFull,
    /// It was closed to make room for another under the limits, `max_idle` among them.
    EvictedForLimit,
    /// The pool was closed.
    PoolClosed,
    /// The pool was cleared after the connection had been opened, or belongs to the process that this one was forked
    /// from.
    Retired,
    /// It was idle, and the process had no descriptor left for another connection or a name lookup.
    OutOfDescriptors,
}

impl CloseReason {
    /// Every reason, in the order of their declaration: the place of each is its number.
    pub(crate) const ALL: [CloseReason; 13] = {
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
        ]
    };
}
