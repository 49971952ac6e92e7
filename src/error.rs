//! The error type of the crate, one word wide.
//!
//! The kinds tell apart mistakes of the caller, mistakes of the peer, and failures of the environment.

mod attempt;
mod cause;
mod head;
mod shown;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::headers::InvalidHeader;
use crate::url::{InvalidUrl, Origin};

pub use attempt::{Attempt, RetryCause};
pub(crate) use cause::TlsFailure;
pub use head::ResponseHead;

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a call: its kind, its phase, its origin, and whether the request may have been processed.
///
/// An error holds no connection: the connection is back in its pool, or closed, before the error is returned.
///
/// ```
/// use hostpool::{ErrorKind, Phase};
///
/// // Nothing listens on port 1.
/// let error = hostpool::get("http://127.0.0.1:1/").send().unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::Connect);
/// assert_eq!(error.phase(), Phase::Connect);
/// assert_eq!(error.origin().unwrap().to_string(), "http://127.0.0.1:1");
/// assert!(!error.maybe_processed()); // sending it again is safe
/// ```
#[doc(alias = "ClientError")]
#[doc(alias = "HTTPError")]
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    phase: Phase,
    origin: Option<Arc<Origin>>,
    maybe_processed: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
    head: Option<Box<ResponseHead>>,
    history: Vec<ResponseHead>,
    retries: Vec<Attempt>,
}

