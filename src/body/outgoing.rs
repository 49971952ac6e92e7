//! A body on its way to the transport, piece by piece.

use super::source::Source;
use crate::error::Result;

/// A body up to this size leaves with the head, in one send; a larger one in pieces of this size.
pub(crate) const PIECE: usize = 128 * 1024;

/// What is left of a body.
pub(crate) enum Outgoing<'a> {
    Bytes(&'a [u8]),
    Source(&'a mut Source),
}

impl Outgoing<'_> {
    /// What is to be sent next: empty at the end of the body, and only there. A reader is asked if all that it gave has
    /// been sent.
    pub(crate) fn piece(&mut self) -> Result<&[u8]> {
        match self {
            Outgoing::Bytes(bytes) => Ok(&bytes[..bytes.len().min(PIECE)]),
            Outgoing::Source(source) => source.piece(),
        }
    }

    /// So many bytes of the piece have been sent.
    pub(crate) fn advance(&mut self, sent: usize) {
        match self {
            Outgoing::Bytes(bytes) => *bytes = &bytes[sent.min(bytes.len())..],
            Outgoing::Source(source) => source.advance(sent),
        }
    }

    /// All of it has been sent, as far as can be said without asking a reader.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Outgoing::Bytes(bytes) => bytes.is_empty(),
            Outgoing::Source(source) => source.is_done(),
        }
    }
}
