//! The result of one submitted request.

use std::fmt;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded, never};

use super::task::{Handle, inherited};
use crate::client::{Calls, IntoRequest};
use crate::error::{Error, Result};
use crate::process::Home;
use crate::response::Response;
use crate::workers;

/// A request that was [submitted](crate::Session::submit), and its result, which may still have to come.
///
/// It belongs to nobody: it borrows nothing, can be sent to any thread, and outlives the client that it was submitted
/// to. Dropping it cancels the request, unless its result was taken.
///
/// A [`check_with`](crate::RequestBuilder::check_with) of the request runs on the worker. A caller who must look at
/// something on its own thread, such as signals, waits by [`wait_timeout`](Self::wait_timeout), and cancels.
///
/// A worker that [waits](Self::wait) for a request that nobody has begun sends it itself. So a middleware may submit
/// requests and wait for them, even if all workers do. The other methods do not do that: on a worker,
/// [`try_get`](Self::try_get) in a loop may never give a result.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// let session = hostpool::Session::new();
/// let (one, other) = (session.submit(session.get(&url)), session.submit(session.get(&url)));
/// assert_eq!(one.wait()?.text()?, "hello");
/// assert_eq!(other.wait()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
#[must_use = "dropping it cancels the request"]
#[doc(alias = "Future")]
#[doc(alias = "Promise")]
#[doc(alias = "JoinHandle")]
pub struct Pending<T = Response> {
    from: Receiver<Result<T>>,
    handle: Handle,
    /// The process that has submitted the request. Another process has none of the threads.
    home: Home,
    taken: AtomicBool,
}

// Its result comes once, whatever panics meanwhile.
impl<T> UnwindSafe for Pending<T> {}
impl<T> RefUnwindSafe for Pending<T> {}

/// Gives a request to the workers of a client.
pub(crate) fn submit<T: Send + 'static>(
    calls: &Calls,
    request: impl IntoRequest,
    read: impl FnOnce(Response) -> Result<T> + Send + 'static,
) -> Pending<T> {
    let (to, from) = bounded(1);
    let mut handle = Handle::new(&calls.engine.workers());
    handle.submit(calls.begin(request), read, to);
    Pending { from, handle, home: Home::here(), taken: AtomicBool::new(false) }
}

impl<T> Pending<T> {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// All errors of [`RequestBuilder::send`](crate::RequestBuilder::send), and:
    ///
    /// - [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) if it was [cancelled](Self::cancel).
    /// - [`ErrorKind::Panicked`](crate::ErrorKind::Panicked) if code of the caller panicked, such as a middleware.
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the result was taken before.
    /// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) in a child of the process that submitted it.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// let pending = session.submit(session.get(&url));
    /// assert_eq!(pending.wait()?.status(), 200);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "join")]
    #[doc(alias = "result")]
    pub fn wait(self) -> Result<T> {
        if !self.home.is_here() {
            return Err(inherited());
        }
        if self.is_taken() {
            return Err(taken());
        }
        if workers::is_worker() {
            self.handle.help();
        }
        if let Some(received) = self.receive_until_due(None) {
            return self.take(received.ok());
        }
        self.take(self.from.recv().ok())
    }

    /// Waits for the result for at most this long. Returns `None` if it has not come. The request goes on.
    ///
    /// # Errors
    ///
    /// The same as of [`wait`](Self::wait).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use std::time::Duration;
    ///
    /// let session = hostpool::Session::new();
    /// let pending = session.submit(session.get(&url));
    /// let response = loop {
    ///     match pending.wait_timeout(Duration::from_millis(100)) {
    ///         Some(result) => break result?,
    ///         None => println!("still waiting"),
    ///     }
    /// };
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "result")]
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<T>> {
        if !self.home.is_here() {
            return Some(Err(inherited()));
        }
        if self.is_taken() {
            return Some(Err(taken()));
        }
        // A time that the clock cannot hold is no bound.
        let until = Instant::now().checked_add(limit);
        if let Some(received) = self.receive_until_due(until) {
            return Some(self.take(received.ok()));
        }
        let received = match until {
            Some(at) => self.from.recv_deadline(at),
            None => self.from.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Err(RecvTimeoutError::Timeout) => None,
            received => Some(self.take(received.ok())),
        }
    }

    /// Returns the result if it has come.
    ///
    /// # Errors
    ///
    /// The same as of [`wait`](Self::wait).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// let pending = session.submit(session.get(&url));
    /// while !pending.is_done() {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(pending.try_get().unwrap()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "try_recv")]
    pub fn try_get(&self) -> Option<Result<T>> {
        if !self.home.is_here() {
            return Some(Err(inherited()));
        }
        // The worker may not have let go of the channel yet.
        if self.is_taken() {
            return Some(Err(taken()));
        }
        match self.from.try_recv() {
            Err(TryRecvError::Empty) => None,
            received => Some(self.take(received.ok())),
        }
    }

    /// Returns whether the result has come, or was taken.
    #[doc(alias = "done")]
    #[doc(alias = "is_finished")]
    pub fn is_done(&self) -> bool {
        !self.from.is_empty() || self.is_taken()
    }

    /// Ends the request, wherever it is: a request that waits for a thread is not sent, and one that was begun ends as
    /// if a [`CancelToken`](crate::CancelToken) of its own had fired. A result that has come stays. It does not wait.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// use hostpool::ErrorKind;
    ///
    /// let session = hostpool::Session::new();
    /// // A server that never answers:
    /// let pending = session.submit(session.get(&url));
    /// pending.cancel();
    /// assert_eq!(pending.wait().unwrap_err().kind(), &ErrorKind::Cancelled);
    /// ```
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        if !self.is_done() && self.home.is_here() {
            self.handle.cancel();
        }
    }

    fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits for the result until the deadline of the token, if that is before `until`. A request that was not begun by
    /// then leaves the queue: its result is on its way.
    fn receive_until_due(&self, until: Option<Instant>) -> Option<std::result::Result<Result<T>, RecvTimeoutError>> {
        let at = self.handle.due().filter(|&at| until.is_none_or(|until| at <= until))?;
        match self.from.recv_deadline(at) {
            Err(RecvTimeoutError::Timeout) => {
                self.handle.leave();
                None
            }
            received => Some(received),
        }
    }

    /// Returns the result that was received. There is none if another thread took it meanwhile.
    fn take(&self, received: Option<Result<T>>) -> Result<T> {
        self.taken.store(true, Ordering::Relaxed);
        received.unwrap_or_else(|| Err(taken()))
    }
}

/// Returns the error of a wait for a second result: each request has just one.
fn taken() -> Error {
    Error::request("the result of the request was taken before")
}

impl<T> Drop for Pending<T> {
    /// Ends the request, unless its result was taken: a response may still be read.
    fn drop(&mut self) {
        if self.is_taken() {
            return;
        }
        if self.home.is_here() {
            return self.handle.cancel();
        }
        // A thread that only the parent has may hold the lock of the channel for good.
        mem::forget(mem::replace(&mut self.from, never()));
        self.handle.forget();
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("done", &self.is_done()).finish_non_exhaustive()
    }
}
