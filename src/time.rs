//! Timeouts as values, and the deadlines they turn into.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::error::Bound;

/// How long a request and its phases may take: a small immutable value.
///
/// Each setter gives a new value; what is not set has no bound. A bound of [`Duration::MAX`] is no bound. With one of
/// zero a request fails before it takes a connection, also where one is kept and the phase would not come: a bound that
/// was computed leaves no time. Only `pool` of zero takes what is free and does not wait, and `expect` of zero sends the
/// body at once. Nothing is started by making or sharing a value: any number of requests, in any
/// number of threads, can have the same one.
///
/// | bound | counted from | until | within |
/// |---|---|---|---|
/// | [`total`](Self::total) | the call of `send` | the end of the last response, over retries and redirects | |
/// | [`pool`](Self::pool) | the question to the pool | a connection is free, or may be opened | `total` |
/// | [`connect`](Self::connect) | leave to open a connection | its use, behind name lookup, TCP and TLS | `total` |
/// | [`resolve`](Self::resolve) | the beginning of the name lookup | its answer | `total`, `connect` |
/// | [`tls`](Self::tls) | the beginning of the TLS handshake | its end | `total`, `connect` |
/// | [`expect`](Self::expect) | the end of a head with `Expect` | the server's word; else the body goes | `total` |
/// | [`write`](Self::write) | each write | some bytes of it are accepted | `total` |
/// | [`head`](Self::head) | the end of sending | the end of the final response's head | `total` |
/// | [`read`](Self::read) | each wait for bytes of a head or body | some have come | `total`; `head`, in a head |
///
/// All but `total` begin anew for each request that is sent: for a retry, for the next of a row of redirects, and where
/// a connection that had died in the pool is replaced. A connection that is used again is not opened, so `connect`,
/// `resolve` and `tls` do not count there; an IP literal needs no lookup, and `http` no handshake.
///
/// Where several apply the earliest ends the wait, and the error names it ([`ErrorKind::Timeout`]) beside the phase
/// ([`Error::phase`]). A deadline is met even by a peer that sends one byte a second, and by a resolver that does not
/// answer: under a bound a name is looked up in a thread of the crate's own, of which there are eight at most.
///
/// ```
/// use hostpool::Timeout;
/// use std::time::Duration;
///
/// let timeout = Timeout::new().connect(Duration::from_secs(3)).total(Duration::from_secs(30));
/// assert_eq!(timeout, Timeout::from(Duration::from_secs(30)).connect(Duration::from_secs(3)));
/// assert_eq!(timeout.to_string(), "Timeout(connect=3s, total=30s)");
/// ```
///
/// [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout
/// [`Error::phase`]: crate::Error::phase
#[doc(alias = "ClientTimeout")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a timeout does nothing until it is given to a client or a request"]
pub struct Timeout {
    pub(crate) total: Option<Duration>,
    pub(crate) pool: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) resolve: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) write: Option<Duration>,
    pub(crate) head: Option<Duration>,
    pub(crate) read: Option<Duration>,
    pub(crate) expect: Option<Duration>,
}

impl Timeout {
    /// No bound at all.
    pub const fn new() -> Self {
        Timeout {
            total: None,
            pool: None,
            connect: None,
            resolve: None,
            tls: None,
            write: None,
            head: None,
            read: None,
            expect: None,
        }
    }

