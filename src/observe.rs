//! What happens inside, told to a [`Listener`] and to the log.
//!
//! Events are told outside the pool's lock, on the thread that they happen on. Whatever a listener or what writes the log
//! does, the pool's books stay right: its panics end here, and its own requests are neither told of nor kept waiting for
//! a connection.
//!
//! The log is that of the crate `log` (feature `log`) or `tracing` (feature `tracing`). No header, no user name or
//! password, and no query of a URL is ever written to it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};

use crate::close_reason::CloseReason;
use crate::contain::contain;
use crate::error::{Error, ErrorKind, RetryCause};
use crate::time::Stamp;
use crate::url::{Origin, Url};

/// Is told what a client does, as it happens: which connections are opened, used, given back and closed, who waits,
/// and what becomes of requests.
///
/// Every method has a default that does nothing. They are called on the thread that the event happens on, mostly that
/// of the caller whom it belongs to, who goes on when the listener is done; one of them may be called on several
/// threads at once. Between threads there is no order: of a connection that goes from hand to hand the next user may be
/// told of first.
///
/// A listener may use the client that it listens to, or another. What it does is told to no listener, nor is what
/// becomes of the connections that it opens; of those that it closes it is told when it is done. Its requests do not
/// wait in line: at a limit they fail at once with [`ErrorKind::PoolTimeout`], as its own thread may hold the connection
/// they would wait for. A panic ends the listener's call and nothing else. All of this holds for what writes the log,
/// too. A listener that owns the client it listens to keeps it alive: a [`Weak`](std::sync::Weak) does not.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::observe::{Acquired, Dialed};
/// use hostpool::{Listener, PoolManager};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Counts {
///     opened: AtomicU64,
///     reused: AtomicU64,
/// }
///
/// impl Listener for Counts {
///     fn dialed(&self, event: &Dialed<'_>) {
///         self.opened.fetch_add(u64::from(event.error.is_none()), Ordering::Relaxed);
///     }
///     fn acquired(&self, event: &Acquired<'_>) {
///         self.reused.fetch_add(u64::from(event.reused), Ordering::Relaxed);
///     }
/// }
///
/// let counts = Arc::new(Counts::default());
/// let http = PoolManager::builder().listener(counts.clone()).build()?;
/// for _ in 0..3 {
///     http.get(&url).send()?.text()?;
/// }
/// assert_eq!(counts.opened.load(Ordering::Relaxed), 1);
/// assert_eq!(counts.reused.load(Ordering::Relaxed), 2);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "TraceConfig")]
pub trait Listener: Send + Sync {
    /// A call begins to wait for a connection, at a limit.
    #[doc(alias = "on_connection_queued_start")]
    fn waiting(&self, event: &Waiting<'_>) {
        let _ = event;
    }

    /// It has waited.
    #[doc(alias = "on_connection_queued_end")]
    fn waited(&self, event: &Waited<'_>) {
        let _ = event;
    }

    /// A call is about to wait, without bound, for a connection, while its own thread has one of those it waits for: by
    /// a response whose body is not read. Unless another thread gives one back, or ends that response, it waits for
    /// ever.
    fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
        let _ = event;
    }

    /// A connection is about to be opened.
    #[doc(alias = "on_connection_create_start")]
    fn dialing(&self, event: &Dialing<'_>) {
        let _ = event;
    }

    /// It is open, or could not be opened.
    #[doc(alias = "on_connection_create_end")]
    fn dialed(&self, event: &Dialed<'_>) {
        let _ = event;
    }

    /// A call has got a connection.
    #[doc(alias = "on_connection_reuseconn")]
    fn acquired(&self, event: &Acquired<'_>) {
        let _ = event;
    }

    /// A connection goes back to its pool, whole. Where the pool does not keep it, it is closed next.
    fn released(&self, event: &Released<'_>) {
        let _ = event;
    }

    /// A connection was closed.
    fn closed(&self, event: &Closed<'_>) {
        let _ = event;
    }

    /// A server has answered: the head of a response is there.
    #[doc(alias = "on_request_end")]
    fn answered(&self, event: &Answered<'_>) {
        let _ = event;
    }

    /// A request is about to be sent again, after a pause.
    fn retrying(&self, event: &Retrying<'_>) {
        let _ = event;
    }

    /// A redirect is about to be followed.
    #[doc(alias = "on_request_redirect")]
    fn redirecting(&self, event: &Redirecting<'_>) {
        let _ = event;
    }
}

