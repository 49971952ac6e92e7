//! Builds requests.

mod bodies;
mod into_request;
mod into_url;
mod settings;
mod urlopen;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use into_request::IntoRequest;
pub(crate) use into_request::sealed as executable;
pub(crate) use into_url::sealed;
pub use into_url::{Connector, IntoUrl};

use crate::body::urlencoded;
use crate::client::call;
use crate::client::engine::Engine;
use crate::client::policy::Policy;
use crate::client::request::{Request, Shown};
use crate::client::terms::Terms;
use crate::error::Result;
use crate::headers::Headers;
use crate::response::Response;
use crate::time::Timeout;

/// A request under construction. Nothing is sent before [`send`](Self::send), which also reports the first thing that
/// was wrong with what it was given.
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

impl RequestBuilder {
    pub(crate) fn new(engine: &Arc<Engine>, policy: &Arc<Policy>, request: Result<Request>) -> Self {
        RequestBuilder { engine: engine.clone(), policy: policy.clone(), request }
    }

    /// Adds pairs to the query of the URL, percent-encoded, behind those it has.
    #[doc(alias = "query")]
    #[doc(alias = "fields")]
    pub fn params<K: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.change(|request| {
            let query = urlencoded::encode(pairs);
            if !query.is_empty() {
                request.url = request.url.with_query(&query)?;
            }
            Ok(())
        })
    }

    /// Adds the pairs of any value that has them: a map, a struct, or a sequence of pairs, in its order. Values are
    /// texts, numbers, booleans and variants without values; `None` is left out, and a sequence gives its name to each
    /// of its elements. Anything nested deeper is an error.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// #[derive(serde::Serialize)]
    /// struct Search<'a> {
    ///     q: &'a str,
    ///     page: Option<u32>,
    ///     tag: Vec<&'a str>,
    /// }
    ///
    /// let search = Search { q: "blue chair", page: None, tag: vec!["new", "wood"] };
    /// // GET /items?q=blue+chair&tag=new&tag=wood
    /// Session::new().get("http://example.com/items").params_from(&search).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[cfg(feature = "json")]
    #[doc(alias = "query")]
    pub fn params_from(self, value: &(impl serde::Serialize + ?Sized)) -> Self {
        match urlencoded::pairs(value) {
            Ok(pairs) => self.params(pairs),
            Err(error) => self.change(|_| Err(error)),
        }
    }

    /// Adds a text that is encoded already to the query of the URL, behind what it has. Nothing in it is changed, but
    /// for what may not stand in a query at all, such as spaces and `#`.
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
            if !query.is_empty() {
                request.url = request.url.with_query(&urlencoded::raw_query(query))?;
            }
            Ok(())
        })
    }

    /// Adds a header behind those of the same name. See [`Headers::append`] for what is refused.
    ///
    /// A request of a pool that has headers of its own is sent without [the
    /// pool's](crate::PoolManagerBuilder::headers).
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|request| Ok(request.headers.append(name, value)?))
    }

    /// Adds all these headers. Those of a pool are replaced by them as a whole, even if they are none; those of a
    /// session are sent as well, where a name is not among these.
    pub fn headers(self, headers: &Headers) -> Self {
        self.change(|request| {
            request.own_headers = true;
            Ok(request.headers.extend(headers)?)
        })
    }

    /// How many bytes `bytes`, `text` and `json` read at most of the response's body, in place of the client's
    /// [`Limits::max_body`](crate::Limits::max_body).
    pub fn max_body(self, bytes: u64) -> Self {
        self.change(|request| {
            request.options_mut().max_body = Some(bytes);
            Ok(())
        })
    }

    /// Whether a response's content codings (gzip and the like) are undone: yes unless said otherwise, here or by the
    /// client. Without it the body is given as it came, and a [`Session`](crate::Session) asks for none; nor does it
    /// for a request with a Range, since a part of a coded body (206) cannot be decoded and is given as it came. An
    /// Accept-Encoding header of one's own is sent in place of all that, and what comes is decoded all the same.
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

    /// Replaces all of the client's timeouts for this request; a [`Duration`](std::time::Duration) is a bound on the
    /// whole, and the only one then.
    pub fn timeout(self, timeout: impl Into<Timeout>) -> Self {
        self.change(|request| {
            request.options_mut().timeout = Some(timeout.into());
            Ok(())
        })
    }

    /// Sends the request over the connections of these pools, in place of the client's own; they stay open. For the
    /// free functions, which otherwise keep no connection.
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
        if self.policy.head.close {
            let mut policy = Policy::clone(&self.policy);
            policy.head.close = false;
            self.policy = Arc::new(policy);
        }
        self
    }

    /// The same request once more; `None` if its body cannot be (see [`Body::try_clone`](crate::Body::try_clone)), or
    /// if what it was given was wrong.
    pub fn try_clone(&self) -> Option<RequestBuilder> {
        let request = self.request.as_ref().ok()?.try_clone()?;
        Some(RequestBuilder::new(&self.engine, &self.policy, Ok(request)))
    }

    /// The request, without sending it. Errors with the first thing that was wrong with what it was given; headers that
    /// contradict the body are found when it is sent.
    pub fn build(self) -> Result<Request> {
        self.request
    }

    /// Sends the request and waits for the head of its response. The body is read through the [`Response`].
    ///
    /// Any status is a response, 404 and 500 too. Errors if no response came; [`Error`](crate::Error) says how far it
    /// got and whether the request may have been processed.
    pub fn send(self) -> Result<Response> {
        self.begin(call::send)
    }

    /// Sends a `GET` and saves the body as a file, as [`save_to`](crate::Response::save_to) does; says how many bytes
    /// that were.
    ///
    /// A download that breaks off goes on where it was, if there are [retries](Self::retries) for it: the rest is asked
    /// for by its range, on condition that the file on the server is still the same (`Range` and `If-Range`, RFC 9110,
    /// sections 14.2 and 13.1.5). Where that cannot be told, or the server sends all of it, it begins anew. Some servers
    /// send the rest with a 200: it is used if its `Content-Range`, or its validator and its length, prove what it is;
    /// if it could be the whole as well as the rest, the whole is asked for once more. Each such try counts as one of
    /// the kind [`read`](crate::Retry::read). The body is asked for without a content coding, and one that is coded all
    /// the same is saved as it came.
    ///
    /// The outcome is the whole file or an error, and in an error the file at `path` stays as it was.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) and `save_to`; [`ErrorKind::Status`] for a status that brings no file: 204, 205, and all
    /// from 300; [`ErrorKind::InvalidRequest`] if the request is not a `GET`, has a body or asks for a range itself.
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
        self.begin(|terms, request| call::download(terms, request, path.as_ref()))
    }

    /// Begins the call.
    fn begin<T>(self, send: impl FnOnce(Terms<'_>, Request) -> Result<T>) -> Result<T> {
        let RequestBuilder { engine, policy, request } = self;
        let mut request = request?;
        let own = request.options.clone();
        let terms = Terms::begin(&engine, &policy, own.as_deref());
        call::begin(terms, &mut request)?;
        send(terms, request)
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut Request) -> Result<()>) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            self.request = Err(error);
        }
        self
    }
}

impl fmt::Debug for RequestBuilder {
    /// Without what the client adds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.request.as_ref().map(|request| Shown(request, &self.policy.following.sensitive));
        f.debug_struct("RequestBuilder").field("request", &request).finish_non_exhaustive()
    }
}
