//! The tries of a call before the last one.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use super::Error;
use super::kind::ErrorKind;
use super::phase::Phase;
use crate::urls::Url;

/// A try of a call that another try followed: see [`Retry::history`](crate::Retry::history).
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
/// use hostpool::{PoolManager, Retry, RetryCause};
///
/// let retry = Retry::new(2).status_forcelist([503]).raise_on_status(false);
/// let response = PoolManager::new().get(&url).retries(retry).send()?;
/// let history = response.retries().unwrap().history();
/// assert_eq!(history.len(), 2);
/// assert!(matches!(history[0].cause(), RetryCause::Status(status) if *status == 503));
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "RequestHistory")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) cause: RetryCause,
    pub(crate) waited: Duration,
}

/// The reason for the next try of a call. [`error`](Self::error), [`redirect`](Self::redirect) and the variant `Status`
/// make one, for [`Retry::increment`](crate::Retry::increment).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryCause {
    /// The try failed.
    #[non_exhaustive]
    Error {
        /// The kind of the error.
        kind: ErrorKind,
        /// The phase in which the request failed.
        phase: Phase,
        /// Whether the server may have acted on the request.
        maybe_processed: bool,
    },
    /// The status of the response asked for another try.
    Status(StatusCode),
    /// The response was a redirect.
    #[non_exhaustive]
    Redirect {
        /// The status of the redirect.
        status: StatusCode,
        /// The target of the redirect.
        location: Url,
        /// The Location as the server spelled it. Bytes above 0x7F of one that is not UTF-8 are percent-encoded.
        text: Box<str>,
    },
}

impl RetryCause {
    /// Returns the cause for a failed try: the kind and the phase of its error, and whether the server may have acted
    /// on the request. For an [`Error`] there is a conversion.
    ///
    /// ```
    /// use hostpool::{ErrorKind, Method, Phase, Retry, RetryCause, RetryCount, Url};
    ///
    /// let url = Url::parse("http://example.com/")?;
    /// let refused = RetryCause::error(ErrorKind::Connect, Phase::Connect, false);
    /// let retry = Retry::new(3).connect(1).increment(&Method::POST, &url, refused.clone());
    /// assert_eq!(retry.left().connect, RetryCount::AtMost(0));
    /// assert!(retry.increment(&Method::POST, &url, refused).is_exhausted());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn error(kind: ErrorKind, phase: Phase, maybe_processed: bool) -> RetryCause {
        RetryCause::Error { kind, phase, maybe_processed }
    }

    /// Returns the cause for a redirect to `location`, which the server spelled `text`.
    ///
    /// ```
    /// use hostpool::{Method, Retry, RetryCause, StatusCode, Url};
    ///
    /// let url = Url::parse("http://example.com/a")?;
    /// let cause = RetryCause::redirect(StatusCode::FOUND, url.join("b")?, "b");
    /// let retry = Retry::new(3).increment(&Method::GET, &url, cause);
    /// assert_eq!(retry.history()[0].redirect_location(), Some("b"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn redirect(status: StatusCode, location: Url, text: &str) -> RetryCause {
        RetryCause::Redirect { status, location, text: text.into() }
    }
}

impl From<&Error> for RetryCause {
    /// Returns the cause for a try that ended with this error.
    ///
    /// ```
    /// use hostpool::{Method, Retry, RetryCause, Url};
    ///
    /// // Nothing listens on port 1.
    /// let url = Url::parse("http://127.0.0.1:1/")?;
    /// let error = hostpool::get(&url).send().unwrap_err();
    /// let retry = Retry::new(0).increment(&Method::GET, &url, RetryCause::from(&error));
    /// assert!(retry.is_exhausted());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    fn from(error: &Error) -> RetryCause {
        RetryCause::error(error.kind().clone(), error.phase(), error.maybe_processed())
    }
}

impl From<StatusCode> for RetryCause {
    fn from(status: StatusCode) -> RetryCause {
        RetryCause::Status(status)
    }
}

impl fmt::Debug for RetryCause {
    /// Shows no Location as text, because its query may be as good as a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryCause::Error { kind, phase, maybe_processed } => f
                .debug_struct("Error")
                .field("kind", kind)
                .field("phase", phase)
                .field("maybe_processed", maybe_processed)
                .finish(),
            RetryCause::Status(status) => f.debug_tuple("Status").field(status).finish(),
            RetryCause::Redirect { status, location, .. } => {
                f.debug_struct("Redirect").field("status", status).field("location", location).finish_non_exhaustive()
            }
        }
    }
}

impl fmt::Display for RetryCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryCause::Error { kind, .. } => write!(f, "{kind}"),
            RetryCause::Status(status) => write!(f, "the status is {status}"),
            RetryCause::Redirect { status, location, .. } => write!(f, "{status} to {}", location.origin()),
        }
    }
}

impl Attempt {
    /// Returns the method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL of the request.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the reason for the next try. The last try has the reason that would have led to another one.
    pub fn cause(&self) -> &RetryCause {
        &self.cause
    }

    /// Returns the status of the response, if the try had one.
    ///
    /// ```
    /// use hostpool::{Method, Retry, RetryCause, StatusCode, Url};
    ///
    /// let (url, busy) = (Url::parse("http://example.com/")?, StatusCode::SERVICE_UNAVAILABLE);
    /// let retry = Retry::new(3).increment(&Method::GET, &url, RetryCause::from(busy));
    /// assert_eq!(retry.history()[0].status(), Some(busy));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn status(&self) -> Option<StatusCode> {
        match self.cause {
            RetryCause::Status(status) | RetryCause::Redirect { status, .. } => Some(status),
            RetryCause::Error { .. } => None,
        }
    }

    /// Returns the Location of a redirect as the server spelled it, without joining it to the URL of the request.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: ?again\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::{PoolManager, Retry};
    ///
    /// let retry = Retry::new(1).raise_on_redirect(false);
    /// let response = PoolManager::new().get(&url).retries(retry).send()?;
    /// let history = response.retries().unwrap().history();
    /// assert_eq!(history[0].redirect_location(), Some("?again"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn redirect_location(&self) -> Option<&str> {
        match &self.cause {
            RetryCause::Redirect { text, .. } => Some(text),
            RetryCause::Error { .. } | RetryCause::Status(_) => None,
        }
    }

    /// Returns the time that the call waited before the next try, or zero for the last try.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}
