//! The parts that a response is made of.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::cancel::CancelToken;
use crate::error::ResponseHead;
use crate::exchange::{Buffers, Common};
use crate::h1::Head;
use crate::pool::PoolLease;
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::{Deadline, Rate, Stamp, Until};
use crate::urls::Url;

/// A response as it arrives: its head, and all that is needed to read its body.
pub(crate) struct Parts {
    pub(crate) head: Head,
    pub(crate) about: About,
    /// The connection. `None` after the body has ended or failed.
    pub(crate) held: Option<Held>,
    pub(crate) reading: Reading,
    /// The bound on each wait for further bytes.
    pub(crate) read: Option<Duration>,
    /// The deadline of the call.
    pub(crate) deadline: Deadline,
    /// The token of the call.
    pub(crate) token: Option<CancelToken>,
    pub(crate) common: Arc<Common>,
}

impl Parts {
    /// Returns the ends of a wait for the body.
    pub(super) fn until(&self) -> Until<'_> {
        Until::new(self.deadline, self.token.as_ref())
    }
}

/// The request that the response answers, and what the call did before.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) request_body_complete: bool,
    /// What the call did before. Most calls did nothing, so it is boxed.
    pub(crate) past: Option<Box<Past>>,
    pub(crate) standing: Standing,
}

/// What a call knows about a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The caller has made the response, and named no URL.
    Unplaced,
    /// The method and the URL are known.
    Placed,
    /// They are, and it is settled whether the status is an error.
    Judged,
}

/// The requests of a call before its last one.
#[derive(Clone)]
pub(crate) struct Past {
    /// The redirects.
    pub(crate) history: Vec<ResponseHead>,
    /// The state of `Retry`, if a request was retried.
    pub(crate) retries: Option<Box<Retry>>,
}

impl About {
    pub(crate) fn history(&self) -> &[ResponseHead] {
        self.past.as_ref().map_or(&[], |past| &past.history)
    }

    /// Returns the answer to a request that was sent whole, with nothing before it.
    pub(crate) fn new(method: Method, url: Url) -> About {
        About { method, url, request_body_complete: true, past: None, standing: Standing::Placed }
    }
}

/// The connection of a response whose body is unread.
pub(crate) struct Held {
    pub(crate) lease: PoolLease,
    pub(crate) buffers: Box<Buffers>,
    pub(crate) reuse: Reuse,
}

impl Held {
    /// Returns whether the connection belongs to the parent process, which still reads from it after the fork.
    pub(super) fn is_inherited(&self) -> bool {
        self.lease.conn().cell.is_inherited()
    }
}

/// How the connection can be used after the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse {
    /// It may carry another request.
    pub(crate) reusable: bool,
    /// It is not reusable only because a head broke a rule that is tolerated.
    pub(crate) tolerated: bool,
    /// It stays with the response after the body, because the same call may go on with it.
    pub(crate) kept_back: bool,
    /// It carries no further call.
    pub(crate) once: bool,
    /// The time at which the server closes it, as its Keep-Alive field says.
    pub(crate) keep_until: Option<Stamp>,
    /// The response came through a proxy that forwards.
    pub(crate) forwarded: bool,
    /// Another protocol begins after the head. The connection stays with the response until the caller takes it.
    pub(crate) upgraded: bool,
}

/// The rules for reading a response. They are the client's, and a request may replace some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) strictness: Strictness,
    /// A coded body is decoded.
    pub(crate) decode: bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    pub(crate) unclean_close: bool,
    /// A body may end before its Content-Length.
    pub(crate) early_end: bool,
    /// A body that only the end of the connection delimits is read.
    pub(crate) until_close: bool,
    /// The largest body that is read into memory as a whole.
    pub(crate) max_body: u64,
}

/// The bounds on a body as it arrives, before it is decoded. Its reader keeps them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The most bytes.
    pub(crate) most: u64,
    /// The lowest speed.
    pub(crate) rate: Option<Rate>,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading {
            strictness: Strictness::default(),
            decode: true,
            unclean_close: false,
            early_end: false,
            until_close: true,
            max_body: u64::MAX,
        }
    }
}
