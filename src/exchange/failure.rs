//! The meaning of a failed send or receive.

use std::io;

use super::wire::Wire;
use crate::error::{Error, ErrorKind, Phase, Reason};
use crate::net::transport::{Transport, Wait};

/// Returns the error of a failed send or receive.
pub(super) fn io_error(error: io::Error, wire: &Wire, wait: &Wait<'_>, phase: Phase) -> Error {
    if let Some(ended) = wait.ended(phase, || closed(phase)) {
        return ended.with_effect(error);
    }
    let failed = match error.kind() {
        io::ErrorKind::TimedOut if wait.until.is_past() => wait.until.timed_out(phase),
        io::ErrorKind::InvalidData if wire.info().encrypted => Error::new(ErrorKind::Tls, phase),
        _ if is_end(&error) && phase < Phase::Body => Error::new(ErrorKind::Disconnected, phase),
        _ => Error::new(ErrorKind::Io, phase),
    };
    failed.with_source(error)
}

/// Returns whether this is the error of a peer that has closed the connection.
pub(super) fn is_disconnected(error: &Error) -> bool {
    *error.kind() == ErrorKind::Disconnected && !error.ends_call()
}

/// Returns the reason of an exchange that this program has ended. Before the body, only its pool can end it; in the
/// body, only the response.
fn closed(phase: Phase) -> Reason {
    match phase {
        Phase::Body => Reason::closed_response(),
        _ => ErrorKind::Closed.because("the pool was closed during the call"),
    }
}

/// Returns whether the peer, or a device between, has ended the connection.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// Returns whether the stream ended in a way that may be a truncation. A transport that can tell reports it: TLS
/// without close_notify (RFC 8446, section 6.1).
pub(super) fn is_unclean_close(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
