//! Decides how often a request is sent again, after what, and how soon. The client does it.
//!
//! Nothing is sent here and no clock is read: events and the time are arguments. Chance is one, too, but for
//! [`Retry::next_wait`].

mod after;
mod backoff;
mod budget;
mod settings;
mod statuses;
#[cfg(test)]
mod tests;
#[cfg(feature = "serde")]
mod written;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::error::{Attempt, Bound, Error, ErrorKind, Phase, RetryCause, Violation};
use crate::urls::Url;

pub(crate) use after::retry_after;
pub use backoff::Jitter;
pub use budget::RetryBudget;
pub use settings::{RetryCounts, RetrySettings};
pub use statuses::IntoStatus;

/// Statuses that are tried again if a `Retry-After` says when (RFC 9110, section 10.2.3).
const RETRY_AFTER: [u16; 3] = [413, 429, 503];

/// Most tries in a history. Without a bound a server would decide how many there are.
const REMEMBERED: usize = 256;

/// Says when a request is sent again: a small immutable value.
///
/// Each setter returns a new value. The end of a try is of one kind, which depends on how far the request had come. It
/// takes one from the count of that kind and one from `total`; a count that is used up ends the call.
///
/// | kind | what happened | for which methods |
/// |---|---|---|
/// | [`connect`](Self::connect) | no byte of the request had left: lookup, connecting, a first write that fails | all |
/// | [`other`](Self::other) | a connection was there, but no request could be sent: the TLS handshake broke off | all |
/// | [`read`](Self::read) | bytes had left: no answer, a broken one, a timeout, a body that breaks off while it is [preloaded](crate::RequestBuilder::preload_content) | [allowed ones](Self::allowed_methods) |
/// | [`status`](Self::status) | a status of the [list](Self::status_forcelist), or 413, 429, 503 with `Retry-After` | allowed ones |
/// | [`redirect`](Self::redirect) | a redirect was followed; not counted by a [`Session`](crate::Session), which has `max_redirects` | all |
///
/// Nothing else is tried again, because another try would not help: mistakes of the caller, errors of the caller's
/// hooks and readers, a pool that is closed or had no connection in time, the end of `Timeout::total`, a response above
/// a limit, a certificate that is not valid, an alert that refuses this client, and a complete head that breaks HTTP. A
/// body that cannot go back to its start is not sent again ([`Body::reader`](crate::Body::reader), once a longer one
/// was begun).
///
/// The first retry comes at once; see [`backoff_factor`](Self::backoff_factor). A wait that would outlast
/// [`Timeout::total`](crate::Timeout::total) does not begin: the call ends as if no retry were left.
///
/// [`Response::retries`](crate::Response::retries) and [`Error::retries`](crate::Error::retries) show the tries. The
/// error of a call is that of its last try, and of the same kind as without retries. It says that the request [may have
/// been processed](crate::Error::maybe_processed) if this holds for any try.
///
/// The pools have `Retry::new(3)` by default; a `Session` has no retries.
///
/// With the feature `serde` it is read from configuration files, and written: see its `Deserialize`.
///
/// ```
/// use hostpool::{PoolManager, Retry};
/// use std::time::Duration;
///
/// let retry = Retry::new(5).backoff_factor(Duration::from_millis(200)).status_forcelist([502, 503, 504]);
/// let http = PoolManager::builder().retries(retry).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a retry policy does nothing until it is given to a client or a request"]
pub struct Retry {
    total: RetryCount,
    connect: RetryCount,
    read: RetryCount,
    redirect: RetryCount,
    status: RetryCount,
    other: RetryCount,
    exhausted: bool,
    methods: Methods,
    statuses: Arc<[u16]>,
    backoff: backoff::Backoff,
    respect_retry_after: bool,
    retry_after_max: Duration,
    raise_on_redirect: bool,
    raise_on_status: bool,
    sensitive: Arc<[Box<str>]>,
    budget: Option<RetryBudget>,
    /// How often a request was sent again, and how often it was redirected.
    again: u32,
    followed: u32,
    history: Vec<Attempt>,
}

/// How often something may happen before it ends a call.
///
/// ```
/// use hostpool::{Retry, RetryCount};
///
/// // Up to three times, but a redirect is returned as it is.
/// let retry = Retry::new(3).redirect(RetryCount::Off);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryCount {
    /// Without a limit. A kind of a [`Retry`] is still bounded by its total.
    #[default]
    Unlimited,
    /// At most this often; once more is an error.
    AtMost(u32),
    /// Never. A redirect or a status that could have been followed is the response.
    Off,
}

