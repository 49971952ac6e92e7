//! What a failed send or receive means.

use std::io;

use super::wire::Wire;
use crate::error::{Error, ErrorKind, Phase};
use crate::net::transport::{Transport, Wait};

/// What a failed send or receive means.
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

/// The peer, or something on the way, has ended the connection.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// Transports that could tell a cut from an end say so when the end may be a cut: TLS without close_notify (RFC 8446,
/// section 6.1).
pub(super) fn is_unclean_close(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