/// A listener that is shared with the program.
impl<L: Listener + ?Sized> Listener for Arc<L> {
    fn waiting(&self, event: &Waiting<'_>) {
        (**self).waiting(event);
    }

    fn waited(&self, event: &Waited<'_>) {
        (**self).waited(event);
    }

    fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
        (**self).waits_for_itself(event);
    }

    fn dialing(&self, event: &Dialing<'_>) {
        (**self).dialing(event);
    }

    fn dialed(&self, event: &Dialed<'_>) {
        (**self).dialed(event);
    }

    fn acquired(&self, event: &Acquired<'_>) {
        (**self).acquired(event);
    }

    fn released(&self, event: &Released<'_>) {
        (**self).released(event);
    }

    fn closed(&self, event: &Closed<'_>) {
        (**self).closed(event);
    }

    fn answered(&self, event: &Answered<'_>) {
        (**self).answered(event);
    }

    fn retrying(&self, event: &Retrying<'_>) {
        (**self).retrying(event);
    }

    fn redirecting(&self, event: &Redirecting<'_>) {
        (**self).redirecting(event);
    }
}

/// A call begins to wait for a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting<'a> {
    /// Whom the connection is for.
    pub origin: &'a Origin,
}

/// A call has waited for a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waited<'a> {
    /// Whom the connection is for.
    pub origin: &'a Origin,
    /// How long.
    pub waited: Duration,
    /// Whether it got a connection, or the right to open one. It did not if its time ran out or the pool was closed.
    pub granted: bool,
}

/// A call is about to wait for what its own thread has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitsForItself<'a> {
    /// Whom the connection is for.
    pub origin: &'a Origin,
    /// The number of a connection that the thread has, or is opening.
    pub held: u64,
    /// Whether the thread has all of them. A response counts for the thread that sent its request, also where another
    /// thread reads it.
    pub certain: bool,
}

/// A connection is about to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialing<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection, from 1 and unique in the process.
    pub id: u64,
}

/// A connection was opened, or could not be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialed<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// How long that took: the lookup of the name, connecting, and the TLS handshake.
    pub took: Duration,
    /// Why there is no connection.
    pub error: Option<&'a ErrorKind>,
}

/// A call has got a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acquired<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// Whether it was used before.
    pub reused: bool,
    /// How long it had been idle; zero for a new one.
    pub idle_for: Duration,
}

/// A connection goes back to its pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Released<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
}

/// A connection was closed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// Why.
    pub reason: CloseReason,
    /// How long it was open.
    pub age: Duration,
    /// How many calls it was used by.
    pub requests: u64,
}

/// The head of a response is there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answered<'a> {
    /// The number of the connection.
    pub id: u64,
    /// The request's method.
    pub method: &'a Method,
    /// The request's URL.
    pub url: &'a Url,
    /// The response's status.
    pub status: StatusCode,
}

/// A request is about to be sent again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retrying<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The request's method.
    pub method: &'a Method,
    /// Which time that is: 1 for the first retry.
    pub attempt: u32,
    /// How long the call sleeps first.
    pub wait: Duration,
    /// What became of the attempt before.
    pub cause: &'a RetryCause,
}

/// A redirect is about to be followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redirecting<'a> {
    /// The URL that was asked for.
    pub from: &'a Url,
    /// Where the server sends the client.
    pub to: &'a Url,
    /// The status of the redirect.
    pub status: StatusCode,
}

