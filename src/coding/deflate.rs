//! The coding `deflate`: the zlib format (RFC 1950), or bare DEFLATE data.

use super::inflate::{Format, Formatted, Place};
use super::stage::{Corrupt, End, Stage};

/// The checksum of the zlib format (RFC 1950, section 8.2).
#[derive(Debug)]
struct Adler {
    sum: u32,
    sum_of_sums: u32,
}

impl Adler {
    const BASE: u32 = 65_521;

    /// Most bytes after which the sums still fit in 32 bits.
    const PIECE: usize = 5552;

    const NEW: Adler = Adler { sum: 1, sum_of_sums: 0 };

    fn update(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(Self::PIECE) {
            for &byte in piece {
                self.sum += u32::from(byte);
                self.sum_of_sums += self.sum;
            }
            self.sum %= Self::BASE;
            self.sum_of_sums %= Self::BASE;
        }
    }

    fn bytes(&self) -> [u8; 4] {
        (self.sum_of_sums << 16 | self.sum).to_be_bytes()
    }
}

/// `deflate` is the zlib format (RFC 9110, section 8.4.1.2). Some servers send bare DEFLATE data under that name.
#[derive(Debug)]
struct Deflate {
    part: Part,
    /// The first byte of a zlib header. `None` for bare data.
    zlib: Option<u8>,
    adler: Adler,
    /// The number of bytes of the trailer that have come.
    trailer: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Start,
    /// The second byte of a zlib header.
    Flags,
    Data,
    /// The checksum of the zlib format.
    Trailer,
    End,
}

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Formatted::new(Deflate { part: Part::Start, zlib: None, adler: Adler::NEW, trailer: 0 }))
}

impl Format for Deflate {
    fn place(&self) -> Place {
        match self.part {
            Part::Data => Place::Data,
            Part::End => Place::After,
            Part::Start | Part::Flags | Part::Trailer => Place::Around,
        }
    }

    fn around(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        match (self.part, input.first()) {
            // In the zlib format the low half of the first byte is 8. Bare data that begins so would be a stored block
            // with a bit set in its padding, which no encoder writes.
            (Part::Start, Some(first)) => {
                self.zlib = (first & 0x0F == 8).then_some(*first);
                self.part = if self.zlib.is_some() { Part::Flags } else { Part::Data };
                Ok(usize::from(self.zlib.is_some()))
            }
            // RFC 1950, section 2.2: the check, the window, and no dictionary, because HTTP names none.
            (Part::Flags, Some(&flags)) => {
                let method = self.zlib.unwrap_or_default();
                if !u16::from_be_bytes([method, flags]).is_multiple_of(31) || method >> 4 > 7 || flags & 0x20 != 0 {
                    return Err(Corrupt("it is not zlib data"));
                }
                self.part = Part::Data;
                Ok(1)
            }
            (Part::Trailer, Some(byte)) => {
                if self.adler.bytes().get(self.trailer) != Some(byte) {
                    return Err(Corrupt("the checksum of the zlib data differs"));
                }
                self.trailer += 1;
                if self.trailer == self.adler.bytes().len() {
                    self.part = Part::End;
                }
                Ok(1)
            }
            // There is nothing around the data elsewhere.
            _ => Ok(0),
        }
    }

    fn decoded(&mut self, bytes: &[u8]) {
        if self.zlib.is_some() {
            self.adler.update(bytes);
        }
    }

    fn data_ended(&mut self) {
        self.part = if self.zlib.is_some() { Part::Trailer } else { Part::End };
    }

    fn end(&self) -> End {
        // The bytes of the trailer were compared when they came.
        if self.part == Part::Trailer { End::AfterBlock } else { End::Inside }
    }

    fn cut(&self) -> &'static str {
        "the deflate data is cut"
    }

    fn restart(&mut self) {
        (self.part, self.zlib, self.trailer) = (Part::Start, None, 0);
        self.adler = Adler::NEW;
    }
}