    /// The end of a request that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::NEVER.or_within(self.total, Bound::Total)
    }

    /// Returns the bound that leaves no time at all, if there is one. `pool` does not count: with zero a call takes
    /// what is free and does not wait, nor is `expect`, whose end is no failure.
    pub(crate) fn passed(&self) -> Option<Bound> {
        let Timeout { total, pool: _, connect, resolve, tls, write, head, read, expect: _ } = self;
        let all = [
            (total, Bound::Total),
            (connect, Bound::Connect),
            (resolve, Bound::Resolve),
            (tls, Bound::Tls),
            (write, Bound::Write),
            (head, Bound::Head),
            (read, Bound::Read),
        ];
        all.into_iter().find(|(limit, _)| **limit == Some(Duration::ZERO)).map(|(_, bound)| bound)
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

    /// Bounds opening a connection: name lookup, TCP, TLS. A `Session` has 30 seconds here, the pools nothing.
    #[doc(alias = "sock_connect")]
    pub const fn connect(self, limit: Duration) -> Self {
        Timeout { connect: Some(limit), ..self }
    }

    /// Bounds the name lookup, within what `connect` leaves. None by default.
    ///
    /// ```
    /// use hostpool::{PoolManager, Timeout};
    /// use std::time::Duration;
    ///
    /// let timeout = Timeout::new().resolve(Duration::from_secs(2)).connect(Duration::from_secs(5));
    /// let pools = PoolManager::builder().timeout(timeout).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub const fn resolve(self, limit: Duration) -> Self {
        Timeout { resolve: Some(limit), ..self }
    }

    /// Bounds the TLS handshake, within what `connect` leaves. None by default.
    ///
    /// ```
    /// use hostpool::Timeout;
    /// use std::time::Duration;
    ///
    /// let timeout = Timeout::new().tls(Duration::from_secs(5));
    /// assert_eq!(timeout.to_string(), "Timeout(tls=5s)");
    /// ```
    pub const fn tls(self, limit: Duration) -> Self {
        Timeout { tls: Some(limit), ..self }
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
    ///
    /// While a request's body leaves after an early response, this bounds the time in which no byte moves in either
    /// direction; there it is 60 seconds where nothing is set.
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

impl fmt::Display for Timeout {
    /// What is set, in the order in which it is met, and `total` last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timeout { total, pool, connect, resolve, tls, write, head, read, expect } = self;
        let all = [
            ("pool", pool),
            ("connect", connect),
            ("resolve", resolve),
            ("tls", tls),
            ("expect", expect),
            ("write", write),
            ("head", head),
            ("read", read),
            ("total", total),
        ];
        f.write_str("Timeout(")?;
        let mut separator = "";
        for (name, limit) in all {
            if let Some(limit) = limit {
                write!(f, "{separator}{name}={limit:?}")?;
                separator = ", ";
            }
        }
        f.write_str(")")
    }
}

impl From<Duration> for Timeout {
    /// A bound on the whole request.
    fn from(total: Duration) -> Self {
        Timeout::new().total(total)
    }
}

/// A point in time on the clock that idle connections age by: it goes on while the machine sleeps.
///
/// The clock of [`Instant`] stands still then on Linux and on Apple's systems, and a connection that its server closed
/// hours ago would look as fresh as before the sleep. Deadlines stay on `Instant`: what is waited for cannot happen
/// while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(Duration);

impl Stamp {
    /// Reads the clock: on Linux without a system call.
    #[inline]
    pub(crate) fn now() -> Stamp {
        let now = Stamp(clock());
        #[cfg(test)]
        let now = Stamp(now.0 + slept());
        now
    }

    /// `None` lies beyond what the clock can count.
    #[inline]
    pub(crate) fn checked_add(self, time: Duration) -> Option<Stamp> {
        self.0.checked_add(time).map(Stamp)
    }

    /// The time since `earlier`; zero where that is later.
    #[inline]
    pub(crate) fn saturating_since(self, earlier: Stamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) const fn at(time: Duration) -> Stamp {
        Stamp(time)
    }
}

#[cfg(unix)]
#[inline]
fn clock() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia", target_os = "openbsd"))]
    const CLOCK: ClockId = ClockId::Boottime;
    // Apple's counts sleep; std reads another there, which does not.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia", target_os = "openbsd")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let now = clock_gettime(CLOCK);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

