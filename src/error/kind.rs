//! The kinds of errors.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::phase::Bound;
use super::rules::{Limit, Violation};
use crate::headers::InvalidHeader;
use crate::urls::InvalidUrl;

/// The kinds of [`Error`](crate::Error).
///
/// Kinds can be compared, hashed and shown. The text that goes with a kind, such as the reason why a request is not
/// valid, is part of the error and not of its kind. [`code`](Self::code) is a stable word for each kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL cannot be used.
    #[doc(alias = "LocationParseError")]
    #[doc(alias = "InvalidURL")]
    InvalidUrl(InvalidUrl),
    /// A header name or value cannot be sent.
    InvalidHeader(InvalidHeader),
    /// The request contradicts itself, or cannot be built from its parts.
    InvalidRequest,
    /// The configuration contradicts itself, or names something that does not exist.
    InvalidConfig,
    /// This build of the crate lacks something that the call needs: a feature that is not compiled in, or something
    /// that no build has yet.
    Unsupported,
    /// The URL of a request belongs to another origin than the pool.
    #[doc(alias = "HostChangedError")]
    HostChanged,
    /// The reader of the request's body failed. The source is its error. The connection was closed, so that the server
    /// does not take a part of the body for the whole.
    BodyRead,
    /// The reader of the request's body gave fewer or more bytes than were declared.
    #[non_exhaustive]
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
    InvalidRedirect,
    /// The peer broke a rule of HTTP.
    #[doc(alias = "ProtocolError")]
    Protocol(Violation),
    /// The caller asked for the connection of a response to [`upgrade`](crate::Response::upgrade) it, and the server has
    /// not agreed. [`Error::head`](crate::Error::head) is the response with the start of its body.
    NotUpgraded,
    /// The body ended before the end that its framing announced.
    #[doc(alias = "IncompleteRead")]
    #[doc(alias = "ClientPayloadError")]
    #[non_exhaustive]
    IncompleteBody {
        /// The bytes of the body that arrived.
        received: u64,
        /// The length that Content-Length announced, if there was one.
        expected: Option<u64>,
    },
    /// The response to the opening handshake of a WebSocket is no agreement: it has another status than 101, or one of its
    /// fields is missing or wrong. The text says which, and [`Error::head`](crate::Error::head) is the response with the
    /// start of its body.
    #[doc(alias = "WSServerHandshakeError")]
    #[doc(alias = "InvalidHandshake")]
    WebSocketHandshake,
    /// The server broke a rule of the WebSocket protocol, or its connection ended without a close frame. The text says
    /// which rule.
    #[doc(alias = "WebSocketError")]
    #[doc(alias = "ConnectionClosedError")]
    #[non_exhaustive]
    WebSocket {
        /// The close code that the server was told: 1002 for a broken rule of the framing, 1007 for data that is no text
        /// or cannot be decompressed. 1006 if the connection was lost: nobody is told that.
        code: u16,
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
    /// A hook or a middleware of the caller returned this error: see [`Error::custom`](crate::Error::custom).
    Custom,
    /// Code of the caller panicked while it ran for a request that was [submitted](crate::Session::submit), such as a
    /// middleware. The error shows the text of the panic.
    Panicked,

    /// The name has no address, or the lookup failed. The source says why. It is an [`io::Error`](std::io::Error) of
    /// the kind [`NotFound`](std::io::ErrorKind::NotFound) if there is no such name.
    #[doc(alias = "NameResolutionError")]
    Resolve,
    /// The caller's [`address_filter`](crate::ClientBuilder::address_filter) refuses every address of the host. The
    /// source names them.
    AddressRefused,
    /// No address of the host accepts connections. The source names the addresses that were tried.
    #[doc(alias = "NewConnectionError")]
    #[doc(alias = "ClientConnectorError")]
    Connect,
    /// The proxy was asked for a tunnel to the server, and refused it. [`Error::head`](crate::Error::head) is its response
    /// with the start of the body, if it is an HTTP proxy. Nothing was sent to the server. A
    /// [`Retry`](crate::Retry) does not try again after a status below 500, nor after a reply of a SOCKS proxy by which
    /// it does not want to connect, in place of failing to. The text of the error says what the reply means.
    #[doc(alias = "ProxyError")]
    #[doc(alias = "ClientHttpProxyError")]
    #[non_exhaustive]
    ProxyRefused {
        /// The status of the response to CONNECT. `None` if the proxy does not speak HTTP.
        status: Option<StatusCode>,
        /// The code in the reply of a SOCKS proxy: 1 to 8 of SOCKS5 (RFC 1928, section 6), 240 to 247 of Tor, or 91 to
        /// 93 of SOCKS4. `None` if it ended the handshake before, because of the credentials.
        socks_reply: Option<u8>,
    },
    /// The TLS handshake or a TLS record failed. [`Error::tls_failure`](crate::Error::tls_failure) tells the failures
    /// apart. A [`Retry`](crate::Retry) does not retry after a certificate that is
    /// not valid and after most alerts of the peer. It retries after a handshake that was cut off.
    #[doc(alias = "SSLError")]
    #[doc(alias = "ClientSSLError")]
    Tls,
    /// The peer closed or reset the connection before the head of the response was complete, or the connection was
    /// upgraded and has ended in another way than by an orderly end.
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
    #[non_exhaustive]
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
    #[non_exhaustive]
    WouldDeadlock {
        /// The number of one of these connections, as in [`ConnectionInfo`](crate::ConnectionInfo).
        held: u64,
    },
    /// The pool or session was closed before or during the call, or the response before its body was read.
    #[doc(alias = "ClosedPoolError")]
    Closed,
    /// Another thread ended the call, by its [`CancelToken`](crate::CancelToken) or by
    /// [`Session::cancel_all`](crate::Session::cancel_all).
    #[doc(alias = "AbortError")]
    Cancelled,
}

