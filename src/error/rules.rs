//! The rules of HTTP and the limits that a peer can break.

use std::fmt;

/// The rules of HTTP that a peer can break.
///
/// The [`Strictness`](crate::Strictness) of a client decides what it tolerates. docs/parity.md gives the reason for
/// each refusal, and the behaviour of curl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// The proxy sent bytes after the head or the reply that opened a tunnel, before this client sent any into it.
    BytesInTunnel,
    /// A message of the proxy is not one of the SOCKS handshake (RFC 1928). The text of the error says why.
    SocksMessage,
}

impl fmt::Display for Violation {
    /// Shows the text that errors show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Violation::StatusLine => "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line",
            Violation::StatusCode => "the status code is not one that HTTP has",
            Violation::FieldName => "a header name is not a token",
            Violation::FieldValue => "a header value has a control character",
            Violation::FoldedFraming => "a header that decides on framing is folded",
            Violation::IncompleteHead => "the connection ended inside the head",
            Violation::ContentLength => "the Content-Length is not a number of at most 64 bits",
            Violation::ConflictingContentLength => "two Content-Lengths differ",
            Violation::TransferEncoding => "the Transfer-Encoding is not chunked alone, or belongs to HTTP/1.0",
            Violation::ChunkSize => "a chunk's size is not 1 to 16 hexadecimal digits",
            Violation::ChunkEnd => "a chunk does not end in CRLF",
            Violation::Trailer => "a trailer field is malformed",
            Violation::BytesInTunnel => "the proxy sent bytes after it had opened the tunnel",
            Violation::SocksMessage => "the proxy does not speak this version of SOCKS",
            Violation::UnexpectedUpgrade => "the response is a 101, but the request asked for no upgrade",
        })
    }
}

/// The limits on what a peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Bytes of a WebSocket message: see `WebSocketBuilder::max_msg_size`.
    Message,
    /// Bytes of one frame of a WebSocket message, as its head announces them: see
    /// `WebSocketBuilder::max_frame_size`.
    Frame,
    /// Frames of one WebSocket message: 131,072.
    Fragments,
}

impl Limit {
    /// Returns the settings that allow more, if there are any.
    pub(super) const fn settings(self) -> Option<&'static str> {
        Some(match self {
            Limit::HeadBytes => "Limits::head_bytes",
            Limit::HeadFields => "Limits::head_fields",
            Limit::LineBytes => "Limits::line_bytes, status_line_bytes, or Lines::max_len for a body",
            Limit::Interim => "Limits::interim_responses, interim_bytes",
            Limit::Trailers => "Limits::trailer_bytes, trailer_fields",
            Limit::ChunkFraming => "Limits::chunk_framing_bytes, chunk_line_bytes",
            Limit::Body => "max_body",
            Limit::WireBody => "max_wire_body",
            Limit::EarlyResponse => "Limits::early_response",
            Limit::Message => "WebSocketBuilder::max_msg_size",
            Limit::Frame => "WebSocketBuilder::max_frame_size",
            Limit::Codings | Limit::Fragments => return None,
        })
    }
}

impl fmt::Display for Limit {
    /// Shows the text that errors show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Limit::HeadBytes => "bytes of a response head",
            Limit::HeadFields => "header fields",
            Limit::LineBytes => "bytes of a line",
            Limit::Interim => "interim responses",
            Limit::Trailers => "trailers",
            Limit::ChunkFraming => "bytes of chunk framing",
            Limit::Body => "bytes of a body read as a whole",
            Limit::WireBody => "bytes of a body as it comes",
            Limit::Codings => "content codings",
            Limit::Message => "bytes of a message",
            Limit::Frame => "bytes of a frame",
            Limit::Fragments => "fragments of a message",
            Limit::EarlyResponse => "bytes of a response before the request's body had left",
        })
    }
}
