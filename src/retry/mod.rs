//! How often a request is sent again, after what, and how soon: decided here, done by the client.
//!
//! Nothing is sent and no clock is read: what happened, the time and chance come in as arguments.

mod after;
mod backoff;
mod budget;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::error::{Attempt, Bound, Error, ErrorKind, Phase, RetryCause, Violation};
use crate::url::Url;

pub(crate) use after::retry_after;
pub use backoff::Jitter;
pub use budget::RetryBudget;

/// Statuses that are tried again where a `Retry-After` says when (RFC 9110, section 10.2.3).
const RETRY_AFTER: [u16; 3] = [413, 429, 503];

/// How many tries a history has at most. Without a bound on them a server decides how many there are.
const REMEMBERED: usize = 256;

/// When a request is sent again: a small immutable value.
///
/// Each setter gives a new value. What ends a try belongs to one kind, by how far the request had come, and takes one
/// from that kind's count and one from `total`; a count that is used up ends the call.
///
/// | kind | what happened | for which methods |
/// |---|---|---|
/// | [`connect`](Self::connect) | no byte of the request had left: lookup, connecting, a first write that fails | all |
/// | [`other`](Self::other) | a connection was there, but no request could be sent: the TLS handshake broke off | all |
/// | [`read`](Self::read) | bytes had left: no answer, a broken one, a timeout, a body that breaks off while it is [preloaded](crate::RequestBuilder::preload_content) | [allowed ones](Self::allowed_methods) |
/// | [`status`](Self::status) | a status of the [list](Self::status_forcelist), or 413, 429, 503 with `Retry-After` | allowed ones |
/// | [`redirect`](Self::redirect) | a redirect was followed; not counted by a [`Session`](crate::Session), which has `max_redirects` | all |
///
/// Nothing else is tried again: not what the caller got wrong, what a hook or reader of the caller's said, a pool that
/// is closed or had no connection in time, the end of `Timeout::total`, an answer above a limit, a certificate that is
/// not valid or an alert that refuses this client, or a complete head that breaks HTTP: asking again mends none of
/// these. A body that cannot go back to its start ([`Body::reader`](crate::Body::reader), once a longer one was begun)
/// is not sent again.
///
/// The first retry comes at once; see [`backoff_factor`](Self::backoff_factor). A wait that would outlast
/// [`Timeout::total`](crate::Timeout::total) is not begun: then the call ends as if no retry were left.
///
/// What was tried shows in [`Response::retries`](crate::Response::retries) and
/// [`Error::retries`](crate::Error::retries). The error of a call is that of its last try, of the same kind as without
/// retries, and says that the request [may have been processed](crate::Error::maybe_processed) if any try may have
/// been.
///
/// The pools have `Retry::new(3)` unless they are given another; a `Session` has none.
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
pub enum RetryCount {
    /// As often as it happens; of the kinds of a [`Retry`], as often as its total allows.
    #[default]
    Unlimited,
    /// So often; once more is an error.
    AtMost(u32),
    /// Not at all, and what could have been followed is the answer: a redirect, or a response with its status.
    Off,
}

