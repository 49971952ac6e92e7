//! When a request is silently sent again.
//!
//! A pooled connection may be closed by the server in the moment a request is sent on it. Whether the request may be
//! sent again depends on how far it had come, and on what it does (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).

use http::Method;

use crate::retry::is_idempotent;

/// How an attempt ended, and what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt<'a> {
    pub(crate) method: &'a Method,
    /// The request says by an `Idempotency-Key` that the server tells repetitions from new requests.
    pub(crate) keyed: bool,
    /// The connection had carried a request before.
    pub(crate) reused: bool,
    /// Bytes of the request left the process.
    pub(crate) sent: bool,
    /// The body waited for the server's word, which did not come: there was nothing to act upon.
    pub(crate) withheld: bool,
    /// The body can be sent from its start.
    pub(crate) rewindable: bool,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Closed or reset without a byte of a response, or bytes that begin none: the rest of an earlier one.
    Closed,
    /// The first bytes were a 408 that closes: how some servers and balancers announce that an idle connection ends.
    IdleNotice,
    /// Anything else: a byte of a response, a timeout, a TLS alert, a violation.
    Other,
}

/// Whether the request is sent again, once, on a fresh connection.
pub(crate) fn decide(attempt: &Attempt<'_>) -> bool {
    match attempt.end {
        // A new connection that fails is no leftover: that is for retries the user asked for.
        _ if !attempt.reused || !attempt.rewindable => false,
        End::Other => false,
        _ if attempt.withheld => true,
        End::Closed if !attempt.sent => true,
        End::Closed | End::IdleNotice => is_idempotent(attempt.method) || attempt.keyed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each line of the replay table (C.9) that this layer decides.
    #[test]
    fn table() {
        let base = Attempt {
            method: &Method::GET,
            keyed: false,
            reused: true,
            sent: true,
            withheld: false,
            rewindable: true,
            end: End::Closed,
        };
        let post = Attempt { method: &Method::POST, ..base };
        let patch = Method::PATCH;
        let custom = Method::from_bytes(b"PURGE").unwrap();
        let table = [
            ("fresh connection fails", Attempt { reused: false, ..base }, false),
            ("fresh connection fails before a byte", Attempt { reused: false, sent: false, ..base }, false),
            ("nothing accepted, GET", Attempt { sent: false, ..base }, true),
            ("nothing accepted, POST", Attempt { sent: false, ..post }, true),
            ("accepted, GET", base, true),
            ("accepted, HEAD", Attempt { method: &Method::HEAD, ..base }, true),
            ("accepted, OPTIONS", Attempt { method: &Method::OPTIONS, ..base }, true),
            ("accepted, TRACE", Attempt { method: &Method::TRACE, ..base }, true),
            ("accepted, PUT", Attempt { method: &Method::PUT, ..base }, true),
            ("accepted, DELETE", Attempt { method: &Method::DELETE, ..base }, true),
            ("accepted, POST", post, false),
            ("accepted, PATCH", Attempt { method: &patch, ..base }, false),
            ("accepted, unknown method", Attempt { method: &custom, ..base }, false),
            ("accepted, POST with a key", Attempt { keyed: true, ..post }, true),
            ("response byte, timeout, alert or violation", Attempt { end: End::Other, ..base }, false),
            ("the same before a byte left", Attempt { end: End::Other, sent: false, ..base }, false),
            ("408 that closes, GET", Attempt { end: End::IdleNotice, ..base }, true),
            ("408 that closes, POST", Attempt { end: End::IdleNotice, ..post }, false),
            ("nothing accepted, body spent", Attempt { sent: false, rewindable: false, ..base }, false),
            ("accepted, PUT, body spent", Attempt { method: &Method::PUT, rewindable: false, ..base }, false),
            ("body withheld, POST", Attempt { withheld: true, ..post }, true),
            ("body withheld, 408 that closes, POST", Attempt { withheld: true, end: End::IdleNotice, ..post }, true),
            ("body withheld, POST, fresh", Attempt { withheld: true, reused: false, ..post }, false),
            ("body withheld, response byte", Attempt { withheld: true, end: End::Other, ..post }, false),
            ("408 that closes, fresh", Attempt { end: End::IdleNotice, reused: false, ..base }, false),
        ];
        for (row, attempt, expected) in table {
            assert_eq!(decide(&attempt), expected, "{row}");
        }
    }
}
