//! Timeouts, the deadlines that they become, and the clock for idle connections.

mod rate;
mod settings;
#[cfg(feature = "serde")]
mod written;

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Weak;
use std::time::{Duration, Instant};

use crate::cancel::{Blocked, CancelToken, Registration, TICK};
use crate::error::{Bound, Error, Phase, Result};

pub(crate) use rate::{Meter, Rate};
pub use settings::TimeoutSettings;

/// The time that a request and its phases may take: a small immutable value.
///
/// Each setter returns a new value. A phase that is not set, or set to [`Duration::MAX`], has no bound. With a bound of
/// zero a request fails before it takes a connection, even if the phase would not happen: a computed bound of zero
/// means that no time is left. There are two exceptions. With a `pool` of zero a call takes a free connection and does
/// not wait, and with an `expect` of zero the body is sent at once. A value can be used for any number of requests, in
/// any number of threads. It starts nothing by itself.
///
/// | bound | counted from | until | within |
/// |---|---|---|---|
/// | [a token's deadline](crate::CancelToken::with_deadline) | a time that the caller names | the end of the last body, for every call that has the token | |
/// | [`total`](Self::total) | the call of `send` | the end of the last response's body, decoded, over retries, redirects and the sleeps between them | |
/// | [`pool`](Self::pool) | asking the pool | a connection is free, or may be opened | `total` |
/// | [`connect`](Self::connect) | permission to open a connection | the connection is ready, after name lookup, TCP and TLS | `total` |
/// | [`resolve`](Self::resolve) | the beginning of the name lookup | its answer | `total`, `connect` |
/// | [`tls`](Self::tls) | the beginning of the TLS handshake | its end | `total`, `connect` |
/// | [`expect`](Self::expect) | the end of a head with `Expect` | the server's answer, or else the body is sent | `total` |
/// | [`write`](Self::write) | each write | some bytes of it are accepted | `total` |
/// | [`head`](Self::head) | the end of sending | the end of the final response's head | `total` |
/// | [`read`](Self::read) | each wait for bytes of a head or body | some arrive | `total`; `head`, in a head |
/// | [`min_rate`](Self::min_rate) | the first wait in which a body moves | enough bytes have moved, again and again | `total` |
/// | the [sleep before a retry](crate::Retry) | the failure | the next try; one that would pass `total` is not begun | `total` |
/// | [`Limits::drain_time`](crate::Limits::drain_time) | a redirect, a retry or a challenge | the rest of its body has come, or else its connection is closed | `total` |
///
/// Each of them is an answer of its own: [`ErrorKind::Timeout`] names the bound, and
/// [`Bound::Token`](crate::Bound::Token) is the token's. A [fired token](crate::CancelToken::cancel) comes before all of
/// them, then the earliest, and of two at the same time the one that stands higher in the table.
///
/// All bounds but `total` begin anew for each request that is sent: for a retry, after a redirect, and when a
/// connection that had died in the pool is replaced. `connect`, `resolve` and `tls` do not apply to a connection that
/// is used again. An IP literal needs no lookup, and `http` no handshake.
///
/// If several bounds apply, the earliest ends the wait, and the error names it ([`ErrorKind::Timeout`]) and the phase
/// ([`Error::phase`]). A deadline holds even against a peer that sends one byte a second, and against a resolver that
/// does not answer: under a bound, names are looked up on threads of the crate, at most eight.
///
/// With the feature `serde` it is read from configuration files, and written: see its `Deserialize`.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    pub(crate) rate: Option<Rate>,
}