impl RetryCount {
    /// One less, and whether there was one.
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
    /// RFC 9110, section 9.2.2.
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

/// Whether the same request may get a response without this violation. A head that is complete is what the server has to
/// say: asking again gives the same one. What was cut, and bytes that belong to no response, may be over.
fn may_be_over(violation: Violation) -> bool {
    use Violation::{ChunkEnd, ChunkSize, IncompleteHead, StatusLine, Trailer};
    matches!(violation, StatusLine | IncompleteHead | ChunkSize | ChunkEnd | Trailer)
}

/// Which count a failure takes from; `None` for what is not tried again.
fn kind_of(kind: &ErrorKind, phase: Phase, maybe_processed: bool) -> Option<Kind> {
    let may_pass = match kind {
        ErrorKind::Timeout(bound) => *bound != Bound::Total,
        ErrorKind::Resolve
        | ErrorKind::Connect
        | ErrorKind::Tls
        | ErrorKind::Disconnected
        | ErrorKind::Io
        | ErrorKind::IncompleteBody { .. } => true,
        ErrorKind::Protocol(violation) => may_be_over(*violation),
        _ => false,
    };
    match phase {
        _ if !may_pass => None,
        Phase::Prepare | Phase::Pool | Phase::Redirect => None,
        Phase::Resolve | Phase::Connect => Some(Kind::Connect),
        Phase::Tls => Some(Kind::Other),
        Phase::Send | Phase::Head | Phase::Body if !maybe_processed => Some(Kind::Connect),
        Phase::Send | Phase::Head | Phase::Body => Some(Kind::Read),
    }
}

impl Retry {
    /// At most so many tries beyond the first, whatever they are for; with [`RetryCount::Unlimited`] the kinds'
    /// own counts bound them.
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

    /// No retries: the first failure is the error, and a redirect is the answer. What urllib3 spells `retries=False`.
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

    /// How often connecting is tried again. Bounded by `total` alone by default.
    pub fn connect(self, count: impl Into<RetryCount>) -> Retry {
        Retry { connect: count.into(), ..self }
    }

    /// How often a request is tried again of which bytes had left. Bounded by `total` alone by default.
    pub fn read(self, count: impl Into<RetryCount>) -> Retry {
        Retry { read: count.into(), ..self }
    }

    /// How many redirects are followed, by pools. Bounded by `total` alone by default. One more is
    /// [`ErrorKind::TooManyRedirects`], unless it is off or [`raise_on_redirect`](Self::raise_on_redirect) says
    /// otherwise; 50 are followed at most. A [`Session`](crate::Session) does not count them, but returns them where
    /// this is off.
    pub fn redirect(self, count: impl Into<RetryCount>) -> Retry {
        Retry { redirect: count.into(), ..self }
    }

    /// How often a request is tried again for its answer's status. Bounded by `total` alone by default.
    pub fn status(self, count: impl Into<RetryCount>) -> Retry {
        Retry { status: count.into(), ..self }
    }

    /// How often a failed TLS handshake is tried again. Bounded by `total` alone by default.
    pub fn other(self, count: impl Into<RetryCount>) -> Retry {
        Retry { other: count.into(), ..self }
    }

    /// The methods that are tried again after bytes of the request had left, in place of the idempotent ones: `GET`,
    /// `HEAD`, `OPTIONS`, `TRACE`, `PUT` and `DELETE`. Compared without case. A request with an `Idempotency-Key` is
    /// tried again whatever its method.
    ///
    /// ```
    /// use hostpool::{Method, Retry};
    ///
    /// let retry = Retry::new(3).allowed_methods([Method::GET, Method::POST]);
    /// assert!(retry.is_retry(&Method::POST, 503.try_into()?, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "method_whitelist")]
    pub fn allowed_methods(self, methods: impl IntoIterator<Item = Method>) -> Retry {
        Retry { methods: Methods::Only(methods.into_iter().collect()), ..self }
    }

    /// Tries all methods again: a `POST` may be processed twice.
    pub fn any_method(self) -> Retry {
        Retry { methods: Methods::Any, ..self }
    }

    /// Statuses that are tried again, if the method is [allowed](Self::allowed_methods). None by default.
    pub fn status_forcelist(self, statuses: impl IntoIterator<Item = u16>) -> Retry {
        Retry { statuses: statuses.into_iter().collect(), ..self }
    }

    /// How long is waited between tries, to begin with: the first retry comes at once, the second after twice this, the
    /// third after four times, and so on up to [`backoff_max`](Self::backoff_max). A redirect begins anew. Zero by
    /// default: no wait.
    ///
    /// Closing the client ends the wait.
    #[doc(alias = "backoff")]
    pub fn backoff_factor(self, factor: Duration) -> Retry {
        Retry { backoff: backoff::Backoff { factor, ..self.backoff }, ..self }
    }

