//! Interrupting a call that another thread is blocked in.
//!
//! An abort shuts the socket down, and only the owner closes it. `shutdown(2)` wakes a thread that is blocked on the
//! socket. `close(2)` from another thread wakes no one, and it may close a descriptor that has been reused meanwhile.

use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::probe::Probe;
use super::waker::Waker;
use crate::cancel::{Blocked, CancelToken, Kept, Run};
use crate::contain::contain;
use crate::process::Home;
use crate::sync::{Mutex, MutexGuard};

/// A stream that another thread can shut down while its owner is blocked in it.
pub(crate) trait Interrupt: Send + Sync {
    /// Shuts the stream down, so that a blocked thread returns.
    fn interrupt(&self);
}

/// A socket of the system that any thread may look at, also while another thread uses it.
pub(crate) trait Look: Interrupt {
    /// Returns whether bytes or the end have arrived, without blocking and without taking bytes.
    fn probe(&self) -> Probe;

    /// Returns whether the peer has closed or reset the connection, even if unread bytes are left.
    fn has_ended(&self) -> bool;
}

/// Lets other threads interrupt the current use of a connection, and look at its socket while it is idle.
///
/// One lock covers two steps: the check that a handle is for the current use, and the mark that this use is aborted. The
/// change to the next use takes the same lock, and fails after an abort: a connection that was aborted once is never used
/// again. So an abort of one use of a pooled connection cannot hit the next use. The shutdown itself comes after the
/// lock is released, because a transport of the caller may do anything in it: it may take a lock under which its own
/// waits ask whether they are cancelled.
pub(crate) struct AbortCell {
    state: Mutex<State>,
    /// The number of the connection; 0 before it has one.
    connection: AtomicU64,
    /// The number of the thread that took the connection or read from it last; 0 before it has one.
    holder: AtomicU64,
    /// Wakes the receiver of an upgraded connection.
    waker: Waker,
}

struct State {
    /// The number of the current use; each lease is one use.
    generation: u64,
    aborted: Option<AbortCause>,
    socket: Option<Weak<dyn Interrupt>>,
    /// The system's socket below the transport, if this crate opened it. TLS or a transport of the caller may be above it.
    base: Option<Weak<dyn Look>>,
    /// A dialer of the caller opened several sockets. The cell cannot tell which of them the dialer uses.
    has_several: bool,
    /// No dialer of the caller's opened the connection, so every transport in it is this crate's.
    is_own: bool,
    /// A transport above the system's socket is registered in its place.
    is_wrapped: bool,
    /// A fire of the kept token ends the current use.
    is_cancellable: bool,
    /// The place in the list of the token that the calls on this connection had last.
    ///
    /// It stays between the calls, because most calls on a connection have the same token as the one before: to join the
    /// list and to leave it again takes five times as long as to set `is_cancellable`.
    kept: Option<Box<Kept>>,
    /// How many places there have been, up to a number that starts again from 0.
    keeps: u32,
    /// The process that the connection was opened in.
    home: Home,
}

/// Marks the number of a kept place in the list of a token, where otherwise the number of a use stands.
const KEPT: u64 = 1 << 63;

/// Who has aborted a use of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortCause {
    /// The pool, the session or the response was closed.
    Closed,
    /// The call was cancelled. Data that has arrived is still taken.
    Cancelled,
}

impl AbortCell {
    pub(crate) fn new() -> Self {
        let home = Home::default();
        let state = State {
            generation: 0,
            aborted: None,
            socket: None,
            base: None,
            has_several: false,
            is_own: false,
            is_wrapped: false,
            is_cancellable: false,
            kept: None,
            keeps: 0,
            home,
        };
        AbortCell {
            state: Mutex::new(state),
            connection: AtomicU64::new(0),
            holder: AtomicU64::new(0),
            waker: Waker::default(),
        }
    }

    /// Returns a cell whose use is aborted.
    pub(crate) fn aborted() -> Self {
        let cell = AbortCell::new();
        cell.state.lock().aborted = Some(AbortCause::Closed);
        cell
    }

    /// Notes that a dial begins in process `home`, and forgets the sockets of an earlier dial.
    pub(crate) fn begin_dial(&self, home: Home) {
        let mut state = self.state.lock();
        (state.base, state.has_several, state.home) = (None, false, home);
        (state.is_own, state.is_wrapped) = (false, false);
    }

    /// Ends the current use, and forgets the stream and whether this use was aborted: another connection follows, of a call
    /// that had no part in this one. It may be called under the lock of the pool.
    pub(crate) fn begin_anew(&self) {
        let mut state = self.state.lock();
        state.generation += 1;
        (state.aborted, state.socket, state.base, state.has_several) = (None, None, None, false);
    }

