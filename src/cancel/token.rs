//! The token.

use std::fmt;
use std::io;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::list::{Blocked, Fired, List, Place, Registration};
use super::{Check, Ended, Running};
use crate::error::{Error, ErrorKind, Phase};
use crate::process::Home;
use crate::signal::Signal;
use crate::sync::Mutex;

/// Ends calls from any thread: those that were given this token, and no others.
///
/// A request is given a token by [`cancel_with`](crate::RequestBuilder::cancel_with). [`cancel`](Self::cancel) then
/// ends its call wherever it waits: for the pool, a name lookup, a connection, TLS, the server, or between two tries.
/// The reads of its [`Response`](crate::Response) are ended too. The call fails with
/// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), and [`Error::phase`](crate::Error::phase) says where it was.
///
/// Clones are the same token. One token may serve any number of calls, at once and one after another: give one to each
/// call of a group to end them together. A [child](Self::child) fires when its parent does, and may be fired alone.
/// A token can have a deadline. It then ends its calls with
/// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) and [`Bound::Token`](crate::Bound::Token).
///
/// - A token fires once and stays fired: a call that begins later fails at once.
/// - If the response is complete in the moment of the fire, the call succeeds, and its next wait fails.
/// - The connection of a cancelled call is closed. The fire never reaches a connection that serves another call.
/// - Nothing waits for the caller's own code: a body's reader, a middleware or a hook is not interrupted. Its call ends
///   when it returns.
/// - A name is looked up on a thread of the crate, because nothing interrupts the system's resolver. The call returns
///   at once; the lookup goes on unseen.
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let url = format!("http://{}/", listener.local_addr()?);
/// use hostpool::{CancelToken, ErrorKind, Session};
/// use std::thread;
///
/// let (session, token) = (Session::new(), CancelToken::new());
/// // A server that never answers:
/// let request = session.get(&url).cancel_with(&token);
/// let call = thread::spawn(move || request.send());
/// token.cancel();
/// let error = call.join().unwrap().unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::Cancelled);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "CancellationToken")]
#[doc(alias = "AbortController")]
#[doc(alias = "AbortSignal")]
#[derive(Clone)]
#[must_use = "a token ends nothing until it is given to a request"]
pub struct CancelToken(Arc<Shared>);

struct Shared {
    fired: AtomicBool,
    deadline: Option<Instant>,
    list: Mutex<List>,
    /// The tokens whose fire fires this one, and its places in their lists.
    parents: Mutex<Vec<(CancelToken, Place)>>,
    /// The caller's function that ends the one call of this token.
    check: Option<Running>,
    ended: Mutex<Option<Ended>>,
    /// The descriptor that the fire makes readable, once a wait has asked for it.
    signal: OnceLock<Arc<Fire>>,
}

// A panic elsewhere leaves a token as it is: fired or not.
impl UnwindSafe for CancelToken {}
impl RefUnwindSafe for CancelToken {}

impl CancelToken {
    /// Returns a token that has not fired.
    pub fn new() -> CancelToken {
        CancelToken::of(None, None)
    }

    /// Returns a token whose calls end at this time, at the latest.
    ///
    /// The error is [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) with
    /// [`Bound::Token`](crate::Bound::Token), so it can be told from a [`cancel`](Self::cancel) and from the bounds of
    /// the request's [`Timeout`](crate::Timeout). If several end a call in the same moment, the order is: `cancel`,
    /// then the earliest deadline, then the token's deadline before that of the request.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// use hostpool::{Bound, CancelToken, ErrorKind};
    /// use std::time::{Duration, Instant};
    ///
    /// let token = CancelToken::with_deadline(Instant::now() + Duration::from_millis(20));
    /// // A server that never answers:
    /// let error = hostpool::get(&url).cancel_with(&token).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Token));
    /// assert!(token.is_cancelled());
    /// ```
    pub fn with_deadline(at: Instant) -> CancelToken {
        CancelToken::of(Some(at), None)
    }

    /// Returns a token whose calls end after this time, counted from now: see [`with_deadline`](Self::with_deadline).
    /// A time that the clock cannot hold is no bound.
    ///
    /// ```
    /// use hostpool::CancelToken;
    /// use std::time::Duration;
    ///
    /// let token = CancelToken::with_timeout(Duration::from_secs(30));
    /// assert!(token.deadline().is_some() && !token.is_cancelled());
    /// ```
    pub fn with_timeout(limit: Duration) -> CancelToken {
        CancelToken::of(Instant::now().checked_add(limit), None)
    }

