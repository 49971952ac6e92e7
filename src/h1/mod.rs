//! HTTP/1.1 messages without I/O: bytes in, decisions out.
//!
//! This layer reads no clock and no socket, and it never allocates by a size that a peer announced. The rules are those
//! of RFC 9112. A comment names each exception at its place.

mod chunked;
pub(crate) mod encode;
mod framing;
mod head;
mod mend;

pub(crate) use chunked::{Chunked, Trailers};
pub(crate) use encode::RequestTarget;
pub(crate) use framing::{Decision, Framing, decide, interim_ends};
pub(crate) use head::{Head, Scanner, TransferCoding, begins_status_line};
pub(crate) use mend::Dropped;

use crate::error::{ErrorKind, Limit, Violation};
pub(crate) use crate::limits::Limits;

/// The reason why received bytes are refused.
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
