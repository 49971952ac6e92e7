//! The error type of the crate, one word wide.
//!
//! The kinds tell apart mistakes of the caller, mistakes of the peer, and failures of the environment.

mod attempt;
mod cause;
mod head;
mod io;
mod kind;
mod making;
mod phase;
mod reason;
mod rules;
mod shown;
#[cfg(test)]
mod tests;
// Without a TLS library nothing fails in it.
#[cfg_attr(not(feature = "__tls"), allow(dead_code))]
mod tls;

use std::error::Error as StdError;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;
use std::sync::Arc;

use http::{Method, StatusCode};

use crate::urls::{Origin, Url};

pub use attempt::{Attempt, RetryCause};
#[cfg(feature = "json")]
pub(crate) use cause::shortened;
pub use head::ResponseHead;
pub use kind::ErrorKind;
pub use phase::{Bound, Phase};
pub(crate) use reason::{Reason, Time};
pub use rules::{Limit, Violation};
#[cfg(feature = "__tls")]
pub(crate) use tls::Evidence;
pub use tls::{TlsFailure, TlsFault};

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a call: what failed, in which phase, for which method and URL, and whether the request may have been
/// processed.
///
/// It holds no connection: the connection is back in its pool, or closed, before the error is returned.
///
/// `Display` is one line: what failed, and in parentheses the phase, the method and the URL. It leaves out the query
/// and the credentials of the URL, and the [`source`](StdError::source), which is for whoever prints the chain. `Debug`
/// shows the source, too, and the start of a response's body. It has at most 3,000 bytes.
///
/// ```
/// use hostpool::{ErrorKind, Phase};
///
/// // Nothing listens on port 1.
/// let error = hostpool::get("http://127.0.0.1:1/list?token=secret").send().unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::Connect);
/// assert_eq!(error.code(), "connect");
/// assert_eq!(error.phase(), Phase::Connect);
/// assert_eq!(error.url().unwrap().path(), "/list");
/// assert!(!error.maybe_processed()); // sending it again is safe
/// assert_eq!(
///     error.to_string(),
///     "no connection could be opened (connecting, GET http://127.0.0.1:1/list)",
/// );
/// ```
#[doc(alias = "ClientError")]
#[doc(alias = "HTTPError")]
#[doc(alias = "RequestException")]
pub struct Error(Box<Inner>);

struct Inner {
    reason: Reason,
    phase: Phase,
    /// The method and the URL of the request.
    request: Option<Box<(Method, Url)>>,
    /// The origin, where it is not that of the URL or the URL is not known.
    origin: Option<Arc<Origin>>,
    /// The URL of the proxy that the error is about, where it is not an origin.
    proxy: Option<Box<str>>,
    maybe_processed: bool,
    /// The caller's check gave this error to end its call.
    of_check: bool,
    /// The proxy had answered before.
    answered: bool,
    /// The file that the error is about.
    file: Option<Box<Path>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    head: Option<Box<ResponseHead>>,
    history: Vec<ResponseHead>,
    retries: Vec<Attempt>,
    /// The errors of the ways to the server that were tried before.
    failed_ways: Vec<Error>,
}

// An error does not change once it is made.
impl UnwindSafe for Inner {}
impl RefUnwindSafe for Inner {}

