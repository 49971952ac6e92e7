//! Compressing messages (RFC 7692, section 7.2.1).

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

/// What is cut off the end of each message: the empty block of a sync flush, without its first byte.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The least room for each step. A flush needs more than six bytes, or it writes its marker twice.
const ROOM: usize = 64;

/// The compressor of a connection. It is made for the first message.
pub(crate) struct Deflater {
    bits: u8,
    level: u32,
    /// The window stays from one message to the next.
    takeover: bool,
    state: Option<Compress>,
    /// Bytes of this message have come.
    begun: bool,
}

impl Deflater {
    /// Returns a compressor with a window of 2^`bits` bytes, from 9 to 15.
    pub(crate) fn new(bits: u8, level: u32, takeover: bool) -> Deflater {
        Deflater { bits: bits.clamp(9, 15), level: level.min(9), takeover, state: None, begun: false }
    }

    /// Forgets all messages: the last one was not sent. The server's window has more than this one then, which nothing
    /// refers to.
    pub(crate) fn forget(&mut self) {
        (self.state, self.begun) = (None, false);
    }

    /// Compresses a part of a message and appends the result. `last` ends the message.
    ///
    /// Fails only if the library does, which leaves the window unusable.
    pub(crate) fn push(&mut self, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.begun |= !bytes.is_empty();
        if !self.begun {
            // An empty message is one byte (section 7.2.3.6). A second flush without input would write nothing.
            out.extend_from_slice(if last { &[0x00] } else { &[] });
            return Ok(());
        }
        let (bits, level) = (self.bits, self.level);
        let deflate =
            self.state.get_or_insert_with(|| Compress::new_with_window_bits(Compression::new(level), false, bits));
        let flush = if last { FlushCompress::Sync } else { FlushCompress::None };
        loop {
            out.reserve((bytes.len() / 2).max(ROOM));
            let read = deflate.total_in();
            let status = deflate.compress_vec(bytes, out, flush).map_err(|_| BROKEN)?;
            // At most the length of the slice.
            bytes = &bytes[(deflate.total_in() - read) as usize..];
            if status == Status::StreamEnd {
                return Err(BROKEN);
            }
            if bytes.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        if last {
            if !out.ends_with(&TAIL) {
                return Err(BROKEN);
            }
            out.truncate(out.len() - TAIL.len());
            self.begun = false;
            if !self.takeover {
                self.state = None;
            }
        }
        Ok(())
    }
}

const BROKEN: &str = "the message could not be compressed";

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deflater { bits, level, takeover, .. } = self;
        f.debug_struct("Deflater")
            .field("bits", bits)
            .field("level", level)
            .field("takeover", takeover)
            .finish_non_exhaustive()
    }
}
