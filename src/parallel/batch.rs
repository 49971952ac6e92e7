//! Many requests, and the iterator of their results.

use std::fmt;
use std::sync::Arc;

use super::running::Running;
use super::seat::Read;
use super::task::inherited;
use crate::client::{Calls, IntoRequest};
use crate::error::Result;
use crate::response::Response;
use crate::workers::Workers;

/// The requests that are under way by default, for each worker. A worker need not wait until the caller has taken its
/// last result, and a result that is late holds up the others only after fifteen more rounds: where all processors are
/// busy, the system may stop a thread for the time of a hundred small requests.
const WIDTH: usize = 16;

/// The results of many requests that are sent at once on the threads of a client: see
/// [`Session::batch`](crate::Session::batch).
///
/// It is an iterator of pairs: the place of the request among all, from 0, and its result. A request that fails stops
/// no other. The [error](crate::Error::url) names the URL.
///
/// - Results come in the order of the requests, or [as they are completed](Self::as_completed).
/// - At most [`width`](Self::width) requests are under way: taken from the list, and their results not returned. So the
///   list may be endless, and at most so many responses wait in memory.
/// - Requests are taken from the list inside `next`, on its thread. They may depend on results before: a list that
///   returns `None` is asked again as long as results are to come. A list that blocks holds up the results. Of a list
///   whose [`size_hint`](Iterator::size_hint) promises more, up to eight requests may be taken before they are sent, while
///   the workers have others.
/// - The body of a response is read on the worker, up to [`max_body`](crate::RequestBuilder::max_body) bytes. A
///   response that waits for its turn so holds no connection. [`read_with`](Self::read_with) does something else.
/// - Nothing is sent before the first `next`. Dropping the iterator cancels what is under way.
/// - A timeout of a request begins when a worker begins the request.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// let session = hostpool::Session::new();
/// let urls = [&url, &url, "http://127.0.0.1:1/"];
/// for (place, result) in session.batch(urls.map(|url| session.get(url))) {
///     match result {
///         Ok(response) => println!("{place}: {}", response.text()?),
///         Err(error) => println!("{place}: {} failed: {error}", error.url().unwrap()),
///     }
/// }
/// # Ok::<(), hostpool::Error>(())
/// ```
///
/// Requests that follow from results, here of a crawler:
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let start = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use std::cell::RefCell;
/// use std::collections::VecDeque;
///
/// # let mut left = 3;
/// # let mut links = |_text: String| { left -= 1; if left > 0 { vec![start.clone()] } else { Vec::new() } };
/// let session = hostpool::Session::new();
/// let queue = RefCell::new(VecDeque::from([start.clone()]));
/// let requests = std::iter::from_fn(|| queue.borrow_mut().pop_front().map(|url| session.get(url)));
/// let mut pages = 0;
/// for (_, result) in session.batch(requests).as_completed() {
///     pages += 1;
///     queue.borrow_mut().extend(links(result?.text()?));
/// }
/// assert_eq!(pages, 3);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[must_use = "nothing is sent before the first call of `next`"]
#[doc(alias = "map")]
#[doc(alias = "imap")]
#[doc(alias = "gather")]
pub struct Batch<I, T = Response> {
    calls: Calls,
    requests: I,
    read: Read<T>,
    /// The responses are read before they are given to `read`.
    preload: bool,
    threads: Workers,
    width: usize,
    /// The place of the next request.
    next: usize,
    running: Running<T>,
}

impl<I: Iterator> Batch<I> {
    pub(crate) fn new(calls: Calls, requests: I) -> Batch<I> {
        let threads = calls.engine.workers();
        Batch {
            width: threads.limit().saturating_mul(WIDTH),
            threads,
            calls,
            requests,
            read: Arc::new(Ok),
            preload: true,
            next: 0,
            running: Running::new(),
        }
    }
}

