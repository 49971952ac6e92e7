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

    /// Appends a client's frame with this payload, which the mask hides (section 5.3).
    pub(crate) fn write(self, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
        let header = FrameHeader {
            is_final: self.is_final,
            rsv1: self.compressed,
            rsv2: false,
            rsv3: false,
            opcode: self.kind.opcode(),
            mask: Some(mask),
        };
        out.reserve(HEAD + payload.len());
        // Writing to a vector does not fail.
        let _ = header.format(payload.len() as u64, out);
        let start = out.len();
        out.extend_from_slice(payload);
        apply(mask, &mut out[start..]);
    }
}

/// Applies a mask, which is also how it is taken off. Eight bytes at a time.
pub(crate) fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut pieces = bytes.chunks_exact_mut(8);
    for piece in &mut pieces {
        let mut word = [0; 8];
        word.copy_from_slice(piece);
        piece.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in pieces.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Masks that nobody can predict (section 10.3), from the system's generator, 256 at a time.
pub(crate) struct Masks {
    block: [u8; Masks::BLOCK],
    used: usize,
}

impl Masks {
    const BLOCK: usize = 1024;

    pub(crate) const fn new() -> Masks {
        Masks { block: [0; Masks::BLOCK], used: Masks::BLOCK }
    }

    /// Returns the next mask. Fails if the system has no random bytes, and nothing else is used in their place.
    pub(crate) fn next(&mut self) -> io::Result<[u8; 4]> {
        if self.used >= Masks::BLOCK {
            random::fill(&mut self.block)?;
            self.used = 0;
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.block[self.used..self.used + 4]);
        self.used += 4;
        Ok(mask)
    }
}