impl Timeout {
    /// Returns a timeout without any bound.
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
            rate: None,
        }
    }

    /// Returns the deadline of a request that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::NEVER.or_within(self.total, Bound::Total)
    }

    /// Returns the bound that is zero, if there is one. `pool` does not count, because with zero a call takes a free
    /// connection and does not wait. `expect` does not count, because its end is not a failure.
    #[inline(always)]
    pub(crate) fn passed(&self) -> Option<Bound> {
        let Timeout { total, pool: _, connect, resolve, tls, write, head, read, expect: _, rate } = self;
        let is_zero = |limit: &Option<Duration>| limit.is_some_and(|limit| limit.is_zero());
        // Asked for each request: without a bound of zero it takes a comparison for each bound. A loop over them takes 60
        // instructions more.
        let is_any_zero = is_zero(total)
            || is_zero(connect)
            || is_zero(resolve)
            || is_zero(tls)
            || is_zero(write)
            || is_zero(head)
            || is_zero(read);
        if !is_any_zero && !rate.is_some_and(|rate| rate.bytes > 0 && rate.per.is_zero()) {
            return None;
        }
        let all = [
            (total, Bound::Total),
            (connect, Bound::Connect),
            (resolve, Bound::Resolve),
            (tls, Bound::Tls),
            (write, Bound::Write),
            (head, Bound::Head),
            (read, Bound::Read),
        ];
        all.into_iter().find(|(limit, _)| is_zero(limit)).map(|(_, bound)| bound).or(Some(Bound::Rate))
    }

    /// Bounds the whole call: the wait for a connection, all retries, redirects and waits between them, and the body of
    /// the response. Unbounded by default. It is counted from [`send`](crate::RequestBuilder::send), and ends a body
    /// that is still being read.
    ///
    /// ```
    /// # let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", silent.local_addr().unwrap());
    /// use hostpool::{Bound, ErrorKind, Timeout};
    /// use std::time::Duration;
    ///
    /// // A server that never answers.
    /// let error = hostpool::get(&url).timeout(Timeout::new().total(Duration::from_millis(20))).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Total));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "timeout_global")]
    pub const fn total(self, limit: Duration) -> Self {
        Timeout { total: Some(limit), ..self }
    }

    /// Bounds the wait for a connection of the pool. By default the `pool_timeout` of the pool applies.
    #[doc(alias = "pool_timeout")]
    pub const fn pool(self, limit: Duration) -> Self {
        Timeout { pool: Some(limit), ..self }
    }

    /// Bounds opening a connection: name lookup, TCP, TLS. The default is 30 seconds for a `Session`, and no bound for
    /// the pools.
    ///
    /// ```
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// // An unreachable host is given up after three seconds; everything after that may take its time.
    /// let session = Session::builder().timeout(Timeout::new().connect(Duration::from_secs(3))).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "connect_timeout")]
    #[doc(alias = "timeout_connect")]
    #[doc(alias = "sock_connect")]
    pub const fn connect(self, limit: Duration) -> Self {
        Timeout { connect: Some(limit), ..self }
    }

    /// Bounds the name lookup, within `connect`. Unbounded by default.
    ///
    /// ```
    /// use hostpool::{PoolManager, Timeout};
    /// use std::time::Duration;
    ///
    /// let timeout = Timeout::new().resolve(Duration::from_secs(2)).connect(Duration::from_secs(5));
    /// let pools = PoolManager::builder().timeout(timeout).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "timeout_resolve")]
    pub const fn resolve(self, limit: Duration) -> Self {
        Timeout { resolve: Some(limit), ..self }
    }

    /// Bounds the TLS handshake, within `connect`. Unbounded by default.
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

    /// Bounds each write: how long the server may take none of the request's bytes. Unbounded by default.
    #[doc(alias = "timeout_send_body")]
    pub const fn write(self, limit: Duration) -> Self {
        Timeout { write: Some(limit), ..self }
    }

    /// Bounds the wait for the whole head of the response. Unbounded by default.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// // The server has ten seconds to begin its response. A long body may then take longer.
    /// let timeout = Timeout::new().head(Duration::from_secs(10));
    /// let response = Session::new().get(&url).timeout(timeout).send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "timeout_recv_response")]
    pub const fn head(self, limit: Duration) -> Self {
        Timeout { head: Some(limit), ..self }
    }

    /// Bounds the gap between bytes that arrive. The default is 60 seconds for a `Session`, and no bound for the pools.
    ///
    /// While the body of a request is sent after an early response, this bounds the time in which no byte moves in
    /// either direction. There the default is 60 seconds.
    ///
    /// ```
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// // A large file may take hours, but not fall silent for half a minute.
    /// let timeout = Timeout::new().connect(Duration::from_secs(5)).read(Duration::from_secs(30));
    /// let session = Session::builder().timeout(timeout).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "read_timeout")]
    #[doc(alias = "timeout_recv_body")]
    #[doc(alias = "sock_read")]
    pub const fn read(self, limit: Duration) -> Self {
        Timeout { read: Some(limit), ..self }
    }

    /// Sets how long a request with `Expect: 100-continue` waits for the server's answer before it sends its body
    /// nevertheless. The default is one second. The end of this time is not an error.
    #[doc(alias = "expect100")]
    pub const fn expect(self, limit: Duration) -> Self {
        Timeout { expect: Some(limit), ..self }
    }

    /// Sets the lowest speed of a body, of the request as of the response: while the client waits for the server, at
    /// least `bytes` have to move in each `per`. A slower body fails with [`Bound::Rate`](crate::Bound::Rate). No lower
    /// limit by default, and none with 0 bytes.
    ///
    /// Only waits for the server count, and not the time that the caller takes between two reads or to produce the next
    /// piece of the request's body. The wait for the head of the response does not count; [`head`](Self::head) bounds
    /// it. The time begins anew as soon as enough bytes have moved, so that a fast start does not make up for a stall.
    ///
    /// Bytes of the request's body count when the system accepts them. A system takes up to some megabytes before the
    /// server has read them, and then nothing for a while if the server reads slowly. So give uploads a `per` of at
    /// least half a minute. Over `https` each progress of an upload counts as enough.
    ///
    /// ```
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// // As curl's --speed-limit 1000 --speed-time 30.
    /// let timeout = Timeout::new().connect(Duration::from_secs(10)).min_rate(1000, Duration::from_secs(30));
    /// assert_eq!(timeout.to_string(), "Timeout(connect=10s, min_rate=1000B/30s)");
    /// let session = Session::builder().timeout(timeout).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "low_speed_limit")]
    #[doc(alias = "low_speed_time")]
    pub const fn min_rate(self, bytes: u64, per: Duration) -> Self {
        Timeout { rate: Some(Rate { bytes, per }), ..self }
    }
}