impl<I, T> Batch<I, T> {
    /// Sets how many requests are under way at most: taken from the list, and their results not returned. Default: 16
    /// times the [`workers`](crate::ClientBuilder::workers) of the client. 0 counts as 1.
    ///
    /// At most as many as the client has workers are sent at once, so a smaller width bounds that, too. With a larger
    /// one the workers go on while results wait for the caller, or for one that is late.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// // The list is endless.
    /// let batch = session.batch(std::iter::repeat_with(|| session.get(&url))).width(4);
    /// assert_eq!(batch.take(100).filter(|(_, result)| result.is_ok()).count(), 100);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "buffered")]
    #[doc(alias = "buffersize")]
    #[doc(alias = "concurrency")]
    #[doc(alias = "size")]
    pub fn width(mut self, requests: usize) -> Self {
        self.width = requests.max(1);
        self
    }

    /// Returns each result as soon as its request is completed. By default results come in the order of the requests.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// let batch = session.batch([session.get(&url), session.get(&url)]).as_completed();
    /// let mut places: Vec<usize> = batch.map(|(place, _)| place).collect();
    /// places.sort();
    /// assert_eq!(places, [0, 1]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "imap_unordered")]
    #[doc(alias = "buffer_unordered")]
    pub fn as_completed(mut self) -> Self {
        self.running.as_completed();
        self
    }

    /// Sets what is done with each response on the worker's thread, in place of reading its body. The result of the
    /// function is the result of the request. It is for work that takes time, such as saving a file. Call it before the
    /// first `next`.
    ///
    /// With `read_with(Ok)` the responses are returned unread. Each then holds its connection, and results that wait
    /// for their turn may hold all connections that a [`limit`](crate::ClientBuilder::limit) allows.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// let batch = session.batch([session.get(&url), session.get(&url)]);
    /// let texts: Result<Vec<String>, hostpool::Error> =
    ///     batch.read_with(|response| response.error_for_status()?.text()).map(|(_, text)| text).collect();
    /// assert_eq!(texts?, ["hello", "hello"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn read_with<U>(self, read: impl Fn(Response) -> Result<U> + Send + Sync + 'static) -> Batch<I, U> {
        let Batch { calls, requests, threads, width, next, running, .. } = self;
        let running = running.anew(next);
        Batch { calls, requests, read: Arc::new(read), preload: false, threads, width, next, running }
    }
}

impl<I, T> Batch<I, T>
where
    I: Iterator,
    I::Item: IntoRequest,
    T: Send + 'static,
{
    /// Takes one more request from the list. Returns false if so many are under way as may be, or the list has no more.
    fn pull(&mut self) -> bool {
        if self.running.len() >= self.width {
            return false;
        }
        let Some(request) = self.requests.next() else { return false };
        let mut request = self.calls.begin(request);
        if self.preload {
            request.preload_unless_released();
        }
        self.running.put(self.next, request, &self.read, &self.threads);
        self.next += 1;
        true
    }

    /// Returns an error for the next request that was begun by another process, or was to be.
    fn inherited(&mut self) -> Option<(usize, Result<T>)> {
        let place = match self.running.forget_first() {
            Some(place) => place,
            None => {
                self.requests.next()?;
                self.next += 1;
                self.next - 1
            }
        };
        Some((place, Err(inherited())))
    }
}

impl<I, T> Iterator for Batch<I, T>
where
    I: Iterator,
    I::Item: IntoRequest,
    T: Send + 'static,
{
    type Item = (usize, Result<T>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.running.is_here() {
            return self.inherited();
        }
        // A list that cannot promise another request may block until those before it are answered, as a channel does.
        let promises = self.requests.size_hint().0 > 0;
        if promises && self.running.may_hold_back(self.width, self.threads.limit()) {
            self.pull();
            return self.running.take_arrived();
        }
        self.running.give(&self.threads);
        while self.pull() {
            // At once, because the list may block.
            self.running.give(&self.threads);
        }
        self.running.take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.requests.size_hint();
        let busy = self.running.len();
        (least.saturating_add(busy), most.and_then(|most| most.checked_add(busy)))
    }
}

impl<I, T> fmt::Debug for Batch<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("width", &self.width)
            .field("as_completed", &self.running.is_as_completed())
            .field("begun", &self.next)
            .finish_non_exhaustive()
    }
}