    /// Notes that no dialer of the caller's opened the connection.
    pub(crate) fn set_own(&self) {
        self.state.lock().is_own = true;
    }

    /// Returns whether every transport of the connection is this crate's.
    pub(crate) fn is_own(&self) -> bool {
        self.state.lock().is_own
    }

    /// Returns the process of the last dial.
    pub(crate) fn home(&self) -> Home {
        self.state.lock().home
    }

    /// Returns whether this process inherited the connection from its parent. The parent still uses it: a byte that is
    /// sent or received here would be surplus or missing there.
    pub(crate) fn is_inherited(&self) -> bool {
        !self.home().is_here()
    }

    /// Sets the stream that an abort shuts down. If the current use is already aborted, shuts the stream down at once:
    /// the abort came while the stream was being opened.
    pub(crate) fn register(&self, socket: Weak<dyn Interrupt>) {
        let mut state = self.state.lock();
        let aborted = state.aborted.is_some().then(|| socket.clone());
        state.socket = Some(socket);
        state.is_wrapped = true;
        drop(state);
        if let Some(socket) = aborted {
            interrupt(&socket);
        }
    }

    /// Sets the stream that an abort shuts down, unless there is one that is open. A transport that is not on top of the
    /// connection, or not yet, calls it.
    pub(crate) fn register_if_free(&self, socket: Weak<dyn Interrupt>) {
        let is_open = |socket: &Weak<dyn Interrupt>| socket.strong_count() > 0;
        if !self.state.lock().socket.as_ref().is_some_and(is_open) {
            self.register(socket);
        }
    }

    /// Sets a socket of the system as the stream that an abort shuts down, and as the socket that `look` looks at.
    pub(crate) fn register_socket(&self, socket: Weak<dyn Look>) {
        self.register(socket.clone());
        let mut state = self.state.lock();
        // A socket before that is closed belongs to an address that did not answer.
        state.has_several |= state.base.as_ref().is_some_and(|before| before.strong_count() > 0);
        state.base = (!state.has_several).then_some(socket);
        state.is_wrapped = false;
    }