impl RetryCount {
    /// Returns the count less one, and whether anything was left.
    fn take(self) -> (RetryCount, bool) {
        match self {
            RetryCount::Unlimited => (self, true),
            RetryCount::AtMost(left @ 1..) => (RetryCount::AtMost(left - 1), true),
            RetryCount::AtMost(0) | RetryCount::Off => (self, false),
        }
    }

    fn is_left(self) -> bool {
        self.take().1
    }
}

impl From<u32> for RetryCount {
    fn from(count: u32) -> Self {
        RetryCount::AtMost(count)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Methods {
    /// The idempotent methods of RFC 9110, section 9.2.2.
    Idempotent,
    Any,
    Only(Arc<[Method]>),
}

/// The kinds of failures that a retry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Read,
    Other,
}

/// Returns whether the same request may get a response without this violation. A complete head is what the server means
/// to say, and another try gets the same one. A head that was cut, and bytes that belong to no response, may not come
/// again.
fn may_be_over(violation: Violation) -> bool {
    use Violation::{ChunkEnd, ChunkSize, IncompleteHead, StatusLine, Trailer};
    matches!(violation, StatusLine | IncompleteHead | ChunkSize | ChunkEnd | Trailer)
}

/// Returns whether a SOCKS proxy with this reply has failed to connect, in place of not wanting to: the failures of RFC
/// 1928, section 6, and of Tor's network, and the one code of SOCKS4 for both.
fn has_failed(reply: u8) -> bool {
    matches!(reply, 1 | 3..=6 | 91 | 0xF0 | 0xF2 | 0xF3 | 0xF7)
}

/// Returns which count a failure takes from; `None` for a failure that is not tried again.
fn kind_of(kind: &ErrorKind, phase: Phase, maybe_processed: bool) -> Option<Kind> {
    let may_pass = match kind {
        ErrorKind::Timeout(bound) => !matches!(bound, Bound::Total | Bound::Token),
        ErrorKind::Resolve
        | ErrorKind::Connect
        | ErrorKind::Tls
        | ErrorKind::Disconnected
        | ErrorKind::Io
        | ErrorKind::IncompleteBody { .. } => true,
        ErrorKind::ProxyRefused { status: Some(status), .. } => status.as_u16() >= 500,
        ErrorKind::ProxyRefused { status: None, socks_reply } => socks_reply.is_some_and(has_failed),
        ErrorKind::Protocol(violation) => may_be_over(*violation),
        _ => false,
    };
    match phase {
        _ if !may_pass => None,
        Phase::Prepare | Phase::Pool | Phase::Redirect | Phase::Backoff | Phase::Upgraded => None,
        Phase::Proxy if matches!(kind, ErrorKind::ProxyRefused { .. } | ErrorKind::Tls) => Some(Kind::Other),
        Phase::Resolve | Phase::Connect | Phase::Proxy => Some(Kind::Connect),
        Phase::Tls => Some(Kind::Other),
        Phase::Send | Phase::Head | Phase::Body if !maybe_processed => Some(Kind::Connect),
        Phase::Send | Phase::Head | Phase::Body => Some(Kind::Read),
    }
}

impl Retry {
    /// Allows at most `total` tries beyond the first, of all kinds together. With [`RetryCount::Unlimited`] only the
    /// counts of the kinds bound them.
    ///
    /// ```
    /// use hostpool::{Retry, RetryCount};
    ///
    /// assert_eq!(Retry::new(3), Retry::default());
    /// let only_connecting = Retry::new(RetryCount::Unlimited).connect(5).read(0).redirect(0).status(0).other(0);
    /// ```
    #[doc(alias = "total")]
    pub fn new(total: impl Into<RetryCount>) -> Retry {
        Retry {
            total: total.into(),
            connect: RetryCount::Unlimited,
            read: RetryCount::Unlimited,
            redirect: RetryCount::Unlimited,
            status: RetryCount::Unlimited,
            other: RetryCount::Unlimited,
            exhausted: false,
            methods: Methods::Idempotent,
            statuses: Arc::new([]),
            backoff: backoff::Backoff::default(),
            respect_retry_after: true,
            retry_after_max: Duration::from_secs(120),
            raise_on_redirect: true,
            raise_on_status: true,
            sensitive: Arc::new([]),
            budget: None,
            again: 0,
            followed: 0,
            history: Vec::new(),
        }
    }

