//! One request as work for a worker, and the handle that ends it.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use http::Method;

use crate::cancel::{CancelToken, OnCancel};
use crate::client::RequestBuilder;
use crate::contain::contain;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::response::Response;
use crate::time::{Timeout, Until};
use crate::urls::Url;
use crate::workers::{Work, Workers};

/// A request that a worker sends, and what its result needs.
pub(super) struct Call {
    /// `None` once it was begun.
    request: Option<RequestBuilder>,
    /// How often all calls of the client had been cancelled when the request was submitted.
    cancelled: u64,
    /// The method and the URL, if the request has them, for an error.
    about: Option<(Method, Url)>,
    /// Ends this request alone.
    token: CancelToken,
    /// The token that the caller has given to the request. It ends the reads of the response.
    own: Option<CancelToken>,
}

impl Call {
    /// Sends the request, and gives its response to `read`. Returns the result, or `None` if that was done before.
    pub(super) fn run<T: 'static>(&mut self, read: impl FnOnce(Response) -> Result<T>) -> Option<Result<T>> {
        let request = self.request.take()?;
        let cancelled = self.cancelled;
        let result = catch_unwind(AssertUnwindSafe(|| read(request.send_submitted(cancelled)?)));
        let mut result = self.named(result.unwrap_or_else(|payload| Err(panicked(payload))));
        if let Ok(value) = &mut result
            && let Some(response) = (value as &mut dyn Any).downcast_mut::<Response>()
        {
            response.hand_over();
            response.exchange_token(&self.token, self.own.take());
        }
        Some(result)
    }

    /// Drops a request that is not begun any more, and returns its error. Returns `None` if it was begun.
    pub(super) fn refuse<T>(&mut self) -> Option<Result<T>> {
        let request = self.request.take()?;
        // The body and the middleware are the caller's.
        contain(|| drop(request));
        let ended = Until::begin(&Timeout::new(), Some(&self.token)).check(Phase::Prepare);
        Some(self.named(Err(ended.err().unwrap_or_else(|| Error::new(ErrorKind::Cancelled, Phase::Prepare)))))
    }

    fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match &self.about {
            Some((method, url)) => error.with_request(method, url),
            None => error,
        })
    }
}

/// A submitted request, and the way of its result.
struct Task<T, R> {
    call: Call,
    /// What is done with the response on the worker's thread.
    read: Option<R>,
    to: Sender<Result<T>>,
}

impl<T: 'static, R: FnOnce(Response) -> Result<T>> Task<T, R> {
    fn run(mut self) {
        let Some(read) = self.read.take() else { return };
        let result = self.call.run(read);
        self.give(result);
    }
}

impl<T, R> Task<T, R> {
    fn give(&self, result: Option<Result<T>>) {
        // The channel has room. It is closed if nobody waits any more.
        let unwanted = result.and_then(|result| self.to.send(result).err());
        contain(|| drop(unwanted));
    }
}

impl<T, R> Drop for Task<T, R> {
    /// Answers for a request that is not begun any more.
    fn drop(&mut self) {
        let read = self.read.take();
        contain(|| drop(read));
        let result = self.call.refuse();
        self.give(result);
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

/// A request that was given to the workers. Dropping the handle ends nothing. A batch uses it again for other requests.
pub(super) struct Handle {
    workers: Workers,
    id: u64,
    /// Ends this request alone.
    token: CancelToken,
    /// The token is a child of one of the caller.
    is_child: bool,
    /// The request was taken out of the queue, or had been begun when it was to be taken out.
    has_left: AtomicBool,
    /// Takes the request out of the queue when the token of the caller fires.
    leaves: Option<OnCancel>,
}

impl Handle {
    pub(super) fn new(workers: &Workers) -> Handle {
        let (workers, token) = (workers.clone(), CancelToken::new());
        Handle { workers, id: 0, token, is_child: false, has_left: AtomicBool::new(false), leaves: None }
    }

    /// Gives a submitted request to the workers.
    pub(super) fn submit<T, R>(&mut self, request: RequestBuilder, read: R, to: Sender<Result<T>>)
    where
        T: Send + 'static,
        R: FnOnce(Response) -> Result<T> + Send + 'static,
    {
        let task = Task { call: self.call(request), read: Some(read), to };
        let id = self.workers.give([Box::new(|| task.run()) as Box<dyn Work>]);
        self.given(id);
    }

    /// Puts a request under this handle. [`given`](Self::given) has to follow.
    pub(super) fn call(&mut self, mut request: RequestBuilder) -> Call {
        let own = request.cancel_token().cloned();
        self.is_child = own.is_some();
        if let Some(own) = &own {
            self.token = own.child();
        }
        request.replace_token(&self.token);
        let (about, cancelled) = (request.about(), request.cancelled());
        Call { request: Some(request), cancelled, about, token: self.token.clone(), own }
    }

    /// Notes that the work of that request was given to the workers, under this number.
    pub(super) fn given(&mut self, id: u64) {
        self.id = id;
        *self.has_left.get_mut() = false;
        if self.is_child {
            let workers = self.workers.clone();
            self.leaves = Some(self.token.on_cancel(move || workers.refuse(id)));
        }
    }

    /// Lets go of a request whose result has come.
    pub(super) fn release(&mut self) {
        self.leaves = None;
        // Something of the last request may still hear the token, such as an upgraded connection.
        if self.is_child || !self.token.is_sole() {
            self.token = CancelToken::new();
        }
    }

    /// Returns the time at which the request leaves the queue, or `None` if it has left or its token has no deadline.
    pub(super) fn due(&self) -> Option<Instant> {
        self.token.deadline().filter(|_| !self.has_left.load(Ordering::Relaxed))
    }

    /// Returns whether the token has a deadline.
    pub(super) fn is_bounded(&self) -> bool {
        self.token.deadline().is_some()
    }

    /// Ends the call. A request that was not begun is taken out of the queue.
    ///
    /// In a child of the process that began it, this must not be called: the token may be locked for good.
    pub(super) fn cancel(&self) {
        self.token.cancel();
        self.leave();
    }

    /// Leaves the request to the process that began it: a thread of that process may hold a lock of the token.
    pub(super) fn forget(&mut self) {
        mem::forget(self.leaves.take());
        mem::forget(mem::take(&mut self.token));
    }

    /// Takes the request out of the queue if it was not begun. Its result says that it was cancelled.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
        self.workers.refuse(self.id);
    }

    /// Sends the request on this thread, if no other has begun it. Workers do so before they wait for it: if each of them
    /// waited for a request in the queue, nobody would ever take one out. Returns whether it was sent.
    pub(super) fn help(&self) -> bool {
        self.workers.take(self.id).map(Work::run).is_some()
    }
}

/// Returns the error of a wait in a child of the process that submitted the request.
pub(super) fn inherited() -> Error {
    Error::config("the request was submitted before a fork, by another process")
}
