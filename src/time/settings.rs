//! The bounds of a `Timeout`, for callers that read them.

use std::time::Duration;

use super::{Rate, Timeout};

/// The bounds of a [`Timeout`], each under the name of its setter: see [`Timeout::settings`]. `None` means that the
/// bound is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TimeoutSettings {
    /// The bound on the whole request.
    pub total: Option<Duration>,
    /// The bound on the wait for a connection of the pool.
    pub pool: Option<Duration>,
    /// The bound on opening a connection.
    pub connect: Option<Duration>,
    /// The bound on the name lookup.
    pub resolve: Option<Duration>,
    /// The bound on the TLS handshake.
    pub tls: Option<Duration>,
    /// The bound on each write.
    pub write: Option<Duration>,
    /// The bound on the wait for the head of the response.
    pub head: Option<Duration>,
    /// The bound on the gap between bytes that arrive.
    pub read: Option<Duration>,
    /// How long a request with `Expect: 100-continue` waits before it sends its body.
    pub expect: Option<Duration>,
    /// The lowest speed of a body: the bytes that have to move, and in which time.
    pub min_rate: Option<(u64, Duration)>,
}

impl Timeout {
    /// Returns the bounds, to read them.
    ///
    /// ```
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// let request = Session::new().get("http://example.com/").timeout(Timeout::new().min_rate(1000, second)).build()?;
    /// let settings = request.timeout().unwrap().settings();
    /// assert_eq!((settings.min_rate, settings.total), (Some((1000, second)), None));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn settings(&self) -> TimeoutSettings {
        let Timeout { total, pool, connect, resolve, tls, write, head, read, expect, rate } = *self;
        let min_rate = rate.map(|Rate { bytes, per }| (bytes, per));
        TimeoutSettings { total, pool, connect, resolve, tls, write, head, read, expect, min_rate }
    }
}