    /// Returns the state of an idle connection as its socket shows it. Another thread may begin to use the connection
    /// meanwhile: the look takes no bytes.
    ///
    /// Looks only for the end where a transport is above the socket, because bytes do not count there: TLS has messages
    /// of its own.
    pub(crate) fn look(&self) -> Probe {
        let (base, is_wrapped) = {
            let state = self.state.lock();
            (state.base.clone(), state.is_wrapped)
        };
        match base.and_then(|base| base.upgrade()) {
            None => Probe::Quiet,
            Some(socket) if is_wrapped => match socket.has_ended() {
                true => Probe::Dead,
                false => Probe::Quiet,
            },
            Some(socket) => socket.probe(),
        }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Sets the number of the connection, for reports about it.
    pub(crate) fn name(&self, connection: u64) {
        self.connection.store(connection, Ordering::Relaxed);
    }

    /// Returns the number of the connection; 0 before it has one.
    pub(crate) fn connection(&self) -> u64 {
        self.connection.load(Ordering::Relaxed)
    }

    /// Notes that this thread uses the connection. Called for each read of a response, so it writes only if the thread
    /// is another one than before.
    #[inline]
    pub(crate) fn touch(&self, thread: u64) {
        if self.holder() != thread {
            self.set_holder(thread);
        }
    }

    /// Returns the number of the thread that used the connection last; 0 before there is one.
    #[inline]
    pub(crate) fn holder(&self) -> u64 {
        self.holder.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_holder(&self, thread: u64) {
        self.holder.store(thread, Ordering::Relaxed);
    }

    /// Ends the current use, so that its handles do nothing from now on. Returns false if the use was aborted: its
    /// socket is shut down, or about to be, and must not be used again.
    #[must_use]
    pub(crate) fn next_use(&self) -> bool {
        let mut state = self.state.lock();
        state.generation += 1;
        state.aborted.take().is_none()
    }

    /// Ends the current use and forgets the stream, which leaves the pool. Nothing that holds this cell reaches the
    /// stream afterwards.
    pub(crate) fn forget(&self) {
        self.begin_anew();
        self.leave();
    }

    /// Leaves the list of the token. Must be called without a lock: the token may end here, and with it values of the
    /// caller's.
    fn leave(&self) {
        let kept = self.state.lock().kept.take();
        if kept.is_some() {
            contain(|| drop(kept));
        }
    }

    /// Returns whether the current use is aborted. Every wait asks this after it wakes, before it interprets the result
    /// of the call: an abort looks like an end of the stream.
    pub(crate) fn is_aborted(&self) -> bool {
        self.abort_cause().is_some()
    }

    /// Returns who has aborted the current use, if somebody has.
    pub(crate) fn abort_cause(&self) -> Option<AbortCause> {
        self.state.lock().aborted
    }

    /// Returns this cell as what a token ends, and its current use.
    pub(crate) fn blocked(self: &Arc<Self>) -> (Weak<dyn Blocked>, u64) {
        let cell: Weak<dyn Blocked> = Arc::<AbortCell>::downgrade(self);
        (cell, self.state.lock().generation)
    }

    /// Lets a fire of the token end the current use, until the returned value is dropped. The caller has to ask after
    /// this call whether the token has fired, before it blocks. Only for the owner of the use, and not twice at once.
    #[inline]
    pub(crate) fn cancellable_by(self: &Arc<Self>, token: &CancelToken) -> Cancellable<'_> {
        let mut state = self.state.lock();
        state.is_cancellable = true;
        match &state.kept {
            Some(kept) if kept.is_of(token) => drop(state),
            _ => self.keep(state, token),
        }
        Cancellable(self)
    }

    /// Joins the list of the token, and leaves that of the one before.
    #[cold]
    fn keep(self: &Arc<Self>, mut state: MutexGuard<'_, State>, token: &CancelToken) {
        state.keeps = state.keeps.wrapping_add(1);
        let cell: Weak<dyn Blocked> = Arc::<AbortCell>::downgrade(self);
        let kept = token.keep(cell, KEPT | u64::from(state.keeps), state.home);
        let before = match &mut state.kept {
            Some(place) => Some(mem::replace(&mut **place, kept)),
            none => {
                *none = Some(Box::new(kept));
                None
            }
        };
        drop(state);
        // Without the lock: the token before may end here, and with it values of the caller's.
        if let Some(before) = before {
            contain(|| before.leave());
        }
    }

    /// Shuts the connection down and returns true, if this use is still current and the connection is open. The first
    /// cause counts.
    fn abort(&self, generation: u64, cause: AbortCause) -> bool {
        self.abort_if(|state| state.generation == generation, cause)
    }

    fn abort_if(&self, is_meant: impl FnOnce(&State) -> bool, cause: AbortCause) -> bool {
        let mut state = self.state.lock();
        if !is_meant(&state) || !state.home.is_here() {
            return false;
        }
        state.aborted.get_or_insert(cause);
        let socket = state.socket.clone();
        drop(state);
        socket.is_some_and(|socket| interrupt(&socket))
    }

    /// Returns a handle that aborts the current use.
    pub(crate) fn handle(self: &Arc<Self>) -> AbortHandle {
        AbortHandle { generation: self.state.lock().generation, cell: Arc::clone(self) }
    }
}

impl fmt::Debug for AbortCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        write!(f, "AbortCell(use {}, aborted {})", state.generation, state.aborted.is_some())
    }
}

/// Aborts one use of a connection. Does nothing after that use has ended.
#[derive(Clone, Debug)]
pub(crate) struct AbortHandle {
    cell: Arc<AbortCell>,
    generation: u64,
}

// A panic leaves it whole: none of the caller's code runs while a lock is held.
impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    /// Closes the connection for its user: shuts it down and returns true, if this use is still current and the
    /// connection is open.
    pub(crate) fn abort(&self) -> bool {
        self.cell.abort(self.generation, AbortCause::Closed)
    }

    /// Does the same for a call that is cancelled.
    pub(crate) fn cancel(&self) -> bool {
        self.cell.abort(self.generation, AbortCause::Cancelled)
    }
}

impl Interrupt for Run {
    fn interrupt(&self) {
        self.run();
    }
}

impl Blocked for AbortCell {
    fn cancel(&self, generation: u64) {
        if generation & KEPT == 0 {
            self.abort(generation, AbortCause::Cancelled);
            return;
        }
        // Another token may have taken the place of this one since it was fired.
        let is_meant = |state: &State| state.is_cancellable && KEPT | u64::from(state.keeps) == generation;
        self.abort_if(is_meant, AbortCause::Cancelled);
    }
}

/// The cell of a connection that is open, or is being opened. The connection leaves the list of its token when this is
/// dropped: the last owner of a cell may be dropped under the lock of the pool, and must have no such place any more.
#[derive(Debug)]
pub(crate) struct OwnCell(Arc<AbortCell>);