impl Error {
    /// Returns the kind of the error.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.reason.kind
    }

    /// Returns the word for the kind of the error, which is stable: see [`ErrorKind::code`].
    ///
    /// ```
    /// let error = hostpool::get("localhost:8080").send().unwrap_err();
    /// assert_eq!(error.code(), "invalid_url");
    /// ```
    pub fn code(&self) -> &'static str {
        self.kind().code()
    }

    /// Returns the phase in which the request failed.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// Returns the method of the request that failed, if the error is about a request. After a redirect it is that of
    /// the last request.
    ///
    /// ```
    /// use hostpool::Method;
    ///
    /// // Nothing listens on port 1.
    /// let error = hostpool::put("http://127.0.0.1:1/").send().unwrap_err();
    /// assert_eq!(error.method(), Some(&Method::PUT));
    /// ```
    pub fn method(&self) -> Option<&Method> {
        self.0.request.as_deref().map(|(method, _)| method)
    }

    /// Returns the URL of the request that failed, if the error is about a request. After a redirect it is that of the
    /// last request.
    ///
    /// It has its query, which `Display` and `Debug` of the error leave out. `Debug` of the [`Url`] leaves it out, too;
    /// `Display` of the `Url` shows it.
    ///
    /// ```
    /// // Nothing listens on port 1.
    /// let error = hostpool::get("http://127.0.0.1:1/list?token=secret").send().unwrap_err();
    /// assert_eq!(error.url().unwrap().query(), Some("token=secret"));
    /// assert!(!format!("{error} {error:?}").contains("secret"));
    /// ```
    #[doc(alias = "request_info")]
    pub fn url(&self) -> Option<&Url> {
        self.0.request.as_deref().map(|(_, url)| url)
    }

    /// Returns the origin of the request, if it was known.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_deref().or_else(|| self.url().map(Url::origin))
    }

    /// Returns the status of the response, if the error is about a response that had arrived. It is that of
    /// [`ErrorKind::Status`], or that of the [`head`](Self::head).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// let error = hostpool::get(url).send()?.error_for_status().unwrap_err();
    /// assert!(error.is_status());
    /// assert_eq!(error.status().unwrap(), 404);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "status_code")]
    pub fn status(&self) -> Option<StatusCode> {
        match self.kind() {
            ErrorKind::Status(status) => Some(*status),
            _ => self.head().map(ResponseHead::status),
        }
    }

    /// Returns the head of the response and the start of its body, if the error is about a response that had arrived.
    /// Its status counts as an error, its body is not the JSON that was requested, or it came while the body of the
    /// request was being sent, which then failed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnowhere");
    /// let error = hostpool::get(url).send()?.error_for_status().unwrap_err();
    /// let head = error.head().unwrap();
    /// assert_eq!(head.status(), 404);
    /// assert_eq!(head.headers().get("Content-Length"), Some("7"));
    /// assert_eq!(head.body(), b"nowhere");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "response")]
    pub fn head(&self) -> Option<&ResponseHead> {
        self.0.head.as_deref()
    }

    /// Returns the redirects that were followed before the error, the first one first.
    ///
    /// ```no_run
    /// let error = hostpool::get("https://www.example.com/").max_redirects(3).send().unwrap_err();
    /// for passed in error.history() {
    ///     eprintln!("{} {}", passed.status(), passed.url());
    /// }
    /// ```
    pub fn history(&self) -> &[ResponseHead] {
        &self.0.history
    }

    /// Returns the tries of a [`Retry`](crate::Retry), the last one included. It is empty if nothing could be retried,
    /// or if there was no policy.
    ///
    /// ```
    /// use hostpool::{PoolManager, Retry};
    ///
    /// // Nothing listens on port 1.
    /// let error = PoolManager::new().get("http://127.0.0.1:1/").retries(2).send().unwrap_err();
    /// assert_eq!(error.retries().len(), 3);
    /// assert!(error.is_connect());
    /// ```
    #[doc(alias = "MaxRetryError")]
    pub fn retries(&self) -> &[Attempt] {
        &self.0.retries
    }

    /// Returns the errors of the ways to the server that were tried before the one that this error is about, in their order.
    /// There are some only if the [choice of the proxy](crate::ProxyChoice) was a list. [`origin`](Self::origin) of each
    /// is its proxy.
    ///
    /// ```
    /// use hostpool::{ErrorKind, Proxy, ProxyChoice};
    ///
    /// // Nothing listens on ports 1 and 2.
    /// let choice = ProxyChoice::from(Proxy::parse("http://127.0.0.1:1")?).or(Proxy::parse("http://127.0.0.1:2")?);
    /// let request = hostpool::get("http://example.com/").choose_proxy(move |_| Ok(choice.clone()));
    /// let error = request.send().unwrap_err();
    /// let [first] = error.failed_ways() else { panic!() };
    /// assert_eq!(first.kind(), &ErrorKind::Connect);
    /// assert_eq!(first.origin().unwrap().port(), Some(1));
    /// assert_eq!(
    ///     error.to_string(),
    ///     "no connection could be opened (reaching the proxy http://127.0.0.1:2, after http://127.0.0.1:1: no connection \
    ///      could be opened, GET http://example.com/)",
    /// );
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn failed_ways(&self) -> &[Error] {
        &self.0.failed_ways
    }

    /// Returns whether the server may have acted on the request. If it is false, sending the request again cannot make
    /// the server act twice.
    pub fn maybe_processed(&self) -> bool {
        self.0.maybe_processed
    }

    /// Returns the error that was given to [`Error::custom`], or the `io::Error` that this error was made from.
    ///
    /// ```
    /// let error = hostpool::Error::custom(std::fmt::Error);
    /// assert!(error.get_ref().unwrap().is::<std::fmt::Error>());
    /// ```
    pub fn get_ref(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.cause().filter(|_| *self.kind() == ErrorKind::Custom)
    }

    /// Returns whether a bound of the `Timeout` or the bound on waiting for the pool passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::Timeout(_) | ErrorKind::PoolTimeout { .. })
    }

    /// Returns whether no connection could be opened: name lookup, TCP, the proxy or TLS failed, or took longer than
    /// allowed.
    pub fn is_connect(&self) -> bool {
        matches!(self.phase(), Phase::Resolve | Phase::Connect | Phase::Proxy | Phase::Tls)
    }

    /// Returns whether the pool, session or response was closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.kind(), ErrorKind::Closed)
    }

    /// Returns whether another thread ended the call: the kind is [`ErrorKind::Cancelled`].
    ///
    /// ```
    /// use hostpool::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let error = hostpool::get("http://example.com/").cancel_with(&token).send().unwrap_err();
    /// assert!(error.is_cancelled() && !error.maybe_processed());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind(), ErrorKind::Cancelled)
    }

    /// Returns whether the status of the response counts as an error: the kind is [`ErrorKind::Status`].
    pub fn is_status(&self) -> bool {
        matches!(self.kind(), ErrorKind::Status(_))
    }

    /// Returns whether the body of the response arrived but is not what was requested: the kind is
    /// [`ErrorKind::Decode`] or [`ErrorKind::ContentType`].
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext");
    /// # #[cfg(feature = "json")] {
    /// let error = hostpool::get(url).send()?.json::<u32>().unwrap_err();
    /// assert!(error.is_decode());
    /// assert_eq!(error.head().unwrap().body(), b"text");
    /// # }
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn is_decode(&self) -> bool {
        matches!(self.kind(), ErrorKind::Decode | ErrorKind::ContentType)
    }

    /// Returns whether the body of the request could not be sent, or that of the response not be read: it broke off, it
    /// could not be decoded or written, a bound passed or a limit was reached meanwhile.
    pub fn is_body(&self) -> bool {
        use ErrorKind::{BodyLength, BodyRead, UnrewindableBody};
        let of_the_request = matches!(self.kind(), BodyRead | BodyLength { .. } | UnrewindableBody);
        of_the_request || self.phase() == Phase::Body
    }

    /// Returns the error that led to this one, also for an error of the caller's own code.
    pub(crate) fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Returns the failure of TLS that led to this error, which tells failures apart and has evidence for them.
    ///
    /// ```
    /// use hostpool::{ErrorKind, TlsFault};
    ///
    /// // A server that does not speak TLS.
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let url = format!("https://{}/", listener.local_addr()?);
    /// std::thread::spawn(move || std::io::Write::write_all(&mut listener.accept()?.0, b"HTTP/1.1 400 Bad Request\r\n"));
    /// # #[cfg(any(feature = "native-tls", feature = "native-roots", feature = "webpki-roots"))] {
    /// let error = hostpool::get(url).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Tls);
    /// assert_eq!(error.tls_failure().unwrap().fault(), TlsFault::NotTls);
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SSLError")]
    pub fn tls_failure(&self) -> Option<&TlsFailure> {
        self.cause().and_then(|cause| TlsFailure::within(cause))
    }

    /// Returns whether the same request would fail again in the same way, as the TLS failure says.
    pub(crate) fn lasts(&self) -> bool {
        self.tls_failure().is_some_and(TlsFailure::lasts)
    }

    /// Returns whether the TLS failure proves that the server did not process the request, although bytes of it left.
    pub(crate) fn is_unprocessed(&self) -> bool {
        self.tls_failure().is_some_and(TlsFailure::is_unprocessed)
    }

    /// Returns whether this program has ended the call: by a check, a cancel or a close. Whatever else such an error says,
    /// it says nothing about the peer, and nothing is tried again after it.
    pub(crate) fn ends_call(&self) -> bool {
        self.0.of_check || self.is_cancelled() || self.is_closed()
    }

    /// Returns whether the proxy had answered before it failed.
    pub(crate) fn is_after_an_answer(&self) -> bool {
        self.0.answered
    }

    pub(crate) fn reason(&self) -> &Reason {
        &self.0.reason
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.kind() {
            // The text of the cause is the text of this error.
            ErrorKind::Custom => self.cause().and_then(StdError::source),
            _ => self.cause().map(|cause| cause as _),
        }
    }
}
