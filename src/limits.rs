//! Limits on what a peer may send, as values.

#[cfg(feature = "serde")]
mod written;

use std::time::Duration;

const KIB: usize = 1024;

/// Limits on what a peer may send: a small immutable value.
///
/// Each setter returns a new value. A peer that exceeds a limit ends its request with
/// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded), which names the [`Limit`](crate::Limit), and its
/// connection is closed; the two limits on draining only decide whether a connection is kept. The defaults are several
/// times what real servers send: the largest common heads, with long cookies and policies, stay under 32 KiB and 100
/// fields.
///
/// | limit | default | on |
/// |---|---|---|
/// | [`head_bytes`](Self::head_bytes) | 256 KiB | the bytes of one head, interim or final |
/// | [`head_fields`](Self::head_fields) | 256 | its fields |
/// | [`line_bytes`](Self::line_bytes) | 64 KiB | the bytes of one field line |
/// | [`status_line_bytes`](Self::status_line_bytes) | 8 KiB | those of the status line |
/// | [`interim_responses`](Self::interim_responses) | 100 | interim (1xx) responses before the final one |
/// | [`interim_bytes`](Self::interim_bytes) | 256 KiB | the bytes of their heads together |
/// | [`trailer_bytes`](Self::trailer_bytes) | 16 KiB | the bytes of a trailer section |
/// | [`trailer_fields`](Self::trailer_fields) | 64 | its fields |
/// | [`chunk_line_bytes`](Self::chunk_line_bytes) | 4 KiB | the size of one chunk and its extensions |
/// | [`chunk_framing_bytes`](Self::chunk_framing_bytes) | 16 KiB | all of that in a body, beyond what its data pays for |
/// | [`max_body`](Self::max_body) | 100 MiB | a body that is read as a whole |
/// | [`max_wire_body`](Self::max_wire_body) | none | a body as it comes, however it is read |
/// | [`early_response`](Self::early_response) | 1 MiB | what is taken in of a response while the request's body leaves |
/// | [`drain_bytes`](Self::drain_bytes) | 64 KiB | what is taken off the connection of a response that is not read |
/// | [`drain_time`](Self::drain_time) | 100 ms | how long that may wait, where the client itself throws it away |
///
/// With the feature `serde` it is read from configuration files, and written: see its `Deserialize`.
///
/// ```
/// use hostpool::{ConnectionPool, Limits};
///
/// let limits = Limits::new().head_bytes(32 * 1024).max_body(1024 * 1024);
/// let pool = ConnectionPool::builder("http://example.com").limits(limits).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "limits do nothing until they are given to a client"]
pub struct Limits {
    pub(crate) head_bytes: usize,
    pub(crate) head_fields: usize,
    pub(crate) line_bytes: usize,
    pub(crate) status_line_bytes: usize,
    pub(crate) interim_responses: usize,
    pub(crate) interim_bytes: usize,
    pub(crate) trailer_bytes: usize,
    pub(crate) trailer_fields: usize,
    pub(crate) chunk_line_bytes: usize,
    pub(crate) chunk_framing_bytes: u64,
    pub(crate) max_body: u64,
    pub(crate) max_wire_body: u64,
    pub(crate) early_response: usize,
    pub(crate) drain_bytes: u64,
    pub(crate) drain_time: Duration,
}

impl Limits {
    /// Returns the defaults.
    pub const fn new() -> Self {
        Limits {
            head_bytes: 256 * KIB,
            head_fields: 256,
            line_bytes: 64 * KIB,
            status_line_bytes: 8 * KIB,
            interim_responses: 100,
            interim_bytes: 256 * KIB,
            trailer_bytes: 16 * KIB,
            trailer_fields: 64,
            chunk_line_bytes: 4 * KIB,
            chunk_framing_bytes: 16 * KIB as u64,
            max_body: 100 * (KIB * KIB) as u64,
            max_wire_body: u64::MAX,
            early_response: KIB * KIB,
            drain_bytes: 64 * KIB as u64,
            drain_time: Duration::from_millis(100),
        }
    }

    /// Sets the bytes of one response head. Exceeding it is [`Limit::HeadBytes`](crate::Limit::HeadBytes).
    pub const fn head_bytes(self, bytes: usize) -> Self {
        Limits { head_bytes: bytes, ..self }
    }

    /// Sets the number of fields of a head. Exceeding it is [`Limit::HeadFields`](crate::Limit::HeadFields).
    pub const fn head_fields(self, fields: usize) -> Self {
        Limits { head_fields: fields, ..self }
    }

    /// Sets the bytes of one field line. Exceeding it is [`Limit::LineBytes`](crate::Limit::LineBytes).
    #[doc(alias = "max_field_size")]
    pub const fn line_bytes(self, bytes: usize) -> Self {
        Limits { line_bytes: bytes, ..self }
    }

    /// Sets the bytes of the status line. Exceeding it is [`Limit::LineBytes`](crate::Limit::LineBytes).
    #[doc(alias = "max_line_size")]
    pub const fn status_line_bytes(self, bytes: usize) -> Self {
        Limits { status_line_bytes: bytes, ..self }
    }