/// The kinds of [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL cannot be used.
    #[doc(alias = "LocationParseError")]
    #[doc(alias = "InvalidURL")]
    InvalidUrl(InvalidUrl),
    /// A header name or value cannot be sent.
    InvalidHeader(InvalidHeader),
    /// The request contradicts itself, or cannot be built from its parts.
    InvalidRequest(&'static str),
    /// The configuration contradicts itself, or names something that does not exist.
    InvalidConfig(&'static str),
    /// This build of the crate lacks something that the call needs: a feature that is not compiled in, or something
    /// that no build has yet, such as upgrades to another protocol.
    Unsupported(&'static str),
    /// The URL of a request belongs to another origin than the pool.
    #[doc(alias = "HostChangedError")]
    HostChanged,
    /// The reader of the request's body failed. The source is its error. The connection was closed, so that the server
    /// does not take a part of the body for the whole.
    BodyRead,
    /// The reader of the request's body gave fewer or more bytes than were declared.
    BodyLength {
        /// The length that [`Body::sized`](crate::Body::sized), a Content-Length or the size of the file declared.
        declared: u64,
        /// The bytes that were read. If there are more than declared, only the first of them are read.
        read: u64,
    },
    /// The request had to be sent again, but its body could not go back to its start. The source says why.
    #[doc(alias = "UnrewindableBodyError")]
    UnrewindableBody,

    /// The status of the response counts as an error, and the caller asked for an error in this case.
    #[doc(alias = "HTTPError")]
    #[doc(alias = "ClientResponseError")]
    Status(StatusCode),
    /// There were more redirects than are followed.
    TooManyRedirects,
    /// A redirect is not followed, because it leads to an invalid URL, to another scheme than `http` and `https`, or
    /// from `https` to `http`, or because [`redirect_when`](crate::RequestBuilder::redirect_when) refuses it.
    #[doc(alias = "InvalidUrlRedirectClientError")]
    #[doc(alias = "NonHttpUrlRedirectClientError")]
    InvalidRedirect(&'static str),
    /// The peer broke a rule of HTTP.
    #[doc(alias = "ProtocolError")]
    Protocol(Violation),
    /// The body ended before the end that its framing announced.
    #[doc(alias = "IncompleteRead")]
    #[doc(alias = "ClientPayloadError")]
    IncompleteBody {
        /// The bytes of the body that arrived.
        received: u64,
        /// The length that Content-Length announced, if there was one.
        expected: Option<u64>,
    },
    /// The peer sent more than a limit allows.
    LimitExceeded(Limit),
    /// The body cannot be decoded: its compressed data is broken or cut, or it is not JSON of the requested type.
    #[doc(alias = "DecodeError")]
    Decode,
    /// The body has another media type than the requested one.
    #[doc(alias = "ContentTypeError")]
    ContentType,
    /// The file or the writer that the body was written to failed. The source is its error.
    Output,
    /// A hook or a middleware of the caller returned this error: see [`Error::custom`].
    Custom,

    /// The name has no address, or the lookup failed. The source says why.
    #[doc(alias = "NameResolutionError")]
    Resolve,
    /// No address of the host accepts connections. The source names the addresses that were tried.
    #[doc(alias = "NewConnectionError")]
    #[doc(alias = "ClientConnectorError")]
    Connect,
    /// The TLS handshake or a TLS record failed. A [`Retry`](crate::Retry) does not retry after a certificate that is
    /// not valid and after most alerts of the peer. It retries after a handshake that was cut off.
    #[doc(alias = "SSLError")]
    #[doc(alias = "ClientSSLError")]
    Tls,
    /// The peer closed or reset the connection before the head of the response was complete.
    #[doc(alias = "ServerDisconnectedError")]
    Disconnected,
    /// The socket failed in another way.
    Io,
    /// A bound of the [`Timeout`](crate::Timeout) passed.
    #[doc(alias = "TimeoutError")]
    #[doc(alias = "ReadTimeoutError")]
    #[doc(alias = "ConnectTimeoutError")]
    Timeout(Bound),
    /// The pool had no free connection within the bound on the wait.
    #[doc(alias = "EmptyPoolError")]
    PoolTimeout {
        /// The time that this call waited.
        waited: Duration,
        /// The connections that were in use or being opened: those of the endpoint, or of the whole pool if the call
        /// waited for the total limit.
        in_use: usize,
        /// How many of them this thread holds, by responses that are not read to their end. They cannot come free while
        /// it waits.
        held_here: usize,
        /// The other callers that waited for the same endpoint.
        queued: usize,
    },
    /// The call waited without a bound for connections that its own thread holds all of, by responses that are not
    /// read to their end. By default a call fails so after 5 seconds: see
    /// [`refuse_self_deadlock`](crate::ConnectionPoolBuilder::refuse_self_deadlock). Read such a response to its end
    /// or drop it before the next call, or raise the limit.
    WouldDeadlock {
        /// The number of one of these connections, as in [`ConnectionInfo`](crate::ConnectionInfo).
        held: u64,
    },
    /// The pool or session was closed before or during the call, or the response before its body was read.
    #[doc(alias = "ClosedPoolError")]
    Closed,
}

impl ErrorKind {
    /// Returns whether the peer sent something that it must not send. A head that ended early does not count.
    pub(crate) fn is_of_the_peer(&self) -> bool {
        match self {
            ErrorKind::Protocol(violation) => *violation != Violation::IncompleteHead,
            ErrorKind::LimitExceeded(_) => true,
            _ => false,
        }
    }
}

/// The rules of HTTP that a peer can break.
///
/// The [`Strictness`](crate::Strictness) of a client decides what it tolerates. docs/parity.md gives the reason for
/// each refusal, and the behaviour of curl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The first line is not a status line of HTTP/1.0 or HTTP/1.1 (RFC 9112, section 4).
    /// [`Tolerant`](crate::Strictness::Tolerant) also accepts HTTP/1.2 to 1.9.
    StatusLine,
    /// The status code is below 100, or above 599 under [`Strict`](crate::Strictness::Strict) (RFC 9110, section 15).
    StatusCode,
    /// A field name is not a token, or white space stands before its colon (RFC 9112, section 5.1). Under
    /// [`Tolerant`](crate::Strictness::Tolerant) this is only refused for a field about framing, for a name with a NUL
    /// or a lone CR, and for a line of nothing but blanks.
    FieldName,
    /// A field value has a bare CR, a NUL or another control character (RFC 9110, section 5.5). Under
    /// [`Tolerant`](crate::Strictness::Tolerant) other control characters are only refused in a field about framing.
    FieldValue,
    /// A field about framing is folded over several lines (RFC 9112, section 5.2).
    /// [`Tolerant`](crate::Strictness::Tolerant) accepts a folded Connection.
    FoldedFraming,
    /// The connection ended inside the head.
    IncompleteHead,
    /// A Content-Length is not a plain decimal number of at most 64 bits (RFC 9110, section 8.6).
    ContentLength,
    /// Two Content-Lengths differ (RFC 9112, section 6.3).
    ConflictingContentLength,
    /// `chunked` is not the only transfer coding, or has parameters, or the list is empty (RFC 9112, section 6.1).
    /// [`Strict`](crate::Strictness::Strict) also refuses `chunked` twice, together with `identity`, or in HTTP/1.0.
    TransferEncoding,
    /// A chunk's size is not 1 to 16 hexadecimal digits (RFC 9112, section 7.1).
    ChunkSize,
    /// A chunk or its size line does not end in CRLF.
    ChunkEnd,
    /// A line of the trailers ends in a lone LF, has a NUL or a lone CR, or is a malformed field about framing.
    /// [`Strict`](crate::Strictness::Strict) refuses every malformed or folded trailer.
    Trailer,
    /// The server sent a 101 although no upgrade was asked for (RFC 9110, section 15.2.2).
    UnexpectedUpgrade,
}

impl Violation {
    fn describe(self) -> &'static str {
        match self {
            Violation::StatusLine => "what came is no HTTP/1.0 or HTTP/1.1 status line",
            Violation::StatusCode => "the status code is not one that HTTP has",
            Violation::FieldName => "a header name is no token",
            Violation::FieldValue => "a header value has a control character",
            Violation::FoldedFraming => "a header that decides on framing is folded",
            Violation::IncompleteHead => "the connection ended inside the head",
            Violation::ContentLength => "the Content-Length is no number of at most 64 bits",
            Violation::ConflictingContentLength => "two Content-Lengths differ",
            Violation::TransferEncoding => "the Transfer-Encoding is not chunked alone, or belongs to HTTP/1.0",
            Violation::ChunkSize => "a chunk's size is not 1 to 16 hexadecimal digits",
            Violation::ChunkEnd => "a chunk does not end in CRLF",
            Violation::Trailer => "a trailer field is malformed",
            Violation::UnexpectedUpgrade => "101 although no upgrade was asked for",
        }
    }
}

/// The limits on what a peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of a response head.
    HeadBytes,
    /// Fields in a head.
    HeadFields,
    /// Bytes of one line, in a head or in a body that is read by lines.
    LineBytes,
    /// Interim (1xx) responses before one final response, or their bytes.
    Interim,
    /// Bytes or fields of a trailer section.
    Trailers,
    /// Bytes of chunk sizes and extensions, in proportion to the data that they carry.
    ChunkFraming,
    /// Bytes of a body that is read as a whole.
    Body,
    /// Bytes of a body as they come, before they are decoded: see
    /// [`Limits::max_wire_body`](crate::Limits::max_wire_body).
    WireBody,
    /// Content codings of one body: five.
    Codings,
    /// Bytes of a response that arrived while the body of the request was being sent, and kept it from being sent: see
    /// [`Limits::early_response`](crate::Limits::early_response).
    EarlyResponse,
}

