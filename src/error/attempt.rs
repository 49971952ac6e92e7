//! The tries of a call before the last one.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use super::{ErrorKind, Phase};
use crate::url::Url;

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

/// The reason for the next try of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    },
}

impl fmt::Display for RetryCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryCause::Error { kind, .. } => write!(f, "{kind}"),
            RetryCause::Status(status) => write!(f, "the status is {status}"),
            RetryCause::Redirect { status, location } => write!(f, "{status} to {}", location.origin()),
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

    /// Returns the time that the call waited before the next try, or zero for the last try.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}
