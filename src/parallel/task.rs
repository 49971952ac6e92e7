//! One request as work for a worker, and the handle that ends it.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use http::Method;

use super::inbox::Slot;
use crate::cancel::{CancelToken, OnCancel};
use crate::client::RequestBuilder;
use crate::contain::contain;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::response::Response;
use crate::time::{Timeout, Until};
use crate::urls::Url;
use crate::workers::Workers;

/// Where a result goes.
pub(super) enum To<T> {
    Pending(Sender<Result<T>>),
    Batch(usize, Slot<T>),
}

/// A request, and what is done with its response on the worker's thread.
struct Task<T, R> {
    /// `None` once it was begun.
    call: Option<(RequestBuilder, R)>,
    /// How often all calls of the client had been cancelled when the request was submitted.
    cancelled: u64,
    answer: Answer<T>,
}

/// The way of one result to its caller.
struct Answer<T> {
    to: To<T>,
    /// The method and the URL, if the request has them, for an error.
    about: Option<(Method, Url)>,
    token: CancelToken,
}

impl<T: 'static, R: FnOnce(Response) -> Result<T>> Task<T, R> {
    fn run(mut self) {
        let Some((request, read)) = self.call.take() else { return };
        let result = catch_unwind(AssertUnwindSafe(|| read(request.send_submitted(self.cancelled)?)));
        let result = result.unwrap_or_else(|payload| Err(panicked(payload)));
        if let Ok(value) = &result
            && let Some(response) = (value as &dyn Any).downcast_ref::<Response>()
        {
            response.hand_over();
        }
        self.answer.give(result);
    }
}

impl<T, R> Drop for Task<T, R> {
    /// Answers for a request that is not begun any more.
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            // The body and the middleware are the caller's.
            contain(|| drop(call));
            let ended = Until::begin(&Timeout::new(), Some(&self.answer.token)).check(Phase::Prepare);
            let error = ended.err().unwrap_or_else(|| Error::new(ErrorKind::Cancelled, Phase::Prepare));
            self.answer.give(Err(error));
        }
    }
}

impl<T> Answer<T> {
    fn give(&self, result: Result<T>) {
        let result = result.map_err(|error| match &self.about {
            Some((method, url)) => error.with_request(method, url),
            None => error,
        });
        let unwanted = match &self.to {
            // The channel has room. It is closed if nobody waits any more.
            To::Pending(to) => to.send(result).err().map(|unsent| unsent.0),
            To::Batch(place, to) => to.put(*place, result),
        };
        contain(|| drop(unwanted));
    }
}

/// Returns the error for code of the caller that panicked with this payload.
fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let text = match payload.downcast::<String>() {
        Ok(text) => Some(*text),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            // Its drop may panic again.
            mem::forget(payload);
            text
        }
    };
    let error = Error::new(ErrorKind::Panicked, Phase::Prepare).with_maybe_processed(true);
    match text {
        Some(text) => error.because(text),
        None => error,
    }
}

/// A request that was given to the workers. Dropping the handle ends nothing.
pub(super) struct Handle {
    workers: Workers,
    id: u64,
    token: CancelToken,
    /// The request was taken out of the queue, or had been begun when it was to be taken out.
    has_left: AtomicBool,
    /// Takes the request out of the queue when a token of the caller fires.
    leaves: Option<OnCancel>,
}

impl Handle {
    /// Gives a request to the workers.
    pub(super) fn start<T, R>(workers: &Workers, request: RequestBuilder, read: R, to: To<T>) -> Handle
    where
        T: Send + 'static,
        R: FnOnce(Response) -> Result<T> + Send + 'static,
    {
        let (token, shared) = request.child_token();
        let answer = Answer { to, about: request.about(), token: token.clone() };
        let cancelled = request.cancelled();
        let task = Task { call: Some((request.cancel_with(&token), read)), cancelled, answer };
        let id = workers.give(Box::new(|| task.run()));
        let leaves = shared.then(|| {
            let workers = workers.clone();
            token.on_cancel(move || drop(workers.take(id)))
        });
        Handle { workers: workers.clone(), id, token, has_left: AtomicBool::new(false), leaves }
    }

    /// Returns the time at which the request leaves the queue, or `None` if it has left or its token has no deadline.
    pub(super) fn due(&self) -> Option<Instant> {
        self.token.deadline().filter(|_| !self.has_left.load(Ordering::Relaxed))
    }

    /// Ends the call. A request that was not begun is taken out of the queue.
    ///
    /// In a child of the process that began it, this must not be called: the token may be locked for good.
    pub(super) fn cancel(&self) {
        self.token.cancel();
        self.leave();
    }

    /// Leaves the request to the process that began it: a thread of that process may hold the lock of the token.
    pub(super) fn forget(&mut self) {
        mem::forget(self.leaves.take());
    }

    /// Takes the request out of the queue if it was not begun. Its result says that it was cancelled.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
        drop(self.workers.take(self.id));
    }

    /// Sends the request on this thread, if no other has begun it. Workers do so before they wait for it: if each of them
    /// waited for a request in the queue, nobody would ever take one out. Returns whether it was sent.
    pub(super) fn help(&self) -> bool {
        self.workers.take(self.id).map(|work| work()).is_some()
    }
}

/// Returns the error of a wait in a child of the process that submitted the request.
pub(super) fn inherited() -> Error {
    Error::config("the request was submitted before a fork, by another process")
}