impl Limit {
    fn describe(self) -> &'static str {
        match self {
            Limit::HeadBytes => "bytes of a response head",
            Limit::HeadFields => "header fields",
            Limit::LineBytes => "bytes of a line",
            Limit::Interim => "interim responses",
            Limit::Trailers => "trailers",
            Limit::ChunkFraming => "bytes of chunk framing",
            Limit::Body => "bytes of a body read as a whole",
            Limit::WireBody => "bytes of a body as it comes (max_wire_body allows more)",
            Limit::Codings => "content codings",
            Limit::EarlyResponse => {
                "bytes of a response before the request's body had left (Limits::early_response allows more)"
            }
        }
    }
}

/// The bounds of a [`Timeout`](crate::Timeout) that an error can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// On the whole request.
    Total,
    /// On waiting for the pool.
    Pool,
    /// On opening a connection, name lookup and TLS included.
    Connect,
    /// On the name lookup.
    Resolve,
    /// On the TLS handshake.
    Tls,
    /// On one write.
    Write,
    /// On the response's head.
    Head,
    /// On the gap between received bytes.
    Read,
    /// On the speed of a body: see [`Timeout::min_rate`](crate::Timeout::min_rate).
    Rate,
}

impl Bound {
    fn describe(self) -> &'static str {
        match self {
            Bound::Total => "total",
            Bound::Pool => "pool",
            Bound::Connect => "connect",
            Bound::Resolve => "resolve",
            Bound::Tls => "tls",
            Bound::Write => "write",
            Bound::Head => "head",
            Bound::Read => "read",
            Bound::Rate => "min_rate",
        }
    }
}