impl fmt::Display for Timeout {
    /// Shows the bounds that are set, in the order of the phases, then `total`, and `min_rate` last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timeout { total, pool, connect, resolve, tls, write, head, read, expect, rate } = self;
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
        if let Some(Rate { bytes, per }) = rate {
            write!(f, "{separator}min_rate={bytes}B/{per:?}")?;
        }
        f.write_str(")")
    }
}

impl From<Duration> for Timeout {
    /// Returns a timeout that bounds the whole request.
    fn from(total: Duration) -> Self {
        Timeout::new().total(total)
    }
}

/// A point in time on the clock for the age of idle connections. This clock continues while the machine sleeps.
///
/// On Linux and on Apple's systems the clock of [`Instant`] stops during sleep, and a connection that its server closed
/// hours ago would look as fresh as before. Deadlines use `Instant`, because an event cannot arrive while the machine
/// sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(NonZeroU64);

impl Stamp {
    /// Reads the clock. On Linux this needs no system call.
    #[inline]
    pub(crate) fn now() -> Stamp {
        let now = clock();
        #[cfg(test)]
        let now = now + slept();
        Stamp::of(now)
    }

    /// One more than the nanoseconds, so that an optional stamp takes no further word: each connection has three.
    const fn of(nanoseconds: u64) -> Stamp {
        Stamp(NonZeroU64::MIN.saturating_add(nanoseconds))
    }

    /// Returns the time after `time`, or `None` if the clock cannot count so far.
    #[inline]
    pub(crate) fn checked_add(self, time: Duration) -> Option<Stamp> {
        let time = time.as_secs().checked_mul(NANOS)?.checked_add(time.subsec_nanos().into())?;
        self.0.checked_add(time).map(Stamp)
    }

