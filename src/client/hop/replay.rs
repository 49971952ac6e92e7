//! Decides whether a request is silently sent again.
//!
//! The server may close a pooled connection at the moment when a request is sent on it. How far the request had come,
//! and its method, decide whether it may be sent again (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).

use http::Method;

use crate::retry::is_idempotent;

/// An exchange over one connection in which the server did not answer this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailedExchange<'a> {
    pub(super) method: &'a Method,
    /// The request has an `Idempotency-Key`, by which the server tells a repetition from a new request.
    pub(super) keyed: bool,
    /// The connection had carried a request before.
    pub(super) reused: bool,
    /// Bytes of the request left this process.
    pub(super) sent: bool,
    /// The body waited for a 100 that did not come, so the server had nothing to act upon.
    pub(super) withheld: bool,
    /// The body can be sent from its start.
    pub(super) rewindable: bool,
    pub(super) end: FailureEnd,
}

/// How a failed exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureEnd {
    /// The connection was closed or reset without a byte of a response. Bytes that do not begin a response count as
    /// none, because they are the rest of an earlier one.
    Closed,
    /// A 408 that closes the connection. Some servers and load balancers announce the end of an idle connection this
    /// way.
    IdleNotice,
    /// Anything else: a byte of a response, a timeout, a TLS alert, a violation.
    Other,
}

/// Returns whether the request is sent again, once, over a new connection.
pub(super) fn may_replay(failed: &FailedExchange<'_>) -> bool {
    match failed.end {
        // The failure of a new connection is for the retries that the user asked for.
        _ if !failed.reused || !failed.rewindable => false,
        FailureEnd::Other => false,
        _ if failed.withheld => true,
        FailureEnd::Closed if !failed.sent => true,
        FailureEnd::Closed | FailureEnd::IdleNotice => is_idempotent(failed.method) || failed.keyed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each line of the replay table (C.9) that this layer decides.
    #[test]
    fn table() {
        let base = FailedExchange {
            method: &Method::GET,
            keyed: false,
            reused: true,
            sent: true,
            withheld: false,
            rewindable: true,
            end: FailureEnd::Closed,
        };
        let post = FailedExchange { method: &Method::POST, ..base };
        let patch = Method::PATCH;
        let custom = Method::from_bytes(b"PURGE").unwrap();
        let table = [
            ("fresh connection fails", FailedExchange { reused: false, ..base }, false),
            ("fresh connection fails before a byte", FailedExchange { reused: false, sent: false, ..base }, false),
            ("nothing accepted, GET", FailedExchange { sent: false, ..base }, true),
            ("nothing accepted, POST", FailedExchange { sent: false, ..post }, true),
            ("accepted, GET", base, true),
            ("accepted, HEAD", FailedExchange { method: &Method::HEAD, ..base }, true),
            ("accepted, OPTIONS", FailedExchange { method: &Method::OPTIONS, ..base }, true),
            ("accepted, TRACE", FailedExchange { method: &Method::TRACE, ..base }, true),
            ("accepted, PUT", FailedExchange { method: &Method::PUT, ..base }, true),
            ("accepted, DELETE", FailedExchange { method: &Method::DELETE, ..base }, true),
            ("accepted, POST", post, false),
            ("accepted, PATCH", FailedExchange { method: &patch, ..base }, false),
            ("accepted, unknown method", FailedExchange { method: &custom, ..base }, false),
            ("accepted, POST with a key", FailedExchange { keyed: true, ..post }, true),
            ("response byte, timeout, alert or violation", FailedExchange { end: FailureEnd::Other, ..base }, false),
            ("the same before a byte left", FailedExchange { end: FailureEnd::Other, sent: false, ..base }, false),
            ("408 that closes, GET", FailedExchange { end: FailureEnd::IdleNotice, ..base }, true),
            ("408 that closes, POST", FailedExchange { end: FailureEnd::IdleNotice, ..post }, false),
            ("nothing accepted, body spent", FailedExchange { sent: false, rewindable: false, ..base }, false),
            ("accepted, PUT, body spent", FailedExchange { method: &Method::PUT, rewindable: false, ..base }, false),
            ("body withheld, POST", FailedExchange { withheld: true, ..post }, true),
            (
                "body withheld, 408 that closes, POST",
                FailedExchange { withheld: true, end: FailureEnd::IdleNotice, ..post },
                true,
            ),
            ("body withheld, POST, fresh", FailedExchange { withheld: true, reused: false, ..post }, false),
            ("body withheld, response byte", FailedExchange { withheld: true, end: FailureEnd::Other, ..post }, false),
            ("408 that closes, fresh", FailedExchange { end: FailureEnd::IdleNotice, reused: false, ..base }, false),
        ];
        for (row, failed, expected) in table {
            assert_eq!(may_replay(&failed), expected, "{row}");
        }
    }
}