    /// Turns retries off: the first failure is the error, and a redirect is the response. urllib3 spells this
    /// `retries=False`.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::{PoolManager, Retry};
    ///
    /// assert_eq!(PoolManager::new().get(&url).retries(Retry::off()).send()?.status(), 302);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn off() -> Retry {
        Retry::new(RetryCount::Off)
    }

    /// Sets how often connecting is tried again. By default only `total` bounds it.
    ///
    /// ```
    /// use hostpool::{Retry, RetryCount};
    ///
    /// // Five tries to connect, but no second try of a request that may have arrived.
    /// let retry = Retry::new(5).read(0).status(0);
    /// assert_eq!((retry.left().total, retry.left().read), (RetryCount::AtMost(5), RetryCount::AtMost(0)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connect(self, count: impl Into<RetryCount>) -> Retry {
        Retry { connect: count.into(), ..self }
    }

    /// Sets how often a request is tried again after some of its bytes had left. By default only `total` bounds it.
    pub fn read(self, count: impl Into<RetryCount>) -> Retry {
        Retry { read: count.into(), ..self }
    }

    /// Sets how many redirects a pool follows. By default only `total` bounds them, and 50 in any case. One more is
    /// [`ErrorKind::TooManyRedirects`], unless the count is off or [`raise_on_redirect`](Self::raise_on_redirect) is
    /// false. A [`Session`](crate::Session) does not count redirects, but returns them if the count is off.
    pub fn redirect(self, count: impl Into<RetryCount>) -> Retry {
        Retry { redirect: count.into(), ..self }
    }

    /// Sets how often a request is tried again for the status of its response. By default only `total` bounds it.
    pub fn status(self, count: impl Into<RetryCount>) -> Retry {
        Retry { status: count.into(), ..self }
    }

    /// Sets how often a failed TLS handshake is tried again. By default only `total` bounds it.
    pub fn other(self, count: impl Into<RetryCount>) -> Retry {
        Retry { other: count.into(), ..self }
    }

    /// Sets the methods that are tried again after bytes of the request had left. The default are the idempotent ones:
    /// `GET`, `HEAD`, `OPTIONS`, `TRACE`, `PUT` and `DELETE`. Methods are compared without case. A request with an
    /// `Idempotency-Key` is tried again whatever its method.
    ///
    /// ```
    /// use hostpool::{Method, Retry};
    ///
    /// let retry = Retry::new(3).allowed_methods([Method::GET, Method::POST]);
    /// assert!(retry.is_retry(&Method::POST, 503, true));
    /// ```
    #[doc(alias = "method_whitelist")]
    pub fn allowed_methods(self, methods: impl IntoIterator<Item = Method>) -> Retry {
        Retry { methods: Methods::Only(methods.into_iter().collect()), ..self }
    }

    /// Allows all methods to be tried again. A `POST` may then be processed twice.
    ///
    /// ```
    /// use hostpool::{Method, Retry};
    ///
    /// assert!(Retry::new(3).any_method().allows(&Method::POST));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn any_method(self) -> Retry {
        Retry { methods: Methods::Any, ..self }
    }

    /// Sets the statuses that are tried again if the method is [allowed](Self::allowed_methods). There are none by
    /// default. A number that is not a status, below 100 or above 999, is left out.
    ///
    /// ```
    /// use hostpool::{Retry, StatusCode};
    ///
    /// let by_number = Retry::new(3).status_forcelist([502, 503]);
    /// let by_name = Retry::new(3).status_forcelist([StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE]);
    /// assert_eq!(by_number, by_name);
    /// let each_server_error = Retry::new(3).status_forcelist(500..=599);
    /// assert_eq!(by_number.status_forcelist([7_u16, 1000]), Retry::new(3));
    /// ```
    pub fn status_forcelist(self, statuses: impl IntoIterator<Item: IntoStatus>) -> Retry {
        let numbers = statuses.into_iter().map(|status| statuses::Status::number(&status));
        Retry { statuses: numbers.filter(|number| StatusCode::from_u16(*number).is_ok()).collect(), ..self }
    }

    /// Sets the factor of the waits between tries. The first retry comes at once, the second after twice the factor,
    /// the third after four times, and so on up to [`backoff_max`](Self::backoff_max). A redirect starts over. The
    /// default is zero: no wait.
    ///
    /// Closing the client ends the wait.
    ///
    /// ```
    /// use hostpool::Retry;
    /// use std::time::Duration;
    ///
    /// // No wait before the first retry, then 400 ms, 800 ms, and one second from then on.
    /// let retry = Retry::new(9).backoff_factor(Duration::from_millis(200)).backoff_max(Duration::from_secs(1));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "backoff")]
    pub fn backoff_factor(self, factor: Duration) -> Retry {
        Retry { backoff: backoff::Backoff { factor, ..self.backoff }, ..self }
    }

    /// Sets the longest wait between tries. The default is two minutes.
    pub fn backoff_max(self, max: Duration) -> Retry {
        Retry { backoff: backoff::Backoff { max, ..self.backoff }, ..self }
    }

    /// Adds a random time up to `most` to each wait, so that clients which failed together do not return together. The
    /// same as `jitter(Jitter::Added(..))`.
    pub fn backoff_jitter(self, most: Duration) -> Retry {
        self.jitter(Jitter::Added(most))
    }

    /// Sets how chance changes the waits. By default it does not.
    ///
    /// ```
    /// use hostpool::{Jitter, Retry};
    /// use std::time::Duration;
    ///
    /// // Each wait has up to half a second more than the back-off says.
    /// let retry = Retry::new(3).backoff_factor(Duration::from_secs(1)).jitter(Jitter::Added(Duration::from_millis(500)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn jitter(self, jitter: Jitter) -> Retry {
        Retry { backoff: backoff::Backoff { jitter, ..self.backoff }, ..self }
    }

    /// Sets whether a `Retry-After`, in seconds or as a date, decides how long the call waits, and makes 413, 429 and
    /// 503 worth trying again. On by default. A malformed one is ignored.
    pub fn respect_retry_after_header(self, respect: bool) -> Retry {
        Retry { respect_retry_after: respect, ..self }
    }

    /// Sets the longest wait that a `Retry-After` can ask for. The default is two minutes, and a longer wait is cut to
    /// it.
    ///
    /// ```
    /// use hostpool::Retry;
    /// use std::time::Duration;
    ///
    /// // A server that says "come back in an hour" is asked again after ten seconds.
    /// let retry = Retry::new(3).retry_after_max(Duration::from_secs(10));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn retry_after_max(self, max: Duration) -> Retry {
        Retry { retry_after_max: max, ..self }
    }

    /// Sets whether a redirect beyond the count is an error, as by default, or the response.
    pub fn raise_on_redirect(self, raise: bool) -> Retry {
        Retry { raise_on_redirect: raise, ..self }
    }

    /// Sets whether a status of the [list](Self::status_forcelist) is an error once its count is used up
    /// ([`ErrorKind::Status`], with the response's head), as by default, or the response.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::{Retry, Session};
    ///
    /// let retry = Retry::new(2).status_forcelist([503]).raise_on_status(false);
    /// let response = Session::new().get(&url).retries(retry).send()?;
    /// assert_eq!((response.status().as_u16(), response.retries().unwrap().history().len()), (503, 2));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn raise_on_status(self, raise: bool) -> Retry {
        Retry { raise_on_status: raise, ..self }
    }

    /// Sets headers that are removed on a redirect to another origin, besides those that always are: `Authorization`,
    /// `Cookie`, `Proxy-Authorization` and others (see [`allow_redirects`](crate::RequestBuilder::allow_redirects)).
    ///
    /// ```
    /// use hostpool::Retry;
    ///
    /// let retry = Retry::new(3).remove_headers_on_redirect(["X-Api-Key"]);
    /// ```
    pub fn remove_headers_on_redirect<N: Into<Box<str>>>(self, names: impl IntoIterator<Item = N>) -> Retry {
        Retry { sensitive: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets a limit on retries that all requests with this budget share. Clones of a budget are the same budget, and it
    /// is taken by value, by reference or in an [`Arc`] alike.
    ///
    /// ```
    /// use hostpool::{Retry, RetryBudget};
    /// use std::sync::Arc;
    ///
    /// let budget = RetryBudget::new(10);
    /// let retry = Retry::new(3).budget(&budget);
    /// assert_eq!(retry, Retry::new(3).budget(budget.clone()));
    /// assert_eq!(retry, Retry::new(3).budget(Arc::new(budget)));
    /// ```
    pub fn budget(self, budget: impl Into<RetryBudget>) -> Retry {
        Retry { budget: Some(budget.into()), ..self }
    }

    /// Returns what ended the tries so far, the oldest first. Only the last 256 are kept.
    pub fn history(&self) -> &[Attempt] {
        &self.history
    }

    /// Returns how many tries are left in all.
    pub fn total(&self) -> RetryCount {
        self.total
    }

    /// Returns whether a count was used that had nothing left.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Returns whether a response with this status is tried again, judging by the method and the status, which is a
    /// number or a [`StatusCode`].
    ///
    /// ```
    /// use hostpool::{Method, Retry};
    ///
    /// let retry = Retry::new(3);
    /// assert!(retry.is_retry(&Method::GET, 503, true));
    /// assert!(!retry.is_retry(&Method::GET, 503, false)); // it does not say when
    /// assert!(!retry.is_retry(&Method::POST, 503, true));
    /// ```
    pub fn is_retry(&self, method: &Method, status: impl IntoStatus, has_retry_after: bool) -> bool {
        let status = StatusCode::from_u16(statuses::Status::number(&status));
        self.allows(method) && status.is_ok_and(|status| self.is_retry_status(status, has_retry_after))
    }

    /// Does what [`is_retry`](Self::is_retry) does without checking the method.
    pub(crate) fn is_retry_status(&self, status: StatusCode, has_retry_after: bool) -> bool {
        let named = self.status_is_listed(status);
        let asked = has_retry_after && self.respect_retry_after && RETRY_AFTER.contains(&status.as_u16());
        let off = [self.total, self.status].contains(&RetryCount::Off);
        // Once the counts are used up, a response that asks to wait is the final one.
        !off && (named || asked && self.total.is_left() && self.status.is_left())
    }

    fn status_is_listed(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status.as_u16())
    }

    /// Returns whether any status is listed. It may be one below 400.
    pub(crate) fn lists_statuses(&self) -> bool {
        !self.statuses.is_empty()
    }

    /// Returns whether a request with this method may be sent again after bytes of it had left: see
    /// [`allowed_methods`](Self::allowed_methods).
    ///
    /// ```
    /// use hostpool::{Method, Retry};
    ///
    /// assert!(Retry::new(3).allows(&Method::PUT));
    /// assert!(!Retry::new(3).allows(&Method::POST));
    /// assert!(Retry::new(3).any_method().allows(&Method::POST));
    /// ```
    pub fn allows(&self, method: &Method) -> bool {
        match &self.methods {
            Methods::Any => true,
            Methods::Idempotent => is_idempotent(method),
            Methods::Only(methods) => {
                methods.iter().any(|allowed| allowed.as_str().eq_ignore_ascii_case(method.as_str()))
            }
        }
    }

    /// Returns the policy that is left after this event, with the event in its history.
    ///
    /// An error that is never tried again ([`Retry`] lists them) exhausts the policy. Methods are not checked: see
    /// [`is_retry`](Self::is_retry).
    ///
    /// ```
    /// use hostpool::{Method, Retry, RetryCause, RetryCount, StatusCode, Url};
    ///
    /// let url = Url::parse("http://example.com/")?;
    /// let retry = Retry::new(1).increment(&Method::GET, &url, RetryCause::Status(StatusCode::BAD_GATEWAY));
    /// assert_eq!(retry.total(), RetryCount::AtMost(0));
    /// assert_eq!(retry.history().len(), 1);
    /// assert!(!retry.is_exhausted());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn increment(&self, method: &Method, url: &Url, cause: RetryCause) -> Retry {
        let mut next = self.clone();
        let count = match &cause {
            RetryCause::Status(_) => Some(&mut next.status),
            RetryCause::Redirect { .. } => Some(&mut next.redirect),
            RetryCause::Error { kind, phase, maybe_processed } => match kind_of(kind, *phase, *maybe_processed) {
                Some(Kind::Connect) => Some(&mut next.connect),
                Some(Kind::Read) => Some(&mut next.read),
                Some(Kind::Other) => Some(&mut next.other),
                None => None,
            },
        };
        let of_kind = count.is_some_and(take);
        let of_all = take(&mut next.total);
        next.exhausted |= !(of_kind && of_all);
        let made = if matches!(cause, RetryCause::Redirect { .. }) { &mut next.followed } else { &mut next.again };
        *made = made.saturating_add(1);
        let (method, url, waited) = (method.clone(), url.clone().without_fragment(), Duration::ZERO);
        if next.history.len() >= REMEMBERED {
            next.history.remove(0);
        }
        next.history.push(Attempt { method, url, cause, waited });
        next
    }

    /// Returns how long to wait before the next try, by the history and a random number.
    pub(crate) fn backoff(&self, chance: u64) -> Duration {
        self.backoff.wait(&self.history, chance)
    }

    /// Returns how long a `Retry-After` makes the call wait, within the settings.
    pub(crate) fn clamp(&self, retry_after: Option<Duration>) -> Option<Duration> {
        retry_after.filter(|_| self.respect_retry_after).map(|wait| wait.min(self.retry_after_max))
    }

    /// Returns the same policy without what redirects have taken since `before`.
    pub(crate) fn without_redirects(&self, before: Option<&Retry>) -> Retry {
        let Some(before) = before else { return self.clone() };
        let followed = self.followed.saturating_sub(before.followed);
        let total = match self.total {
            RetryCount::AtMost(left) => RetryCount::AtMost(left.saturating_add(followed)),
            total => total,
        };
        Retry { total, redirect: before.redirect, ..self.clone() }
    }

    /// Notes how long the call waits after the last try.
    pub(crate) fn waiting(mut self, wait: Duration) -> Retry {
        if let Some(last) = self.history.last_mut() {
            last.waited = wait;
        }
        self
    }

    /// Returns how often a request was sent again, without redirects.
    pub(crate) fn again(&self) -> u32 {
        self.again
    }

    /// Returns whether redirects are returned as responses.
    pub(crate) fn returns_redirects(&self) -> bool {
        [self.total, self.redirect].contains(&RetryCount::Off)
    }

    /// Returns whether the counts allow one more redirect.
    pub(crate) fn may_redirect(&self) -> bool {
        self.total.is_left() && self.redirect.is_left()
    }

    /// Returns whether a response with this status is an error when it is not tried again.
    pub(crate) fn raises_status(&self, status: StatusCode) -> bool {
        self.raise_on_status && self.status_is_listed(status)
    }

    pub(crate) fn raises_redirects(&self) -> bool {
        self.raise_on_redirect
    }

    pub(crate) fn shared_budget(&self) -> Option<&RetryBudget> {
        self.budget.as_ref()
    }

    pub(crate) fn sensitive(&self) -> &Arc<[Box<str>]> {
        &self.sensitive
    }
}