    /// Returns the time since `earlier`, or zero if that is later.
    #[inline]
    pub(crate) fn saturating_since(self, earlier: Stamp) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) const fn at(time: Duration) -> Stamp {
        Stamp::of(time.as_nanos() as u64)
    }
}

const NANOS: u64 = 1_000_000_000;

/// Reads the clock, in nanoseconds. They count 584 years.
#[cfg(unix)]
#[inline]
fn clock() -> u64 {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia", target_os = "openbsd"))]
    const CLOCK: ClockId = ClockId::Boottime;
    // This clock counts sleep on Apple's systems. The standard library reads another one there, which does not.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia", target_os = "openbsd")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let now = clock_gettime(CLOCK);
    // Neither part is negative: the system counts from its start.
    (now.tv_sec as u64).wrapping_mul(NANOS).wrapping_add(now.tv_nsec as u64)
}

/// Reads the clock of `Instant`. On Windows it is the performance counter, which counts sleep.
#[cfg(not(unix))]
fn clock() -> u64 {
    use std::sync::LazyLock;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

#[cfg(test)]
thread_local! {
    static SLEPT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn slept() -> u64 {
    SLEPT.get()
}

/// Sets the idle clock of the calling thread forward, as if the machine had slept for this time.
#[cfg(test)]
pub(crate) fn sleep_machine(time: Duration) {
    SLEPT.set(SLEPT.get() + time.as_nanos() as u64);
}

/// The time of one step of a call. The clock is read at most once, and only if a bound asks for it: each reading costs
/// as much as a fourth of the look at an idle connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment(Option<Instant>);

impl Moment {
    #[inline]
    pub(crate) fn get(&mut self) -> Instant {
        *self.0.get_or_insert_with(Instant::now)
    }
}

/// A point in time at which a wait ends, and the bound it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    why: Why,
}

/// The bound that a deadline comes from, and its value, which the error names. They are packed into one word, because
/// every wait copies its deadline.
///
/// From the lowest bit on: 8 bits of the bound, 30 of nanoseconds, 26 of seconds. These hold two years. A longer value is
/// not known.
#[derive(Clone, Copy, Debug)]
struct Why(u64);

impl Why {
    /// The seconds of a value that is not known.
    const UNKNOWN: u64 = (1 << 26) - 1;

    #[inline]
    const fn new(bound: Bound, limit: Option<Duration>) -> Why {
        let value = match limit {
            Some(limit) if limit.as_secs() < Why::UNKNOWN => limit.as_secs() << 38 | (limit.subsec_nanos() as u64) << 8,
            _ => Why::UNKNOWN << 38,
        };
        Why(value | bound as u64)
    }

    fn bound(self) -> Bound {
        use Bound::{Close, Connect, Head, Heartbeat, Pool, Rate, Read, Receive, Resolve, Tls, Token, Total, Write};
        let all = [Pool, Connect, Resolve, Tls, Write, Head, Read, Rate, Receive, Close, Heartbeat, Token];
        all.into_iter().find(|bound| *bound as u8 == self.0 as u8).unwrap_or(Total)
    }

    fn limit(self) -> Option<Duration> {
        let (seconds, nanoseconds) = (self.0 >> 38, (self.0 >> 8) as u32 & ((1 << 30) - 1));
        (seconds != Why::UNKNOWN).then(|| Duration::new(seconds, nanoseconds))
    }
}

impl Deadline {
    pub(crate) const NEVER: Deadline = Deadline { at: None, why: Why::new(Bound::Total, None) };

    /// Returns the deadline `limit` after `now`. It never comes if there is no limit, or if the clock cannot count so
    /// far.
    pub(crate) fn after(now: Instant, limit: Option<Duration>, bound: Bound) -> Deadline {
        Deadline { at: limit.and_then(|limit| now.checked_add(limit)), why: Why::new(bound, limit) }
    }

    /// Returns the deadline at this time.
    pub(crate) fn by(at: Instant, bound: Bound) -> Deadline {
        Deadline { at: Some(at), why: Why::new(bound, None) }
    }

    /// Returns `self` or `limit` from now, whichever is earlier. Reads the clock only if there is a limit.
    #[inline]
    pub(crate) fn or_within(self, limit: Option<Duration>, bound: Bound) -> Deadline {
        self.or_within_at(&mut Moment::default(), limit, bound)
    }

    /// Does the same from this moment.
    #[inline]
    pub(crate) fn or_within_at(self, moment: &mut Moment, limit: Option<Duration>, bound: Bound) -> Deadline {
        let Some(length) = limit else { return self };
        match moment.get().checked_add(length) {
            // Asked for each wait of a call: the reason of a deadline that does not count is not made.
            Some(at) if self.at.is_none_or(|ours| at < ours) => Deadline { at: Some(at), why: Why::new(bound, limit) },
            None if self.at.is_none() => Deadline { at: None, why: Why::new(bound, limit) },
            _ => self,
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
        self.why.bound()
    }

    /// Returns the error for a deadline that has passed.
    #[cold]
    pub(crate) fn timed_out(&self, phase: Phase) -> Error {
        Error::timeout(self.why.bound(), self.why.limit(), phase)
    }

    /// Returns the time that is left, or `None` if the deadline never comes.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now))
    }

    pub(crate) fn is_past(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }
}

/// The ends of every wait of one call: its deadline, and its token if it has one.
///
/// A call passes it to every operation below it. A value that outlives the call keeps the [`Deadline`] and the
/// [`CancelToken`], and makes an `Until` for each operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until<'t> {
    deadline: Deadline,
    token: Option<&'t CancelToken>,
}