/// Writes a line to the log, whichever there is.
macro_rules! note {
    ($level:ident, $($text:tt)+) => {{
        // Where nobody logs anything, that is all it costs.
        #[cfg(feature = "log")]
        if ::log::max_level() != ::log::LevelFilter::Off {
            write(|| ::log::$level!($($text)+));
        }
        #[cfg(feature = "tracing")]
        write(|| ::tracing::$level!($($text)+));
        #[cfg(not(any(feature = "log", feature = "tracing")))]
        let _ = ::std::format_args!($($text)+);
    }};
}

/// Whose code it is that is told of something.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Nobody,
    Listener,
    #[cfg_attr(not(any(feature = "log", feature = "tracing")), expect(dead_code, reason = "nothing is written"))]
    Log,
}

thread_local! {
    /// Who runs on this thread.
    static TOLD: Cell<Told> = const { Cell::new(Told::Nobody) };

    /// Of connections that were closed meanwhile it is told when that is done.
    static LATER: RefCell<VecDeque<Ended>> = const { RefCell::new(VecDeque::new()) };
}

/// Whether the caller is told of something just now, and must not be kept waiting.
pub(crate) fn is_telling() -> bool {
    TOLD.get() != Told::Nobody
}

/// Runs the caller's code. Nothing of ours is half done while it does.
fn tell(whom: Told, event: impl FnOnce()) {
    let outer = TOLD.replace(whom);
    contain(event);
    if outer == Told::Nobody {
        // One after the other, also those that are closed meanwhile.
        TOLD.set(Told::Listener);
        while let Ok(Some(ended)) = LATER.try_with(|later| later.borrow_mut().pop_front()) {
            contain(|| ended.tell_now());
        }
    }
    TOLD.set(outer);
}

/// What writes the log may send requests of its own, which would be written of without end.
#[cfg(any(feature = "log", feature = "tracing"))]
fn write(line: impl FnOnce()) {
    if TOLD.get() != Told::Log {
        tell(Told::Log, line);
    }
}

/// Whom to tell: nobody, or a listener. The log is written in either case.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<dyn Listener>>);

impl Observer {
    pub(crate) fn new(listener: impl Listener + 'static) -> Observer {
        Observer(Some(Arc::new(listener)))
    }

    #[inline]
    pub(crate) fn is_listening(&self) -> bool {
        self.0.is_some()
    }

    fn tell(&self, event: impl FnOnce(&dyn Listener)) {
        if let Some(listener) = &self.0
            && !is_telling()
        {
            tell(Told::Listener, || event(&**listener));
        }
    }

    pub(crate) fn waiting(&self, origin: &Origin) {
        self.tell(|listener| listener.waiting(&Waiting { origin }));
    }

    pub(crate) fn waited(&self, origin: &Origin, waited: Duration, granted: bool) {
        self.tell(|listener| listener.waited(&Waited { origin, waited, granted }));
    }

    pub(crate) fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
        let WaitsForItself { origin, held, certain } = event;
        let which = if *certain { "all" } else { "some" };
        note!(warn, "a call waits for a connection to {origin}; its thread has {which}, as connection {held}");
        self.tell(|listener| listener.waits_for_itself(event));
    }

    /// A dial begins; what it gives is to end it.
    pub(crate) fn dialing<'a>(&'a self, origin: &'a Arc<Origin>) -> Dial<'a> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        // Of what is not told in the beginning nothing is told later.
        let told = (self.is_listening() && !is_telling()).then_some(self);
        self.tell(|listener| listener.dialing(&Dialing { origin, id }));
        Dial { told, origin, id, began: Instant::now(), has_ended: false }
    }

    pub(crate) fn answered(&self, event: &Answered<'_>) {
        let Answered { id, method, url, status } = event;
        note!(debug, "{method} {}{} {} (connection {id})", url.origin(), url.path(), status.as_u16());
        self.tell(|listener| listener.answered(event));
    }

    pub(crate) fn retrying(&self, event: &Retrying<'_>) {
        let Retrying { origin, method, attempt, wait, cause } = event;
        note!(info, "{method} to {origin} is tried again in {wait:?}, try {attempt}: {cause}");
        self.tell(|listener| listener.retrying(event));
    }

    pub(crate) fn redirecting(&self, event: &Redirecting<'_>) {
        let Redirecting { from, to, status } = event;
        let (status, [from, to]) = (status.as_u16(), [from, to].map(|url| Shown(url)));
        note!(debug, "{from} redirects to {to} ({status})");
        self.tell(|listener| listener.redirecting(event));
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_listening() { "Observer(a listener)" } else { "Observer(nobody)" })
    }
}

