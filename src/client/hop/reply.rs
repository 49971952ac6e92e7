//! The reply to one request: its response, whose body is yet to be read.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::head::{HopFields, SentHead};
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::exchange::{Buffers, Received, Upload};
use crate::h1::Framing;
use crate::pool::PoolLease;
use crate::redirect::RedirectAction;
use crate::response::{About, Held, Parts, Response, Reuse, Standing};
use crate::time::Stamp;

/// Holds a response that the call has not judged yet.
pub(in crate::client) struct Reply {
    pub(in crate::client) response: Response,
    /// The request asked for a 100.
    pub(in crate::client) expected: bool,
    /// The answer of the caller's function about this redirect, if it was asked while the body left.
    pub(in crate::client) asked: Option<RedirectAction>,
}

impl Reply {
    /// Makes the response. The connection goes back at once if there is no body.
    pub(super) fn new(
        terms: Terms<'_>,
        request: &Request,
        sent: SentHead,
        received: Received,
        lease: PoolLease,
        buffers: Box<Buffers>,
        fields: &HopFields,
    ) -> Reply {
        let Received { head, framing, reusable, tolerated, upload, ending, .. } = received;
        let (facts, reading) = (head.facts, terms.reading());
        let unread = !reading.until_close && framing == Framing::UntilClose;
        let kept_back = fields.has_rounds() && is_challenge(head.status);
        let ends = unread || sent.close && !kept_back;
        // The proxy and this client may read such a head in two ways, and the next response may be another user's.
        let doubtful = fields.is_forwarded() && (facts.tolerated.is_some() || facts.dropped_lines > 0);
        let reuse = Reuse {
            reusable: reusable && !ends && !doubtful && facts.keep_alive_max != Some(0),
            tolerated: (tolerated || reusable && doubtful) && !ends,
            kept_back,
            once: sent.close,
            keep_until: facts.keep_alive_timeout.and_then(keep_until),
            forwarded: fields.is_forwarded(),
            upgraded: framing == Framing::Upgrade,
        };
        let (method, url) = (request.method.clone(), request.url.clone().without_fragment());
        let request_body_complete = upload == Upload::Whole;
        let framing = if unread { Framing::Empty } else { framing };
        let parts = Parts {
            about: About { method, url, request_body_complete, past: None, standing: Standing::Placed },
            held: Some(Held { lease, buffers, reuse }),
            reading,
            read: terms.timeout().read,
            deadline: terms.until.deadline(),
            token: terms.until.token().cloned(),
            common: Arc::clone(terms.common()),
            head,
        };
        let response = Response::new(parts, terms.arrival(), framing, ending);
        Reply { response, expected: sent.expects, asked: None }
    }
}

/// Returns whether the reply is a 408 that closes the connection, with nothing after it. On an idle connection such a
/// 408 means that the server stopped waiting for a request before this one came (RFC 9110, section 15.5.9).
pub(super) fn is_idle_notice(received: &Received) -> bool {
    received.plain && received.head.status == StatusCode::REQUEST_TIMEOUT && received.head.facts.close
}

/// Returns whether a response with this status asks for credentials.
fn is_challenge(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED)
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