    /// Returns a token that fires when this one does. It has the same deadline. Firing it does not fire this one.
    ///
    /// ```
    /// use hostpool::CancelToken;
    ///
    /// let all = CancelToken::new();
    /// let (one, other) = (all.child(), all.child());
    /// one.cancel();
    /// assert!(one.is_cancelled() && !other.is_cancelled() && !all.is_cancelled());
    /// all.cancel();
    /// assert!(other.is_cancelled());
    /// ```
    #[doc(alias = "child_token")]
    #[doc(alias = "WithCancel")]
    pub fn child(&self) -> CancelToken {
        CancelToken::any_of([self])
    }

    /// Returns a [child](Self::child) whose calls end after this time, counted from now, or at the deadline of this
    /// token if that is earlier.
    ///
    /// ```
    /// use hostpool::CancelToken;
    /// use std::time::Duration;
    ///
    /// let all = CancelToken::with_timeout(Duration::from_secs(60));
    /// let page = all.child_with_timeout(Duration::from_secs(5));
    /// assert!(page.deadline() < all.deadline());
    /// ```
    #[doc(alias = "WithTimeout")]
    pub fn child_with_timeout(&self, limit: Duration) -> CancelToken {
        CancelToken::linked([self], Instant::now().checked_add(limit), None)
    }

