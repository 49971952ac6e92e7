//! Builds requests.

mod bodies;
mod calls;
mod connector;
#[cfg(feature = "websocket")]
mod handshake;
mod into_request;
mod into_url;
mod names;
mod settings;
mod urlopen;

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;

use http::Method;

pub(crate) use calls::{Base, Calls};
pub use connector::Connector;
pub(crate) use connector::sealed as has_pools;
pub use into_request::IntoRequest;
pub(crate) use into_request::sealed as executable;
pub use into_url::IntoUrl;
pub(crate) use into_url::{sealed, trusted};

use crate::body::urlencoded::{self, IntoPairs};
use crate::cancel::{CancelToken, Check};
use crate::client::call;
use crate::client::connection::Connection;
use crate::client::engine::Engine;
use crate::client::policy::Policy;
use crate::client::request::{Request, Shown};
use crate::client::terms::Terms;
use crate::error::{Error, Phase, Result};
use crate::headers::{IntoHeaderName, IntoHeaderValue, IntoHeaders};
use crate::response::Response;
use crate::time::Timeout;
use crate::urls::Url;

/// Builds a request. Nothing is sent before [`send`](Self::send).
///
/// A method that is given something wrong does not fail at once. [`send`](Self::send) and [`build`](Self::build) return
/// the first such error.
///
/// | for | methods |
/// |---|---|
/// | the query | [`params`](Self::params), [`raw_query`](Self::raw_query) |
/// | headers | [`header`](Self::header), [`headers`](Self::headers), [`user_agent`](Self::user_agent), [`range`](Self::range) |
/// | the body | [`body`](Self::body), `json`, [`form`](Self::form), [`multipart`](Self::multipart), [`files`](Self::files) |
/// | credentials, cookies | [`basic_auth`](Self::basic_auth), [`bearer_auth`](Self::bearer_auth), [`auth`](Self::auth), [`cookie`](Self::cookie) |
/// | time and size | [`timeout`](Self::timeout), [`max_body`](Self::max_body) |
/// | redirects | [`allow_redirects`](Self::allow_redirects), [`max_redirects`](Self::max_redirects), [`redirect_when`](Self::redirect_when) |
/// | failures | [`retries`](Self::retries), [`raise_for_status`](Self::raise_for_status) |
/// | sending | [`send`](Self::send), [`download`](Self::download), [`build`](Self::build), [`connect`](Self::connect) |
///
/// ```no_run
/// use hostpool::{Session, Timeout};
/// use std::time::Duration;
///
/// let session = Session::new();
/// let response = session
///     .post("https://api.example/items")
///     .params([("verbose", "1")])
///     .header("X-Request-Id", "7")
///     .form([("name", "value")])
///     .timeout(Duration::from_secs(10))
///     .send()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[must_use = "a request is not sent before `send` is called"]
pub struct RequestBuilder {
    pub(super) engine: Arc<Engine>,
    pub(super) policy: Arc<Policy>,
    pub(super) request: Result<Request>,
}

/// # The request, and how it is sent
impl RequestBuilder {
    pub(crate) fn new(engine: &Arc<Engine>, policy: &Arc<Policy>, request: Result<Request>) -> Self {
        RequestBuilder { engine: engine.clone(), policy: policy.clone(), request }
    }

    /// Adds pairs to the query of the URL, after its existing pairs. They are percent-encoded. [`IntoPairs`] says what
    /// has pairs: an array, a slice, a map, or a value that serde can serialize.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the value has no pairs, or if anything is
    /// nested deeper.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Search<'a> {
    ///     q: &'a str,
    ///     page: Option<u32>,
    ///     tag: Vec<&'a str>,
    /// }
    ///
    /// let search = Search { q: "blue chair", page: None, tag: vec!["new", "wood"] };
    /// let request = Session::new().get("http://example.com/").params(&search).params([("lang", "en")]).build()?;
    /// assert_eq!(request.url().target(), "/?q=blue+chair&tag=new&tag=wood&lang=en");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "query_pairs")]
    #[doc(alias = "fields")]
    pub fn params(self, pairs: impl IntoPairs) -> Self {
        self.change(|request| {
            let query = urlencoded::encode(pairs.pairs()?);
            if !query.is_empty() {
                request.url = request.url.with_query(&query)?;
            }
            Ok(())
        })
    }