impl ErrorKind {
    /// Returns the word for this kind, for metrics, logs and protocols of your own. These words are stable: a release
    /// may add words, but it never changes one.
    ///
    /// | kind | code |
    /// |---|---|
    /// | [`InvalidUrl`](Self::InvalidUrl) | `invalid_url` |
    /// | [`InvalidHeader`](Self::InvalidHeader) | `invalid_header` |
    /// | [`InvalidRequest`](Self::InvalidRequest) | `invalid_request` |
    /// | [`InvalidConfig`](Self::InvalidConfig) | `invalid_config` |
    /// | [`Unsupported`](Self::Unsupported) | `unsupported` |
    /// | [`HostChanged`](Self::HostChanged) | `host_changed` |
    /// | [`BodyRead`](Self::BodyRead) | `body_read` |
    /// | [`BodyLength`](Self::BodyLength) | `body_length` |
    /// | [`UnrewindableBody`](Self::UnrewindableBody) | `unrewindable_body` |
    /// | [`Status`](Self::Status) | `status` |
    /// | [`TooManyRedirects`](Self::TooManyRedirects) | `too_many_redirects` |
    /// | [`InvalidRedirect`](Self::InvalidRedirect) | `invalid_redirect` |
    /// | [`Protocol`](Self::Protocol) | `protocol` |
    /// | [`NotUpgraded`](Self::NotUpgraded) | `not_upgraded` |
    /// | [`IncompleteBody`](Self::IncompleteBody) | `incomplete_body` |
    /// | [`WebSocketHandshake`](Self::WebSocketHandshake) | `web_socket_handshake` |
    /// | [`WebSocket`](Self::WebSocket) | `web_socket` |
    /// | [`LimitExceeded`](Self::LimitExceeded) | `limit_exceeded` |
    /// | [`Decode`](Self::Decode) | `decode` |
    /// | [`ContentType`](Self::ContentType) | `content_type` |
    /// | [`Output`](Self::Output) | `output` |
    /// | [`Custom`](Self::Custom) | `custom` |
    /// | [`Panicked`](Self::Panicked) | `panicked` |
    /// | [`Resolve`](Self::Resolve) | `resolve` |
    /// | [`AddressRefused`](Self::AddressRefused) | `address_refused` |
    /// | [`Connect`](Self::Connect) | `connect` |
    /// | [`ProxyRefused`](Self::ProxyRefused) | `proxy_refused` |
    /// | [`Tls`](Self::Tls) | `tls` |
    /// | [`Disconnected`](Self::Disconnected) | `disconnected` |
    /// | [`Io`](Self::Io) | `io` |
    /// | [`Timeout`](Self::Timeout) | `timeout` |
    /// | [`PoolTimeout`](Self::PoolTimeout) | `pool_timeout` |
    /// | [`WouldDeadlock`](Self::WouldDeadlock) | `would_deadlock` |
    /// | [`Closed`](Self::Closed) | `closed` |
    /// | [`Cancelled`](Self::Cancelled) | `cancelled` |
    ///
    /// ```
    /// use hostpool::ErrorKind;
    ///
    /// // Nothing listens on port 1.
    /// let error = hostpool::get("http://127.0.0.1:1/").send().unwrap_err();
    /// assert_eq!(error.kind().code(), "connect");
    /// assert_eq!(ErrorKind::Connect.code(), error.code());
    /// ```
    pub const fn code(&self) -> &'static str {
        match self {
            ErrorKind::InvalidUrl(_) => "invalid_url",
            ErrorKind::InvalidHeader(_) => "invalid_header",
            ErrorKind::InvalidRequest => "invalid_request",
            ErrorKind::InvalidConfig => "invalid_config",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::HostChanged => "host_changed",
            ErrorKind::BodyRead => "body_read",
            ErrorKind::BodyLength { .. } => "body_length",
            ErrorKind::UnrewindableBody => "unrewindable_body",
            ErrorKind::Status(_) => "status",
            ErrorKind::TooManyRedirects => "too_many_redirects",
            ErrorKind::InvalidRedirect => "invalid_redirect",
            ErrorKind::Protocol(_) => "protocol",
            ErrorKind::NotUpgraded => "not_upgraded",
            ErrorKind::IncompleteBody { .. } => "incomplete_body",
            ErrorKind::WebSocketHandshake => "web_socket_handshake",
            ErrorKind::WebSocket { .. } => "web_socket",
            ErrorKind::LimitExceeded(_) => "limit_exceeded",
            ErrorKind::Decode => "decode",
            ErrorKind::ContentType => "content_type",
            ErrorKind::Output => "output",
            ErrorKind::Custom => "custom",
            ErrorKind::Panicked => "panicked",
            ErrorKind::Resolve => "resolve",
            ErrorKind::AddressRefused => "address_refused",
            ErrorKind::Connect => "connect",
            ErrorKind::ProxyRefused { .. } => "proxy_refused",
            ErrorKind::Tls => "tls",
            ErrorKind::Disconnected => "disconnected",
            ErrorKind::Io => "io",
            ErrorKind::Timeout(_) => "timeout",
            ErrorKind::PoolTimeout { .. } => "pool_timeout",
            ErrorKind::WouldDeadlock { .. } => "would_deadlock",
            ErrorKind::Closed => "closed",
            ErrorKind::Cancelled => "cancelled",
        }
    }

    /// Returns [`IncompleteBody`](Self::IncompleteBody), to compare a kind with it, for example in tests.
    ///
    /// ```
    /// use hostpool::ErrorKind;
    ///
    /// let cut = ErrorKind::incomplete_body(2, Some(10));
    /// assert_eq!(cut.to_string(), "the body ended after 2 of 10 bytes");
    /// ```
    pub const fn incomplete_body(received: u64, expected: Option<u64>) -> ErrorKind {
        ErrorKind::IncompleteBody { received, expected }
    }

    /// Returns [`WebSocket`](Self::WebSocket), to compare a kind with it, for example in tests.
    ///
    /// ```
    /// use hostpool::ErrorKind;
    ///
    /// let lost = ErrorKind::web_socket(1006);
    /// assert_eq!(lost.to_string(), "the connection was lost without a close frame");
    /// ```
    pub const fn web_socket(code: u16) -> ErrorKind {
        ErrorKind::WebSocket { code }
    }

    /// Returns [`BodyLength`](Self::BodyLength), to compare a kind with it, for example in tests.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::{Body, ErrorKind};
    ///
    /// let short = Body::sized(&b"text"[..], 9);
    /// let error = hostpool::put(url).data(short).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::body_length(9, 4));
    /// ```
    pub const fn body_length(declared: u64, read: u64) -> ErrorKind {
        ErrorKind::BodyLength { declared, read }
    }

    /// Returns whether the peer sent something that it must not send. A head that ended early does not count.
    pub(crate) fn is_of_the_peer(&self) -> bool {
        match self {
            ErrorKind::Protocol(violation) => *violation != Violation::IncompleteHead,
            ErrorKind::LimitExceeded(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::InvalidUrl(why) => write!(f, "invalid URL: {why}"),
            ErrorKind::InvalidHeader(why) => write!(f, "invalid header: {why}"),
            ErrorKind::InvalidRequest => write!(f, "invalid request"),
            ErrorKind::InvalidConfig => write!(f, "invalid configuration"),
            ErrorKind::Unsupported => write!(f, "not supported"),
            ErrorKind::HostChanged => write!(f, "the URL belongs to another origin than the pool"),
            ErrorKind::BodyRead => write!(f, "the request's body could not be read"),
            ErrorKind::BodyLength { declared, read } if read < declared => {
                write!(f, "the request's body ended after {read} of {declared} bytes")
            }
            ErrorKind::BodyLength { declared, .. } => {
                write!(f, "the request's body goes on after the {declared} declared bytes")
            }
            ErrorKind::UnrewindableBody => write!(f, "the request's body cannot be sent again"),
            ErrorKind::Status(status) => write!(f, "the status is {status}"),
            ErrorKind::TooManyRedirects => write!(f, "too many redirects"),
            ErrorKind::InvalidRedirect => write!(f, "the redirect is not followed"),
            ErrorKind::NotUpgraded => write!(f, "the server did not switch to another protocol"),
            ErrorKind::Protocol(violation) => write!(f, "{violation}"),
            ErrorKind::IncompleteBody { received, expected: Some(expected) } => {
                write!(f, "the body ended after {received} of {expected} bytes")
            }
            ErrorKind::IncompleteBody { received, expected: None } => {
                write!(f, "the body broke off after {received} bytes")
            }
            ErrorKind::WebSocketHandshake => write!(f, "the WebSocket handshake failed"),
            ErrorKind::WebSocket { code: 1006 } => write!(f, "the connection was lost without a close frame"),
            ErrorKind::WebSocket { code } => write!(f, "the server broke the WebSocket protocol ({code})"),
            ErrorKind::LimitExceeded(limit) => match limit.settings() {
                Some(settings) => write!(f, "too many {limit} (allow more by {settings})"),
                None => write!(f, "too many {limit}"),
            },
            ErrorKind::Decode => write!(f, "decoding failed"),
            ErrorKind::ContentType => write!(f, "the body has another media type"),
            ErrorKind::Output => write!(f, "the output could not be written"),
            ErrorKind::Custom => write!(f, "refused by the caller's own code"),
            ErrorKind::Panicked => write!(f, "the caller's own code panicked"),
            ErrorKind::Resolve => write!(f, "the name lookup failed"),
            ErrorKind::AddressRefused => write!(f, "the address filter refuses every address of the host"),
            ErrorKind::Connect => write!(f, "no connection could be opened"),
            ErrorKind::ProxyRefused { status: Some(status), .. } => {
                write!(f, "the proxy refused the tunnel with {status}")
            }
            ErrorKind::ProxyRefused { status: None, .. } => write!(f, "the proxy refused the tunnel"),
            ErrorKind::Tls => write!(f, "TLS failed"),
            ErrorKind::Disconnected => write!(f, "the peer closed the connection without a response"),
            ErrorKind::Io => write!(f, "the connection failed"),
            ErrorKind::Timeout(Bound::Rate) => write!(f, "the body was slower than min_rate allows"),
            ErrorKind::Timeout(Bound::Token) => write!(f, "the deadline of the cancel token passed"),
            ErrorKind::Timeout(bound) => write!(f, "the {bound} timeout passed"),
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
            ErrorKind::Cancelled => write!(f, "the call was cancelled"),
        }
    }
}
