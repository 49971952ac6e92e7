//! The heads of frames (RFC 6455, section 5.2), and the mask of a client's frames.

use std::io::{self, Cursor};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::fault::Fault;
use crate::random;

/// The most bytes of a control frame's payload.
pub(crate) const CONTROL: usize = 125;

/// The most bytes of a head: two, a length of eight, and a mask.
pub(crate) const HEAD: usize = 14;

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Kind {
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Kind::Close | Kind::Ping | Kind::Pong)
    }

    fn opcode(self) -> OpCode {
        match self {
            Kind::Continuation => OpCode::Data(Data::Continue),
            Kind::Text => OpCode::Data(Data::Text),
            Kind::Binary => OpCode::Data(Data::Binary),
            Kind::Close => OpCode::Control(Control::Close),
            Kind::Ping => OpCode::Control(Control::Ping),
            Kind::Pong => OpCode::Control(Control::Pong),
        }
    }

    fn of(opcode: OpCode) -> Result<Kind, Fault> {
        Ok(match opcode {
            OpCode::Data(Data::Continue) => Kind::Continuation,
            OpCode::Data(Data::Text) => Kind::Text,
            OpCode::Data(Data::Binary) => Kind::Binary,
            OpCode::Control(Control::Close) => Kind::Close,
            OpCode::Control(Control::Ping) => Kind::Ping,
            OpCode::Control(Control::Pong) => Kind::Pong,
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                return Err(Fault::ReservedOpcode);
            }
        })
    }
}

/// What a head says about its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) is_final: bool,
    /// RSV1: the message is compressed. On its first frame alone.
    pub(crate) compressed: bool,
    pub(crate) len: u64,
}

impl Head {
    /// Reads a server's head from the start of `bytes`, and its length in bytes. Returns `None` if it is not complete.
    ///
    /// Each rule is checked with the first byte that shows it broken. `compresses` says whether compression was agreed on.
    pub(crate) fn read(bytes: &[u8], compresses: bool) -> Result<Option<(Head, usize)>, Fault> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        if first & 0x30 != 0 {
            return Err(Fault::ReservedBits);
        }
        let kind = Kind::of(OpCode::from(first & 0x0F))?;
        let (is_final, compressed) = (first & 0x80 != 0, first & 0x40 != 0);
        if compressed && !compresses {
            return Err(Fault::Compressed);
        }
        if compressed && !matches!(kind, Kind::Text | Kind::Binary) {
            return Err(Fault::CompressedPart);
        }
        if kind.is_control() && !is_final {
            return Err(Fault::FragmentedControl);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if second & 0x80 != 0 {
            return Err(Fault::Masked);
        }
        if kind.is_control() && usize::from(second) > CONTROL {
            return Err(Fault::LongControl);
        }
        // The bits are checked above, so this fails for nothing that is left.
        let mut cursor = Cursor::new(bytes);
        let Ok(Some((_, len))) = FrameHeader::parse(&mut cursor) else { return Ok(None) };
        let shortest = match second {
            126 => 126,
            127 => 0x1_0000,
            _ => 0,
        };
        if len >> 63 != 0 {
            return Err(Fault::Length);
        }
        if len < shortest {
            return Err(Fault::LengthForm);
        }
        // A head has at most 14 bytes.
        Ok(Some((Head { kind, is_final, compressed, len }, cursor.position() as usize)))
    }

    /// Writes a client's frame with this payload, which the mask hides (section 5.3), to the start of `out`. Returns its
    /// length. `out` has room for [`HEAD`] bytes and the payload.
    pub(crate) fn write(self, payload: &[u8], mask: [u8; 4], out: &mut [u8]) -> usize {
        let header = FrameHeader {
            is_final: self.is_final,
            rsv1: self.compressed,
            rsv2: false,
            rsv3: false,
            opcode: self.kind.opcode(),
            mask: Some(mask),
        };
        let room = out.len();
        let mut rest = &mut *out;
        // Writing to a slice fails only without room.
        let _ = header.format(payload.len() as u64, &mut rest);
        let head = room - rest.len();
        copy_masked(mask, payload, rest);
        head + payload.len()
    }
}

/// Copies `from` to the start of `to` and applies a mask, eight bytes at a time. One pass, because a copy of its own costs
/// more than the mask: where the two addresses differ by less than 64 bytes in their pages, as here after a head, the
/// copy of the system's library takes ten times as long on some processors.
fn copy_masked(mask: [u8; 4], from: &[u8], to: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = from.as_chunks::<8>();
    // There is room: see `write`.
    let (room, end) = to[..from.len()].as_chunks_mut::<8>();
    for (to, word) in room.iter_mut().zip(words) {
        *to = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for ((to, byte), mask) in end.iter_mut().zip(rest).zip(mask.into_iter().cycle()) {
        *to = byte ^ mask;
    }
}

/// Applies a mask byte by byte, which is also how it is taken off.
#[cfg(test)]
pub(crate) fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    for (byte, mask) in bytes.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Masks that nobody can predict (section 10.3), from the system's generator. The first block is small, because most
/// connections send little. Each later one is a system call in 4,096 frames. A child of a fork has a copy of the block: it
/// must not send on the connection, which is its parent's.
pub(crate) struct Masks {
    block: Vec<u8>,
    used: usize,
}

impl Masks {
    const FIRST: usize = 256;
    const BLOCK: usize = 16 * 1024;

    pub(crate) const fn new() -> Masks {
        Masks { block: Vec::new(), used: 0 }
    }

    /// Returns the next mask. Fails if the system has no random bytes, and nothing else is used in their place.
    pub(crate) fn next(&mut self) -> io::Result<[u8; 4]> {
        if self.used >= self.block.len() {
            self.refill()?;
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.block[self.used..self.used + 4]);
        self.used += 4;
        Ok(mask)
    }

    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        let len = if self.block.is_empty() { Masks::FIRST } else { Masks::BLOCK };
        self.block.resize(len, 0);
        // No mask is given out twice, whether this fails or not.
        self.used = len;
        random::fill(&mut self.block)?;
        self.used = 0;
        Ok(())
    }
}
