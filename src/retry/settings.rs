//! The settings and the state of a `Retry`, for callers that read them.

use std::time::Duration;

use http::Method;

use super::{Jitter, Methods, Retry, RetryBudget, RetryCount};
use crate::random;

/// How many tries are left, in all and of each kind: see [`Retry::left`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RetryCounts {
    /// Tries of all kinds together.
    pub total: RetryCount,
    /// Tries after a failure before a byte of the request had left.
    pub connect: RetryCount,
    /// Tries after a failure when bytes of the request had left.
    pub read: RetryCount,
    /// Redirects.
    pub redirect: RetryCount,
    /// Tries after the status of a response.
    pub status: RetryCount,
    /// Tries after a failed TLS handshake.
    pub other: RetryCount,
}

/// The settings of a [`Retry`] that are not counts, each under the name of its setter: see [`Retry::settings`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RetrySettings<'a> {
    /// The methods that were [named](Retry::allowed_methods). Without any, [`Retry::allows`] tells which are allowed.
    pub allowed_methods: Option<&'a [Method]>,
    /// The statuses that are tried again.
    pub status_forcelist: &'a [u16],
    /// The factor of the waits.
    pub backoff_factor: Duration,
    /// The longest wait between tries.
    pub backoff_max: Duration,
    /// How chance changes the waits.
    pub jitter: Jitter,
    /// Whether a `Retry-After` decides about the wait.
    pub respect_retry_after_header: bool,
    /// The longest wait that a `Retry-After` can ask for.
    pub retry_after_max: Duration,
    /// Whether a redirect beyond the count is an error.
    pub raise_on_redirect: bool,
    /// Whether a status of the list is an error once its count is used up.
    pub raise_on_status: bool,
    /// The headers that are removed on a redirect to another origin, besides those that always are.
    pub remove_headers_on_redirect: &'a [Box<str>],
    /// The limit on retries that requests share.
    pub budget: Option<&'a RetryBudget>,
}

impl Retry {
    /// Returns how many tries are left, in all and of each kind. Before the first try these are the settings.
    ///
    /// ```
    /// use hostpool::{Retry, RetryCount};
    ///
    /// let left = Retry::new(5).connect(2).redirect(RetryCount::Off).left();
    /// assert_eq!((left.total, left.connect), (RetryCount::AtMost(5), RetryCount::AtMost(2)));
    /// assert_eq!((left.redirect, left.read), (RetryCount::Off, RetryCount::Unlimited));
    /// ```
    pub fn left(&self) -> RetryCounts {
        let Retry { total, connect, read, redirect, status, other, .. } = *self;
        RetryCounts { total, connect, read, redirect, status, other }
    }

    /// Returns how long a call would wait before its next try, by the [history](Self::history) and the back-off. With
    /// [jitter](Self::jitter) it is a new random time at each call. A `Retry-After` of the server replaces it.
    ///
    /// ```
    /// use hostpool::{Method, Retry, RetryCause, StatusCode, Url};
    /// use std::time::Duration;
    ///
    /// let url = Url::parse("http://example.com/")?;
    /// let mut retry = Retry::new(9).backoff_factor(Duration::from_millis(100));
    /// let mut waits = Vec::new();
    /// for _ in 0..4 {
    ///     retry = retry.increment(&Method::GET, &url, RetryCause::Status(StatusCode::BAD_GATEWAY));
    ///     waits.push(retry.next_wait().as_millis());
    /// }
    /// assert_eq!(waits, [0, 200, 400, 800]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "get_backoff_time")]
    pub fn next_wait(&self) -> Duration {
        let mut chance = [0; 8];
        // Without randomness all clients wait equally long, but the retry still happens.
        let _ = random::fill(&mut chance);
        self.backoff(u64::from_ne_bytes(chance))
    }

    /// Returns the settings that are not counts.
    ///
    /// ```
    /// use hostpool::{Jitter, Method, Retry};
    /// use std::time::Duration;
    ///
    /// let retry = Retry::new(1).status_forcelist([502]).allowed_methods([Method::GET]);
    /// let settings = retry.settings();
    /// assert_eq!((settings.backoff_factor, settings.backoff_max), (Duration::ZERO, Duration::from_secs(120)));
    /// assert_eq!(settings.jitter, Jitter::None);
    /// assert_eq!((settings.status_forcelist, settings.allowed_methods), (&[502][..], Some(&[Method::GET][..])));
    /// assert!(settings.respect_retry_after_header && settings.raise_on_status && settings.budget.is_none());
    /// ```
    pub fn settings(&self) -> RetrySettings<'_> {
        RetrySettings {
            allowed_methods: match &self.methods {
                Methods::Only(methods) => Some(methods),
                Methods::Idempotent | Methods::Any => None,
            },
            status_forcelist: &self.statuses,
            backoff_factor: self.backoff.factor,
            backoff_max: self.backoff.max,
            jitter: self.backoff.jitter,
            respect_retry_after_header: self.respect_retry_after,
            retry_after_max: self.retry_after_max,
            raise_on_redirect: self.raise_on_redirect,
            raise_on_status: self.raise_on_status,
            remove_headers_on_redirect: &self.sensitive,
            budget: self.budget.as_ref(),
        }
    }
}
