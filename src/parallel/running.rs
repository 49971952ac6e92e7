//! The requests of a batch that are under way.

use std::mem;
use std::time::Instant;

use super::inbox::Inbox;
use super::results::Results;
use super::seat::{Read, Seat};
use super::task::Handle;
use crate::client::RequestBuilder;
use crate::contain::drop_contained;
use crate::error::Result;
use crate::process::Home;
use crate::workers::{self, Work, Workers};

/// How many requests are held back at most, to be given to the workers at once.
const AT_ONCE: usize = 8;

/// The requests that were taken from the list and whose results have not been returned.
pub(super) struct Running<T> {
    inbox: Inbox<Seat<T>>,
    /// Results that were taken out of the inbox.
    results: Results<Seat<T>>,
    /// One for each seat, spare seats included.
    lines: Vec<Line>,
    /// Seats of requests whose results were returned.
    spare: Vec<Box<Seat<T>>>,
    /// Requests that the workers have not been given yet, and their lines.
    held_back: (Vec<Box<Seat<T>>>, Vec<usize>),
    /// How many of the lines are busy.
    busy: usize,
    /// How many of these have a token with a deadline.
    bounded: usize,
    /// The process that has begun them. Another process has none of the threads.
    home: Home,
    /// This is another process, and what it has of the requests was left to the other one.
    is_forgotten: bool,
}

/// The reader's side of a seat.
struct Line {
    handle: Handle,
    /// The place of the request, until its result is returned.
    place: Option<usize>,
}

impl<T> Running<T> {
    /// The results are returned in order.
    pub(super) fn new() -> Running<T> {
        Running::with(Results::in_order(0))
    }

    /// Returns one without requests that returns results in the same order. `next` is the first place.
    pub(super) fn anew<U>(&self, next: usize) -> Running<U> {
        Running::with(self.results.anew(next))
    }

    fn with(results: Results<Seat<T>>) -> Running<T> {
        let (inbox, home) = (Inbox::new(), Home::here());
        let (lines, spare, held_back) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
        Running { inbox, results, lines, spare, held_back, busy: 0, bounded: 0, home, is_forgotten: false }
    }

    pub(super) fn as_completed(&mut self) {
        self.results = self.results.as_completed();
    }

    pub(super) fn is_as_completed(&self) -> bool {
        self.results.is_as_completed()
    }

    pub(super) fn len(&self) -> usize {
        self.busy
    }

    /// Returns whether this is the process that has begun the requests. One system call.
    pub(super) fn is_here(&self) -> bool {
        self.home.is_here()
    }

    /// Returns whether a further request may be held back, to be given to the workers with others: the next result is
    /// there, and as far as the reader knows, each of so many workers has a request and another one waits.
    ///
    /// The next result is then returned without a lock.
    pub(super) fn may_hold_back(&self, width: usize, workers: usize) -> bool {
        let held_back = self.held_back.0.len();
        let given = self.busy - self.results.len() - held_back;
        self.results.is_due() && held_back < AT_ONCE && self.busy + 1 >= width && given > workers
    }

    /// Takes a request, which is then held back.
    pub(super) fn put(&mut self, place: usize, request: RequestBuilder, read: &Read<T>, workers: &Workers) {
        let mut seat = self.spare.pop().unwrap_or_else(|| {
            self.lines.push(Line { handle: Handle::new(workers), place: None });
            Box::new(Seat::new(self.lines.len() - 1, read.clone(), self.inbox.slot()))
        });
        let line = &mut self.lines[seat.line()];
        line.place = Some(place);
        seat.take(place, line.handle.call(request));
        self.busy += 1;
        self.bounded += usize::from(line.handle.is_bounded());
        self.held_back.1.push(seat.line());
        self.held_back.0.push(seat);
    }

    /// Gives the requests that were held back to the workers.
    pub(super) fn give(&mut self, workers: &Workers)
    where
        T: Send + 'static,
    {
        let (seats, lines) = &mut self.held_back;
        if seats.is_empty() {
            return;
        }
        let first = workers.give(seats.drain(..).map(|seat| seat as Box<dyn Work>));
        for (id, line) in (first..).zip(lines.drain(..)) {
            self.lines[line].handle.given(id);
        }
    }

    /// Returns the next result, with its place, if it is there.
    pub(super) fn take_arrived(&mut self) -> Option<(usize, Result<T>)> {
        let seat = self.results.take()?;
        Some(self.free(seat))
    }

    /// Waits for the next result, and returns it with its place. Returns `None` if no request is under way. No request
    /// may be held back.
    pub(super) fn take(&mut self) -> Option<(usize, Result<T>)> {
        while self.busy > 0 {
            if let Some(placed) = self.take_arrived() {
                return Some(placed);
            }
            // A worker sends a request itself that no other worker has begun.
            if workers::is_worker() && self.begun().any(Handle::help) {
                self.inbox.try_receive(&mut self.results);
                continue;
            }
            let due = if self.bounded > 0 { self.begun().filter_map(Handle::due).min() } else { None };
            if self.inbox.receive(due, &mut self.results) {
                continue;
            }
            // A request whose token's deadline has passed does not wait for a thread any more.
            let now = Instant::now();
            self.begun().filter(|one| one.due().is_some_and(|at| at <= now)).for_each(Handle::leave);
        }
        None
    }

    /// Takes the result out of its seat, which another request can take then.
    fn free(&mut self, mut seat: Box<Seat<T>>) -> (usize, Result<T>) {
        let line = &mut self.lines[seat.line()];
        self.busy -= 1;
        self.bounded -= usize::from(line.handle.is_bounded());
        line.place = None;
        line.handle.release();
        let placed = seat.leave();
        self.spare.push(seat);
        placed
    }

    /// Returns the handles of the requests that are under way.
    fn begun(&self) -> impl Iterator<Item = &Handle> {
        self.lines.iter().filter(|line| line.place.is_some()).map(|line| &line.handle)
    }

    /// Leaves all requests to the process that has begun them. A thread that only that process has may hold the lock of
    /// the inbox for good.
    fn forget(&mut self) {
        if self.busy > 0 && !mem::replace(&mut self.is_forgotten, true) {
            drop_contained(self.results.drain());
            mem::forget(mem::replace(&mut self.inbox, Inbox::new()));
            mem::forget(mem::take(&mut self.held_back));
            self.lines.iter_mut().for_each(|line| line.handle.forget());
        }
    }

    /// Leaves all requests to the process that has begun them, and returns the place of the first one. It is not
    /// returned again.
    pub(super) fn forget_first(&mut self) -> Option<usize> {
        self.forget();
        let begun = self.lines.iter_mut().filter(|line| line.place.is_some());
        let first = begun.min_by_key(|line| line.place)?;
        self.busy -= 1;
        first.place.take()
    }
}

impl<T> Drop for Running<T> {
    /// Ends the requests that are under way.
    fn drop(&mut self) {
        if self.busy > 0 {
            if self.is_here() {
                self.begun().for_each(Handle::cancel);
            } else {
                self.forget();
            }
        }
        drop_contained(self.results.drain());
        drop_contained(self.held_back.0.drain(..));
    }
}