/// The phases of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Before anything was tried: URL, headers, configuration.
    Prepare,
    /// Waiting for the pool.
    Pool,
    /// Looking up the name.
    Resolve,
    /// Connecting the socket.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the head of the response. Errors about the head itself, such as [`ErrorKind::Status`], are of this
    /// phase too.
    Head,
    /// Reading the response's body.
    Body,
    /// Following a redirect.
    Redirect,
}

impl Phase {
    fn describe(self) -> &'static str {
        match self {
            Phase::Prepare => "preparing the request",
            Phase::Pool => "waiting for the pool",
            Phase::Resolve => "looking up the host",
            Phase::Connect => "connecting",
            Phase::Tls => "in the TLS handshake",
            Phase::Send => "sending the request",
            Phase::Head => "waiting for the response",
            Phase::Body => "reading the body",
            Phase::Redirect => "following a redirect",
        }
    }
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, phase: Phase) -> Error {
        Error(Box::new(Inner {
            kind,
            phase,
            origin: None,
            maybe_processed: false,
            source: None,
            head: None,
            history: Vec::new(),
            retries: Vec::new(),
        }))
    }

    /// Returns an error for a request that is not valid, before anything was tried.
    pub(crate) fn request(why: &'static str) -> Error {
        Error::new(ErrorKind::InvalidRequest(why), Phase::Prepare)
    }

    pub(crate) fn config(why: &'static str) -> Error {
        Error::new(ErrorKind::InvalidConfig(why), Phase::Prepare)
    }

    /// Returns an error of the caller's own code, for hooks and middleware.
    ///
    /// ```
    /// use hostpool::{Error, ErrorKind};
    ///
    /// let error = Error::custom("this host is not on the list");
    /// assert_eq!(error.kind(), &ErrorKind::Custom);
    /// assert!(error.to_string().contains("not on the list"));
    /// ```
    pub fn custom(why: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Custom, Phase::Prepare).with_own_source(why)
    }

    pub(crate) fn violation(violation: Violation, phase: Phase) -> Error {
        Error::new(ErrorKind::Protocol(violation), phase)
    }

    /// Adds the cause. If its text or `Debug` is long, only the start is kept, because the peer often decides its
    /// length.
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(cause::bounded(source.into()));
        self
    }

    /// Adds a cause that comes from the caller's own code. It is kept as it is, because the caller may want it back.
    pub(crate) fn with_own_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Returns whether the same request would fail again in the same way, as the TLS failure says.
    pub(crate) fn lasts(&self) -> bool {
        self.0.source.as_deref().is_some_and(|source| TlsFailure::lasts(source))
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Error {
        self.0.kind = kind;
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

    pub(crate) fn with_phase(mut self, phase: Phase) -> Error {
        self.0.phase = phase;
        self
    }

    pub(crate) fn with_retries(mut self, retries: Vec<Attempt>) -> Error {
        self.0.retries = retries;
        self
    }

    pub(crate) fn with_origin(mut self, origin: &Arc<Origin>) -> Error {
        self.0.origin.get_or_insert_with(|| origin.clone());
        self
    }

    pub(crate) fn with_maybe_processed(mut self, maybe: bool) -> Error {
        self.0.maybe_processed = maybe;
        self
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the phase in which the request failed.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// Returns the origin of the request, if it was known.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_deref()
    }

    /// Returns the head of the response and the start of its body, if the error is about a response that had arrived.
    /// Its status counts as an error, it has another media type than the requested one, or it came while the body of
    /// the request was being sent, which then failed.
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

    /// Returns whether the server may have acted on the request. If it is false, sending the request again cannot make
    /// the server act twice.
    pub fn maybe_processed(&self) -> bool {
        self.0.maybe_processed
    }

    /// Returns whether a bound of the `Timeout` or the bound on waiting for the pool passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::Timeout(_) | ErrorKind::PoolTimeout { .. })
    }

    /// Returns whether no connection could be opened: name lookup, TCP or TLS failed, or took longer than allowed.
    pub fn is_connect(&self) -> bool {
        matches!(self.phase(), Phase::Resolve | Phase::Connect | Phase::Tls)
    }

    /// Returns whether the pool, session or response was closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.kind(), ErrorKind::Closed)
    }

    /// Returns the error as the `Read` of a response returns it. [`Error::from_io`] finds it again.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match self.kind() {
            ErrorKind::Timeout(_) | ErrorKind::PoolTimeout { .. } => io::ErrorKind::TimedOut,
            ErrorKind::IncompleteBody { .. } => io::ErrorKind::UnexpectedEof,
            ErrorKind::Protocol(_) | ErrorKind::LimitExceeded(_) | ErrorKind::Decode => io::ErrorKind::InvalidData,
            ErrorKind::WouldDeadlock { .. } => io::ErrorKind::Deadlock,
            ErrorKind::Closed => io::ErrorKind::NotConnected,
            _ => self
                .source()
                .and_then(|source| source.downcast_ref::<io::Error>())
                .map_or(io::ErrorKind::Other, io::Error::kind),
        };
        io::Error::new(kind, self)
    }

    /// Returns the error inside an `io::Error` of a read of a response, if there is one.
    ///
    /// ```
    /// # use hostpool::Error;
    /// fn why(error: &std::io::Error) -> String {
    ///     match Error::from_io(error) {
    ///         Some(ours) => format!("{:?}", ours.kind()),
    ///         None => error.to_string(),
    ///     }
    /// }
    /// # assert_eq!(why(&std::io::Error::other("x")), "x");
    /// ```
    pub fn from_io(error: &io::Error) -> Option<&Error> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