/// Logs that the peer closed the connection while the body of a request was leaving, after it had answered.
#[cold]
pub(crate) fn cut_short(method: &Method, url: &Url, status: StatusCode) {
    let (url, status) = (Shown(url), status.as_u16());
    note!(warn, "{method} {url}: the peer answered {status} and closed before the whole body was sent");
}

/// Idle connections are looked after by their next users, as they are without a reaper.
pub(crate) fn no_reaper(error: &io::Error) {
    note!(warn, "no thread for the reaper of idle connections: {error}");
}

/// The body of a response was taken although the end of its coding is missing.
pub(crate) fn unfinished_coding(url: &Url) {
    note!(warn, "the coded body of {} ends without the end of its coding", Shown(url));
}

/// Cookies of these names are left out of a request, whose Cookie field would be longer than the jar allows.
///
/// Servers choose the names: 180 of 4096 bytes would make a line of a megabyte for each request.
pub(crate) fn left_out_cookies(url: &Url, names: &[Vec<u8>]) {
    const MOST: usize = 16;
    const LONGEST: usize = 64;
    let shown = names.iter().take(MOST).map(|name| name.get(..LONGEST).unwrap_or(name).escape_ascii().to_string());
    let mut shown = shown.collect::<Vec<_>>().join(", ");
    if let more @ 1.. = names.len().saturating_sub(MOST) {
        shown.push_str(&format!(" and {more} more"));
    }
    note!(warn, "cookies left out of a request to {}, which are too many: {shown}", Shown(url));
}

/// A word of a netrc file is passed over. It is not shown: it may be a part of a password.
pub(crate) fn unknown_netrc_word(line: usize) {
    note!(warn, "line {line} of a netrc file has a word that is not known; a value with spaces needs quotes");
}

/// Lines of a response were left out. Their values are not told: they may be secret.
#[cold]
pub(crate) fn lines_dropped(url: &Url, lines: usize, names: &[Box<str>]) {
    note!(warn, "lines of the response from {} that are no headers were left out: {}", Shown(url), Lines(lines, names));
}

/// How many lines, and the names of the first ones.
struct Lines<'a>(usize, &'a [Box<str>]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lines(lines, names) = self;
        for (at, name) in names.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            match name.is_empty() {
                true => write!(f, "{comma}one without a name")?,
                false => write!(f, "{comma}{name}")?,
            }
        }
        match lines - names.len().min(*lines) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A URL without user name, password, query and fragment.
struct Shown<'a>(&'a Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin(), self.0.path())
    }
}

/// A connection that is being opened. Dropped before that has ended, it was the dialer's panic that ended it.
pub(crate) struct Dial<'a> {
    told: Option<&'a Observer>,
    origin: &'a Arc<Origin>,
    id: u64,
    began: Instant,
    has_ended: bool,
}