    /// The longest wait between tries, two minutes by default.
    pub fn backoff_max(self, max: Duration) -> Retry {
        Retry { backoff: backoff::Backoff { max, ..self.backoff }, ..self }
    }

    /// Adds up to that much by chance to each wait, so that clients which failed together do not come back together.
    /// The same as `jitter(Jitter::Added(..))`.
    pub fn backoff_jitter(self, most: Duration) -> Retry {
        self.jitter(Jitter::Added(most))
    }

    /// How chance changes the waits. Not at all by default.
    pub fn jitter(self, jitter: Jitter) -> Retry {
        Retry { backoff: backoff::Backoff { jitter, ..self.backoff }, ..self }
    }

    /// Whether a `Retry-After`, in seconds or as a date, says how long is waited, and makes 413, 429 and 503 worth
    /// trying again. On by default. One that is neither is ignored.
    pub fn respect_retry_after_header(self, respect: bool) -> Retry {
        Retry { respect_retry_after: respect, ..self }
    }

    /// The longest wait that a `Retry-After` can ask for, two minutes by default: more is cut down to it.
    pub fn retry_after_max(self, max: Duration) -> Retry {
        Retry { retry_after_max: max, ..self }
    }

    /// Whether a redirect beyond the count is an error, as it is by default, or the answer.
    pub fn raise_on_redirect(self, raise: bool) -> Retry {
        Retry { raise_on_redirect: raise, ..self }
    }

    /// Whether a status of the [list](Self::status_forcelist) that came once too often is an error
    /// ([`ErrorKind::Status`], with the response's head), as it is by default, or the answer.
    pub fn raise_on_status(self, raise: bool) -> Retry {
        Retry { raise_on_status: raise, ..self }
    }

    /// Headers that do not follow a redirect to another origin, besides those that never do: `Authorization`, `Cookie`,
    /// `Proxy-Authorization` and others (see [`allow_redirects`](crate::RequestBuilder::allow_redirects)).
    ///
    /// ```
    /// use hostpool::Retry;
    ///
    /// let retry = Retry::new(3).remove_headers_on_redirect(["X-Api-Key"]);
    /// ```
    pub fn remove_headers_on_redirect<N: Into<Box<str>>>(self, names: impl IntoIterator<Item = N>) -> Retry {
        Retry { sensitive: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// A bound on retries that all requests with this budget share.
    pub fn budget(self, budget: &RetryBudget) -> Retry {
        Retry { budget: Some(budget.clone()), ..self }
    }

    /// What ended the tries so far, the oldest first; of more than 256 the last.
    pub fn history(&self) -> &[Attempt] {
        &self.history
    }

    /// How many tries are left in all.
    pub fn total(&self) -> RetryCount {
        self.total
    }

    /// Whether a count was used that had nothing left.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Whether a response with this status is tried again, as far as the method and the status say.
    ///
    /// ```
    /// use hostpool::{Method, Retry};
    ///
    /// let retry = Retry::new(3);
    /// assert!(retry.is_retry(&Method::GET, 503.try_into()?, true));
    /// assert!(!retry.is_retry(&Method::GET, 503.try_into()?, false)); // it does not say when
    /// assert!(!retry.is_retry(&Method::POST, 503.try_into()?, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_retry(&self, method: &Method, status: StatusCode, has_retry_after: bool) -> bool {
        self.allows(method) && self.is_retry_status(status, has_retry_after)
    }

    /// The same without a look at the method.
    pub(crate) fn is_retry_status(&self, status: StatusCode, has_retry_after: bool) -> bool {
        let named = self.status_is_listed(status);
        let asked = has_retry_after && self.respect_retry_after && RETRY_AFTER.contains(&status.as_u16());
        let off = [self.total, self.status].contains(&RetryCount::Off);
        // Once nothing is left a server that asks for patience has given the answer.
        !off && (named || asked && self.total.is_left() && self.status.is_left())
    }

    fn status_is_listed(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status.as_u16())
    }

