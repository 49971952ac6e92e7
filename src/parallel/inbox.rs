//! Where the results of a batch arrive.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::results::{Placed, Results, Wanted};
use crate::contain::drop_contained;
use crate::sync::standing::{Condvar, Mutex, wait_until};

/// Takes results from the workers, and gives them to the one reader.
///
/// It is not a channel, because a channel wakes its reader for each result. The reader of a batch in order waits for one
/// result alone, and takes those after it without waiting.
pub(super) struct Inbox<S> {
    shared: Arc<Shared<S>>,
    /// Swapped with the list of the shared state, so that a worker waits only for the swap.
    taken: Vec<Box<S>>,
}

struct Shared<S> {
    state: Mutex<State<S>>,
    arrived: Condvar,
}

struct State<S> {
    results: Vec<Box<S>>,
    reader: Reader,
}

/// What the reader does.
#[derive(Clone, Copy, PartialEq)]
enum Reader {
    Busy,
    Waits(Wanted),
    /// It was dropped.
    Gone,
}

/// Puts results into an inbox.
pub(super) struct Slot<S>(Arc<Shared<S>>);

impl<S: Placed> Inbox<S> {
    pub(super) fn new() -> Inbox<S> {
        let state = State { results: Vec::new(), reader: Reader::Busy };
        Inbox { shared: Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new() }), taken: Vec::new() }
    }

    pub(super) fn slot(&self) -> Slot<S> {
        Slot(self.shared.clone())
    }

    /// Moves all results that have arrived to `to`, without waiting.
    pub(super) fn try_receive(&mut self, to: &mut Results<S>) {
        mem::swap(&mut self.shared.state.lock().results, &mut self.taken);
        self.taken.drain(..).for_each(|one| to.put(one));
    }

    /// Waits until the wanted result has arrived, and moves all that have arrived to `to`. Returns false if it has not
    /// arrived by this time; without a time it has to come.
    pub(super) fn receive(&mut self, until: Option<Instant>, to: &mut Results<S>) -> bool {
        loop {
            self.try_receive(to);
            if to.is_due() {
                return true;
            }
            let mut state = self.shared.state.lock();
            if !state.results.is_empty() {
                continue;
            }
            state.reader = Reader::Waits(to.wanted());
            // The worker that brings the wanted result resets this.
            while state.reader != Reader::Busy {
                match until {
                    Some(at) if wait_until(&self.shared.arrived, &mut state, at) => break,
                    Some(_) => {}
                    None => self.shared.arrived.wait(&mut state),
                }
            }
            let is_late = state.reader != Reader::Busy;
            state.reader = Reader::Busy;
            drop(state);
            if is_late {
                self.try_receive(to);
                return to.is_due();
            }
        }
    }
}

impl<S> Drop for Inbox<S> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.reader = Reader::Gone;
        let unwanted = mem::take(&mut state.results);
        drop(state);
        drop_contained(unwanted);
    }
}

impl<S: Placed> Slot<S> {
    /// Puts a result into the inbox. If nobody reads it any more, it is returned.
    pub(super) fn put(&self, one: Box<S>) -> Option<Box<S>> {
        let place = one.place();
        let mut state = self.0.state.lock();
        let wakes = match state.reader {
            Reader::Gone => return Some(one),
            Reader::Busy => false,
            Reader::Waits(wanted) => wanted == Wanted::Any || wanted == Wanted::Place(place),
        };
        state.results.push(one);
        if wakes {
            // Once is enough.
            state.reader = Reader::Busy;
        }
        drop(state);
        if wakes {
            self.0.arrived.notify_one();
        }
        None
    }
}

impl<S> Clone for Slot<S> {
    fn clone(&self) -> Slot<S> {
        Slot(self.0.clone())
    }
}