impl From<Deadline> for Until<'_> {
    fn from(deadline: Deadline) -> Self {
        Until { deadline, token: None }
    }
}

impl<'t> Until<'t> {
    /// A wait without an end of its own.
    pub(crate) const NEVER: Until<'static> = Until { deadline: Deadline::NEVER, token: None };

    /// Returns the ends of a wait with this deadline and this token. The deadline is that of the call, with the token's
    /// in it.
    pub(crate) fn new(deadline: Deadline, token: Option<&'t CancelToken>) -> Until<'t> {
        Until { deadline, token }
    }

    /// Returns the ends of a call that begins now.
    #[inline]
    pub(crate) fn begin(timeout: &Timeout, token: Option<&'t CancelToken>) -> Until<'t> {
        let deadline = timeout.deadline();
        let deadline = match token.and_then(CancelToken::deadline) {
            Some(at) => Deadline::by(at, Bound::Token).earlier(deadline),
            None => deadline,
        };
        Until { deadline, token }
    }

    /// Returns this with another token, which ends it at its deadline too.
    pub(crate) fn with_token<'u>(self, token: &'u CancelToken) -> Until<'u> {
        let deadline = token.deadline().map_or(Deadline::NEVER, |at| Deadline::by(at, Bound::Token));
        Until { deadline: deadline.earlier(self.deadline), token: Some(token) }
    }