    /// Returns a token that fires when any of these does. Its deadline is the earliest of theirs.
    ///
    /// ```
    /// use hostpool::CancelToken;
    ///
    /// let (shutdown, user) = (CancelToken::new(), CancelToken::new());
    /// let both = CancelToken::any_of([&shutdown, &user]);
    /// user.cancel();
    /// assert!(both.is_cancelled() && !shutdown.is_cancelled());
    /// ```
    #[doc(alias = "any")]
    #[doc(alias = "linked")]
    pub fn any_of<'a>(tokens: impl IntoIterator<Item = &'a CancelToken>) -> CancelToken {
        CancelToken::linked(tokens, None, None)
    }

    /// Fires the token: ends all calls that have it and wait now, and makes later waits of its calls fail. It waits for
    /// none of them. Later fires do nothing.
    ///
    /// Functions of [`on_cancel`](Self::on_cancel) run on this thread before it returns.
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        self.0.cancel(0);
    }

    /// Returns whether the token has fired or its deadline has passed.
    #[doc(alias = "aborted")]
    pub fn is_cancelled(&self) -> bool {
        self.has_fired() || self.0.deadline.is_some_and(|at| at <= Instant::now())
    }

    /// Returns the time at which the calls of the token end, or `None` if it has no deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Runs a function when the token fires, on the thread that fires it. If it has fired already, the function runs
    /// at once, on this thread. Dropping the returned value takes the function back.
    ///
    /// It is for waits of the caller's own that have to end with the call, such as those of a
    /// [`Dialer`](crate::Dialer). Keep it short: it delays the end of the token's calls. A panic of it is ignored. No
    /// thread watches a deadline, so it runs nothing.
    ///
    /// ```
    /// use hostpool::CancelToken;
    /// use std::sync::mpsc::channel;
    ///
    /// let token = CancelToken::new();
    /// let (wake, woken) = channel();
    /// let registered = token.on_cancel(move || drop(wake.send(())));
    /// token.cancel();
    /// woken.recv()?;
    /// # drop(registered);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_cancel(&self, run: impl FnOnce() + Send + 'static) -> OnCancel {
        let blocked = Run::new(run);
        let weak: Weak<dyn Blocked> = Arc::<Run>::downgrade(&blocked);
        let place = self.add(weak, 0);
        if self.has_fired() {
            blocked.run();
        }
        OnCancel { place: Some((self.clone(), place)), _run: blocked }
    }

    fn of(deadline: Option<Instant>, check: Option<Check>) -> CancelToken {
        CancelToken(Arc::new(Shared {
            fired: AtomicBool::new(false),
            deadline,
            list: Mutex::default(),
            parents: Mutex::default(),
            check: check.map(Running::new),
            ended: Mutex::default(),
            signal: OnceLock::new(),
        }))
    }

    /// Returns a token that fires with each of these, and ends at the earliest deadline.
    fn linked<'a>(
        tokens: impl IntoIterator<Item = &'a CancelToken>,
        deadline: Option<Instant>,
        check: Option<Check>,
    ) -> CancelToken {
        let parents: Vec<&CancelToken> = tokens.into_iter().collect();
        let deadline = parents.iter().filter_map(|parent| parent.deadline()).chain(deadline).min();
        let child = CancelToken::of(deadline, check);
        let blocked: Weak<dyn Blocked> = Arc::<Shared>::downgrade(&child.0);
        let places = parents.into_iter().map(|parent| (parent.clone(), parent.add(blocked.clone(), 0))).collect();
        let has_fired = |(parent, _): &(CancelToken, Place)| parent.has_fired();
        let places: Vec<_> = places;
        if places.iter().any(has_fired) {
            child.cancel();
        }
        *child.0.parents.lock() = places;
        child
    }

    /// Returns the token of one call that has a check. It fires with the request's own.
    pub(crate) fn of_call(own: Option<&CancelToken>, check: &Check) -> CancelToken {
        CancelToken::linked(own, None, Some(check.clone()))
    }

    /// Returns whether the token has fired. Its deadline does not count: a wait knows it as one of its own.
    #[inline]
    pub(crate) fn has_fired(&self) -> bool {
        self.0.fired.load(Ordering::Acquire)
    }

    /// Returns whether the token has fired, after its check has run if that is due. Must be called without a lock.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        if self.has_check() {
            self.tick_if_due();
        }
        self.has_fired()
    }

    /// Returns whether both are the same token.
    pub(crate) fn is(&self, other: &CancelToken) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns whether nothing else holds the token, it has not fired, and nobody has asked for its signal: a new one
    /// would be no different.
    ///
    /// The connections that it was used on may still be in its list.
    pub(crate) fn is_sole(&mut self) -> bool {
        let is_held = Arc::strong_count(&self.0) > 1;
        // All that the last other holder did is seen from here on.
        fence(Ordering::Acquire);
        !is_held && !self.has_fired() && self.0.signal.get().is_none()
    }

    /// Returns whether a wait has to run the check at each tick.
    #[inline]
    pub(crate) fn has_check(&self) -> bool {
        self.0.check.is_some()
    }

    /// Runs the check, and fires the token if the check ends the call. Must be called without a lock.
    ///
    /// Wakes nobody: the token is that of one call, whose own thread this is, and which asks the token next. A transport
    /// of the caller's may hold a lock here that its `abort` takes.
    pub(crate) fn tick(&self) {
        if let Some(check) = &self.0.check
            && !self.has_fired()
            && let Some(ended) = check.run()
        {
            // A reader and a writer may both get an answer. The first one counts. The other is dropped without the lock.
            let mut first = self.0.ended.lock();
            let other = if first.is_none() { first.replace(ended) } else { Some(ended) };
            drop(first);
            self.0.fired.store(true, Ordering::SeqCst);
            drop(other);
        }
    }

    /// Does the same if the last run was a tick ago: a call that never waits is not waited for either.
    pub(crate) fn tick_if_due(&self) {
        if self.0.check.as_ref().is_some_and(Running::is_due) {
            self.tick();
        }
    }

    /// Returns the error of a call that the fired token ends in this phase.
    #[cold]
    pub(crate) fn error(&self, phase: Phase) -> Error {
        let ended = self.0.ended.lock().take();
        match ended {
            Some(ended) => ended.into_error(phase),
            None => Error::new(ErrorKind::Cancelled, phase),
        }
    }

    /// Lets a fire end this wait, until the registration is dropped. The caller has to ask after this call whether the
    /// token has fired, before it blocks.
    pub(crate) fn register(&self, blocked: Weak<dyn Blocked>, generation: u64) -> Registration<'_> {
        Registration { token: self, place: self.add(blocked, generation) }
    }

    /// Does the same until the returned value is dropped, which holds nobody alive. `home` is the process in which
    /// `blocked` was made.
    pub(crate) fn keep(&self, blocked: Weak<dyn Blocked>, generation: u64, home: Home) -> Kept {
        Kept { token: Arc::downgrade(&self.0), place: self.add(blocked, generation), home }
    }

    /// Returns the descriptor that is readable once the token has fired. It is opened when it is asked for first, and
    /// closed with the token. The caller has to ask after this call whether the token has fired, before it blocks.
    ///
    /// # Errors
    ///
    /// The error of the system if it has no descriptor left.
    pub(crate) fn signal(&self) -> io::Result<&Signal> {
        if let Some(signal) = self.0.signal.get() {
            return Ok(&signal.0);
        }
        let signal = Arc::new(Fire(Signal::new()?));
        // It is in the list before another thread can poll it, or a fire between the two would wake nobody.
        let blocked: Weak<dyn Blocked> = Arc::<Fire>::downgrade(&signal);
        self.add(blocked, 0);
        // Of several threads that come here at once, one keeps its own.
        Ok(&self.0.signal.get_or_init(|| signal).0)
    }

    fn add(&self, blocked: Weak<dyn Blocked>, generation: u64) -> Place {
        self.0.list.lock().add(blocked, generation)
    }

    pub(super) fn remove(&self, place: Place) {
        self.0.list.lock().remove(place);
    }

    /// Keeps everybody from joining and leaving the list.
    #[cfg(test)]
    pub(super) fn hold(&self) -> crate::sync::MutexGuard<'_, List> {
        self.0.list.lock()
    }

    /// Returns the number of waits that are registered, and the room for them.
    #[cfg(test)]
    pub(crate) fn registered(&self) -> (usize, usize) {
        let list = self.0.list.lock();
        (list.len(), list.room())
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        CancelToken::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CancelToken");
        shown.field("fired", &self.has_fired());
        if let Some(at) = self.0.deadline {
            shown.field("left", &at.saturating_duration_since(Instant::now()));
        }
        shown.finish_non_exhaustive()
    }
}

