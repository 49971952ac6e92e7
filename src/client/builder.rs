//! Building requests, and what names their targets.

use std::fmt;
use std::sync::Arc;

use super::call;
use super::engine::Engine;
use super::policy::Policy;
use super::request::{Request, Shown};
use super::urlencoded;
use crate::error::Result;
use crate::headers::Headers;
use crate::response::Response;
use crate::time::Timeout;
use crate::url::{InvalidUrl, Origins, Url};

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
            request.max_body = Some(bytes);
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
            request.decode_content = Some(decode);
            Ok(())
        })
    }

    /// Replaces all of the client's timeouts for this request; a [`Duration`](std::time::Duration) is a bound on the
    /// whole, and the only one then.
    pub fn timeout(self, timeout: impl Into<Timeout>) -> Self {
        self.change(|request| {
            request.timeout = Some(timeout.into());
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
        if self.policy.fields.close {
            let mut policy = Policy::clone(&self.policy);
            policy.fields.close = false;
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
        let RequestBuilder { engine, policy, request } = self;
        let mut request = request?;
        let until = call::begin(&mut request, &policy)?;
        call::send(&engine, &policy, request, until)
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
        let request = self.request.as_ref().map(|request| Shown(request, &self.policy.redirects.sensitive));
        f.debug_struct("RequestBuilder").field("request", &request).finish_non_exhaustive()
    }
}

/// What has connections for others: a [`PoolManager`](crate::PoolManager).
pub trait Connector: sealed::Pools {}

impl<T: sealed::Pools> Connector for T {}

/// What names the target of a request: a text, a [`Url`], or a `url::Url`.
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

pub(crate) mod sealed {
    use super::{Arc, Engine, InvalidUrl, Origins, Url};

    pub trait Pools {
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn engine(&self) -> &Arc<Engine>;
    }

    pub trait Sealed {
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url, InvalidUrl>;
    }

    macro_rules! by_text {
        ($($type:ty),*) => {$(
            #[allow(private_interfaces, reason = "the trait cannot be named outside")]
            impl Sealed for $type {
                fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url, InvalidUrl> {
                    match (known.url(self.as_ref()), base) {
                        (Err(InvalidUrl::NoScheme), Some(base)) => base.join(self.as_ref()),
                        (url, _) => url,
                    }
                }
            }
        )*};
    }

    by_text!(&str, String, &String, url::Url, &url::Url);

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url, InvalidUrl> {
            Ok(self)
        }
    }

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for &Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url, InvalidUrl> {
            Ok(self.clone())
        }
    }
}