fn take(count: &mut RetryCount) -> bool {
    let (rest, there) = count.take();
    *count = rest;
    there
}

/// Returns whether a method may be sent twice (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

/// Returns whether trying again after this failure depends on the method: `Some(true)` if only an allowed method is
/// tried again, `Some(false)` if any is. `None` means that the failure is never tried again: a certificate that is not
/// valid does not change within milliseconds, and what the caller has ended is over.
pub(crate) fn depends_on_method(error: &Error) -> Option<bool> {
    let kind =
        kind_of(error.kind(), error.phase(), error.maybe_processed()).filter(|_| !error.lasts() && !error.ends_call());
    kind.map(|kind| kind == Kind::Read)
}

impl Default for Retry {
    /// Allows three tries beyond the first, without a wait.
    fn default() -> Self {
        Retry::new(3)
    }
}

impl From<u32> for Retry {
    /// Allows this many tries beyond the first, as [`Retry::new`].
    fn from(total: u32) -> Self {
        Retry::new(total)
    }
}

impl From<RetryCount> for Retry {
    fn from(total: RetryCount) -> Self {
        Retry::new(total)
    }
}

impl fmt::Debug for Retry {
    /// Shows the counts, and how often something was tried.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Retry { total, connect, read, redirect, status, other, .. } = self;
        f.debug_struct("Retry")
            .field("total", total)
            .field("connect", connect)
            .field("read", read)
            .field("redirect", redirect)
            .field("status", status)
            .field("other", other)
            .field("tried", &self.history.len())
            .finish_non_exhaustive()
    }
}
