//! HTTP/1.1 messages without I/O: bytes in, decisions out.
//!
//! Nothing here reads a clock or a socket, and nothing allocates by a size that a peer announced. Strictness follows
//! RFC 9112; each leniency is named where it is granted.

mod chunked;
pub(crate) mod encode;
mod framing;
mod head;

pub(crate) use chunked::Chunked;
pub(crate) use framing::{Decision, Framing, decide};
pub(crate) use head::{Head, Scanner, TransferCoding, parse};

use crate::error::{ErrorKind, Limit, Violation};

/// Why received bytes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Violation(Violation),
    Limit(Limit),
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Fault {
        Fault::Violation(violation)
    }
}

impl From<Limit> for Fault {
    fn from(limit: Limit) -> Fault {
        Fault::Limit(limit)
    }
}

impl From<Fault> for ErrorKind {
    fn from(fault: Fault) -> ErrorKind {
        match fault {
            Fault::Violation(violation) => ErrorKind::Protocol(violation),
            Fault::Limit(limit) => ErrorKind::LimitExceeded(limit),
        }
    }
}

/// How much a peer may send around its bodies.
///
/// The figures are several times what real servers send: the largest common heads, with long cookies and policies,
/// stay under 32 KiB and 100 fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of one head, interim or final.
    pub(crate) head_bytes: usize,
    /// Bytes of the status line.
    pub(crate) status_line_bytes: usize,
    /// Bytes of one field line.
    pub(crate) line_bytes: usize,
    /// Fields of a head.
    pub(crate) fields: usize,
    /// Interim (1xx) responses in front of a final one.
    pub(crate) interim: usize,
    /// Bytes of a trailer section.
    pub(crate) trailer_bytes: usize,
    /// Fields of a trailer section.
    pub(crate) trailer_fields: usize,
    /// Bytes of one chunk-size line with its extensions.
    pub(crate) chunk_line_bytes: usize,
    /// Bytes of chunk framing allowed before any data. Each byte of data allows two more, and each chunk sixteen: its
    /// size and line ends, so that a server which flushes every byte is no offender.
    pub(crate) chunk_framing_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes: 256 * 1024,
            status_line_bytes: 8 * 1024,
            line_bytes: 64 * 1024,
            fields: 256,
            interim: 16,
            trailer_bytes: 16 * 1024,
            trailer_fields: 64,
            chunk_line_bytes: 4 * 1024,
            chunk_framing_bytes: 16 * 1024,
        }
    }
}
