//! One of the requests of a batch that are under way.

use std::sync::Arc;

use super::inbox::Slot;
use super::results::Placed;
use super::task::Call;
use crate::contain::contain;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::response::Response;
use crate::workers::Work;

/// What is done with each response of a batch on the worker's thread.
pub(super) type Read<T> = Arc<dyn Fn(Response) -> Result<T> + Send + Sync>;

/// Brings a request of a batch to a worker, and its result back. Then it takes the next request: the threads share few
/// allocations, because a free from another thread than that of the allocation costs several times as much.
pub(super) struct Seat<T> {
    place: usize,
    line: usize,
    call: Option<Call>,
    result: Option<Result<T>>,
    read: Read<T>,
    to: Slot<Seat<T>>,
}

impl<T> Seat<T> {
    /// `line` is the number by which the reader knows the seat.
    pub(super) fn new(line: usize, read: Read<T>, to: Slot<Seat<T>>) -> Seat<T> {
        Seat { place: 0, line, call: None, result: None, read, to }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Takes a request with its place in the batch.
    pub(super) fn take(&mut self, place: usize, call: Call) {
        self.place = place;
        self.call = Some(call);
    }

    /// Takes the result out, with the place of its request.
    pub(super) fn leave(&mut self) -> (usize, Result<T>) {
        // A seat comes to the reader after it has got a result.
        let result = self.result.take().unwrap_or_else(|| Err(Error::new(ErrorKind::Cancelled, Phase::Prepare)));
        (self.place, result)
    }

    fn give(mut self: Box<Self>, result: Option<Result<T>>) {
        self.result = result;
        // Before the reader looks whether anything still holds the token.
        self.call = None;
        let to = self.to.clone();
        let unwanted = to.put(self);
        contain(|| drop(unwanted));
    }
}

impl<T> Placed for Seat<T> {
    fn place(&self) -> usize {
        self.place
    }
}

impl<T: Send + 'static> Work for Seat<T> {
    fn run(mut self: Box<Self>) {
        let Seat { call, read, .. } = &mut *self;
        let result = call.as_mut().and_then(|call| call.run(|response| read(response)));
        self.give(result);
    }

    fn refuse(mut self: Box<Self>) {
        let result = self.call.as_mut().and_then(Call::refuse);
        self.give(result);
    }
}