/// The performance counter of Windows, which is the clock of `Instant`, counts sleep.
#[cfg(not(unix))]
fn clock() -> Duration {
    use std::sync::LazyLock;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
thread_local! {
    static SLEPT: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

#[cfg(test)]
fn slept() -> Duration {
    SLEPT.get()
}

/// Sets the calling thread's idle clock forward, as a machine finds it that has slept for so long.
#[cfg(test)]
pub(crate) fn sleep_machine(time: Duration) {
    SLEPT.set(SLEPT.get() + time);
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

/// What ends a wait of one call: its deadline. `'t` is the life of the call's cancel token, whose place this is.
///
/// A call lends it to every operation below it. Whatever outlives the call keeps the [`Deadline`] and lends an `Until`
/// of its own to each operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until<'t> {
    deadline: Deadline,
    token: PhantomData<&'t ()>,
}

impl From<Deadline> for Until<'_> {
    fn from(deadline: Deadline) -> Self {
        Until { deadline, token: PhantomData }
    }
}

impl<'t> Until<'t> {
    /// No deadline.
    #[cfg(any(test, fuzzing))]
    pub(crate) const NEVER: Until<'static> = Until { deadline: Deadline::NEVER, token: PhantomData };

    /// Returns the deadline, for what outlives the call.
    pub(crate) fn deadline(self) -> Deadline {
        self.deadline
    }

    /// Replaces the deadline. The token stays.
    pub(crate) fn with_deadline(self, deadline: Deadline) -> Until<'t> {
        Until { deadline, ..self }
    }

    /// Returns `self` or `limit` from now, whichever is earlier. Reads the clock only where there is a limit.
    pub(crate) fn or_within(self, limit: Option<Duration>, bound: Bound) -> Until<'t> {
        self.with_deadline(self.deadline.or_within(limit, bound))
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.deadline.at()
    }

    /// Returns the bound that the deadline comes from.
    pub(crate) fn bound(&self) -> Bound {
        self.deadline.bound()
    }

    /// Returns the time that is left; `None` is for ever.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        self.deadline.remaining(now)
    }

    pub(crate) fn is_past(&self) -> bool {
        self.deadline.is_past()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what is set is shown, in one order.
    #[test]
    fn what_is_shown() {
        let seconds = Duration::from_secs;
        let table = [
            (Timeout::new(), "Timeout()"),
            (
                Timeout::new().read(seconds(2)).total(seconds(3)).connect(seconds(1)),
                "Timeout(connect=1s, read=2s, total=3s)",
            ),
            (
                Timeout::new().connect(Duration::from_millis(1500)).total(Duration::ZERO),
                "Timeout(connect=1.5s, total=0ns)",
            ),
            (
                Timeout::from(seconds(9))
                    .pool(seconds(1))
                    .connect(seconds(2))
                    .resolve(seconds(3))
                    .tls(seconds(4))
                    .expect(seconds(5))
                    .write(seconds(6))
                    .head(seconds(7))
                    .read(seconds(8)),
                "Timeout(pool=1s, connect=2s, resolve=3s, tls=4s, expect=5s, write=6s, head=7s, read=8s, total=9s)",
            ),
        ];
        for (timeout, expected) in table {
            assert_eq!(timeout.to_string(), expected);
        }
    }

    #[test]
    fn bounds_that_leave_no_time() {
        let (new, zero, long) = (Timeout::new(), Duration::ZERO, Duration::from_secs(9));
        let table = [
            (new, None),
            (new.total(long).read(Duration::from_nanos(1)), None),
            (new.pool(zero).expect(zero), None),
            (new.total(zero), Some(Bound::Total)),
            (new.connect(zero), Some(Bound::Connect)),
            (new.resolve(zero), Some(Bound::Resolve)),
            (new.tls(zero), Some(Bound::Tls)),
            (new.write(zero), Some(Bound::Write)),
            (new.head(zero), Some(Bound::Head)),
            (new.read(zero).total(long), Some(Bound::Read)),
            (new.read(zero).total(zero), Some(Bound::Total)),
        ];
        for (timeout, expected) in table {
            assert_eq!(timeout.passed(), expected, "{timeout}");
        }
    }

    /// RW-03: the clock goes on while the machine sleeps.
    #[test]
    fn the_idle_clock() {
        let before = Stamp::now();
        sleep_machine(Duration::from_secs(8 * 60 * 60));
        let after = Stamp::now();
        assert!(after > before && after.saturating_since(before) >= Duration::from_secs(8 * 60 * 60));
        assert_eq!(before.saturating_since(after), Duration::ZERO);
        assert_eq!(before.checked_add(Duration::MAX), None);
    }

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