impl OwnCell {
    pub(crate) fn new(cell: Arc<AbortCell>) -> OwnCell {
        OwnCell(cell)
    }
}

impl Deref for OwnCell {
    type Target = Arc<AbortCell>;

    fn deref(&self) -> &Arc<AbortCell> {
        &self.0
    }
}

impl Drop for OwnCell {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Lets a fire of one token end the current use of a connection, until it is dropped.
#[must_use]
pub(crate) struct Cancellable<'c>(&'c AbortCell);

impl Drop for Cancellable<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.state.lock().is_cancellable = false;
    }
}

/// Interrupts the stream and returns true, if it is still open. Must be called without a lock: a stream may be the
/// caller's, and if its owner has let go meanwhile, it is closed here.
fn interrupt(socket: &Weak<dyn Interrupt>) -> bool {
    socket.upgrade().inspect(|socket| socket.interrupt()).is_some()
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Interrupt for Counter {
        fn interrupt(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn weak(counter: &Arc<Counter>) -> Weak<dyn Interrupt> {
        let counter: Arc<dyn Interrupt> = counter.clone();
        Arc::downgrade(&counter)
    }

    #[test]
    fn an_abort_reaches_its_own_use_only() {
        let counter = Arc::new(Counter::default());
        let cell = Arc::new(AbortCell::new());
        cell.register(weak(&counter));
        let first = cell.handle();
        assert!(cell.next_use());
        assert!(!first.abort());
        assert!(!cell.is_aborted());
        assert_eq!(counter.0.load(Ordering::SeqCst), 0);
        assert!(cell.handle().abort());
        assert!(cell.is_aborted());
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        assert!(!cell.next_use());
        assert!(cell.next_use());
    }

    #[test]
    fn an_abort_before_the_socket_is_there_is_kept() {
        let counter = Arc::new(Counter::default());
        let cell = Arc::new(AbortCell::new());
        assert!(!cell.handle().abort());
        cell.register(weak(&counter));
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        drop(counter);
        assert!(!cell.handle().abort());
    }

    /// A token that serves one call after another stays registered once. Another one takes its place, and a connection
    /// that is closed leaves no place behind.
    #[test]
    fn the_token_of_a_connection() {
        let [one, other] = [(); 2].map(|()| CancelToken::new());
        let cell = Arc::new(AbortCell::new());
        for _ in 0..100 {
            drop(cell.cancellable_by(&one));
            assert!(cell.next_use());
            assert_eq!(one.registered().0, 1);
        }
        drop(cell.cancellable_by(&other));
        assert_eq!((one.registered().0, other.registered().0), (0, 1));
        cell.forget();
        assert_eq!(other.registered().0, 0);

        let closed = OwnCell::new(Arc::new(AbortCell::new()));
        let held = closed.handle();
        drop(closed.cancellable_by(&one));
        drop(closed);
        assert_eq!(one.registered().0, 0, "while a handle of the closed connection is held");
        drop(held);
        // In a child of the process that opened it, the connection stays in a list whose lock may be held for good.
        let inherited = OwnCell::new(Arc::new(AbortCell::new()));
        inherited.begin_dial(Home::elsewhere());
        drop(inherited.cancellable_by(&one));
        drop(inherited);
        assert_eq!(one.registered().0, 1);
        // A token that is gone leaves nothing to do.
        drop(cell.cancellable_by(&CancelToken::new()));
        drop(cell.cancellable_by(&other));
        assert_eq!(other.registered().0, 1);
    }

    /// A fire ends the use that its token is registered for now, and only while it is.
    #[test]
    fn a_fire_ends_its_own_call_only() {
        let counter = Arc::new(Counter::default());
        let interrupted = || counter.0.load(Ordering::SeqCst);
        let cell = Arc::new(AbortCell::new());
        cell.register(weak(&counter));
        let tokens = [(); 3].map(|()| CancelToken::new());

        drop(cell.cancellable_by(&tokens[0]));
        tokens[0].cancel();
        assert_eq!(interrupted(), 0, "between calls");

        drop(cell.cancellable_by(&tokens[1]));
        let current = cell.cancellable_by(&tokens[2]);
        tokens[1].cancel();
        assert_eq!(interrupted(), 0, "the call of another token");
        // A fire that took its list before the other token came, and that is late.
        Blocked::cancel(&*cell, KEPT | 2);
        assert_eq!(interrupted(), 0, "a late fire of another token");
        assert!(!cell.is_aborted());

        tokens[2].cancel();
        assert_eq!((interrupted(), cell.abort_cause()), (1, Some(AbortCause::Cancelled)));
        drop(current);
        assert!(!cell.next_use());
    }
}