    /// Whether there are statuses below 400 to look for.
    pub(crate) fn lists_statuses(&self) -> bool {
        !self.statuses.is_empty()
    }

    /// Whether the method may be sent again after bytes of it had left.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        match &self.methods {
            Methods::Any => true,
            Methods::Idempotent => is_idempotent(method),
            Methods::Only(methods) => {
                methods.iter().any(|allowed| allowed.as_str().eq_ignore_ascii_case(method.as_str()))
            }
        }
    }

    /// The policy that is left after this, with it in the history.
    ///
    /// An error that nothing is tried again for ([`Retry`] says which) exhausts it. Methods are not looked at: see
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

    /// How long to wait before the next try, by the history and this piece of chance.
    pub(crate) fn backoff(&self, chance: u64) -> Duration {
        self.backoff.wait(&self.history, chance)
    }

    /// The header's word on how long to wait, as far as it counts.
    pub(crate) fn clamp(&self, retry_after: Option<Duration>) -> Option<Duration> {
        retry_after.filter(|_| self.respect_retry_after).map(|wait| wait.min(self.retry_after_max))
    }

    /// The same without what redirects have taken since `before`.
    pub(crate) fn without_redirects(&self, before: Option<&Retry>) -> Retry {
        let Some(before) = before else { return self.clone() };
        let followed = self.followed.saturating_sub(before.followed);
        let total = match self.total {
            RetryCount::AtMost(left) => RetryCount::AtMost(left.saturating_add(followed)),
            total => total,
        };
        Retry { total, redirect: before.redirect, ..self.clone() }
    }

    /// Notes how long the last try is followed by a wait.
    pub(crate) fn waiting(mut self, wait: Duration) -> Retry {
        if let Some(last) = self.history.last_mut() {
            last.waited = wait;
        }
        self
    }

    /// How often a request was sent again, redirects aside.
    pub(crate) fn again(&self) -> u32 {
        self.again
    }

    /// Redirects are the answer.
    pub(crate) fn returns_redirects(&self) -> bool {
        [self.total, self.redirect].contains(&RetryCount::Off)
    }

    /// Whether one more redirect is within the counts.
    pub(crate) fn may_redirect(&self) -> bool {
        self.total.is_left() && self.redirect.is_left()
    }

    pub(crate) fn raises_redirects(&self) -> bool {
        self.raise_on_redirect
    }

    /// Whether a response with this status, which is not tried again, is an error.
    pub(crate) fn raises_status(&self, status: StatusCode) -> bool {
        self.raise_on_status && self.status_is_listed(status)
    }

    pub(crate) fn sensitive(&self) -> &Arc<[Box<str>]> {
        &self.sensitive
    }

    pub(crate) fn shared_budget(&self) -> Option<&RetryBudget> {
        self.budget.as_ref()
    }
}

fn take(count: &mut RetryCount) -> bool {
    let (rest, there) = count.take();
    *count = rest;
    there
}

/// Methods that may be sent twice (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

/// Returns whether trying again after this failure depends on the method: `Some(true)` if only an allowed method is
/// tried again, `Some(false)` if any is. `None` means that the failure is never tried again: a certificate that is not
/// valid does not change within milliseconds.
pub(crate) fn depends_on_method(error: &Error) -> Option<bool> {
    let kind = kind_of(error.kind(), error.phase(), error.maybe_processed()).filter(|_| !error.lasts());
    kind.map(|kind| kind == Kind::Read)
}

impl Default for Retry {
    /// Three tries beyond the first, without a wait.
    fn default() -> Self {
        Retry::new(3)
    }
}

impl From<u32> for Retry {
    /// So many tries beyond the first, as [`Retry::new`].
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
    /// The counts, and how often something was tried.
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