impl Dial<'_> {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn failed(mut self, error: &Error) {
        self.end(Some(error.kind()));
    }

    /// What is to be dropped with the connection, once that is closed.
    pub(crate) fn opened(mut self) -> Record {
        self.end(None);
        let (observer, origin) = (self.told.cloned().unwrap_or_default(), Arc::clone(self.origin));
        Record { observer, origin, id: self.id, opened: Instant::now(), requests: 0, reason: CloseReason::Failed }
    }

    fn end(&mut self, error: Option<&ErrorKind>) {
        self.has_ended = true;
        let (Dial { told, origin, id, .. }, took) = (&*self, self.began.elapsed());
        match error {
            None => note!(debug, "connection {id} to {origin} opened in {took:?}"),
            Some(kind) => note!(debug, "no connection to {origin} after {took:?}: {kind:?}"),
        }
        if let Some(observer) = told {
            observer.tell(|listener| listener.dialed(&Dialed { origin, id: *id, took, error }));
        }
    }
}

impl Drop for Dial<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(Some(&ErrorKind::Custom));
        }
    }
}

/// The life of one connection. Its end is told when this is dropped.
pub(crate) struct Record {
    observer: Observer,
    origin: Arc<Origin>,
    id: u64,
    opened: Instant,
    requests: u64,
    /// Why it is closed, once it is.
    reason: CloseReason,
}

impl Record {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(crate) fn begin_use(&mut self, since: Option<Stamp>) {
        self.requests += 1;
        if self.observer.is_listening() {
            self.acquired(since);
        }
    }

    #[cold]
    fn acquired(&self, since: Option<Stamp>) {
        let Record { origin, id, .. } = self;
        let idle_for = since.map_or(Duration::ZERO, |since| Stamp::now().saturating_since(since));
        let event = Acquired { origin, id: *id, reused: since.is_some(), idle_for };
        self.observer.tell(|listener| listener.acquired(&event));
    }

    #[inline]
    pub(crate) fn end_use(&self) {
        if self.observer.is_listening() {
            self.released();
        }
    }

    #[cold]
    fn released(&self) {
        self.observer.tell(|listener| listener.released(&Released { origin: &self.origin, id: self.id }));
    }

    pub(crate) fn ends(&mut self, reason: CloseReason) {
        self.reason = reason;
    }

    #[cold]
    fn closed(&mut self) {
        let (observer, origin) = (mem::take(&mut self.observer), Arc::clone(&self.origin));
        let Record { id, reason, requests, .. } = *self;
        let ended = Ended { observer, origin, id, reason, requests, age: self.opened.elapsed() };
        if is_telling() {
            // The thread may be at its end.
            let _ = LATER.try_with(|later| later.borrow_mut().push_back(ended));
        } else {
            tell(Told::Listener, || ended.tell_now());
        }
    }

    /// It is one too many, as `count` were before it, itself included.
    pub(crate) fn is_surplus(&self, count: u64) {
        let Record { origin, id, .. } = self;
        if count.is_power_of_two() {
            note!(
                warn,
                "connection pool of {origin} is full: {count} connections were closed that could have been used again"
            );
        }
        note!(debug, "connection pool of {origin} is full: connection {id} is closed");
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Record { origin, id, reason, requests, .. } = &*self;
        match reason {
            CloseReason::PeerClosed | CloseReason::UnexpectedBytes => {
                note!(debug, "connection {id} to {origin} was dead after {requests} requests: {reason:?}");
            }
            _ => note!(trace, "connection {id} to {origin} closed after {requests} requests: {reason:?}"),
        }
        if self.observer.is_listening() {
            self.closed();
        }
    }
}

/// What is told of a connection that was closed.
struct Ended {
    observer: Observer,
    origin: Arc<Origin>,
    id: u64,
    reason: CloseReason,
    age: Duration,
    requests: u64,
}

impl Ended {
    fn tell_now(self) {
        let Ended { observer, origin, id, reason, age, requests } = &self;
        let (id, reason, age, requests) = (*id, *reason, *age, *requests);
        if let Some(listener) = &observer.0 {
            listener.closed(&Closed { origin, id, reason, age, requests });
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} to {}", self.id, self.origin)
    }
}
