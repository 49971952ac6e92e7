//! Decompressing messages (RFC 7692, section 7.2.2).

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::super::fault::Fault;

/// What the sender has cut off the end of each message.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The most bytes that one step gives out. A message is judged after each of them, so a bomb costs no more than that.
const PIECE: usize = 16 * 1024;

/// The decompressor of a connection. It is made for the first compressed message.
pub(crate) struct Inflater {
    /// The window stays from one message to the next.
    takeover: bool,
    state: Option<State>,
    /// Bytes of this message have come.
    begun: bool,
    /// The last of them has ended a stream.
    ended: bool,
}

struct State {
    inflate: Decompress,
    piece: Box<[u8]>,
}

impl Inflater {
    pub(crate) fn new(takeover: bool) -> Inflater {
        Inflater { takeover, state: None, begun: false, ended: false }
    }

    /// Decompresses a part of a message.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        out: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        (self.begun, self.ended) = (true, false);
        // The window is always of 32 KiB: a smaller one that was agreed on only bounds the distances, and the library
        // refuses one of 256 bytes.
        let State { inflate, piece } = self
            .state
            .get_or_insert_with(|| State { inflate: Decompress::new(false), piece: vec![0; PIECE].into_boxed_slice() });
        loop {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(bytes, piece, FlushDecompress::None).map_err(|_| Fault::Deflate)?;
            // Both are at most the lengths of slices.
            let (read, written) = ((inflate.total_in() - read) as usize, (inflate.total_out() - written) as usize);
            bytes = &bytes[read..];
            out(&piece[..written])?;
            match status {
                // A block with BFINAL ends a stream, and the next byte begins another (section 7.2.3.4).
                Status::StreamEnd => {
                    inflate.reset(false);
                    if bytes.is_empty() {
                        self.ended = true;
                        return Ok(());
                    }
                }
                Status::Ok | Status::BufError => {
                    if written < piece.len() && (bytes.is_empty() || read == 0) {
                        return if bytes.is_empty() { Ok(()) } else { Err(Fault::Deflate) };
                    }
                }
            }
        }
    }

    /// Ends a message.
    pub(crate) fn finish(&mut self, out: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        // A message without any byte is an empty one, although a sender has to send one byte.
        // After the end of a stream a sender has to send one more byte (section 7.2.3.4). Some do not, and then the rest of
        // a block would come before the next message.
        if self.begun && !self.ended {
            self.push(&TAIL, out)?;
        }
        (self.begun, self.ended) = (false, false);
        if !self.takeover {
            // The server promises that the next message does not need the window: its memory goes meanwhile.
            self.state = None;
        }
        Ok(())
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("takeover", &self.takeover).finish_non_exhaustive()
    }
}
