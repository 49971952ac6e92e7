//! The meaning of a failed send or receive.

use std::io;

use super::wire::Wire;
use crate::error::{Error, ErrorKind, Phase};
use crate::net::transport::{Transport, Wait};

/// Returns the error of a failed send or receive.
pub(super) fn io_error(error: io::Error, wire: &Wire, wait: &Wait<'_>, phase: Phase) -> Error {
    let kind = if wait.is_cancelled() {
        ErrorKind::Closed
    } else {
        match error.kind() {
            io::ErrorKind::TimedOut if wait.until.is_past() => ErrorKind::Timeout(wait.until.bound()),
            io::ErrorKind::InvalidData if wire.info().encrypted => ErrorKind::Tls,
            _ if is_end(&error) && phase < Phase::Body => ErrorKind::Disconnected,
            _ => ErrorKind::Io,
        }
    };
    Error::new(kind, phase).with_source(error)
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
