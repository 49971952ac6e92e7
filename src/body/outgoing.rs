//! A body on its way to the transport, piece by piece.

use super::progress::Progress;
use super::source::{PIECE, Source};
use crate::error::Result;

/// The part of a body that is still to be sent.
pub(crate) enum Outgoing<'a> {
    Bytes(&'a [u8]),
    Source(&'a mut Source),
    Watched(Box<Watched<'a>>),
}

/// A body whose progress is reported.
pub(crate) struct Watched<'a> {
    outgoing: Outgoing<'a>,
    progress: &'a Progress,
    sent: u64,
    total: Option<u64>,
}

impl<'a> Outgoing<'a> {
    /// Reports that nothing has been sent, and from then on how much has.
    pub(super) fn watched(self, progress: &'a Progress, total: Option<u64>) -> Outgoing<'a> {
        progress.tell(0, total);
        Outgoing::Watched(Box::new(Watched { outgoing: self, progress, sent: 0, total }))
    }

    /// Returns what is to be sent next. It is empty only at the end of the body. A reader is read when all that it gave
    /// has been sent.
    pub(crate) fn piece(&mut self) -> Result<&[u8]> {
        match self {
            Outgoing::Bytes(bytes) => Ok(&bytes[..bytes.len().min(PIECE)]),
            Outgoing::Source(source) => source.piece(),
            Outgoing::Watched(watched) => watched.outgoing.piece(),
        }
    }

    /// Notes that this many bytes of the piece have been sent.
    pub(crate) fn advance(&mut self, sent: usize) {
        match self {
            Outgoing::Bytes(bytes) => *bytes = &bytes[sent.min(bytes.len())..],
            Outgoing::Source(source) => source.advance(sent),
            Outgoing::Watched(watched) => watched.advance(sent),
        }
    }

    /// Returns whether all of the body has been sent, as far as that is known without asking a reader.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Outgoing::Bytes(bytes) => bytes.is_empty(),
            Outgoing::Source(source) => source.is_done(),
            Outgoing::Watched(watched) => watched.outgoing.is_done(),
        }
    }
}

impl Watched<'_> {
    fn advance(&mut self, sent: usize) {
        self.outgoing.advance(sent);
        let now = match &mut self.outgoing {
            Outgoing::Source(source) => source.body_bytes_sent(),
            Outgoing::Bytes(bytes) => self.total.unwrap_or_default() - bytes.len() as u64,
            Outgoing::Watched(inner) => inner.sent,
        };
        if now != self.sent {
            self.sent = now;
            self.progress.tell(now, self.total);
        }
    }
}
