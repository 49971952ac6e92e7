//! What was tried before.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use super::{ErrorKind, Phase};
use crate::url::Url;

/// A request that was sent and was not the last of its call: see [`Retry::history`](crate::Retry::history).
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

/// Why a request was not the last of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryCause {
    /// It failed.
    #[non_exhaustive]
    Error {
        /// What went wrong.
        kind: ErrorKind,
        /// How far the request had come.
        phase: Phase,
        /// Whether the server may have acted on it.
        maybe_processed: bool,
    },
    /// It was answered by a status that asks for another try.
    Status(StatusCode),
    /// It was redirected.
    #[non_exhaustive]
    Redirect {
        /// By this status.
        status: StatusCode,
        /// To this URL.
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
    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where it went.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Why another one followed, or would have.
    pub fn cause(&self) -> &RetryCause {
        &self.cause
    }

    /// How long the next one was put off; zero for the last.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}