    /// Returns the token.
    pub(crate) fn token(self) -> Option<&'t CancelToken> {
        self.token
    }

    /// Returns whether the token has fired.
    #[inline]
    pub(crate) fn is_fired(&self) -> bool {
        self.token.is_some_and(CancelToken::has_fired)
    }

    /// Returns whether the token has fired, after its check has run if that is due.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.token.is_some_and(CancelToken::is_over)
    }

    /// Fails if the token has fired or the deadline has passed: a call that never waits meets neither by itself.
    #[inline]
    pub(crate) fn check(&self, phase: Phase) -> Result<()> {
        self.check_at(&mut Moment::default(), phase)
    }

    /// Does the same at this moment.
    #[inline]
    pub(crate) fn check_at(&self, moment: &mut Moment, phase: Phase) -> Result<()> {
        match self.token {
            Some(token) if token.is_over() => Err(token.error(phase)),
            _ if self.at().is_some_and(|at| at <= moment.get()) => Err(self.deadline.timed_out(phase)),
            _ => Ok(()),
        }
    }

    /// Returns this with `limit` from this moment as its deadline, if that is earlier.
    #[inline]
    pub(crate) fn or_within_at(self, moment: &mut Moment, limit: Option<Duration>, bound: Bound) -> Until<'t> {
        self.with_deadline(self.deadline.or_within_at(moment, limit, bound))
    }

    /// Returns the error of a fired token, or `None` if it has not fired.
    #[inline]
    pub(crate) fn cancelled(&self, phase: Phase) -> Option<Error> {
        self.token.filter(|token| token.has_fired()).map(|token| token.error(phase))
    }

    /// Lets a fire of the token end a wait of this generation: see [`CancelToken::register`]. `blocked` is asked for
    /// only if there is a token.
    #[inline]
    pub(crate) fn register(&self, blocked: impl FnOnce() -> (Weak<dyn Blocked>, u64)) -> Option<Registration<'t>> {
        self.token.map(|token| {
            let (blocked, generation) = blocked();
            token.register(blocked, generation)
        })
    }

    /// Returns how long a wait may block before the caller's check is due; `None` without a check.
    #[inline]
    pub(crate) fn slice(&self) -> Option<Duration> {
        self.token.filter(|token| token.has_check()).map(|_| TICK)
    }

    /// Returns the end of the next slice of a wait: the deadline, or the time of the next check if that is earlier.
    pub(crate) fn slice_end(&self) -> Option<Instant> {
        match self.slice() {
            None => self.at(),
            Some(slice) => Instant::now().checked_add(slice).into_iter().chain(self.at()).min(),
        }
    }

    /// Runs the caller's check if there is one. It may fire the token. Must be called without a lock.
    #[inline]
    pub(crate) fn tick(&self) {
        if let Some(token) = self.token {
            token.tick();
        }
    }

    /// Returns the deadline, for values that outlive the call.
    pub(crate) fn deadline(self) -> Deadline {
        self.deadline
    }

    /// Replaces the deadline. The token stays.
    pub(crate) fn with_deadline(self, deadline: Deadline) -> Until<'t> {
        Until { deadline, ..self }
    }

    /// Returns this with `limit` from now as its deadline, if that is earlier. Reads the clock only if there is a
    /// limit.
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

    /// Returns the error for a deadline that has passed.
    #[cold]
    pub(crate) fn timed_out(&self, phase: Phase) -> Error {
        self.deadline.timed_out(phase)
    }

    /// Returns the time that is left, or `None` if there is no deadline.
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

    /// A deadline keeps its bound and the value of it, to the nanosecond.
    #[test]
    fn why_a_deadline_passes() {
        use Bound::{Close, Connect, Head, Heartbeat, Pool, Rate, Read, Receive, Resolve, Tls, Token, Total, Write};
        let long = Duration::from_secs((1 << 26) - 1);
        let limits = [Duration::ZERO, Duration::from_nanos(999_999_999), long - Duration::from_nanos(1)];
        for bound in [Total, Pool, Connect, Resolve, Tls, Write, Head, Read, Rate, Receive, Close, Heartbeat, Token] {
            for limit in limits.map(Some) {
                assert_eq!((Why::new(bound, limit).bound(), Why::new(bound, limit).limit()), (bound, limit));
            }
            assert_eq!((Why::new(bound, None).bound(), Why::new(bound, None).limit()), (bound, None));
            for limit in [long, Duration::from_secs(1 << 26), Duration::MAX] {
                assert_eq!((Why::new(bound, Some(limit)).bound(), Why::new(bound, Some(limit)).limit()), (bound, None));
            }
        }
    }

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
            (new.min_rate(1, zero), Some(Bound::Rate)),
            (new.min_rate(0, zero), None),
            (new.min_rate(1, long), None),
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
