//! Reaching a call that another thread is blocked in.
//!
//! `shutdown(2)` wakes a thread that is blocked on a socket; `close(2)` from another thread wakes nobody and may hit a
//! descriptor that has been given to somebody else. So an abort shuts down, and the owner closes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::probe::Probe;
use crate::process::Home;
use crate::sync::Mutex;

/// What can be shut down from outside while its owner is blocked in it.
pub(crate) trait Interrupt: Send + Sync {
    fn interrupt(&self);
}

/// A socket of the system, which tells how it stands without taking anything from it.
pub(crate) trait Look: Interrupt {
    /// Looks for bytes and for the end.
    fn probe(&self) -> Probe;

    /// Returns whether the peer has closed or reset the socket, also where bytes are unread.
    fn has_ended(&self) -> bool;
}

/// Stands between a connection and those who may want to interrupt its user.
///
/// Comparing the use and shutting down happen under one lock, and so does going on to the next use: an abort meant for
/// one user of a pooled connection cannot hit the next.
pub(crate) struct AbortCell {
    state: Mutex<State>,
    /// The number of the connection, once it has one.
    connection: AtomicU64,
}

struct State {
    /// Which use of the connection is on; each lease is one.
    generation: u64,
    aborted: bool,
    socket: Option<Weak<dyn Interrupt>>,
    base: Base,
    is_wrapped: bool,
    /// The process that the connection was opened in.
    home: Home,
}

/// The system's socket, where it is one of ours; it may have TLS or something of the caller's above it.
#[derive(Clone)]
enum Base {
    Unknown,
    One(Weak<dyn Look>),
    /// A dialer of the caller's opened several; which of them it uses cannot be told.
    Several,
}

impl AbortCell {
    pub(crate) fn new() -> Self {
        let home = Home::default();
        let state = State { generation: 0, aborted: false, socket: None, base: Base::Unknown, is_wrapped: false, home };
        AbortCell { state: Mutex::new(state), connection: AtomicU64::new(0) }
    }

    /// A dial begins, in this process. What one before has opened says nothing about this one.
    pub(crate) fn begin_dial(&self, home: Home) {
        let mut state = self.state.lock();
        (state.base, state.home) = (Base::Unknown, home);
    }

    /// Returns the process that dialed last.
    pub(crate) fn home(&self) -> Home {
        self.state.lock().home
    }

    /// Returns whether the connection is the parent's, of which this process has a copy: bytes that are sent, received
    /// or held back here would be missing or surplus there.
    pub(crate) fn is_inherited(&self) -> bool {
        !self.home().is_here()
    }

    /// Names the socket to shut down. One that is already aborted is shut down at once: the abort came while the
    /// socket was being made.
    pub(crate) fn register(&self, socket: Weak<dyn Interrupt>) {
        let mut state = self.state.lock();
        let interrupted = if state.aborted { interrupt(&socket) } else { None };
        state.socket = Some(socket);
        state.is_wrapped = true;
        drop(state);
        drop(interrupted);
    }

    /// The same for a socket by itself.
    pub(crate) fn register_socket(&self, socket: Weak<dyn Look>) {
        self.register(socket.clone());
        let mut state = self.state.lock();
        state.base = match &state.base {
            Base::Unknown => Base::One(socket),
            // An address that did not answer, before the one that is tried now.
            Base::One(before) if before.strong_count() == 0 => Base::One(socket),
            Base::One(_) | Base::Several => Base::Several,
        };
        state.is_wrapped = false;
    }

    /// How an idle connection stands, as far as its socket tells without taking anything, also while another thread
    /// begins to use it. Under a wrapper bytes say nothing: TLS has messages of its own.
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

    /// Says which connection this is about, to those who report on it.
    pub(crate) fn name(&self, connection: u64) {
        self.connection.store(connection, Ordering::Relaxed);
    }

    /// The number of the connection; 0 before it has one.
    pub(crate) fn connection(&self) -> u64 {
        self.connection.load(Ordering::Relaxed)
    }

    /// The use that is on ends, and handles to it lose their power. False if one has used it: the socket is shut down.
    pub(crate) fn next_use(&self) -> bool {
        let mut state = self.state.lock();
        state.generation += 1;
        !std::mem::take(&mut state.aborted)
    }

    /// Looked at after every wake, before anything else is concluded from it.
    pub(crate) fn is_aborted(&self) -> bool {
        self.state.lock().aborted
    }

    pub(crate) fn handle(self: &Arc<Self>) -> AbortHandle {
        AbortHandle { generation: self.state.lock().generation, cell: Arc::clone(self) }
    }
}

impl fmt::Debug for AbortCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        write!(f, "AbortCell(use {}, aborted {})", state.generation, state.aborted)
    }
}

/// Ends one use of a connection, and does nothing once that use is over.
#[derive(Clone, Debug)]
pub(crate) struct AbortHandle {
    cell: Arc<AbortCell>,
    generation: u64,
}

impl AbortHandle {
    /// Whether there was something to shut down: that use is on, and its connection open.
    pub(crate) fn abort(&self) -> bool {
        let mut state = self.cell.state.lock();
        if state.generation != self.generation || !state.home.is_here() {
            return false;
        }
        state.aborted = true;
        let interrupted = state.socket.as_ref().and_then(interrupt);
        drop(state);
        interrupted.is_some()
    }
}

/// What it gives is to be dropped without the lock: its owner may have gone meanwhile, and it is then closed by that.
fn interrupt(socket: &Weak<dyn Interrupt>) -> Option<Arc<dyn Interrupt>> {
    socket.upgrade().inspect(|socket| socket.interrupt())
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
