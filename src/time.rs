//! Timeouts as values, and the deadlines they turn into.

use std::time::{Duration, Instant};

use crate::error::Bound;

/// How long a request and its phases may take: a small immutable value.
///
/// Each setter gives a new value; what is not set has no bound. A bound of [`Duration::MAX`] is no bound; one of zero
/// has passed before the phase begins.
///
/// | bound | covers |
/// |---|---|
/// | [`total`](Self::total) | everything from `send` to the last byte of the body: waiting for the pool, name lookup, connecting, TLS, sending, the head, the body |
/// | [`pool`](Self::pool) | waiting until the pool has a connection free or may open one |
/// | [`connect`](Self::connect) | one attempt to open a connection: name lookup, TCP, TLS |
/// | [`write`](Self::write) | each write, until some bytes of it are accepted |
/// | [`head`](Self::head) | from the sent request to the end of the final response's head |
/// | [`read`](Self::read) | each wait for further bytes of a head or body |
/// | [`expect`](Self::expect) | the wait for a server's word on `Expect: 100-continue`; not an error when it ends |
///
/// Where several apply the earliest ends the wait, and the error names it ([`ErrorKind::Timeout`]). A deadline is met
/// even by a peer that sends one byte a second. One exception stands for now: a name lookup runs in the system's
/// resolver, which cannot be interrupted, so that it may overrun `connect` and `total`; they are looked at when it
/// returns. IP literals need no lookup.
///
/// ```
/// use hostpool::Timeout;
/// use std::time::Duration;
///
/// let timeout = Timeout::new().connect(Duration::from_secs(3)).total(Duration::from_secs(30));
/// assert_eq!(timeout, Timeout::from(Duration::from_secs(30)).connect(Duration::from_secs(3)));
/// ```
///
/// [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout
#[doc(alias = "ClientTimeout")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a timeout does nothing until it is given to a client or a request"]
pub struct Timeout {
    pub(crate) total: Option<Duration>,
    pub(crate) pool: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) write: Option<Duration>,
    pub(crate) head: Option<Duration>,
    pub(crate) read: Option<Duration>,
    pub(crate) expect: Option<Duration>,
}

impl Timeout {
    /// No bound at all.
    pub const fn new() -> Self {
        Timeout { total: None, pool: None, connect: None, write: None, head: None, read: None, expect: None }
    }

    /// The end of a request that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::NEVER.or_within(self.total, Bound::Total)
    }

    /// Bounds the whole request, its body included. None by default.
    pub const fn total(self, limit: Duration) -> Self {
        Timeout { total: Some(limit), ..self }
    }

    /// Bounds the wait for a place in the pool. None by default; the pool's own `pool_timeout` stands in for it.
    #[doc(alias = "pool_timeout")]
    pub const fn pool(self, limit: Duration) -> Self {
        Timeout { pool: Some(limit), ..self }
    }

    /// Bounds opening a connection. A `Session` has 30 seconds here, the pools nothing.
    #[doc(alias = "sock_connect")]
    pub const fn connect(self, limit: Duration) -> Self {
        Timeout { connect: Some(limit), ..self }
    }

    /// Bounds each write. None by default.
    pub const fn write(self, limit: Duration) -> Self {
        Timeout { write: Some(limit), ..self }
    }

    /// Bounds the wait for the whole response head. None by default.
    pub const fn head(self, limit: Duration) -> Self {
        Timeout { head: Some(limit), ..self }
    }

    /// Bounds the gap between bytes that arrive. A `Session` has 60 seconds here, the pools nothing.
    #[doc(alias = "sock_read")]
    pub const fn read(self, limit: Duration) -> Self {
        Timeout { read: Some(limit), ..self }
    }

    /// How long a request with `Expect: 100-continue` waits for the server's word before it sends its body unasked: a
    /// second by default. Its end is no error.
    #[doc(alias = "expect100")]
    pub const fn expect(self, limit: Duration) -> Self {
        Timeout { expect: Some(limit), ..self }
    }
}

impl From<Duration> for Timeout {
    /// A bound on the whole request.
    fn from(total: Duration) -> Self {
        Timeout::new().total(total)
    }
}

/// A point in time that a wait must not pass, and the bound it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    bound: Bound,
}

impl Deadline {
    pub(crate) const NEVER: Deadline = Deadline { at: None, bound: Bound::Total };

    /// Never, where there is no limit or it lies beyond what the clock can count.
    pub(crate) fn after(now: Instant, limit: Option<Duration>, bound: Bound) -> Deadline {
        Deadline { at: limit.and_then(|limit| now.checked_add(limit)), bound }
    }

    /// `self` or `limit` from now, whichever is earlier. The clock is read only where there is a limit.
    pub(crate) fn or_within(self, limit: Option<Duration>, bound: Bound) -> Deadline {
        match limit {
            None => self,
            Some(_) => self.earlier(Deadline::after(Instant::now(), limit, bound)),
        }
    }

    pub(crate) fn earlier(self, other: Deadline) -> Deadline {
        match (self.at, other.at) {
            (Some(ours), Some(theirs)) if ours <= theirs => self,
            (Some(_), None) => self,
            _ => other,
        }
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.at
    }

    pub(crate) fn bound(&self) -> Bound {
        self.bound
    }

    /// `None` means for ever.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now))
    }

    pub(crate) fn is_past(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_deadline_wins_and_keeps_its_name() {
        let now = Instant::now();
        let at = |seconds, bound| Deadline::after(now, Some(Duration::from_secs(seconds)), bound);
        let never = Deadline::after(now, Some(Duration::MAX), Bound::Read);
        assert_eq!(never.at(), None);
        for (one, other, bound) in [
            (at(1, Bound::Total), at(2, Bound::Read), Bound::Total),
            (at(3, Bound::Total), at(2, Bound::Read), Bound::Read),
            (never, at(2, Bound::Head), Bound::Head),
            (at(2, Bound::Head), never, Bound::Head),
        ] {
            assert_eq!(one.earlier(other).bound(), bound);
            assert_eq!(other.earlier(one).at(), one.earlier(other).at());
        }
        assert_eq!(at(0, Bound::Total).remaining(now), Some(Duration::ZERO));
        assert!(at(0, Bound::Total).is_past());
        assert!(!never.is_past());
    }
}