/// A place in the list of a token that outlives a call.
///
/// Dropping it leaves the list, except in a child of the process of what is blocked: another thread may have held the
/// lock of the list at the fork, and would never release it there. The token may end with it, and values of the caller's
/// with the token, so it must not be dropped under a lock.
pub(crate) struct Kept {
    token: Weak<Shared>,
    place: Place,
    home: Home,
}

impl Kept {
    /// Returns whether it is this token's. The address of a token is not used again while this holds it weakly.
    #[inline]
    pub(crate) fn is_of(&self, token: &CancelToken) -> bool {
        self.token.as_ptr() == Arc::as_ptr(&token.0)
    }

    /// Leaves the list, whatever the process: to ask for it is a system call, and this is part of a call.
    pub(crate) fn leave(mut self) {
        self.remove();
    }

    fn remove(&mut self) {
        if let Some(shared) = mem::take(&mut self.token).upgrade() {
            CancelToken(shared).remove(self.place);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.token.strong_count() > 0 && self.home.is_here() {
            self.remove();
        }
    }
}

/// Gives the signal of a token when the token fires.
struct Fire(Signal);

impl Blocked for Fire {
    fn cancel(&self, _: u64) {
        self.0.give();
    }
}

/// A token is blocked in its parents: their fire is its own.
impl Blocked for Shared {
    fn cancel(&self, _: u64) {
        if let Some(fired) = self.fire() {
            fired.wake();
        }
    }

    fn fire(&self) -> Option<Fired> {
        let before = self.fired.swap(true, Ordering::SeqCst);
        Some(if before { Fired::default() } else { self.list.lock().take() })
    }
}

impl Drop for Shared {
    /// Leaves the lists of the parents. A parent that only this token held leaves those of its own here, because a line
    /// of children may be longer than the stack is deep.
    fn drop(&mut self) {
        let mut left = mem::take(&mut *self.parents.lock());
        while let Some((parent, place)) = left.pop() {
            parent.remove(place);
            if let Some(parent) = Arc::into_inner(parent.0) {
                left.append(&mut parent.parents.lock());
            }
        }
    }
}

/// A function of the caller's own that ends a wait of its own.
pub(crate) struct Run(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Run {
    pub(crate) fn new(run: impl FnOnce() + Send + 'static) -> Arc<Run> {
        Arc::new(Run(Mutex::new(Some(Box::new(run)))))
    }

    pub(crate) fn run(&self) {
        let run = self.0.lock().take();
        if let Some(run) = run {
            crate::contain::contain(run);
        }
    }
}

impl Blocked for Run {
    fn cancel(&self, _: u64) {
        self.run();
    }
}

/// Keeps a function of [`CancelToken::on_cancel`] or [`DialContext::on_cancel`](crate::DialContext::on_cancel) until it
/// is dropped. A function that is running then runs to its end.
#[must_use = "dropping it takes the function back"]
pub struct OnCancel {
    /// The place in the list of a token.
    place: Option<(CancelToken, Place)>,
    /// Whoever runs it holds it weakly.
    _run: Arc<Run>,
}

impl OnCancel {
    /// Keeps a function that something else than a token runs.
    pub(crate) fn keep(run: Arc<Run>) -> OnCancel {
        OnCancel { place: None, _run: run }
    }
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        if let Some((token, place)) = &self.place {
            token.remove(*place);
        }
    }
}

impl fmt::Debug for OnCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnCancel").finish_non_exhaustive()
    }
}
