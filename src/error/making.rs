//! Making errors, and adding what each layer knows.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::attempt::Attempt;
use super::cause;
use super::head::ResponseHead;
use super::kind::ErrorKind;
use super::phase::{Bound, Phase};
use super::reason::Reason;
use super::rules::Violation;
use super::{Error, Inner};
use crate::files;
use crate::headers::InvalidHeader;
use crate::urls::{self, InvalidUrl, Origin, Url};

impl Error {
    #[cold]
    pub(crate) fn new(reason: impl Into<Reason>, phase: Phase) -> Error {
        Error(Box::new(Inner {
            reason: reason.into(),
            phase,
            request: None,
            origin: None,
            proxy: None,
            maybe_processed: false,
            of_check: false,
            answered: false,
            file: None,
            source: None,
            head: None,
            history: Vec::new(),
            retries: Vec::new(),
            failed_ways: Vec::new(),
        }))
    }

    /// Returns an error for a request that is not valid, before anything was tried.
    pub(crate) fn request(why: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::InvalidRequest.because(why), Phase::Prepare)
    }

    /// Returns an error for a configuration that is not valid.
    pub(crate) fn config(why: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::InvalidConfig.because(why), Phase::Prepare)
    }

    /// Returns an error for a text that is not a URL, with a hint if the text shows what was meant.
    pub(crate) fn url_text(text: &str, why: InvalidUrl) -> Error {
        match urls::hint(text, why) {
            Some(hint) => Error::new(ErrorKind::InvalidUrl(why).because(hint), Phase::Prepare),
            None => Error::from(why),
        }
    }

    /// Returns an error for something that this build of the crate lacks.
    pub(crate) fn unsupported(what: &'static str, phase: Phase) -> Error {
        Error::new(ErrorKind::Unsupported.because(what), phase)
    }

    /// Returns an error for a bound that has passed. `limit` is its value.
    pub(crate) fn timeout(bound: Bound, limit: Option<Duration>, phase: Phase) -> Error {
        Error::new(Reason::timeout(bound, limit), phase)
    }

    /// Returns an error of the caller's own code, for hooks and middleware.
    ///
    /// The error shows the text of `why`, and [`get_ref`](Self::get_ref) returns `why` itself. Its
    /// [`source`](StdError::source) is that of `why`, so that a printed chain has no text twice. `io::Error::other`
    /// does the same.
    ///
    /// ```
    /// use hostpool::{Error, ErrorKind};
    ///
    /// let error = Error::custom("this host is not on the list");
    /// assert_eq!(error.kind(), &ErrorKind::Custom);
    /// assert_eq!(error.to_string(), "this host is not on the list");
    /// ```
    pub fn custom(why: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let mut error = Error::new(ErrorKind::Custom, Phase::Prepare);
        error.0.source = Some(why.into());
        error
    }

    pub(crate) fn violation(violation: Violation, phase: Phase) -> Error {
        Error::new(ErrorKind::Protocol(violation), phase)
    }

    /// Adds the cause. If its text or `Debug` is long, only the start is kept, because the peer often decides its
    /// length.
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let source = self.take_file(source.into());
        self.0.source = Some(cause::bounded(source));
        self
    }

    /// Adds what a deliberate end looked like to the system, unless the error has a source of the caller's own.
    pub(crate) fn with_effect(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        if self.0.source.is_some() { self } else { self.with_source(source) }
    }

    /// Adds a cause that comes from the caller's own code. It is kept as it is, because the caller may want it back.
    pub(crate) fn with_own_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(self.take_file(source.into()));
        self
    }

    /// Takes the path out of an error about a file, because this error shows it itself. Returns the error of the
    /// system.
    fn take_file(&mut self, source: Box<dyn StdError + Send + Sync>) -> Box<dyn StdError + Send + Sync> {
        let error = match source.downcast::<io::Error>() {
            Ok(error) => error,
            Err(source) => return source,
        };
        match files::apart(*error) {
            Ok((path, error)) => {
                self.0.file = Some(path);
                Box::new(error)
            }
            Err(error) => Box::new(error),
        }
    }

    /// Adds the path of the file that the error is about.
    pub(crate) fn with_file(mut self, path: &Path) -> Error {
        self.0.file = Some(path.into());
        self
    }

    /// Adds the reason in words.
    pub(crate) fn because(mut self, why: impl Into<Cow<'static, str>>) -> Error {
        self.0.reason.why = Some(why.into());
        self
    }

    /// Replaces the kind and the words that belong to it.
    pub(crate) fn with_kind(mut self, reason: impl Into<Reason>) -> Error {
        self.0.reason = reason.into();
        self
    }

    pub(crate) fn with_head(mut self, head: ResponseHead) -> Error {
        self.0.head = Some(Box::new(head));
        self
    }

    pub(crate) fn with_history(mut self, history: Vec<ResponseHead>) -> Error {
        self.0.history = history;
        self
    }

    /// Notes that the proxy had answered before, over another connection or with a challenge.
    pub(crate) fn after_an_answer(mut self) -> Error {
        self.0.answered = true;
        self
    }

    /// Adds the errors of the ways that were tried before.
    pub(crate) fn after_failed_ways(mut self, failed: Vec<Error>) -> Error {
        self.0.failed_ways = failed;
        self
    }

    pub(crate) fn with_phase(mut self, phase: Phase) -> Error {
        self.0.phase = phase;
        self
    }

    pub(crate) fn with_retries(mut self, retries: Vec<Attempt>) -> Error {
        self.0.retries = retries;
        self
    }

    /// Adds the origin, unless it is known already.
    pub(crate) fn with_origin(mut self, origin: &Arc<Origin>) -> Error {
        self.0.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// Adds the URL of the proxy that the error is about. It must have no credentials.
    pub(crate) fn with_proxy(mut self, url: String) -> Error {
        self.0.proxy = Some(url.into());
        self
    }

    /// Adds the method and the URL of the request, unless they are known already.
    #[cold]
    pub(crate) fn with_request(mut self, method: &Method, url: &Url) -> Error {
        self.0.request.get_or_insert_with(|| Box::new((method.clone(), url.clone().without_fragment())));
        self
    }

    /// Makes this the error by which the caller's check ends its call.
    pub(crate) fn of_check(mut self) -> Error {
        self.0.of_check = true;
        self
    }

    pub(crate) fn with_maybe_processed(mut self, maybe: bool) -> Error {
        self.0.maybe_processed = maybe;
        self
    }
}

impl From<std::convert::Infallible> for Error {
    /// Serves conversions that cannot fail where others can.
    fn from(never: std::convert::Infallible) -> Error {
        match never {}
    }
}

impl From<InvalidUrl> for Error {
    fn from(error: InvalidUrl) -> Error {
        Error::new(ErrorKind::InvalidUrl(error), Phase::Prepare)
    }
}

impl From<InvalidHeader> for Error {
    fn from(error: InvalidHeader) -> Error {
        Error::new(ErrorKind::InvalidHeader(error), Phase::Prepare)
    }
}
