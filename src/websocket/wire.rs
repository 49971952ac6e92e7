//! The out-buffer, with the masks of its frames, and the compressor of messages.

use std::fmt;

use super::deflate::Deflater;
use super::frame::{HEAD, Head, Kind, Masks};
use super::state::{Ours, State};
use crate::error::{Error, ErrorKind, Phase, Result};

/// The largest buffer that is kept after a small message. One that was needed for a long message stays until then: long
/// messages often follow each other.
pub(super) const KEPT: usize = 16 * 1024;

/// The side of messages, for the thread that sends one.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) deflater: Option<Deflater>,
    /// Compressed bytes of the message that is being sent.
    pub(super) packed: Vec<u8>,
}

impl Outgoing {
    pub(crate) fn new(deflater: Option<Deflater>) -> Outgoing {
        Outgoing { deflater, packed: Vec::new() }
    }
}

/// The side of bytes, for the thread that sends them.
pub(crate) struct Wire {
    out: Vec<u8>,
    /// What waits to be sent is between these two. The vector keeps its length, so that it is set to zero once.
    start: usize,
    end: usize,
    masks: Masks,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({} bytes left)", self.rest().len())
    }
}

impl Wire {
    pub(crate) fn new() -> Wire {
        Wire { out: Vec::new(), start: 0, end: 0, masks: Masks::new() }
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.out[self.start..self.end]
    }

    pub(super) fn has_rest(&self) -> bool {
        self.start < self.end
    }

    /// Returns where the next frame begins.
    pub(super) fn mark(&self) -> usize {
        self.end
    }

    /// Returns whether a byte of the frame that begins at `mark` has left.
    pub(super) fn has_begun(&self, mark: usize) -> bool {
        !self.has_rest() || self.start > mark
    }

    /// Takes back what was written after `mark`, of which nothing has left.
    pub(super) fn take_back(&mut self, mark: usize) {
        self.end = mark;
        self.took(0);
    }

    /// Notes that bytes have left.
    pub(super) fn took(&mut self, len: usize) {
        self.start += len;
        if !self.has_rest() {
            if self.end <= KEPT && self.out.len() > KEPT {
                self.out = Vec::new();
            }
            (self.start, self.end) = (0, 0);
        }
    }

    /// Appends a frame.
    pub(super) fn write(&mut self, head: Head, payload: &[u8]) -> Result<()> {
        let mask = self.masks.next().map_err(|error| Error::new(ErrorKind::Io, Phase::Upgraded).with_source(error))?;
        let most = self.end + HEAD + payload.len();
        if self.out.len() < most {
            self.out.reserve_exact(most - self.out.len());
            self.out.resize(most, 0);
        }
        self.end += head.write(payload, mask, &mut self.out[self.end..]);
        Ok(())
    }

    fn write_control(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        self.write(Head { kind, is_final: true, compressed: false, len: payload.len() as u64 }, payload)
    }

    /// Moves the control frames that wait to the out-buffer. A close is the last frame (RFC 6455, section 5.5.1).
    pub(super) fn take_slots(&mut self, state: &mut State) -> Result<()> {
        if state.ours == Ours::Written {
            // Nothing follows it but the pongs that a server asks for meanwhile (section 5.5.2).
            state.ping = None;
        }
        if let Some(pong) = state.pong.take() {
            self.write_control(Kind::Pong, &pong)?;
        }
        if let Some(ping) = state.ping.take() {
            self.write_control(Kind::Ping, &ping)?;
        }
        if let Some(close) = state.close.take() {
            self.write_control(Kind::Close, &close)?;
            state.ours = Ours::Written;
        }
        Ok(())
    }
}