    /// Sets the number of interim (1xx) responses before a final one. Servers that work for long send one a second.
    /// Exceeding it is [`Limit::Interim`](crate::Limit::Interim).
    pub const fn interim_responses(self, responses: usize) -> Self {
        Limits { interim_responses: responses, ..self }
    }

    /// Sets the bytes of all heads of interim responses together. Exceeding it is
    /// [`Limit::Interim`](crate::Limit::Interim).
    pub const fn interim_bytes(self, bytes: usize) -> Self {
        Limits { interim_bytes: bytes, ..self }
    }

    /// Sets the bytes of a trailer section. Exceeding it is [`Limit::Trailers`](crate::Limit::Trailers).
    pub const fn trailer_bytes(self, bytes: usize) -> Self {
        Limits { trailer_bytes: bytes, ..self }
    }

    /// Sets the number of fields of a trailer section. Exceeding it is [`Limit::Trailers`](crate::Limit::Trailers).
    pub const fn trailer_fields(self, fields: usize) -> Self {
        Limits { trailer_fields: fields, ..self }
    }

    /// Sets the bytes of the size and extensions of one chunk. Exceeding it is
    /// [`Limit::ChunkFraming`](crate::Limit::ChunkFraming).
    pub const fn chunk_line_bytes(self, bytes: usize) -> Self {
        Limits { chunk_line_bytes: bytes, ..self }
    }

    /// Sets the bytes of chunk framing in a body before any data. Each byte of data allows two more, and each chunk
    /// sixteen for its size and line ends, so that a server may flush every byte. Exceeding it is
    /// [`Limit::ChunkFraming`](crate::Limit::ChunkFraming).
    pub const fn chunk_framing_bytes(self, bytes: u64) -> Self {
        Limits { chunk_framing_bytes: bytes, ..self }
    }

    /// Sets the bytes of a decoded body that `bytes`, `text` or `json` read as a whole. Reading piece by piece through
    /// [`Read`](std::io::Read) has no limit. Exceeding it is [`Limit::Body`](crate::Limit::Body).
    pub const fn max_body(self, bytes: u64) -> Self {
        Limits { max_body: bytes, ..self }
    }

    /// Sets how many bytes of a body are received, before they are decoded and without chunk framing. Unlike
    /// [`max_body`](Self::max_body) it holds for every way of reading: through [`Read`](std::io::Read), by lines, into a
    /// file. There is no limit by default.
    ///
    /// Exceeding it is [`Limit::WireBody`](crate::Limit::WireBody). With a larger `Content-Length` the first read fails.
    /// Otherwise the bytes up to the limit are returned before the error.
    ///
    /// ```
    /// use hostpool::{Limits, Session};
    ///
    /// let session = Session::builder().limits(Limits::new().max_wire_body(10 << 20)).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "max_filesize")]
    pub const fn max_wire_body(self, bytes: u64) -> Self {
        Limits { max_wire_body: bytes, ..self }
    }

    /// Sets how many bytes of a response's body, including chunk framing, are received while the request's body is
    /// still being sent, for example from a server that echoes or reports progress. They are kept in memory, which
    /// grows as they arrive.
    ///
    /// Beyond the limit the client stops reading and goes on sending: most servers go on reading. A server that wants
    /// its response read first keeps the body from leaving. If then nothing moves for
    /// [`Timeout::read`](crate::Timeout::read), or for 60 seconds without it, the request fails with
    /// [`Limit::EarlyResponse`](crate::Limit::EarlyResponse).
    ///
    /// ```
    /// use hostpool::{Limits, Session};
    ///
    /// // For a server that echoes up to 64 MiB.
    /// let session = Session::builder().limits(Limits::new().early_response(64 << 20)).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub const fn early_response(self, bytes: usize) -> Self {
        Limits { early_response: bytes, ..self }
    }

    /// Sets how many bytes of an unread body are received when a response is dropped, so that its connection can be
    /// used again. If more follow the connection is closed.
    pub const fn drain_bytes(self, bytes: u64) -> Self {
        Limits { drain_bytes: bytes, ..self }
    }

    /// Sets how long the client waits for the rest of a body that it discards itself, so that the connection can be
    /// used again. The client discards the body of a redirect that it follows, of a challenge that it answers, and of a
    /// response after which it tries again. It waits as long for the start of a body that an error keeps, as in
    /// [`error_for_status`](crate::Response::error_for_status) or
    /// [`ErrorKind::TooManyRedirects`](crate::ErrorKind::TooManyRedirects). With zero it takes what has arrived, and
    /// does not wait.
    ///
    /// Dropping a response never waits, and [`release`](crate::Response::release) waits as reading does.
    ///
    /// ```
    /// use hostpool::{Limits, Session};
    /// use std::time::Duration;
    ///
    /// let limits = Limits::new().drain_time(Duration::from_secs(1));
    /// let session = Session::builder().limits(limits).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub const fn drain_time(self, limit: Duration) -> Self {
        Limits { drain_time: limit, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::new()
    }
}