    /// Does the same as [`params`](Self::params).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").query([("page", 2)]).build()?;
    /// assert_eq!(request.url().target(), "/?page=2");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn query(self, pairs: impl IntoPairs) -> Self {
        self.params(pairs)
    }

    /// Adds a text that is already encoded to the query of the URL, after its existing text. Only characters that are
    /// not allowed in a query are encoded, such as spaces and `#`; the rest is not changed.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/?a=1").raw_query("sig=a%2Fb+c").build()?;
    /// assert_eq!(request.url().target(), "/?a=1&sig=a%2Fb+c");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "params")]
    pub fn raw_query(self, query: &str) -> Self {
        self.change(|request| {
            request.url = request.url.append_query(query)?;
            Ok(())
        })
    }

    /// Adds a header after existing headers of the same name. The value is a text, bytes, a number, or an
    /// `http::HeaderValue`: see [`IntoHeaderValue`].
    ///
    /// A pool sends a request that has headers of its own without those of the pool's
    /// [`headers`](crate::ClientBuilder::headers). What setters for one thing add, such as
    /// [`user_agent`](Self::user_agent) and [`range`](Self::range), does not count as a header of the request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if
    /// [`Headers::append`](crate::Headers::append) refuses the name or the value.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").header("X-Request-Id", 7).build()?;
    /// assert_eq!(request.headers().get("x-request-id"), Some("7"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "set")]
    pub fn header(self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Self {
        self.change(|request| Ok(request.headers.append(name, value)?))
    }

    /// Adds all these headers: [`Headers`](crate::Headers), an `http::HeaderMap`, or pairs. They replace the
    /// [`headers`](crate::ClientBuilder::headers) of a pool as a whole, even if they are empty. A session sends its own
    /// headers as well, except those whose names are among these.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").headers([("Accept", "text/html")]).build()?;
    /// assert_eq!(request.headers().get("accept"), Some("text/html"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn headers(self, headers: impl IntoHeaders) -> Self {
        self.change(|request| {
            request.own_headers = true;
            Ok(request.headers.append_all(headers)?)
        })
    }

    /// Sets the `User-Agent` header, in place of `hostpool/` and the version.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").user_agent("crawler/1.0").build()?;
    /// assert_eq!(request.headers().get("user-agent"), Some("crawler/1.0"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn user_agent(self, user_agent: impl IntoHeaderValue) -> Self {
        self.change(|request| request.set_field("User-Agent", user_agent))
    }

    /// Asks for a part of the body by its positions, from 0 (`Range`; RFC 9110, section 14.2). A server that grants it
    /// answers 206 with a `Content-Range`; any other server sends the whole with 200.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a range without a byte.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::new();
    /// let request = session.get("http://example.com/large.bin").range(100..200).build()?;
    /// assert_eq!(request.headers().get("range"), Some("bytes=100-199"));
    /// let request = session.get("http://example.com/large.bin").range(100..).build()?;
    /// assert_eq!(request.headers().get("range"), Some("bytes=100-"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn range(self, bytes: impl RangeBounds<u64>) -> Self {
        let first = match bytes.start_bound() {
            Bound::Included(&at) => Some(at),
            Bound::Excluded(&at) => at.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let last = match bytes.end_bound() {
            Bound::Included(&at) => Some(Some(at)),
            Bound::Excluded(&at) => at.checked_sub(1).map(Some),
            Bound::Unbounded => Some(None),
        };
        self.change(|request| {
            let value = match (first, last) {
                (Some(first), Some(None)) => format!("bytes={first}-"),
                (Some(first), Some(Some(last))) if first <= last => format!("bytes={first}-{last}"),
                _ => return Err(Error::request("a range has at least one byte")),
            };
            request.set_field("Range", value)
        })
    }

    /// Adds a value of any type of the caller's own for the middleware and the hooks of this request. It is not sent. A
    /// value of the same type is replaced. See [`Request::extensions`].
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/").extension("a label").build()?;
    /// assert_eq!(request.extensions().get(), Some(&"a label"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn extension<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.change(|request| {
            request.extensions_mut().insert(value);
            Ok(())
        })
    }

    /// Adds all these values, as [`extension`](Self::extension) adds one.
    pub fn extensions(self, values: http::Extensions) -> Self {
        self.change(|request| {
            request.extensions_mut().extend(values);
            Ok(())
        })
    }

    /// Sets how many bytes of the response's body `bytes`, `text` and `json` read at most. Default: the client's
    /// [`Limits::max_body`](crate::Limits::max_body).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ErrorKind, Limit};
    ///
    /// let error = hostpool::get(&url).max_body(4).send()?.bytes().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::LimitExceeded(Limit::Body));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn max_body(self, bytes: u64) -> Self {
        self.change(|request| {
            request.options_mut().max_body = Some(bytes);
            Ok(())
        })
    }

    /// Sets how many bytes of the response's body are received, before they are decoded, however the body is read.
    /// Default: the client's [`Limits::max_wire_body`](crate::Limits::max_wire_body), which is no limit unless it was
    /// changed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ErrorKind, Limit};
    ///
    /// let mut response = hostpool::get(&url).max_wire_body(4).send()?;
    /// let error = response.copy_to(&mut std::io::sink()).unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::LimitExceeded(Limit::WireBody));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "max_filesize")]
    pub fn max_wire_body(self, bytes: u64) -> Self {
        self.set(|options| options.max_wire_body = Some(bytes))
    }

    /// Sets whether content codings of the response, such as gzip, are decoded. Default: the client's setting, which is
    /// yes unless it was changed. Without decoding, the body is returned as it was received.
    ///
    /// A [`Session`](crate::Session) asks for the codings that it can decode. It asks for none if the body is not
    /// decoded, or if the request has a `Range`: a part of a coded body (206) cannot be decoded, and is returned as it
    /// was received. An `Accept-Encoding` header of the request is sent instead; the response is decoded all the same.
    ///
    /// ```no_run
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get("http://example.com/data.json").header("Accept-Encoding", "gzip");
    /// let compressed = request.decode_content(false).send()?.bytes()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "auto_decompress")]
    pub fn decode_content(self, decode: bool) -> Self {
        self.change(|request| {
            request.options_mut().decode_content = Some(decode);
            Ok(())
        })
    }

    /// Sets the timeouts of this request, which replace all of the client's. A [`Duration`](std::time::Duration) is a
    /// bound on the whole call, and then the only bound.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{Session, Timeout};
    /// use std::time::Duration;
    ///
    /// let session = Session::new();
    /// // Ten seconds for all of it, the body included.
    /// session.get(&url).timeout(Duration::from_secs(10)).send()?.text()?;
    /// // Three seconds for a connection, and no silence of more than thirty.
    /// let timeout = Timeout::new().connect(Duration::from_secs(3)).read(Duration::from_secs(30));
    /// session.get(&url).timeout(timeout).send()?.text()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn timeout(self, timeout: impl Into<Timeout>) -> Self {
        self.change(|request| {
            request.options_mut().timeout = Some(timeout.into());
            Ok(())
        })
    }

    /// Sets the token that ends the call from another thread: see [`CancelToken`].
    ///
    /// ```
    /// use hostpool::{CancelToken, Session};
    ///
    /// let (session, token) = (Session::new(), CancelToken::new());
    /// let request = session.get("http://example.com/").cancel_with(&token);
    /// token.cancel();
    /// assert!(request.send().unwrap_err().is_cancelled());
    /// ```
    #[doc(alias = "signal")]
    #[inline]
    pub fn cancel_with(self, token: &CancelToken) -> Self {
        self.change(|request| {
            request.cancel_with(token);
            Ok(())
        })
    }

    /// Sets a function that may end the call. The thread of the call runs it every 100 ms, in a wait as in a transfer
    /// that never waits, and whenever a signal interrupts a socket call. `Err` ends the call at once, and is the error that the caller gets.
    ///
    /// It is for callers who must look at something themselves. A program in another language runs the pending signal
    /// handlers of its own there, which only the blocked thread can do: Python's `PyErr_CheckSignals` turns Ctrl-C into
    /// the exception that the error then carries. Where another thread can act, [`cancel_with`](Self::cancel_with) is
    /// better: it ends a call at once, and costs nothing while the call waits.
    ///
    /// It runs without locks, for waits of the call and for reads of its response. It must not use the
    /// [`Connection`](crate::Connection), upgraded connection or WebSocket for which it runs: it would wait for itself. A
    /// panic of it goes on to the caller.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// use hostpool::{Error, ErrorKind, Session};
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// // Set by a signal handler.
    /// static STOP: AtomicBool = AtomicBool::new(false);
    /// # STOP.store(true, Ordering::Relaxed);
    ///
    /// let request = Session::new().get(&url).check_with(|| match STOP.load(Ordering::Relaxed) {
    ///     true => Err(Error::custom("stopped by the user")),
    ///     false => Ok(()),
    /// });
    /// // A server that never answers:
    /// let error = request.send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Custom);
    /// assert!(error.to_string().starts_with("stopped by the user (waiting for the response, "));
    /// ```
    #[doc(alias = "check_signals")]
    #[doc(alias = "progress")]
    #[doc(alias = "xferinfofunction")]
    pub fn check_with(self, check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        self.set(|options| options.check = Some(Check::new(check)))
    }

    /// Sets the pools whose connections send the request, in place of the client's own. The pools stay open. This is
    /// for the free functions, which otherwise keep no connection. What the pools say about a proxy comes before what the
    /// client has from the [environment](crate::ClientBuilder::trust_env).
    ///
    /// ```no_run
    /// use hostpool::PoolManager;
    ///
    /// let pools = PoolManager::new();
    /// let response = hostpool::get("http://example.com/").connector(&pools).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connector(mut self, connector: &impl Connector) -> Self {
        self.engine = connector.engine().clone();
        // A proxy that code sets for the pools comes before the environment.
        let leaves_environment = self.policy.proxy_of_env && !self.engine.takes_environment();
        if self.policy.head.close || leaves_environment {
            let mut policy = Policy::clone(&self.policy);
            policy.head.close = false;
            policy.proxy = policy.proxy.filter(|_| !leaves_environment);
            self.policy = Arc::new(policy);
        }
        self
    }

    /// Returns a clone, or `None` if the body cannot be cloned (see [`Body::try_clone`](crate::Body::try_clone)) or if
    /// there was an error.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let request = hostpool::post(&url).body("once more");
    /// let again = request.try_clone().unwrap();
    /// assert_eq!(request.send()?.text()?, again.send()?.text()?);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn try_clone(&self) -> Option<RequestBuilder> {
        let request = self.request.as_ref().ok()?.try_clone()?;
        Some(RequestBuilder::new(&self.engine, &self.policy, Ok(request)))
    }

    /// Returns the request without sending it.
    ///
    /// # Errors
    ///
    /// The first error of the methods that were called before. Headers that contradict the body are found only when the
    /// request is sent.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Session;
    ///
    /// let session = Session::new();
    /// let request = session.get(&url).header("X-Request-Id", 7).build()?;
    /// assert_eq!(request.headers().get("x-request-id"), Some("7"));
    /// assert_eq!(session.execute(request)?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "prepare")]
    pub fn build(self) -> Result<Request> {
        self.request
    }

    /// Sends the request and waits for the head of its response. The body is read through the [`Response`].
    ///
    /// Any status is a response, including 404 and 500.
    ///
    /// # Errors
    ///
    /// The first error of the methods that were called before, and every [`ErrorKind`](crate::ErrorKind) of a call that
    /// gets no response. [`Error`](crate::Error) says how far the call got, and whether the request may have been
    /// processed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let response = hostpool::get(&url).send()?;
    /// assert_eq!(response.status(), 200);
    /// assert_eq!(response.text()?, "hello");
    ///
    /// // Nobody listens there, so the server cannot have processed it.
    /// let error = hostpool::get("http://127.0.0.1:1/").send().unwrap_err();
    /// assert!(error.is_connect() && !error.maybe_processed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "call")]
    #[doc(alias = "send_empty")]
    pub fn send(self) -> Result<Response> {
        self.begin(call::send)
    }

    /// Sends a `GET`, saves the body as a file as [`save_to`](crate::Response::save_to) does, and returns the number of
    /// bytes.
    ///
    /// A download that breaks off continues where it stopped, if there are [retries](Self::retries) left. It asks for
    /// the rest by its range, on condition that the file on the server is still the same (`Range` and `If-Range`,
    /// RFC 9110, sections 14.2 and 13.1.5). If that cannot be told, or if the server sends the whole file, the download
    /// begins again. Each further try counts as one of the kind [`read`](crate::Retry::read).
    ///
    /// Some servers send the rest with a 200. It is used if its `Content-Range`, or its validator and its length, prove
    /// that it is the rest. If it could be the whole as well as the rest, the whole is asked for once more.
    ///
    /// The request asks for no content coding. A body that is coded all the same is saved as it was received.
    ///
    /// The result is the whole file or an error. After an error the file at `path` is as it was before.
    /// [`download_with`](Self::download_with) tells how far the download is.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the request is not a `GET`, has a body, or
    ///   asks for a range itself.
    /// - [`ErrorKind::Status`](crate::ErrorKind::Status) for a status that brings no file: 204, 205, and all from 300
    ///   on.
    /// - All errors of [`send`](Self::send) and [`save_to`](crate::Response::save_to).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("hello.txt");
    /// use hostpool::Session;
    ///
    /// let length = Session::new().get(&url).retries(5).download(&path)?;
    /// assert_eq!(length, 5);
    /// # assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn download(self, path: impl AsRef<Path>) -> Result<u64> {
        self.download_with(path, |_, _| ())
    }

    /// Does the same, calling `progress` after each write with the bytes that the file has so far and, where it is
    /// known, with how many it will have. A download that goes on after an interruption counts on. One that begins
    /// again, because the file on the server has changed or its version is not known, counts from the start.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("hello.txt");
    /// let request = hostpool::get(&url).retries(5);
    /// request.download_with(&path, |done, total| match total {
    ///     Some(total) => println!("{done} of {total} bytes"),
    ///     None => println!("{done} bytes"),
    /// })?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "on_download_progress")]
    #[doc(alias = "progress")]
    pub fn download_with(self, path: impl AsRef<Path>, mut progress: impl FnMut(u64, Option<u64>)) -> Result<u64> {
        self.begin(|terms, request| call::download(terms, request, path.as_ref(), &mut progress))
    }

    /// Returns the token that the request was given.
    pub(crate) fn cancel_token(&self) -> Option<&CancelToken> {
        self.request.as_ref().ok()?.cancel_token()
    }

    /// Sets the token as [`cancel_with`](Self::cancel_with) does.
    pub(crate) fn replace_token(&mut self, token: &CancelToken) {
        if let Ok(request) = &mut self.request {
            request.cancel_with(token);
        }
    }

    /// Returns the method and the URL, if the request has them.
    pub(crate) fn about(&self) -> Option<(Method, Url)> {
        self.request.as_ref().ok().map(|request| (request.method.clone(), request.url.clone()))
    }

    /// Preloads the body of the response, unless the caller wants only its head.
    pub(crate) fn preload_unless_released(&mut self) {
        if let Ok(request) = &mut self.request {
            request.preload |= !request.release;
        }
    }

    /// Returns how often all calls of the client were cancelled.
    pub(crate) fn cancelled(&self) -> u64 {
        self.engine.cancelled(&self.policy.reach)
    }

    /// Sends a request that was submitted when all calls had been cancelled so often. If they were cancelled since, it is
    /// not sent: for its caller it has begun.
    pub(crate) fn send_submitted(self, cancelled: u64) -> Result<Response> {
        self.begin(|terms, request| {
            let terms = terms.since(cancelled);
            terms.check_cancelled(Phase::Prepare)?;
            call::send(terms, request)
        })
    }

    /// Takes the connection of the pool that the request would be sent on, and sends nothing: see [`Connection`]. It waits
    /// as [`send`](Self::send) does if all connections are in use.
    ///
    /// The URL says where the connection leads. The [timeouts](Self::timeout), the
    /// [`pool_timeout`](Self::pool_timeout) and the [token](Self::cancel_with) of the request apply. Its headers, body,
    /// redirects, retries and middleware play no part.
    ///
    /// # Errors
    ///
    /// The first error of the methods that were called before, and the errors of `send` up to the phase in which the
    /// request would leave.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Session;
    /// use std::time::Duration;
    ///
    /// let session = Session::new();
    /// // The next request finds a connection that is open already.
    /// session.get(&url).timeout(Duration::from_secs(5)).connect()?.release();
    /// assert!(session.get(&url).send()?.is_reused());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connect(self) -> Result<Connection> {
        self.begin(call::connect)
    }

    /// Begins the call, and has `send` do the rest.
    fn begin<T>(mut self, send: impl FnOnce(Terms<'_>, &mut Request) -> Result<T>) -> Result<T> {
        // The request stays in the builder, because a move of it costs 30 instructions.
        let request = match self.request {
            Ok(ref mut request) => request,
            Err(error) => return Err(error),
        };
        let token = Terms::token(&self.policy, request);
        let terms = match call::begin(&self.engine, &self.policy, request, token.as_ref()) {
            Ok(terms) => terms,
            Err(error) => return Err(error.with_request(&request.method, &request.url)),
        };
        // An error of a request that was sent names that one, which may be another after middleware and redirects.
        match send(terms, request) {
            Ok(sent) => Ok(sent),
            Err(error) => Err(error.with_request(&request.method, &request.url)),
        }
    }

    /// Changes the request, unless there was an error before.
    pub(super) fn change(mut self, change: impl FnOnce(&mut Request) -> Result<()>) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            self.request = Err(error.with_request(&request.method, &request.url));
        }
        self
    }
}

impl fmt::Debug for RequestBuilder {
    /// Shows the request without the fields that the client adds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.request.as_ref().map(|request| Shown(request, &self.policy.following.sensitive));
        f.debug_struct("RequestBuilder").field("request", &request).finish_non_exhaustive()
    }
}
