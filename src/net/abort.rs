//! Interrupting a call that another thread is blocked in.
//!
//! An abort shuts the socket down, and only the owner closes it. `shutdown(2)` wakes a thread that is blocked on the
//! socket. `close(2)` from another thread wakes no one, and it may close a descriptor that has been reused meanwhile.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::probe::Probe;
use super::waker::Waker;
use crate::cancel::{Blocked, Run};
use crate::process::Home;
use crate::sync::Mutex;

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
    base: Base,
    /// A transport above the system's socket is registered in its place.
    is_wrapped: bool,
    /// The process that the connection was opened in.
    home: Home,
}

/// Who has aborted a use of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortCause {
    /// The pool, the session or the response was closed.
    Closed,
    /// The call was cancelled. Data that has arrived is still taken.
    Cancelled,
}

/// The system's socket below the transport, if this crate opened it. TLS or a transport of the caller may be above it.
#[derive(Clone)]
enum Base {
    Unknown,
    One(Weak<dyn Look>),
    /// A dialer of the caller opened several sockets. The cell cannot tell which of them the dialer uses.
    Several,
}

impl AbortCell {
    pub(crate) fn new() -> Self {
        let home = Home::default();
        let state = State { generation: 0, aborted: None, socket: None, base: Base::Unknown, is_wrapped: false, home };
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
        (state.base, state.home) = (Base::Unknown, home);
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
        state.base = match &state.base {
            Base::Unknown => Base::One(socket),
            // The socket before belongs to an address that did not answer, and is closed.
            Base::One(before) if before.strong_count() == 0 => Base::One(socket),
            Base::One(_) | Base::Several => Base::Several,
        };
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
        let socket = if let Base::One(base) = base { base.upgrade() } else { None };
        match socket {
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
        let mut state = self.state.lock();
        state.generation += 1;
        (state.aborted, state.socket, state.base) = (None, None, Base::Unknown);
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

    /// Shuts the connection down and returns true, if this use is still current and the connection is open. The first
    /// cause counts.
    fn abort(&self, generation: u64, cause: AbortCause) -> bool {
        let mut state = self.state.lock();
        if state.generation != generation || !state.home.is_here() {
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
        self.abort(generation, AbortCause::Cancelled);
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
}
