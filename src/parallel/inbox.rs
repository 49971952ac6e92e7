//! Where the results of a batch arrive.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::contain::drop_contained;
use crate::error::Result;
use crate::sync::standing::{Condvar, Mutex, wait_until};

/// Results by the places of their requests.
pub(super) type Results<T> = BTreeMap<usize, Result<T>>;

/// Takes results from the workers, and gives them to the one reader.
///
/// It is not a channel, because a channel wakes its reader for each result. The reader of a batch in order waits for one
/// result alone, and takes those after it without waiting.
pub(super) struct Inbox<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

struct State<T> {
    results: Results<T>,
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

/// The result that the reader wants next.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Any,
    Place(usize),
}

/// Puts results into an inbox.
pub(super) struct Slot<T>(Arc<Shared<T>>);

impl<T> Inbox<T> {
    pub(super) fn new() -> Inbox<T> {
        let state = State { results: BTreeMap::new(), reader: Reader::Busy };
        Inbox(Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new() }))
    }

    pub(super) fn slot(&self) -> Slot<T> {
        Slot(self.0.clone())
    }

    /// Moves all results that have arrived to `to`, without waiting.
    pub(super) fn try_receive(&self, to: &mut Results<T>) {
        to.append(&mut self.0.state.lock().results);
    }

    /// Waits until this result has arrived, and moves all that have arrived to `to`. Returns false if it has not arrived
    /// by this time; without a time it has to come.
    pub(super) fn receive(&self, wanted: Wanted, until: Option<Instant>, to: &mut Results<T>) -> bool {
        let mut state = self.0.state.lock();
        let mut late = false;
        while !wanted.is_in(&state.results) {
            if late {
                return false;
            }
            state.reader = Reader::Waits(wanted);
            match until {
                Some(at) => late = wait_until(&self.0.arrived, &mut state, at),
                None => self.0.arrived.wait(&mut state),
            }
            state.reader = Reader::Busy;
        }
        to.append(&mut state.results);
        true
    }
}

impl Wanted {
    fn is_in<T>(self, results: &Results<T>) -> bool {
        match self {
            Wanted::Any => !results.is_empty(),
            Wanted::Place(place) => results.contains_key(&place),
        }
    }

    /// Takes such a result out.
    pub(super) fn take<T>(self, results: &mut Results<T>) -> Option<(usize, Result<T>)> {
        match self {
            Wanted::Any => results.pop_first(),
            Wanted::Place(place) => results.remove_entry(&place),
        }
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.reader = Reader::Gone;
        let unwanted = mem::take(&mut state.results);
        drop(state);
        drop_contained(unwanted);
    }
}

impl<T> Slot<T> {
    /// Puts a result into the inbox. If nobody reads it any more, it is returned.
    pub(super) fn put(&self, place: usize, result: Result<T>) -> Option<Result<T>> {
        let mut state = self.0.state.lock();
        let wakes = match state.reader {
            Reader::Gone => return Some(result),
            Reader::Busy => false,
            Reader::Waits(wanted) => wanted == Wanted::Any || wanted == Wanted::Place(place),
        };
        state.results.insert(place, result);
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