impl From<std::convert::Infallible> for Error {
    /// Serves conversions that cannot fail where others can.
    fn from(never: std::convert::Infallible) -> Error {
        match never {}
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::InvalidUrl(why) => write!(f, "invalid URL: {why}"),
            ErrorKind::InvalidHeader(why) => write!(f, "invalid header: {why}"),
            ErrorKind::InvalidRequest(why) => write!(f, "invalid request: {why}"),
            ErrorKind::InvalidConfig(why) => write!(f, "invalid configuration: {why}"),
            ErrorKind::Unsupported(what) => write!(f, "not supported here: {what}"),
            ErrorKind::HostChanged => write!(f, "the URL belongs to another origin than the pool"),
            ErrorKind::BodyRead => write!(f, "the request's body could not be read"),
            ErrorKind::BodyLength { declared, read } if read < declared => {
                write!(f, "the request's body ended after {read} of {declared} bytes")
            }
            ErrorKind::BodyLength { declared, .. } => {
                write!(f, "the request's body goes on behind the {declared} bytes declared")
            }
            ErrorKind::UnrewindableBody => write!(f, "the request's body cannot be sent again"),
            ErrorKind::Status(status) => write!(f, "the status is {status}"),
            ErrorKind::TooManyRedirects => write!(f, "too many redirects"),
            ErrorKind::InvalidRedirect(why) => write!(f, "a redirect that is not followed: {why}"),
            ErrorKind::Protocol(violation) => f.write_str(violation.describe()),
            ErrorKind::IncompleteBody { received, expected: Some(expected) } => {
                write!(f, "the body ended after {received} of {expected} bytes")
            }
            ErrorKind::IncompleteBody { received, expected: None } => {
                write!(f, "the body broke off after {received} bytes")
            }
            ErrorKind::LimitExceeded(limit) => write!(f, "too many {}", limit.describe()),
            ErrorKind::Decode => write!(f, "the body could not be decoded"),
            ErrorKind::ContentType => write!(f, "the body is of another media type"),
            ErrorKind::Output => write!(f, "the body could not be written out"),
            ErrorKind::Custom => write!(f, "refused by the caller's own code"),
            ErrorKind::Resolve => write!(f, "the name lookup failed"),
            ErrorKind::Connect => write!(f, "no connection"),
            ErrorKind::Tls => write!(f, "TLS failed"),
            ErrorKind::Disconnected => write!(f, "the peer closed the connection without a response"),
            ErrorKind::Io => write!(f, "the connection failed"),
            ErrorKind::Timeout(bound) => write!(f, "the {} timeout passed", bound.describe()),
            ErrorKind::PoolTimeout { waited, in_use, held_here: 0, queued } => {
                write!(f, "no connection came free in {waited:?} ({in_use} in use, {queued} more waiting)")
            }
            ErrorKind::PoolTimeout { waited, in_use, held_here, queued } => {
                write!(f, "no connection came free in {waited:?} ({in_use} in use, ")?;
                write!(f, "{held_here} of them held by this thread, {queued} more waiting)")
            }
            ErrorKind::WouldDeadlock { held } => {
                write!(
                    f,
                    "the call would wait for connections that its own thread holds, such as connection {held}: "
                )?;
                write!(f, "read or drop its responses first")
            }
            ErrorKind::Closed => write!(f, "the pool, session or response is closed"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
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

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        error.into_io()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_and_sendable() {
        fn sendable<T: Send + Sync + 'static>() {}
        sendable::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn display_is_one_short_line_with_the_causes() {
        let cause = io::Error::other(format!("bad\x1b[31m\nline {}", "x".repeat(5000)));
        let error = Error::new(ErrorKind::Connect, Phase::Connect).with_source(cause);
        let text = error.to_string();
        assert!(text.starts_with("no connection (connecting): bad\\u{1b}[31m\\nline xxx"), "{text}");
        assert!(text.len() < 1024);
    }

    /// UTIL-12: every kind says what it is, with the host and the cause, and survives inside an `io::Error`.
    #[test]
    fn every_kind_is_presentable() {
        let header = crate::Headers::new().append("X", "\0").unwrap_err();
        let kinds = [
            ErrorKind::InvalidUrl(InvalidUrl::NoHost),
            ErrorKind::InvalidHeader(header),
            ErrorKind::InvalidRequest("it is wrong"),
            ErrorKind::InvalidConfig("it is wrong"),
            ErrorKind::Unsupported("it"),
            ErrorKind::HostChanged,
            ErrorKind::BodyRead,
            ErrorKind::BodyLength { declared: 2, read: 1 },
            ErrorKind::UnrewindableBody,
            ErrorKind::Status(StatusCode::NOT_FOUND),
            ErrorKind::TooManyRedirects,
            ErrorKind::InvalidRedirect("it is wrong"),
            ErrorKind::Protocol(Violation::StatusLine),
            ErrorKind::IncompleteBody { received: 1, expected: Some(2) },
            ErrorKind::IncompleteBody { received: 1, expected: None },
            ErrorKind::LimitExceeded(Limit::Body),
            ErrorKind::Decode,
            ErrorKind::ContentType,
            ErrorKind::Output,
            ErrorKind::Custom,
            ErrorKind::Resolve,
            ErrorKind::Connect,
            ErrorKind::Tls,
            ErrorKind::Disconnected,
            ErrorKind::Io,
            ErrorKind::Timeout(Bound::Total),
            ErrorKind::PoolTimeout { waited: std::time::Duration::from_secs(1), in_use: 1, held_here: 0, queued: 0 },
            ErrorKind::Closed,
        ];
        let origin = crate::Url::parse("http://user:canary@h:81/").unwrap().shared_origin().clone();
        let mut shown = std::collections::HashSet::new();
        for kind in kinds {
            assert!(shown.insert(kind.to_string()), "UTIL-12 {kind:?} reads like another");
            let error = Error::new(kind.clone(), Phase::Send).with_origin(&origin).with_source("the cause");
            let check = |error: &Error| {
                assert_eq!(error.to_string(), format!("{kind} (sending the request, http://h:81): the cause"));
                assert_eq!((error.kind(), error.phase()), (&kind, Phase::Send), "UTIL-12");
                assert_eq!(error.origin().map(Origin::host), Some("h"), "UTIL-12");
                assert!(error.source().is_some() && !format!("{error:?}").contains("canary"), "UTIL-12");
            };
            check(&error);
            check(Error::from_io(&io::Error::from(error)).unwrap());
        }
    }

    #[test]
    fn the_kind_survives_io() {
        let table = [
            (ErrorKind::Timeout(Bound::Read), io::ErrorKind::TimedOut),
            (ErrorKind::IncompleteBody { received: 1, expected: Some(2) }, io::ErrorKind::UnexpectedEof),
            (ErrorKind::Protocol(Violation::ChunkSize), io::ErrorKind::InvalidData),
            (ErrorKind::Closed, io::ErrorKind::NotConnected),
            (ErrorKind::Tls, io::ErrorKind::Other),
        ];
        for (kind, expected) in table {
            let error = io::Error::from(Error::new(kind.clone(), Phase::Body));
            assert_eq!(error.kind(), expected);
            assert_eq!(Error::from_io(&error).map(Error::kind), Some(&kind));
        }
        let reset = Error::new(ErrorKind::Io, Phase::Body).with_source(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(reset.into_io().kind(), io::ErrorKind::ConnectionReset);
    }
}
