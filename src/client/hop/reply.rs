//! The reply to one request: the head of its response, and the connection that the body is read from.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::head::SentHead;
use crate::client::terms::Terms;
use crate::exchange::{Buffers, Received, Upload};
use crate::h1::{Framing, Head};
use crate::pool::PoolLease;
use crate::response::{About, Held, Parts, Response, Reuse};
use crate::time::{Deadline, Stamp};

/// Holds the head of a response, and the connection that its body is read from.
pub(in crate::client) struct Reply {
    pub(super) received: Received,
    pub(super) sent: SentHead,
    pub(super) lease: PoolLease,
    pub(super) buffers: Buffers,
    pub(super) deadline: Deadline,
}

impl Reply {
    /// Returns the head of the response.
    pub(in crate::client) fn head(&self) -> &Head {
        &self.received.head
    }

    /// Returns whether the request asked for a 100.
    pub(in crate::client) fn expected(&self) -> bool {
        self.sent.expects
    }

    /// Makes the response. Its body has not been read.
    pub(in crate::client) fn into_response(self, terms: Terms<'_>, about: About) -> Response {
        let Reply { received, sent, lease, buffers, deadline } = self;
        let Received { head, framing, reusable, tolerated, upload, ending, .. } = received;
        let (facts, reading) = (head.facts, terms.reading());
        let unread = !reading.until_close && framing == Framing::UntilClose;
        let ends = unread || sent.close;
        let reuse = Reuse {
            reusable: reusable && !ends && facts.keep_alive_max != Some(0),
            tolerated: tolerated && !ends,
            keep_until: facts.keep_alive_timeout.and_then(keep_until),
        };
        let parts = Parts {
            head,
            about: About { request_body_complete: upload == Upload::Whole, ..about },
            held: Some(Held { lease, buffers, reuse }),
            reading,
            read: terms.timeout().read,
            deadline,
            common: Arc::clone(terms.common()),
        };
        Response::new(parts, if unread { Framing::Empty } else { framing }, ending)
    }
}

/// Returns whether the reply is a 408 that closes the connection, with nothing after it. On an idle connection such a
/// 408 means that the server stopped waiting for a request before this one came (RFC 9110, section 15.5.9).
pub(super) fn is_idle_notice(received: &Received) -> bool {
    received.plain && received.head.status == StatusCode::REQUEST_TIMEOUT && received.head.facts.close
}

/// Returns the time until which the connection may be used again: one second earlier than the server says, or half of a
/// single second. Otherwise a request could be on its way when the server closes.
fn keep_until(seconds: u32) -> Option<Stamp> {
    let kept = match seconds {
        0 | 1 => Duration::from_millis(500 * u64::from(seconds)),
        _ => Duration::from_secs(u64::from(seconds) - 1),
    };
    Stamp::now().checked_add(kept)
}
