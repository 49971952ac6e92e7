//! Running a listener and what writes the log, so that neither is told of what it does itself.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::events::Closed;
use super::listener::Listener;
use crate::close_reason::CloseReason;
use crate::contain::contain;
use crate::url::Origin;

/// Whose code it is that is told of something.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Told {
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
pub(super) fn tell(whom: Told, event: impl FnOnce()) {
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
pub(super) fn tell_log(line: impl FnOnce()) {
    if TOLD.get() != Told::Log {
        tell(Told::Log, line);
    }
}

/// What is told of a connection that was closed.
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

/// Tells of a closed connection: now, or when what this thread is told of just now is done.
#[cold]
pub(super) fn tell_closed(ended: Ended) {
    if is_telling() {
        // The thread may be at its end.
        let _ = LATER.try_with(|later| later.borrow_mut().push_back(ended));
    } else {
        tell(Told::Listener, || ended.tell_now());
    }
}
