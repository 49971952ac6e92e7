//! Runs listeners and loggers. Neither is told of what it does itself.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::events::Closed;
use super::listener::Listener;
use crate::close_reason::CloseReason;
use crate::contain::contain;
use crate::urls::Origin;

/// The user's code that runs on a thread because of an event.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Told {
    Nobody,
    Listener,
    #[cfg_attr(not(any(feature = "log", feature = "tracing")), expect(dead_code, reason = "nothing is written"))]
    Log,
}

thread_local! {
    /// The user's code that runs on this thread now.
    static TOLD: Cell<Told> = const { Cell::new(Told::Nobody) };

    /// Connections that were closed while such code ran. They are told of when it is done.
    static LATER: RefCell<VecDeque<Ended>> = const { RefCell::new(VecDeque::new()) };

    /// Whether there are such connections. It is asked after each event.
    static HAS_LATER: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a listener or a logger runs on this thread. It must not be kept waiting.
#[inline]
pub(crate) fn is_telling() -> bool {
    TOLD.get() != Told::Nobody
}

/// Runs the user's code, then tells of the connections that were closed meanwhile. The caller has no state half
/// changed.
#[inline]
pub(super) fn tell(whom: Told, event: impl FnOnce()) {
    let outer = TOLD.replace(whom);
    contain(event);
    if HAS_LATER.get() && outer == Told::Nobody {
        tell_later();
    }
    TOLD.set(outer);
}

/// Tells of the connections that were closed while the user's code ran. Connections that are closed meanwhile join the
/// queue, and are told of in their turn.
#[cold]
fn tell_later() {
    TOLD.set(Told::Listener);
    while let Ok(Some(ended)) = LATER.try_with(|later| later.borrow_mut().pop_front()) {
        contain(|| ended.tell_now());
    }
    HAS_LATER.set(false);
}

/// Writes a line to the log. A logger may send requests of its own. Lines about these are left out: they would cause
/// further lines without end.
#[cfg(any(feature = "log", feature = "tracing"))]
pub(super) fn tell_log(line: impl FnOnce()) {
    if TOLD.get() != Told::Log {
        tell(Told::Log, line);
    }
}

/// A closed connection of which a listener is to be told.
pub(super) struct Ended {
    pub(super) listener: Arc<dyn Listener>,
    pub(super) origin: Arc<Origin>,
    pub(super) id: u64,
    pub(super) reason: CloseReason,
    pub(super) age: Duration,
    pub(super) requests: u64,
}

impl Ended {
    fn tell_now(self) {
        let Ended { listener, origin, id, reason, age, requests } = self;
        listener.closed(&Closed { origin: &origin, id, reason, age, requests });
    }
}

/// Tells of a closed connection: now, or later if a listener or a logger runs on this thread.
#[cold]
pub(super) fn tell_closed(ended: Ended) {
    if is_telling() {
        // The list is gone if the thread is at its end.
        let _ = LATER.try_with(|later| later.borrow_mut().push_back(ended));
        HAS_LATER.set(true);
    } else {
        tell(Told::Listener, || ended.tell_now());
    }
}
